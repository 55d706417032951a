//! What a record says by itself, without DNS.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use viaspf_record::{Ip4, Ip6, MacroKind, Mechanism, Modifier, Qualifier};

use super::parse::Word;
use super::{Draft, kind, mend, syntax};
use crate::spf::record;

/// The shortest prefixes that one organisation plausibly has: a provider's largest blocks.
const WIDE: (u8, u8) = (16, 32);

/// Prefixes by which a good part of the world may send.
const WORLD: (u8, u8) = (8, 16);

/// Octets of a character-string (RFC 1035, 3.3).
const STRING: usize = 255;

/// Looks at every word; `borders` are the octets where two character-strings meet.
pub(super) fn look(draft: &mut Draft, record: &str, list: &[Word<'_>], borders: &[usize]) {
    for word in list {
        if word.term.is_none() {
            let (at, mut says) = syntax::diagnose(word.text);
            if let Some(meant) = mend::otherwise(word.text).map(|terms| terms.join(" "))
                && !says.contains(&meant)
            {
                let _ = write!(says, "; write {meant}");
            }
            let says = if borders
                .iter()
                .any(|border| (word.at + 1..word.at + word.text.len()).contains(border))
            {
                format!(
                    "{says}; two character-strings meet in this term, which DNS joins without a blank (RFC 7208, 3.3)"
                )
            } else {
                says
            };
            draft.add_at(&kind::SYNTAX, record, word.at + at, word.text, says);
        } else {
            look_at(draft, record, word);
        }
    }
    ends(draft, record, list);
    repeated(draft, record, list);
    redundant(draft, record, list);
    if record.len() > STRING && borders.is_empty() {
        draft.add(
            &kind::NEEDS_SPLITTING,
            format!("the record has {} octets, and a character-string holds {STRING}", record.len()),
        );
    }
}

fn look_at(draft: &mut Draft, record: &str, word: &Word<'_>) {
    let mut add = |kind, says: String| draft.add_at(kind, record, word.at, word.text, says);
    match (word.mechanism(), word.modifier()) {
        // RFC 7208, 5.5.
        (Some(Mechanism::Ptr(_)), _) => {
            add(&kind::PTR, "ptr is slow and unreliable, and some receivers ignore it".to_owned());
        }
        (Some(mechanism), _) => {
            if let Some(network) = network(mechanism) {
                network_findings(network, &mut add);
            }
        }
        (_, Some(Modifier::Unknown(unknown))) => {
            let name = unknown.name().as_ref().to_ascii_lowercase();
            if syntax::MECHANISMS.contains(&name.as_str()) {
                add(
                    &kind::MISSPELT_MODIFIER,
                    format!(
                        "{name}= is not a mechanism, and means nothing; an argument stands behind a colon"
                    ),
                );
            } else if name == "v" {
                add(&kind::MISSPELT_MODIFIER, "the version section stands once, at the beginning".to_owned());
            } else {
                add(&kind::UNKNOWN_MODIFIER, format!("{name}= means nothing to SPF"));
            }
        }
        _ => {}
    }
    if let Some(spec) = word.term.as_ref().and_then(record::domain_spec) {
        let kinds: Vec<MacroKind> = record::letters(spec).collect();
        // RFC 7208, 7.2: c, r and t are for explanations only.
        if kinds
            .iter()
            .any(|kind| matches!(kind, MacroKind::PrettyIp | MacroKind::Receiver | MacroKind::Timestamp))
        {
            add(&kind::MACRO_LETTER, "the macro letters c, r and t are for explanations only".to_owned());
        } else if kinds.iter().any(|kind| *kind != MacroKind::Domain) {
            add(&kind::MACRO, "the target depends on the sender or the client".to_owned());
        }
    }
}

/// The network that a mechanism names.
pub(super) fn network(mechanism: &Mechanism) -> Option<IpNet> {
    match mechanism {
        Mechanism::Ip4(Ip4 { addr, prefix_len }) => {
            IpNet::new(IpAddr::V4(*addr), prefix_len.map_or(32, viaspf_record::Ip4CidrLength::get)).ok()
        }
        Mechanism::Ip6(Ip6 { addr, prefix_len }) => {
            IpNet::new(IpAddr::V6(*addr), prefix_len.map_or(128, viaspf_record::Ip6CidrLength::get)).ok()
        }
        _ => None,
    }
}

fn network_findings(network: IpNet, add: &mut impl FnMut(&'static kind::Kind, String)) {
    let (wide, world) = match network {
        IpNet::V4(_) => (WIDE.0, WORLD.0),
        IpNet::V6(_) => (WIDE.1, WORLD.1),
    };
    let length = network.prefix_len();
    if length <= world {
        add(&kind::WORLD_NETWORK, format!("/{length} lets a good part of the world send for the domain"));
    } else if length < wide {
        add(&kind::WIDE_NETWORK, format!("/{length} is more than one organisation has"));
    }
    if network != network.trunc() {
        add(&kind::HOST_BITS, format!("the network is {}", network.trunc()));
    }
    if !is_public(network.addr()) {
        add(&kind::PRIVATE_NETWORK, format!("{} is no public address", network.addr()));
    }
}

/// Whether a receiver could see such a client.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && (64..128).contains(&a.octets()[1]); // RFC 6598
            !(a.is_private() || a.is_loopback() || a.is_link_local() || shared)
        }
        IpAddr::V6(a) => !(a.is_unique_local() || a.is_loopback() || a.is_unicast_link_local()),
    }
}

