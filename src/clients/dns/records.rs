//! Records as they are remembered: the data of those that were asked for, packed into one piece of memory.
//!
//! An answer of 64 KiB can hold thousands of records, and as values with owners, boxes and vectors they would take many
//! times what they took on the wire. Here an address takes six octets and an empty string one, so that the weight of an
//! answer in the cache is what it takes.

use std::sync::Arc;

use hickory_resolver::proto::rr::{Name, RData};

/// The data of records of one type.
#[derive(Clone, Debug)]
pub(super) struct Packed(Arc<[u8]>);

impl Packed {
    /// Packs the data of records of one type; what nobody asks for is left out.
    pub(super) fn new<'r>(records: impl Iterator<Item = &'r RData>) -> Self {
        let mut octets = Vec::new();
        for data in records {
            let begin = octets.len();
            octets.extend([0; 2]);
            match data {
                RData::A(address) => octets.extend(address.0.octets()),
                RData::AAAA(address) => octets.extend(address.0.octets()),
                RData::MX(mx) => {
                    octets.extend(mx.preference.to_be_bytes());
                    octets.extend(text_of(&mx.exchange).bytes());
                }
                RData::PTR(name) => octets.extend(text_of(name).bytes()),
                RData::TXT(txt) => {
                    for string in &txt.txt_data {
                        octets.extend(u8::try_from(string.len()));
                        octets.extend(string.iter().take(usize::from(u8::MAX)));
                    }
                }
                RData::Unknown { rdata, .. } => octets.extend(&rdata.anything),
                _ => {}
            }
            // The data of a record has a length of 16 bits on the wire, too (RFC 1035, 3.2.1); nothing grows here but
            // names, which are short.
            match u16::try_from(octets.len() - begin - 2) {
                Ok(length) => octets[begin..begin + 2].copy_from_slice(&length.to_be_bytes()),
                Err(_) => octets.truncate(begin),
            }
        }
        Self(octets.into())
    }

    /// The octets that it takes.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// The data of each record.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk()?;
            let (data, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
            rest = behind;
            Some(data)
        })
    }
}

/// The preference and the host of an MX record.
pub(super) fn exchanger(data: &[u8]) -> Option<(u16, String)> {
    let (preference, name) = data.split_first_chunk()?;
    Some((u16::from_be_bytes(*preference), text(name)))
}

/// The character-strings of a TXT record.
pub(super) fn strings(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first()?;
        let (string, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        Some(string)
    })
}

/// Octets as text; those that are not UTF-8 are replaced.
pub(super) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A name out of an answer as text. Labels that are no UTF-8, or that hold a dot, come out as what nobody can look up.
fn text_of(name: &Name) -> String {
    let labels: Vec<_> =
        name.iter().map(|label| String::from_utf8_lossy(label).replace('.', "\u{FFFD}")).collect();
    labels.join(".")
}
