//! How a record is published, whether it does its duty, and what should stand beside it.

use super::{Draft, Duties, Zone, is_public, kind, mend};
use crate::mail::Domain;
use crate::mail::spf::{SpfQuestion, SpfResult};
use crate::spf::{self, NotFound, Options, Records, record};

/// Octets of an answer that fits into one datagram without extensions (RFC 1035, 4.2.1).
const DATAGRAM: usize = 512;

/// The record of a domain, and the octets in it where two character-strings meet.
pub(super) async fn published(
    dns: &impl Zone,
    domain: &Domain,
    draft: &mut Draft,
) -> Option<(String, Vec<usize>)> {
    let strings = match dns.strings(domain.as_str()).await {
        Ok(strings) => strings,
        Err(NotFound::NoRecords) => Vec::new(),
        Err(NotFound::Failed(why)) => {
            draft.add(&kind::DNS_FAILURE, format!("DNS: {why} for TXT {domain}"));
            return None;
        }
    };
    // RFC 1035, 4.1: header, question, and for each record a pointer to the name, 10 octets of fixed fields and its data.
    let question = 12 + domain.as_str().len() + 2 + 4;
    let records =
        strings.iter().map(|record| 12 + record.iter().map(|string| string.len() + 1).sum::<usize>());
    let octets = question + records.sum::<usize>();
    let texts: Vec<(String, Vec<usize>)> = strings.iter().map(|record| joined(record)).collect();
    let (policies, others): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(text, _)| record::is_spf(text));
    for (text, _) in &others {
        unseen(text, draft);
    }
    if dns.type_99(domain.as_str()).await.is_ok() {
        draft.add(&kind::TYPE_99, "there is a record of type 99 (SPF)".to_owned());
    }
    if octets > DATAGRAM && !policies.is_empty() {
        // RFC 7208, 3.4.
        let says =
            format!("the answer for TXT {domain} has {octets} octets, and more than {DATAGRAM} may need TCP");
        draft.add(&kind::LONG_ANSWER, says);
    }
    // RFC 7208, 3.2 and 4.5.
    if policies.len() > 1 {
        let says = format!("{domain} has {} SPF records, which is a permerror", policies.len());
        draft.add(&kind::MULTIPLE_RECORDS, says);
    }
    if policies.is_empty() {
        draft.add(&kind::NO_RECORD, format!("{domain} has no SPF record"));
    }
    policies.into_iter().next()
}

fn joined(strings: &[Vec<u8>]) -> (String, Vec<usize>) {
    let mut borders = Vec::new();
    let mut octets = Vec::new();
    for string in strings {
        if !octets.is_empty() {
            borders.push(octets.len());
        }
        octets.extend(string);
    }
    match String::from_utf8(octets) {
        Ok(text) => (text, borders),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Vec::new()),
    }
}

/// Says of a text that is no SPF record what it was meant as, if it was meant as one.
pub(super) fn unseen(text: &str, draft: &mut Draft) {
    let bare = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"' || c == '\u{feff}');
    let begins =
        |prefix: &str| bare.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    if begins("spf2.0/") {
        draft.add(&kind::SENDER_ID, format!("‘{text}’ is a record of Sender ID"));
    } else if let Some(meant) = mend::almost(text) {
        let meant: Vec<&str> = meant.split_whitespace().collect();
        draft
            .add(&kind::ALMOST_RECORD, format!("receivers do not see ‘{text}’; write ‘{}’", meant.join(" ")));
    } else if begins("v=spf") || begins("spf1 ") {
        draft.add(&kind::ALMOST_RECORD, format!("receivers do not see ‘{text}’"));
    }
}

/// Whether the hosts that send for the domain pass.
pub(super) async fn coverage(
    dns: &impl Records,
    domain: &Domain,
    options: &Options,
    duties: &Duties,
    draft: &mut Draft,
) {
    for address in duties.outgoing.iter().filter(|address| is_public(**address)) {
        let helo = duties.helo.as_ref().map_or("unknown", Domain::as_str);
        let question = SpfQuestion::on_behalf_of(*address, helo, domain);
        let answer = spf::evaluate(dns, &question, options).await;
        if answer.result != SpfResult::Pass {
            draft.add(&kind::NOT_COVERED, format!("{address} gets {}: {}", answer.result, answer.cause));
        }
    }
}

