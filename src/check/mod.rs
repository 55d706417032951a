//! The locks. A check judges a request by the settings of one domain and the facts that it asks for.
//!
//! A lock is one file here: its settings, its `judge`, its tests; and one line in [`REGISTRY`].

pub mod addresses;
pub mod alignment;
pub mod auth_match;
mod authors;
mod delivery;
pub mod exception;
mod forwarding;
mod gateways;
pub mod harvest;
pub mod recipients;
pub mod relay;
pub mod require_auth;
pub mod responses;
pub(crate) mod roles;
pub mod spf;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;

use crate::facts::{Open, View};
use crate::mail::spf::{SpfIdentity, SpfResult};
use crate::mail::{Domain, Edit, Mailbox, Reply};
use crate::session::{LoginPattern, LoginRules, Request};
use addresses::Addresses;
use exception::Exception;

/// Every lock, in the order in which equal judgments win.
pub static REGISTRY: [&dyn Check; 8] = [
    &harvest::Harvest,
    &require_auth::RequireAuth,
    &auth_match::AuthMatch,
    &relay::Relay,
    &recipients::Recipients,
    &spf::Spf,
    &responses::AutoResponders,
    &responses::Bounces,
];

/// Who judged, as the configuration and the log name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    /// The reading of the request, which is no lock: what cannot be read cannot be judged by any.
    Syntax,
    /// Who guesses names is blocked.
    Harvest,
    /// Our domains are for those who log in.
    RequireAuth,
    /// A login sends as itself.
    AuthMatch,
    /// Strangers' mail for strangers.
    Relay,
    /// A recipient exists.
    Recipients,
    /// Verification of HELO and MAIL FROM by SPF.
    Spf,
    /// Automatic replies.
    AutoResponders,
    /// Bounces.
    Bounces,
}

impl CheckId {
    /// The locks with their names in the configuration.
    pub const LOCKS: [(&'static str, Self); 8] = [
        ("harvest", Self::Harvest),
        ("require_auth", Self::RequireAuth),
        ("auth_match", Self::AuthMatch),
        ("relay", Self::Relay),
        ("recipients", Self::Recipients),
        ("spf", Self::Spf),
        ("auto_responders", Self::AutoResponders),
        ("bounces", Self::Bounces),
    ];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Harvest => "harvest",
            Self::RequireAuth => "require_auth",
            Self::AuthMatch => "auth_match",
            Self::Relay => "relay",
            Self::Recipients => "recipients",
            Self::Spf => "spf",
            Self::AutoResponders => "auto_responders",
            Self::Bounces => "bounces",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How seriously a lock is meant. The order is by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Not examined at all.
    Off,
    /// Examined, recorded and logged; refuses nothing.
    Monitor,
    /// Refuses.
    Enforce,
}

impl Mode {
    /// All modes with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("off", Self::Off), ("monitor", Self::Monitor), ("enforce", Self::Enforce)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Monitor => "monitor",
            Self::Enforce => "enforce",
        }
    }
}

/// The settings of a lock in one domain, with the mode that is in force there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock<S> {
    /// The mode, every inheritance and cap applied.
    pub mode: Mode,
    /// The settings.
    pub settings: S,
}

/// All locks as one domain has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// How addresses are compared.
    pub addresses: Addresses,
    /// Harvesting; the same in every domain, as it is about clients.
    pub harvest: Mode,
    /// Authentication required.
    pub require_auth: Lock<require_auth::Settings>,
    /// The login must match the sender.
    pub auth_match: Lock<auth_match::Settings>,
    /// Strangers' mail for strangers; the same in every domain, as it is about those that are not hosted.
    pub relay: Mode,
    /// Recipients exist.
    pub recipients: Lock<recipients::Settings>,
    /// SPF.
    pub spf: Lock<spf::Settings>,
    /// Automatic replies.
    pub auto_responders: Lock<responses::AutoSettings>,
    /// Bounces.
    pub bounces: Lock<responses::BounceSettings>,
    /// Who is exempt from what.
    pub exceptions: Vec<Exception>,
}

impl Locks {
    /// Whether who uses the names behind a wildcard is worth knowing.
    pub fn learns(&self) -> bool {
        let Lock { mode, settings } = &self.recipients;
        *mode != Mode::Off && settings.catch_all.learns() && !settings.sources.is_empty()
    }

    /// Whether it matters where messages of our users went, as lists may bring them back.
    pub fn follows_posts(&self) -> bool {
        let Lock { mode, settings } = &self.require_auth;
        *mode != Mode::Off && settings.follows_posts()
    }

