//! From what is known to a record, which is tried before anybody is told to publish it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::evidence::{Client, Evidence};
use crate::cli::spf::view::View;
use crate::mail::Domain;
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::spf::lint::{Cost, Duties, STRANGERS, is_public, lint_record};
use crate::spf::overlay::Overlay;
use crate::spf::{Records, evaluate};

/// Somebody whom the administrator authorises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
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
pub(super) struct Term {
    pub(super) text: String,
    pub(super) why: String,
}

/// A suggestion.
pub(super) struct Suggestion {
    pub(super) evidence: Evidence,
    pub(super) terms: Vec<Term>,
    /// Terms of the present record that are left out, and why.
    pub(super) dropped: Vec<Term>,
    /// The record.
    pub(super) record: String,
    /// How each that must pass fares: who, from where, and with which result.
    pub(super) trials: Vec<Trial>,
    /// What strangers get.
    pub(super) strangers: Vec<SpfResult>,
    pub(super) cost: Option<Cost>,
    /// The limit of look-ups.
    pub(super) most_lookups: usize,
    /// Notes on choices that have a price.
    pub(super) notes: Vec<String>,
}

/// A trial of the record.
pub(super) struct Trial {
    pub(super) who: String,
    pub(super) address: IpAddr,
    pub(super) result: SpfResult,
}

impl Suggestion {
    /// Clients of which nobody has said whether they may send.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &Client> {
        self.evidence.clients.iter().filter(|client| {
            let is_tried = |trial: &Trial| trial.address == client.address && trial.result == SpfResult::Pass;
            !self.trials.iter().any(is_tried)
        })
    }

    /// Whether the record keeps what it promises.
    pub(super) fn keeps(&self) -> bool {
        let passes = self
            .trials
            .iter()
            .filter(|trial| trial.who != UNKNOWN)
            .all(|trial| trial.result == SpfResult::Pass);
        let lookups =
            self.cost.is_none_or(|cost| !cost.is_endless && cost.counts.lookups <= self.most_lookups);
        passes
            && lookups
            && self.evidence.trouble.is_none()
            && self.strangers.iter().all(|result| *result != SpfResult::Pass)
    }

    /// Whether nothing is left to be decided.
    pub(super) fn is_good(&self) -> bool {
        self.keeps() && self.unknown().next().is_none()
    }
}

/// Who a client is of whom nothing but its mail is known.
pub(super) const UNKNOWN: &str = "unknown sender";

/// A draft of the terms.
#[derive(Default)]
struct Draft {
    terms: Vec<Term>,
    dropped: Vec<Term>,
    notes: Vec<String>,
}

impl Draft {
    fn add(&mut self, text: String, why: String) {
        match self.terms.iter_mut().find(|term| term.text.eq_ignore_ascii_case(&text)) {
            Some(term) if !term.why.contains(&why) => term.why = format!("{}; {why}", term.why),
            Some(_) => {}
            None => self.terms.push(Term { text, why }),
        }
    }

    fn record(&self, end: &str) -> String {
        let rank = |term: &Term| {
            let kinds = ["ip4:", "ip6:", "a", "mx", "exists:", "include:"];
            // What is kept out must be kept out before anything lets it in, and what is doubtful comes after that
            // (RFC 7208, 4.6.2).
            match term.text.as_bytes() {
                [b'-', ..] => return 0,
                [b'~' | b'?', ..] => return 7,
                _ => {}
            }
            // What costs nothing comes first, and what others keep last (RFC 7208, 4.6.4).
            1 + if term.text.starts_with("include:") {
                5
            } else {
                kinds.iter().position(|kind| term.text.starts_with(kind)).unwrap_or(4)
            }
        };
        let mut terms: Vec<&Term> = self.terms.iter().collect();
        terms.sort_by_key(|term| rank(term));
        let words = terms.iter().map(|term| term.text.as_str());
        ["v=spf1"].into_iter().chain(words).chain([end]).collect::<Vec<_>>().join(" ")
    }
}

