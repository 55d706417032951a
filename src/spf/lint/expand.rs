//! Targets of terms as they are for a stranger (RFC 7208, 7): the worst case of an evaluation.

use std::net::IpAddr;

use viaspf::lookup::Name;
use viaspf::record::{DomainSpec, Escape, Macro, MacroExpand, MacroKind, MacroString, MacroStringSegment};

/// Octets of a name in DNS, without the trailing dot.
const LONGEST: usize = 253;

/// What macros stand for.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) client: IpAddr,
    /// The domain of the sender, whose local-part is `postmaster`.
    pub(super) sender: &'a str,
    /// The domain whose record has the term.
    pub(super) domain: &'a str,
}

/// A target.
pub(super) struct Target {
    /// The name; none where the macros make up none that DNS could have.
    pub(super) name: Option<String>,
    /// How often it names the validated name of the client, which costs a look-up each.
    pub(super) validations: usize,
}

/// The target of a term; by default the domain itself (RFC 7208, 4.8).
pub(super) fn target(spec: Option<&DomainSpec>, identity: Identity<'_>) -> Target {
    let Some(spec) = spec else { return Target { name: Some(identity.domain.to_owned()), validations: 0 } };
    let macros: &MacroString = spec.as_ref();
    let validations = letters(spec).filter(|kind| *kind == MacroKind::ValidatedDomain).count();
    let text: String = macros.segments.iter().map(|segment| expanded(segment, identity)).collect();
    let mut name = text.strip_suffix('.').unwrap_or(&text);
    // RFC 7208, 7.3: labels go from the left until the name fits.
    while name.len() > LONGEST {
        let Some((_, rest)) = name.split_once('.') else { break };
        name = rest;
    }
    Target { name: Name::new(name).is_ok().then(|| name.to_owned()), validations }
}

/// The macro letters of a target.
pub(super) fn letters(spec: &DomainSpec) -> impl Iterator<Item = MacroKind> + '_ {
    let macros: &MacroString = spec.as_ref();
    macros.segments.iter().filter_map(|segment| match segment {
        MacroStringSegment::MacroExpand(MacroExpand::Macro(expand)) => Some(expand.kind()),
        _ => None,
    })
}

fn expanded(segment: &MacroStringSegment, identity: Identity<'_>) -> String {
    match segment {
        MacroStringSegment::MacroLiteral(literal) => literal.as_ref().to_owned(),
        MacroStringSegment::MacroExpand(MacroExpand::Escape(escape)) => match escape {
            Escape::Percent => "%",
            Escape::Space => " ",
            Escape::UrlEncodedSpace => "%20",
        }
        .to_owned(),
        MacroStringSegment::MacroExpand(MacroExpand::Macro(expand)) => transformed(expand, identity),
    }
}

fn transformed(expand: &Macro, identity: Identity<'_>) -> String {
    let value = match expand.kind() {
        MacroKind::Sender => format!("postmaster@{}", identity.sender),
        MacroKind::LocalPart => "postmaster".to_owned(),
        MacroKind::DomainPart => identity.sender.to_owned(),
        MacroKind::Domain => identity.domain.to_owned(),
        MacroKind::Ip => dotted(identity.client),
        MacroKind::VersionLabel if identity.client.is_ipv4() => "in-addr".to_owned(),
        MacroKind::VersionLabel => "ip6".to_owned(),
        // RFC 7208, 7.3: a stranger has no validated name, and may say anything in HELO. The others stand in
        // explanations only.
        _ => "unknown".to_owned(),
    };
    let delimiters = expand.delimiters().map_or(".", AsRef::as_ref);
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if expand.reverse() {
        parts.reverse();
    }
    if let Some(limit) = expand.limit() {
        parts.drain(..parts.len().saturating_sub(usize::from(limit.get())));
    }
    let is_plain = expand.limit().is_none() && !expand.reverse() && expand.delimiters().is_none();
    let text = if is_plain { value.clone() } else { parts.join(".") };
    // RFC 7208, 7.3: letters in upper case are URL-escaped; of all that these can be, only one character has to be.
    if expand.url_encode() { text.replace('@', "%40") } else { text }
}

fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().map(|octet| format!("{:x}.{:x}", octet >> 4, octet & 15));
            nibbles.join(".")
        }
    }
}