    /// Whether it matters which messages were accepted, as not all of them are answered, or as lists bring them back.
    pub fn records(&self) -> bool {
        let allows = [
            (self.auto_responders.mode, self.auto_responders.settings.policy),
            (self.bounces.mode, self.bounces.settings.policy),
        ];
        self.follows_posts()
            || allows.iter().any(|(mode, policy)| *mode != Mode::Off && *policy != responses::Policy::Allow)
    }

    /// The mode of a lock.
    pub fn mode(&self, check: CheckId) -> Mode {
        match check {
            CheckId::Syntax => Mode::Off,
            CheckId::Harvest => self.harvest,
            CheckId::RequireAuth => self.require_auth.mode,
            CheckId::AuthMatch => self.auth_match.mode,
            CheckId::Relay => self.relay,
            CheckId::Recipients => self.recipients.mode,
            CheckId::Spf => self.spf.mode,
            CheckId::AutoResponders => self.auto_responders.mode,
            CheckId::Bounces => self.bounces.mode,
        }
    }
}

/// What holds for the whole host and not for one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Our authserv-id (RFC 8601, 2.5), where the administrator chose one.
    pub authserv_id: Option<String>,
    /// This host's name.
    pub host_name: String,
    /// Authserv-ids of earlier milters and gateways whose results may be used.
    pub trusted_authserv_ids: Vec<String>,
    /// Networks whose clients need no login.
    pub trusted_networks: Vec<IpNet>,
    /// Who forwards mail to us, so that its SPF result would be about the wrong host.
    pub trusted_forwarders: Vec<Forwarder>,
    /// Hosted domains that follow another one, and which.
    pub aliases: BTreeMap<Domain, Domain>,
    /// The domain of logins that name none.
    pub login_domain: Option<Domain>,
    /// Logins that may send as anything.
    pub exempt_logins: Vec<LoginPattern>,
    /// The hosted domains.
    pub hosted: BTreeSet<Domain>,
    /// Networks whose clients may guess names.
    pub harvest_exempt: Vec<IpNet>,
    /// The exceptions of all domains that may lift a block.
    pub harvest_exceptions: Vec<Exception>,
}

impl Site {
    /// The domain itself, or the one that it follows.
    pub fn followed<'d>(&'d self, domain: &'d Domain) -> &'d Domain {
        self.aliases.get(domain).unwrap_or(domain)
    }

    /// How logins are compared that are judged by the settings of a domain with these rules for addresses.
    pub fn login_rules(&self, addresses: &Addresses) -> LoginRules<'_> {
        LoginRules { domain: self.login_domain.as_ref(), case_sensitive: addresses.case_sensitive }
    }

    /// Whether a domain is one of ours.
    pub fn hosts(&self, domain: &Domain) -> bool {
        self.hosted.contains(domain)
    }

    /// The authserv-id in force: as configured, else the MTA's name, else the host's.
    pub fn authserv_id<'a>(&'a self, request: &Request<'a>) -> &'a str {
        let mta_name = request.session.mta_name.as_deref();
        self.authserv_id.as_deref().or(mta_name).unwrap_or(&self.host_name)
    }
}

/// A host that may pass on other people's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarder {
    /// Clients in this network.
    Network(IpNet),
    /// Clients that pass SPF for this domain.
    Spf(Domain),
}

impl Forwarder {
    /// The network, where it is one.
    pub fn network(&self) -> Option<IpNet> {
        match self {
            Self::Network(network) => Some(*network),
            Self::Spf(_) => None,
        }
    }

    /// The domain, where it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Network(_) => None,
            Self::Spf(domain) => Some(domain),
        }
    }
}

/// One lock.
pub trait Check: Sync {
    /// Its name.
    fn id(&self) -> CheckId;

    /// Whether what it asks is asked before anything else, as the answer may make all else needless.
    fn goes_first(&self) -> bool {
        false
    }

    /// Whose settings judge this request; nobody's where the lock has nothing to say.
    fn concerns(&self, site: &Site, request: &Request<'_>) -> Vec<Subject>;

    /// The same where that takes facts, none of which may cost more than memory: whose mailbox a bounce is about, only the
    /// message that bounced can tell.
    fn concerns_by_facts(
        &self,
        site: &Site,
        request: &Request<'_>,
        _: &View<'_>,
    ) -> Result<Vec<Subject>, Open> {
        Ok(self.concerns(site, request))
    }

    /// Whether what this lock does to a message is done only if every domain that it concerns agrees, where another lock
    /// does what one of them asks for.
    fn takes_all(&self, _: &Request<'_>) -> bool {
        false
    }

    /// The judgment of one case, or what must be known first.
    fn judge(&self, case: &Case<'_>, facts: &View<'_>) -> Result<Opinion, Open>;
}

/// A request before the settings that judge it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What holds for the whole host.
    pub site: &'a Site,
    /// The hosted domain whose settings judge; none if they are `defaults`.
    pub domain: Option<&'a Domain>,
    /// The settings.
    pub locks: &'a Locks,
    /// The request.
    pub request: &'a Request<'a>,
}

