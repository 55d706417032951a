//! Reverse-paths that other programs have rewritten: BATV tags and SRS.

use super::Mailbox;

/// The mailbox without its BATV tag, where it has one: `prvs=TAG=alice@…`, Barracuda's `btv1==TAG==alice@…`.
///
/// A tag lets a host recognise bounces to its own mail (draft-levine-smtp-batv-01, 2); the mailbox is the part behind
/// it. Old software writes the two parts the other way round, `prvs=alice/TAG`.
pub fn without_batv(mailbox: &Mailbox) -> Option<Mailbox> {
    let local_part = mailbox.local_part();
    let local_part = match strip_prefix_ignoring_case(local_part, "prvs=") {
        Some(rest) => behind_tag(rest, "=", is_tag).or_else(|| {
            let (name, tag) = rest.split_once('/')?;
            is_tag(tag).then_some(name)
        })?,
        None => behind_tag(strip_prefix_ignoring_case(local_part, "btv1==")?, "==", is_btv1_tag)?,
    };
    (!local_part.is_empty()).then(|| Mailbox::new(local_part, mailbox.domain().clone()))
}

/// What follows a tag and its delimiter.
fn behind_tag<'t>(text: &'t str, delimiter: &str, is_tag: fn(&str) -> bool) -> Option<&'t str> {
    let (tag, rest) = text.split_once(delimiter)?;
    is_tag(tag).then_some(rest)
}

fn is_btv1_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric())
}

/// A BATV tag: a digit for the key, three for the day, six hexadecimal ones for the hash; some write more or fewer.
fn is_tag(text: &str) -> bool {
    (4..=16).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_hexdigit())
}

/// Whether the local-part is one that the Sender Rewriting Scheme makes: `SRS0=…`, `SRS1=…`, with `+` or `-` as well.
pub fn is_srs(local_part: &str) -> bool {
    ["SRS0", "SRS1"].iter().any(|prefix| {
        strip_prefix_ignoring_case(local_part, prefix)
            .is_some_and(|rest| rest.starts_with(['=', '+', '-']) && rest.len() > 1)
    })
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_batv(local_part: &str, expected: Option<&str>) {
        let mailbox = Mailbox::new(local_part, "example.org".parse().unwrap());
        assert_eq!(without_batv(&mailbox).as_ref().map(Mailbox::local_part), expected, "{local_part}");
    }

    #[test]
    fn batv_tags() {
        check_batv("prvs=2987abcdef=alice", Some("alice"));
        check_batv("PRVS=2987ABCDEF=alice=x", Some("alice=x"));
        check_batv("prvs=alice/2987abcdef", Some("alice"));
        check_batv("btv1==1234567890abc==alice", Some("alice"));
        check_batv("prvs=2987abcdef=", None);
        check_batv("prvs=notatag=alice", None);
        check_batv("prvs=alice", None);
        check_batv("btv1=x=alice", None);
        check_batv("alice", None);
    }

    #[test]
    fn srs() {
        assert!(is_srs("SRS0=HHH=TT=example.com=alice"));
        assert!(is_srs("srs1+HHH=fwd.example==HHH=TT=example.com=alice"));
        assert!(!is_srs("SRS0"));
        assert!(!is_srs("SRS0="));
        assert!(!is_srs("srs"));
        assert!(!is_srs("été"));
    }
}