/// What should stand beside the record: no mail hosts where no mail is sent, and DMARC.
pub(super) async fn surroundings(dns: &impl Zone, domain: &Domain, record: Option<&str>, draft: &mut Draft) {
    let refuses = record.is_some_and(|record| {
        let terms: Vec<&str> = record::words(record).map(|(_, term)| term).skip(1).collect();
        terms.iter().any(|term| term.eq_ignore_ascii_case("-all")) && terms.len() == 1
    });
    // RFC 7505, 3.
    let null_mx = dns.mx(domain.as_str()).await.is_ok_and(|hosts| hosts.iter().any(String::is_empty));
    if refuses {
        draft.add(&kind::SENDS_NO_MAIL, "the record says that the domain sends no mail at all".to_owned());
    } else if null_mx {
        // RFC 7505, 4.2: who takes no mail should not send any.
        draft.add(
            &kind::NULL_MX_SENDS,
            "the domain takes no mail (null MX), and its record lets it send".to_owned(),
        );
    }
    dmarc(dns, domain, draft).await;
}

/// RFC 7489, 6.1 and 6.3, as far as it concerns SPF.
async fn dmarc(dns: &impl Zone, domain: &Domain, draft: &mut Draft) {
    let name = format!("_dmarc.{domain}");
    let texts = match dns.txt(&name).await {
        Ok(texts) => texts,
        Err(NotFound::NoRecords) => Vec::new(),
        Err(NotFound::Failed(why)) => {
            return draft.add(&kind::DNS_FAILURE, format!("DNS: {why} for TXT {name}"));
        }
    };
    let records: Vec<&String> =
        texts.iter().filter(|text| text.trim_start().starts_with("v=DMARC1")).collect();
    let record = match records.as_slice() {
        [] => {
            // RFC 7489, 6.6.3: the organisational domain's record holds for those below it.
            let organisation = psl::domain_str(domain.as_str()).filter(|above| *above != domain.as_str());
            let inherits = match organisation {
                Some(above) => dns
                    .txt(&format!("_dmarc.{above}"))
                    .await
                    .is_ok_and(|texts| texts.iter().any(|text| text.starts_with("v=DMARC1"))),
                None => false,
            };
            if !inherits {
                draft.add(
                    &kind::DMARC_MISSING,
                    format!("{name} has no DMARC record, so that SPF does not protect the From field"),
                );
            }
            return;
        }
        [record] => record,
        many => {
            return draft.add(
                &kind::DMARC_BROKEN,
                format!("{name} has {} DMARC records, and it must be one", many.len()),
            );
        }
    };
    let mut tags =
        record.split(';').map(|tag| tag.split_once('=').map(|(name, value)| (name.trim(), value.trim())));
    let is_version = tags.next() == Some(Some(("v", "DMARC1")));
    let policy = tags.flatten().find(|(name, _)| *name == "p").map(|(_, value)| value.to_ascii_lowercase());
    match policy.as_deref() {
        Some("quarantine" | "reject") if is_version => {}
        Some("none") if is_version => {
            draft.add(&kind::DMARC_NONE, "p=none watches and protects nobody".to_owned());
        }
        Some(other) if is_version => draft.add(&kind::DMARC_BROKEN, format!("p={other} is no policy")),
        _ => draft.add(&kind::DMARC_BROKEN, format!("{name} has a record without a policy: {record}")),
    }
}

/// Whether the name in HELO has a record: it is what bounces are judged by (RFC 7208, 2.3).
pub(super) async fn helo(dns: &impl Zone, duties: &Duties, draft: &mut Draft) {
    let Some(helo) = &duties.helo else { return };
    if helo.as_str().contains('.') && spf::has_record(dns, helo).await == Ok(false) {
        draft.add(
            &kind::HELO_WITHOUT_RECORD,
            format!("{helo}, the name of this host in HELO, has no SPF record"),
        );
    }
}
