//! A record for a domain, from what is known of who sends for it; tried before anybody is told to publish it.
//!
//! | file | what it does |
//! |---|---|
//! | `draft` | terms with their reasons, and the record that they make |
//! | `present` | what the record that is published lets in, also where receivers cannot read it |
//!
//! Whoever passes today shall pass tomorrow. So nothing of the present record is left out without a word; where it says something
//! that nobody can tell, there is no suggestion; and where it is a permerror today, so that nothing fails, nothing begins to
//! fail: the new record ends with `~all`.

mod draft;
mod present;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use self::draft::{Draft, network_term};
use super::lint::{Cost, Duties, STRANGERS, Zone, is_public, lint_record};
use super::overlay::Overlay;
use super::{Options, Records, evaluate};
use crate::mail::Domain;
use crate::mail::spf::{SpfQuestion, SpfResult};

/// What is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// The domain.
    pub domain: Domain,
    /// The records that are published, or were meant to be ([`super::lint::mend::almost`]).
    pub records: Vec<String>,
    /// Whether DNS could not tell all of it.
    pub is_partial: bool,
    /// The mail hosts with their addresses.
    pub mail_hosts: Vec<(String, Vec<IpAddr>)>,
    /// Where our own mail leaves from, and what says so.
    pub outgoing: Vec<(IpAddr, String)>,
    /// Clients that were seen to send.
    pub clients: Vec<Seen>,
    /// Whether somebody has looked who sends.
    pub was_watched: bool,
}

/// A client that was seen to send.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its address.
    pub address: IpAddr,
    /// The term of the present record by which it passes.
    pub passes_by: Option<String>,
    /// How much it sent.
    pub messages: u32,
}

/// Somebody whom the administrator authorises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Hosts of this network.
    Network(IpNet),
    /// Whom the record of this domain lets pass.
    Include(Domain),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(domain) = text.strip_prefix("include:") {
            return domain
                .parse()
                .map(Self::Include)
                .map_err(|error: crate::mail::domain::DomainError| error.to_string());
        }
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(|network| Self::Network(network.trunc()))
            .map_err(|_| "expected a network or include:DOMAIN".to_owned())
    }
}

/// A term with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The term.
    pub text: String,
    /// Why it stands there, or why it does not.
    pub why: String,
}

/// A suggestion.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The terms, in the order in which they were found.
    pub terms: Vec<Term>,
    /// What is left out of the present record, and why.
    pub dropped: Vec<Term>,
    /// What of the present record nobody can read. While there is any, nothing is suggested.
    pub unclear: Vec<Term>,
    /// The record, as far as it is known.
    pub draft: String,
    /// How each that must pass fares.
    pub trials: Vec<Trial>,
    /// What strangers get.
    pub strangers: Vec<SpfResult>,
    /// What it costs receivers.
    pub cost: Option<Cost>,
    /// Notes on choices that have a price.
    pub notes: Vec<String>,
    /// Whether what is known is all that there is to know.
    is_whole: bool,
    most_lookups: usize,
}

/// A trial of the record.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Who it is.
    pub who: String,
    /// The client.
    pub address: IpAddr,
    /// What it gets.
    pub result: SpfResult,
}

/// Who a client is of whom nothing but its mail is known.
pub const UNKNOWN: &str = "unknown sender";

impl Suggestion {
    /// The record to publish; none where it would do harm: it leaves out what nobody can read, or receivers would not be able to
    /// evaluate it.
    pub fn record(&self) -> Option<&str> {
        let is_broken = self.strangers.contains(&SpfResult::Permerror);
        (self.unclear.is_empty() && !is_broken).then_some(self.draft.as_str())
    }

    /// Whether the record keeps what it promises: who should pass does, strangers do not, and receivers can tell.
    pub fn keeps(&self) -> bool {
        let stopped = [SpfResult::Fail, SpfResult::Softfail, SpfResult::Neutral];
        let lookups =
            self.cost.is_none_or(|cost| !cost.is_endless && cost.counts.lookups <= self.most_lookups);
        self.trials.iter().filter(|trial| trial.who != UNKNOWN).all(|trial| trial.result == SpfResult::Pass)
            && self.strangers.iter().all(|result| stopped.contains(result))
            && lookups
            && self.is_whole
            && self.record().is_some()
    }

    /// Whether a client passes by it.
    pub fn passes(&self, address: IpAddr) -> bool {
        self.trials.iter().any(|trial| trial.address == address && trial.result == SpfResult::Pass)
    }

    /// The limit of look-ups that it was held to.
    pub fn most_lookups(&self) -> usize {
        self.most_lookups
    }
}

/// Composes a record and tries it.
pub async fn suggest(dns: &impl Zone, known: &Known, allowed: &[Allowed], options: &Options) -> Suggestion {
    let mut draft = Draft::default();
    for (address, says) in &known.outgoing {
        draft.add(network_term((*address).into()), format!("this host's mail leaves from there ({says})"));
    }
    for allow in allowed {
        match allow {
            Allowed::Network(network) => draft.add(network_term(*network), "allowed by you".to_owned()),
            Allowed::Include(domain) => {
                let term = format!("include:{domain}");
                match present::trouble(dns, &term, &known.domain, options).await {
                    None => draft.add(term, "allowed by you".to_owned()),
                    Some(why) => draft.unclear.push(Term { text: term, why }),
                }
            }
        }
    }
    mail_hosts(known, options, &mut draft);
    let broken = broken(dns, known, options).await;
    present::present(dns, known, options, &mut draft).await;
    let is_strict = |record: &String| record.split(' ').any(|term| term.eq_ignore_ascii_case("-all"));
    let was_strict = known.records.iter().any(is_strict);
    // Where nothing fails today, nobody who was forgotten shall fail tomorrow.
    let end = if let Some(why) = broken {
        draft.notes.push(format!(
            "{why}, so that nobody fails today. The new one ends with ~all, so that a sender who was forgotten loses nothing."
        ));
        "~all"
    } else if was_strict && draft.lets_in_less {
        draft.notes.push(
            "As terms are left out, the new record ends with ~all: whoever passed by them is marked, and does not fail.".to_owned(),
        );
        "~all"
    } else if was_strict || (draft.is_empty() && draft.dropped.is_empty()) {
        "-all"
    } else {
        "~all"
    };
    let record = draft.record(end);
    tried(dns, known, options, draft, record).await
}