/// How the record ends, and what stands behind its end (RFC 7208, 5.1).
fn ends(draft: &mut Draft, record: &str, list: &[Word<'_>]) {
    let end = list.iter().position(Word::is_all);
    let Some(end) = end else {
        if !list.iter().any(Word::is_redirect) && list.iter().all(|word| word.term.is_some()) {
            draft.add(&kind::NO_ALL, "the record says nothing about strangers".to_owned());
        }
        return;
    };
    let all = &list[end];
    match all.qualifier() {
        Qualifier::Pass => draft.add_at(
            &kind::PASS_ALL,
            record,
            all.at,
            all.text,
            "everybody may send for the domain".to_owned(),
        ),
        Qualifier::Neutral => draft.add_at(
            &kind::NEUTRAL_ALL,
            record,
            all.at,
            all.text,
            "strangers are as good as the domain's own hosts".to_owned(),
        ),
        Qualifier::Softfail => draft.add_at(
            &kind::SOFTFAIL_ALL,
            record,
            all.at,
            all.text,
            "receivers may accept strangers with a mark".to_owned(),
        ),
        Qualifier::Fail => {}
    }
    for word in list {
        // RFC 7208, 6.1: redirect= is ignored wherever all stands.
        if word.is_redirect() {
            draft.add_at(
                &kind::IGNORED_REDIRECT,
                record,
                word.at,
                word.text,
                format!("{} decides before it", all.text),
            );
        }
    }
    for word in list[end + 1..].iter().filter(|word| word.mechanism().is_some()) {
        draft.add_at(
            &kind::UNREACHABLE_TERM,
            record,
            word.at,
            word.text,
            format!("{} decides before it", all.text),
        );
    }
}

/// Terms that stand twice.
fn repeated(draft: &mut Draft, record: &str, list: &[Word<'_>]) {
    for (at, word) in list.iter().enumerate() {
        let earlier = &list[..at];
        match word.modifier() {
            Some(Modifier::Unknown(_)) | None => {}
            Some(modifier) => {
                let same = |word: &&Word<'_>| {
                    word.modifier()
                        .is_some_and(|m| std::mem::discriminant(m) == std::mem::discriminant(modifier))
                };
                if earlier.iter().any(|word| same(&word)) {
                    // RFC 7208, 6.
                    draft.add_at(
                        &kind::REPEATED_MODIFIER,
                        record,
                        word.at,
                        word.text,
                        "it may stand once".to_owned(),
                    );
                }
            }
        }
        let Some(mechanism) = word.mechanism().filter(|_| !word.is_all()) else { continue };
        if let Some(first) = earlier.iter().find(|word| word.mechanism() == Some(mechanism)) {
            draft.add_at(
                &kind::DUPLICATE_TERM,
                record,
                word.at,
                word.text,
                format!("{} stands before it", first.text),
            );
        }
    }
}

/// Networks within others of the same qualifier.
fn redundant(draft: &mut Draft, record: &str, list: &[Word<'_>]) {
    for word in list {
        let Some(ours) = word.mechanism().and_then(network) else { continue };
        let wider = list.iter().find(|other| {
            let theirs = other.mechanism().and_then(network);
            other.qualifier() == word.qualifier()
                && theirs.is_some_and(|theirs| {
                    theirs.trunc() != ours.trunc() && theirs.trunc().contains(&ours.trunc())
                })
        });
        if let Some(wider) = wider {
            draft.add_at(
                &kind::REDUNDANT_NETWORK,
                record,
                word.at,
                word.text,
                format!("{} covers it", wider.text),
            );
        }
    }
}
