//! What the reply of a recursive server means.

use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::records::Packed;
use super::{Question, Reply};
use crate::spf::NotFound;

/// How long an answer is remembered: by its TTL, but so that one message costs one query (TTL 0), and that a mistake
/// in a zone is not kept for a week.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);

/// The answer in a reply.
///
/// # Errors
///
/// Why there is none in it: only NXDOMAIN and NODATA say that there are no records (RFC 7208, 4.4 and 5).
pub(super) fn answer(message: &Message, (name, record_type): &Question) -> Result<Reply, String> {
    let code = message.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(code_name(code));
    }
    let records = records(message, name, *record_type);
    if records.is_empty() {
        return none(message);
    }
    // The records of aliases on the way count: where they point to holds no longer than they do.
    let ttl = message.answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let answer = Ok(Packed::new(records.into_iter()));
    Ok(Reply { answer, lifetime: lifetime(ttl) })
}

/// The records of a type at a name, or at the end of the aliases that begin there.
fn records<'m>(message: &'m Message, name: &'m Name, record_type: RecordType) -> Vec<&'m RData> {
    let answers = || message.answers.iter().filter(|record| record.dns_class == DNSClass::IN);
    let mut owner = name;
    // A loop of aliases is left where it has been gone around.
    for _ in 0..=message.answers.len() {
        let found: Vec<&RData> = answers()
            .filter(|record| record.record_type() == record_type && is_same(&record.name, owner))
            .map(|record| &record.data)
            .collect();
        if !found.is_empty() {
            return found;
        }
        let target =
            |record: &'_ Record| matches!(record.data, RData::CNAME(_)) && is_same(&record.name, owner);
        match answers().find(|record| target(record)).map(|record| &record.data) {
            Some(RData::CNAME(alias)) => owner = &alias.0,
            _ => break,
        }
    }
    Vec::new()
}

/// Whether two names are one; that of a question need not end with the root.
fn is_same(one: &Name, other: &Name) -> bool {
    one.eq_ignore_root(other)
}

/// The news that there are no records.
fn none(message: &Message) -> Result<Reply, String> {
    let negative_ttl = message.authorities.iter().find_map(|record| match &record.data {
        // RFC 2308, 5: the SOA record says how long.
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    let names_servers = message.authorities.iter().any(|record| record.record_type() == RecordType::NS);
    // RFC 2308, 2.2.1: NS records without an SOA record in an empty answer refer to other servers, and say nothing about
    // the name.
    if names_servers && negative_ttl.is_none() && message.metadata.response_code == ResponseCode::NoError {
        return Err("a referral, which no recursive server gives".to_owned());
    }
    Ok(Reply { answer: Err(NotFound::NoRecords), lifetime: lifetime(negative_ttl.unwrap_or(0)) })
}

fn lifetime(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into()).clamp(SHORTEST, LONGEST)
}

/// The server does not know the version of EDNS.
pub(super) const BADVERS: u16 = 16;

/// The mnemonic of a response code (RFC 1035, 4.1.1; RFC 6895, 2.3).
fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => match u16::from(other) {
            // RFC 6891, 9; TSIG has another use for the number, which no answer of ours is signed with.
            BADVERS => "BADVERS".to_owned(),
            number => format!("RCODE {number}"),
        },
    }
}