/// Why nothing fails by the present record, if it is of no use to receivers.
async fn broken(dns: &impl Records, known: &Known, options: &Options) -> Option<&'static str> {
    if known.records.is_empty() {
        return None;
    }
    for stranger in STRANGERS {
        match result(dns, options, &known.domain, stranger).await {
            SpfResult::Permerror => return Some("Receivers cannot evaluate the present record (permerror)"),
            SpfResult::None => return Some("Receivers do not take what is published for an SPF record"),
            SpfResult::Pass => return Some("The present record lets everybody pass"),
            _ => {}
        }
    }
    None
}

/// The mail hosts by `mx`, as long as that is good; else by their addresses.
fn mail_hosts(known: &Known, options: &Options, draft: &mut Draft) {
    if known.mail_hosts.is_empty() {
        return;
    }
    let all: Vec<IpAddr> = known.mail_hosts.iter().flat_map(|(_, addresses)| addresses).copied().collect();
    let covered = |address: &IpAddr| draft.has(&network_term((*address).into()));
    let one_family = known.mail_hosts.iter().any(|(_, addresses)| {
        !addresses.iter().any(IpAddr::is_ipv4) || !addresses.iter().any(IpAddr::is_ipv6)
    });
    let is_many = known.mail_hosts.len() > options.lookups;
    if all.iter().all(covered) && !all.is_empty() {
        return;
    }
    if one_family || is_many {
        for (name, addresses) in &known.mail_hosts {
            for address in addresses.iter().filter(|address| is_public(**address)) {
                draft.add(network_term((*address).into()), format!("mail host {name}"));
            }
        }
        let reason = if is_many {
            "there are too many mail hosts for one mx term"
        } else {
            "a mail host with one kind of address costs receivers look-ups that find nothing"
        };
        draft.notes.push(format!(
            "The mail hosts are named by their addresses, as {reason}. It saves a look-up; when their addresses change, the \
             record must change as well."
        ));
    } else {
        let names: Vec<&str> = known.mail_hosts.iter().map(|(name, _)| name.as_str()).collect();
        draft.add(
            "mx".to_owned(),
            format!("the mail hosts {}, whatever their addresses are (1 look-up)", names.join(", ")),
        );
    }
}

/// Tries the record as if it were published.
async fn tried(
    dns: &impl Zone,
    known: &Known,
    options: &Options,
    mut draft: Draft,
    record: String,
) -> Suggestion {
    let overlay = Overlay { dns, name: known.domain.as_str(), record: &record };
    let lint = lint_record(Some(dns), Some(&known.domain), &record, options, &Duties::default()).await;
    let mut must_pass: Vec<(String, IpAddr)> = Vec::new();
    let mut seen = BTreeSet::new();
    let hosts = known.outgoing.iter().map(|(address, says)| (says.clone(), *address));
    let mail_hosts = known.mail_hosts.iter().flat_map(|(name, addresses)| {
        addresses.iter().map(move |address| (format!("mail host {name}"), *address))
    });
    let clients = known.clients.iter().map(|client| match &client.passes_by {
        Some(term) => (format!("seen, passes by {term}"), client.address),
        None => (UNKNOWN.to_owned(), client.address),
    });
    for (who, address) in hosts.chain(mail_hosts).chain(clients) {
        if is_public(address) && seen.insert(address) {
            must_pass.push((who, address));
        }
    }
    let mut trials = Vec::new();
    for (who, address) in must_pass {
        let result = result(&overlay, options, &known.domain, address).await;
        trials.push(Trial { who, address, result });
    }
    let mut strangers = Vec::new();
    for stranger in STRANGERS {
        strangers.push(result(&overlay, options, &known.domain, stranger).await);
    }
    Suggestion {
        dropped: std::mem::take(&mut draft.dropped),
        unclear: std::mem::take(&mut draft.unclear),
        notes: std::mem::take(&mut draft.notes),
        terms: draft.into_terms(),
        cost: lint.cost(),
        is_whole: !known.is_partial,
        most_lookups: options.lookups,
        draft: record,
        trials,
        strangers,
    }
}

async fn result(dns: &impl Records, options: &Options, domain: &Domain, address: IpAddr) -> SpfResult {
    let question = SpfQuestion::on_behalf_of(address, "unknown", domain);
    evaluate(dns, &question, options).await.result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_allowed() {
        for (text, expected) in [
            ("192.0.2.1", Some(Allowed::Network("192.0.2.1/32".parse().unwrap()))),
            ("192.0.2.1/24", Some(Allowed::Network("192.0.2.0/24".parse().unwrap()))),
            ("include:news.example", Some(Allowed::Include("news.example".parse().unwrap()))),
            ("news.example", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