/// Whose settings judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Those of this domain; none if it is not hosted.
    Hosted(Domain),
    /// Those of this domain, and `defaults` if it is not hosted or there is none.
    OrDefaults(Option<Domain>),
    /// `defaults`, because this domain is not hosted; none if it is.
    NotHosted(Domain),
}

/// What a check has to say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The judgment.
    pub judgment: Judgment,
    /// Changes to the message.
    pub edits: Vec<Edit>,
    /// What was found out on the way.
    pub observations: Vec<Observation>,
}

impl From<Judgment> for Opinion {
    fn from(judgment: Judgment) -> Self {
        Self { judgment, edits: Vec::new(), observations: Vec::new() }
    }
}

/// How a request fares with one lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgment {
    /// Nothing against it.
    Pass(Remark),
    /// The lock does not apply; which is no statement about the request.
    NotExamined(Remark),
    /// An exception of the administrator's lets it pass unexamined.
    Excepted(Remark),
    /// To be taken and thrown away.
    Discard(Remark),
    /// To be refused for now.
    Defer(Remark, Reply),
    /// To be refused.
    Reject(Remark, Reply),
}

impl Judgment {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass(_) => "pass",
            Self::NotExamined(_) => "not-examined",
            Self::Excepted(_) => "excepted",
            Self::Discard(_) => "discard",
            Self::Defer(..) => "defer",
            Self::Reject(..) => "reject",
        }
    }

    /// Why.
    pub fn remark(&self) -> &Remark {
        match self {
            Self::Pass(remark)
            | Self::NotExamined(remark)
            | Self::Excepted(remark)
            | Self::Discard(remark)
            | Self::Defer(remark, _)
            | Self::Reject(remark, _) => remark,
        }
    }

    /// The reply, where the judgment refuses.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Defer(_, reply) | Self::Reject(_, reply) => Some(reply),
            Self::Pass(_) | Self::NotExamined(_) | Self::Excepted(_) | Self::Discard(_) => None,
        }
    }

    /// Whether it keeps the message from its way.
    pub fn objects(&self) -> bool {
        matches!(self, Self::Discard(_) | Self::Defer(..) | Self::Reject(..))
    }
}

/// The reason for a judgment, for the administrator: never sent to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// A stable word that programs can search for.
    pub reason: &'static str,
    /// A sentence for people. May quote attacker text; the journal escapes it.
    pub detail: String,
    /// Whom a login claims to be, where that is what the remark is about: the mailbox as it was compared.
    pub claimed: Option<String>,
}

impl Remark {
    /// A remark from its parts.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), claimed: None }
    }

    /// The same remark, about this claim.
    #[must_use]
    pub fn about(self, claimed: impl Into<String>) -> Self {
        Self { claimed: Some(claimed.into()), ..self }
    }
}

/// The judgment of one lock by the settings of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The lock.
    pub check: CheckId,
    /// The domain whose settings judged; none where the host's did.
    pub domain: Option<Domain>,
    /// The mode of the lock there.
    pub mode: Mode,
    /// The judgment.
    pub judgment: Judgment,
}

/// Something found out while judging that others want to know: the log, the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// An SPF result.
    Spf {
        /// Of which identity.
        identity: SpfIdentity,
        /// Of which domain, as the client wrote it.
        domain: String,
        /// The result.
        result: SpfResult,
        /// The authserv-id of the gateway that found it; none if it was us.
        found_by: Option<String>,
    },
    /// How a recipient is known.
    Recipient {
        /// The mailbox in canonical form, without a tag or a subaddress, at the domain that its own follows.
        mailbox: Mailbox,
        /// How.
        known: Known,
    },
}

/// How a recipient is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// By an entry of its own.
    ByName,
    /// By an entry that may be its own, or only one of all names; it is accepted.
    Ambiguously,
    /// By a wildcard only; it is accepted.
    ByWildcard,
    /// By a wildcard only; the sender has come back after a deferral, as real ones do, and it is accepted.
    OnReturn,
    /// By a wildcard only; it is deferred to see who comes back.
    Deferred,
    /// By nothing that counts; it is refused.
    Not,
}
