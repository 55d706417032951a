//! Who sends for a domain, as far as that can be known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::cli::spf::outgoing::{Host, resolved};
use crate::cli::spf::view::View;
use crate::mail::Domain;
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::memory::Day;
use crate::memory::senders::{Sender, Senders, Source};
use crate::spf::lint::mend;
use crate::spf::suggest::{Known, Seen};
use crate::spf::trace::Outcome;
use crate::spf::{NotFound, Records as _, evaluate, evaluate_traced, is_spf};

/// Clients that are looked at one by one, at most: the busiest.
const MOST_CLIENTS: usize = 60;

/// What is known.
pub(super) struct Evidence {
    pub(super) domain: Domain,
    /// The present records, which should be one; or what was meant as one.
    pub(super) records: Vec<String>,
    /// Why the present record could not be read.
    pub(super) trouble: Option<String>,
    /// The mail hosts with their addresses.
    pub(super) mail_hosts: Vec<(String, Vec<IpAddr>)>,
    /// Whether the domain says that it takes no mail (RFC 7505).
    pub(super) null_mx: bool,
    /// Where this host's mail leaves from.
    pub(super) host: Host,
    /// What our own people sent.
    pub(super) ours: Option<Sender>,
    /// Clients that the ledger saw.
    pub(super) clients: Vec<Client>,
    /// What came from clients that the ledger does not keep one by one.
    pub(super) others: Option<Sender>,
    /// Why nothing is known of clients.
    pub(super) no_ledger: Option<String>,
}

/// A client that sent as the domain.
pub(super) struct Client {
    pub(super) sender: Sender,
    pub(super) address: IpAddr,
    /// The term of the present record by which it passes.
    pub(super) passes_by: Option<String>,
    /// Its name, if that leads back to it.
    pub(super) name: Option<String>,
    /// A record of its own organisation that lets it pass.
    pub(super) own_record: Option<String>,
}

impl Evidence {
    pub(super) async fn gather(view: &View, domain: &Domain, host: Host) -> Self {
        let (records, mut trouble) = match view.dns.txt(domain.as_str()).await {
            Ok(texts) => (published(&texts), None),
            Err(NotFound::NoRecords) => (Vec::new(), None),
            Err(NotFound::Failed(why)) => (Vec::new(), Some(why)),
        };
        let exchangers = match view.dns.mx(domain.as_str()).await {
            Ok(exchangers) => exchangers,
            Err(NotFound::NoRecords) => Vec::new(),
            Err(NotFound::Failed(why)) => {
                trouble.get_or_insert(format!("its mail hosts are not known: {why}"));
                Vec::new()
            }
        };
        let null_mx = exchangers.iter().any(String::is_empty);
        let mut mail_hosts = Vec::new();
        for name in exchangers.into_iter().filter(|name| !name.is_empty()) {
            let addresses = resolved(&name, view).await;
            if addresses.is_empty() {
                trouble.get_or_insert(format!("the mail host {name} has no address that could be found"));
            }
            mail_hosts.push((name, addresses));
        }
        let (senders, no_ledger) = seen(view, domain);
        let ours = senders.iter().find(|sender| sender.source == Source::Ours).cloned();
        let others = senders.iter().find(|sender| sender.source == Source::Others).cloned();
        let mut clients = Vec::new();
        for sender in senders {
            if let (Source::Client(_), Some(address)) = (sender.source, sender.address)
                && clients.len() < MOST_CLIENTS
            {
                clients.push(Client::of(view, domain, sender, address).await);
            }
        }
        let domain = domain.clone();
        Self { domain, records, trouble, mail_hosts, null_mx, host, ours, clients, others, no_ledger }
    }

    /// What a record is made of.
    pub(super) fn known(&self) -> Known {
        let outgoing = self.host.addresses.iter().map(|outgoing| (outgoing.address, outgoing.says.clone()));
        let clients = self.clients.iter().map(|client| Seen {
            address: client.address,
            passes_by: client.passes_by.clone(),
            messages: client.messages(),
        });
        Known {
            domain: self.domain.clone(),
            records: self.records.clone(),
            is_partial: self.trouble.is_some(),
            mail_hosts: self.mail_hosts.clone(),
            outgoing: outgoing.collect(),
            clients: clients.collect(),
            was_watched: self.no_ledger.is_none(),
        }
    }
}

/// The SPF records; where there are none, what was meant as some.
fn published(texts: &[String]) -> Vec<String> {
    let records: Vec<String> = texts.iter().filter(|text| is_spf(text)).cloned().collect();
    if records.is_empty() { texts.iter().filter_map(|text| mend::almost(text)).collect() } else { records }
}

/// What the ledger saw of a domain; or why it saw nothing.
fn seen(view: &View, domain: &Domain) -> (Vec<Sender>, Option<String>) {
    let Some(config) = &view.config else {
        return (Vec::new(), Some("there is no configuration".to_owned()));
    };
    let path = &config.ledger.path;
    match Senders::of_file(path) {
        Ok(senders) => {
            let senders: Vec<Sender> =
                senders.into_iter().filter(|sender| sender.domain == *domain).collect();
            let none = senders
                .is_empty()
                .then(|| "nothing has been sent as it yet, or it is not a hosted domain".to_owned());
            (senders, none)
        }
        Err(error) if error.is_absent() => (Vec::new(), Some(format!("{} is not there", path.display()))),
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

impl Client {
    async fn of(view: &View, domain: &Domain, sender: Sender, address: IpAddr) -> Self {
        let question = SpfQuestion::on_behalf_of(address, "unknown", domain);
        let traced = evaluate_traced(&view.dns, &question, &view.options).await;
        let passes_by = traced.policy.filter(|policy| policy.result == SpfResult::Pass).and_then(|policy| {
            let decisive =
                |outcome: &Outcome| matches!(outcome, Outcome::Matched(_) | Outcome::Redirected(_));
            policy.steps.into_iter().find(|step| decisive(&step.outcome)).map(|step| step.term)
        });
        let name = if passes_by.is_none() { name_of(view, address).await } else { None };
        let own_record = match &name {
            Some(name) => own_record(view, name, address).await,
            None => None,
        };
        Self { sender, address, passes_by, name, own_record }
    }

    /// How much it sent.
    pub(super) fn messages(&self) -> u32 {
        self.sender.total(Day::MIN).all()
    }
}

/// The name of an address that leads back to it.
async fn name_of(view: &View, address: IpAddr) -> Option<String> {
    let names = view.dns.ptr(address).await.ok()?;
    for name in names.into_iter().take(3) {
        if resolved(&name, view).await.contains(&address) {
            return Some(name);
        }
    }
    None
}

/// The domain around a client's name whose record lets it pass: that of a service, in all likelihood.
async fn own_record(view: &View, name: &str, address: IpAddr) -> Option<String> {
    let organisation = psl::domain_str(name)?.to_owned();
    let mut candidates = BTreeSet::new();
    let mut rest = name;
    while let Some((_, above)) = rest.split_once('.') {
        if above.len() < organisation.len() {
            break;
        }
        candidates.extend([format!("_spf.{above}"), format!("spf.{above}"), above.to_owned()]);
        rest = above;
    }
    for candidate in candidates {
        let Ok(domain) = candidate.parse() else { continue };
        let question = SpfQuestion::on_behalf_of(address, "unknown", &domain);
        if evaluate(&view.dns, &question, &view.options).await.result == SpfResult::Pass {
            return Some(candidate);
        }
    }
    None
}