/// Composes a record and tries it.
pub(super) async fn compose(view: &View, evidence: Evidence, allowed: &[Allowed]) -> Suggestion {
    let mut draft = Draft::default();
    for outgoing in &evidence.host.addresses {
        draft.add(
            network_term(outgoing.address.into()),
            format!("this host's mail leaves from there ({})", outgoing.says),
        );
    }
    for allow in allowed {
        match allow {
            Allowed::Network(network) => draft.add(network_term(*network), "allowed by you".to_owned()),
            Allowed::Include(domain) => draft.add(format!("include:{domain}"), "allowed by you".to_owned()),
        }
    }
    mail_hosts(view, &evidence, &mut draft);
    present(view, &evidence, &mut draft).await;
    let was_strict = evidence
        .record
        .as_deref()
        .is_some_and(|record| record.split(' ').any(|term| term.eq_ignore_ascii_case("-all")));
    let end = if was_strict || draft.terms.is_empty() { "-all" } else { "~all" };
    let record = draft.record(end);
    tried(view, evidence, draft, record).await
}

/// The mail hosts by `mx`, as long as that is good; else by their addresses.
fn mail_hosts(view: &View, evidence: &Evidence, draft: &mut Draft) {
    if evidence.mail_hosts.is_empty() {
        return;
    }
    let all: Vec<IpAddr> = evidence.mail_hosts.iter().flat_map(|(_, addresses)| addresses).copied().collect();
    let covered =
        |address: &IpAddr| draft.terms.iter().any(|term| term.text == network_term((*address).into()));
    let one_family = evidence.mail_hosts.iter().any(|(_, addresses)| {
        !addresses.iter().any(IpAddr::is_ipv4) || !addresses.iter().any(IpAddr::is_ipv6)
    });
    let is_many = evidence.mail_hosts.len() > view.options.lookups;
    if all.iter().all(covered) && !all.is_empty() {
        return;
    }
    if one_family || is_many {
        for (name, addresses) in &evidence.mail_hosts {
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
        let names: Vec<&str> = evidence.mail_hosts.iter().map(|(name, _)| name.as_str()).collect();
        draft.add(
            "mx".to_owned(),
            format!("the mail hosts {}, whatever their addresses are (1 look-up)", names.join(", ")),
        );
    }
}

/// What the present record authorises: by what others keep, and by networks that are not ours.
async fn present(view: &View, evidence: &Evidence, draft: &mut Draft) {
    let Some(record) = &evidence.record else { return };
    let has_all = record
        .split(' ')
        .any(|term| term.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all"));
    for term in record.split(' ').filter(|term| !term.is_empty()).skip(1) {
        let bare = term.trim_start_matches('+');
        let lower = bare.to_ascii_lowercase();
        if lower.trim_start_matches(['-', '~', '?']) == "all" || lower.starts_with("exp=") {
            continue;
        }
        let seen: Vec<&Client> =
            evidence.clients.iter().filter(|client| client.passes_by.as_deref() == Some(term)).collect();
        let messages: u32 = seen.iter().fold(0, |sum, client| sum.saturating_add(client.messages()));
        let kept = match lower.strip_prefix("redirect=") {
            Some(domain) => format!("include:{domain}"),
            None => bare.to_owned(),
        };
        let drop = |draft: &mut Draft, why: &str| {
            draft.dropped.push(Term { text: term.to_owned(), why: why.to_owned() });
        };
        if has_all && lower.starts_with("redirect=") {
            drop(draft, "nobody follows it, as the record has `all` (RFC 7208, 6.1)");
        } else if lower == "ptr" || lower.starts_with("ptr:") {
            drop(draft, "RFC 7208, 5.5 tells domains not to use it");
        } else if ((lower == "mx" && !evidence.mail_hosts.is_empty())
            || draft.terms.iter().any(|term| term.text.eq_ignore_ascii_case(&kept)))
            && messages == 0
        {
            // Named already.
        } else if !works(view, &kept, &evidence.domain).await {
            drop(draft, "receivers cannot evaluate it, or it lets everybody in, or names nothing");
        } else if messages > 0 {
            let clients = seen.len();
            draft.add(
                kept,
                format!("in the present record; {clients} of its hosts sent {messages} messages lately"),
            );
        } else if evidence.no_ledger.is_some() {
            draft.add(kept, "in the present record; who uses it is not known".to_owned());
        } else {
            draft.add(
                kept,
                "in the present record; nobody used it lately: remove it if nobody should".to_owned(),
            );
        }
    }
}

/// Whether a term alone is a good one.
async fn works(view: &View, term: &str, domain: &Domain) -> bool {
    let record = format!("v=spf1 {term} -all");
    let lint = lint_record(Some(&view.dns), Some(domain), &record, &view.options, &Duties::default()).await;
    // That DNS does not answer now says nothing of a term.
    let harmless = [
        "dns-failure",
        "too-many-queries",
        "void-lookups-of-family",
        "wide-network",
        "host-bits",
        "too-many-lookups",
        "too-many-void-lookups",
    ];
    lint.findings.iter().all(|finding| {
        finding.kind.severity == crate::spf::lint::Severity::Note || harmless.contains(&finding.kind.slug)
    })
}

/// Tries the record as if it were published.
async fn tried(view: &View, evidence: Evidence, draft: Draft, record: String) -> Suggestion {
    let overlay = Overlay { dns: &view.dns, name: evidence.domain.as_str(), record: &record };
    let lint =
        lint_record(Some(&view.dns), Some(&evidence.domain), &record, &view.options, &Duties::default())
            .await;
    let mut must_pass: Vec<(String, IpAddr)> = Vec::new();
    let mut known = BTreeSet::new();
    let hosts = evidence.host.addresses.iter().map(|outgoing| (outgoing.says.clone(), outgoing.address));
    let mail_hosts = evidence.mail_hosts.iter().flat_map(|(name, addresses)| {
        addresses.iter().map(move |address| (format!("mail host {name}"), *address))
    });
    let clients = evidence.clients.iter().map(|client| match &client.passes_by {
        Some(term) => (format!("seen, passes by {term}"), client.address),
        None => (UNKNOWN.to_owned(), client.address),
    });
    for (who, address) in hosts.chain(mail_hosts).chain(clients) {
        if is_public(address) && known.insert(address) {
            must_pass.push((who, address));
        }
    }
    let mut trials = Vec::new();
    for (who, address) in must_pass {
        let result = result(&overlay, view, &evidence.domain, address).await;
        trials.push(Trial { who, address, result });
    }
    let mut strangers = Vec::new();
    for stranger in STRANGERS {
        strangers.push(result(&overlay, view, &evidence.domain, stranger).await);
    }
    Suggestion {
        terms: draft.terms,
        dropped: draft.dropped,
        notes: draft.notes,
        cost: lint.cost(),
        most_lookups: view.options.lookups,
        evidence,
        record,
        trials,
        strangers,
    }
}

async fn result(dns: &impl Records, view: &View, domain: &Domain, address: IpAddr) -> SpfResult {
    let question = SpfQuestion::on_behalf_of(address, "unknown", domain);
    evaluate(dns, &question, &view.options).await.result
}

/// The term for a network.
fn network_term(network: IpNet) -> String {
    let (name, longest) = if network.addr().is_ipv4() { ("ip4", 32) } else { ("ip6", 128) };
    if network.prefix_len() == longest {
        format!("{name}:{}", network.addr())
    } else {
        format!("{name}:{network}")
    }
}

/// The record as it stands in a zone file: character-strings of at most 255 octets (RFC 7208, 3.3), cut at blanks, which
/// stay, as strings are joined without any.
pub(super) fn zone_line(domain: &Domain, record: &str) -> String {
    const STRING: usize = 255;
    let mut strings = vec![String::new()];
    for word in record.split_inclusive(' ') {
        let last = strings.last_mut().expect("the list begins with one");
        if last.len() + word.len() > STRING {
            strings.push(word.to_owned());
        } else {
            last.push_str(word);
        }
    }
    let quoted: Vec<String> = strings.iter().map(|string| format!("\"{string}\"")).collect();
    match quoted.as_slice() {
        [one] => format!("{domain}. IN TXT {one}\n"),
        many => format!("{domain}. IN TXT (\n    {}\n)\n", many.join("\n    ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_records_are_split_at_blanks() {
        let domain = "example.org".parse().unwrap();
        assert_eq!(zone_line(&domain, "v=spf1 -all"), "example.org. IN TXT \"v=spf1 -all\"\n");
        let record = format!("v=spf1 {}-all", "ip4:192.0.2.128/28 ".repeat(40));
        let line = zone_line(&domain, &record);
        let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert!(strings.len() > 2 && strings.iter().all(|string| string.len() <= 255));
        assert_eq!(strings.concat(), record);
    }

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
