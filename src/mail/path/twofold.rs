//! One meaning of an address: which of its forms each MTA keeps, delivers and tells a milter, and what is judged by.
//!
//! Clients may write a route into an address (`user%b@a`, `b!user@a`, `user@b@a`, `"user@b"@a`), and an MTA to which `a` is
//! local follows it. So one command has up to three forms:
//!
//! | form | Postfix | Sendmail |
//! |---|---|---|
//! | the argument | what the client wrote | the same |
//! | kept: queue, Return-Path, next hop's MAIL | the argument without routes `@a,@b:`, comments, trailing dot and needless quotes; a name without `@` is rewritten (`b!user` and `user%b` to `user@b`, as `swap_bangpath` and `allow_percent_hack` say) or completed by `myorigin` | the same, always rewritten |
//! | resolved: where a recipient's mail goes | the kept form, of which every domain of `mydestination` and every address literal of the host is stripped, and what is left rewritten again | the same with class `w` |
//! | the macro, `{mail_addr}` or `{rcpt_addr}` | the *resolved* form in lower case, of reverse-paths too | the delivery target, aliases and virtual users applied |
//!
//! Mostly they are one but for case, and the macro is believed. Where the argument, read as the MTA reads it, is another
//! address than the macro has, the path is [`Twofold`]: it is judged by every domain that either names. A reverse-path counts
//! as what is kept, as that is what the next host and the reader see, and matches no login; a recipient must exist in
//! both forms. A foreign domain is never stripped: `%` and `!` in front of it are part of a name, and of no interest.

use super::argument::inner_address;
use super::{ForwardPath, Mailbox, ReversePath};
use crate::mail::{Domain, visible};

/// An address that the MTA keeps in one form and resolves to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Twofold {
    written: String,
    resolved: String,
    delivered: Option<Mailbox>,
}

impl Twofold {
    /// The address that a client wrote, and the one to which the MTA resolves it, without angle brackets.
    pub fn new(written: impl Into<String>, resolved: impl Into<String>) -> Self {
        let (written, resolved) = (written.into(), resolved.into());
        let delivered = resolved.parse().ok();
        Self { written, resolved, delivered }
    }

    /// The same of two arguments.
    fn of(argument: &str, canonical: &str) -> Self {
        Self::new(inner_address(argument), inner_address(canonical))
    }

    /// What the client wrote, without angle brackets and source route.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What the MTA makes of it.
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// The mailbox that is written, as the MTA keeps it; none where there is no `@` or no domain behind it.
    pub fn kept(&self) -> Option<Mailbox> {
        kept(&self.written)
    }

    /// The mailbox to which the address resolves, if it is one.
    pub fn delivered(&self) -> Option<&Mailbox> {
        self.delivered.as_ref()
    }

    /// The mailbox that a reader of the queue sees: what is kept, or else what it resolves to.
    pub fn shown(&self) -> Option<Mailbox> {
        self.kept().or_else(|| self.delivered.clone())
    }

    /// Every domain that either form names, sorted.
    pub fn domains(&self) -> Vec<Domain> {
        let mut domains = named(&self.written);
        domains.extend(named(&self.resolved));
        domains.sort();
        domains.dedup();
        domains
    }
}

impl ReversePath {
    /// The reverse-path of which the client's own words and the MTA's macro are both known.
    pub fn settle(argument: &str, canonical: &str) -> Self {
        let meant = Self::parse(canonical);
        let is_one = match &meant {
            Self::Null => Self::parse(argument) == Self::Null,
            Self::Mailbox(mailbox) => means(argument, mailbox),
            Self::Malformed(raw) => is_same(argument, raw),
            Self::Twofold(_) => false,
        };
        if is_one { meant } else { Self::Twofold(Box::new(Twofold::of(argument, canonical))) }
    }
}

impl ForwardPath {
    /// The forward-path of which both are known.
    pub fn settle(argument: &str, canonical: &str) -> Self {
        let meant = Self::parse(canonical);
        let is_one = match &meant {
            Self::Mailbox(mailbox) => match Self::parse(argument) {
                // The MTA completes the bare postmaster with its own name; it stays what it is.
                Self::Postmaster => return Self::Postmaster,
                _ => means(argument, mailbox),
            },
            Self::AtLiteral(raw) | Self::Malformed(raw) => is_same(argument, raw),
            Self::Postmaster => true,
            Self::Twofold(_) => false,
        };
        if is_one { meant } else { Self::Twofold(Box::new(Twofold::of(argument, canonical))) }
    }
}

fn is_same(argument: &str, canonical: &str) -> bool {
    inner_address(argument).eq_ignore_ascii_case(canonical)
}

/// Whether an argument, read as the MTA keeps it, is this mailbox and no other.
fn means(argument: &str, mailbox: &Mailbox) -> bool {
    let written = inner_address(argument);
    match kept(written) {
        Some(kept) => kept.is_like(mailbox) || is_completed(&kept, mailbox),
        // Without a domain of its own the MTA rewrites or completes it. Any other domain in it was a step on the way.
        None => {
            !written.is_empty()
                && named(written)
                    .iter()
                    .all(|name| name == mailbox.domain() || completes(name, mailbox.domain()))
        }
    }
}

/// Whether the MTA has completed the name of a host (`append_dot_mydomain`) and nothing else.
fn is_completed(kept: &Mailbox, mailbox: &Mailbox) -> bool {
    let at_own_domain = Mailbox::new(mailbox.local_part(), kept.domain().clone());
    kept.is_like(&at_own_domain) && completes(kept.domain(), mailbox.domain())
}

/// Whether a domain is this name of a host with something behind it.
fn completes(host: &Domain, domain: &Domain) -> bool {
    !host.as_str().contains('.')
        && domain.as_str().strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with('.'))
}

/// Every domain that an address names, sorted: as it is written, and as an MTA reads it.
pub(super) fn named(address: &str) -> Vec<Domain> {
    let mut named = visible::named(address);
    let (plain, _) = plain(address);
    if plain != address {
        named.extend(visible::named(&plain));
        named.sort();
        named.dedup();
    }
    named
}

/// The mailbox that an MTA reads from an address: the domain behind the last `@` outside of quotes. None where that is no
/// domain.
fn kept(written: &str) -> Option<Mailbox> {
    let (plain, at) = plain(written);
    let (local_part, domain) = (plain.get(..at?)?, plain.get(at? + 1..)?);
    Some(Mailbox::new(local_part, domain.parse().ok()?))
}

/// An address as an MTA reads it, comments, angle brackets and white space left out, quotes and backslashes undone; and
/// where its last `@` outside of quotes stands.
fn plain(written: &str) -> (String, Option<usize>) {
    let (mut plain, mut at, mut is_quoted, mut depth) = (String::new(), None, false, 0_usize);
    let mut characters = written.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let escaped = characters.next();
                plain.extend(escaped.filter(|_| depth == 0));
            }
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            '"' => is_quoted = !is_quoted,
            '<' | '>' | ' ' | '\t' if !is_quoted => {}
            c => {
                if c == '@' && !is_quoted {
                    at = Some(plain.len());
                }
                plain.push(c);
            }
        }
    }
    (plain, at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The domain as which SPF judges, and all domains, where a path has two forms.
    fn both(twofold: &Twofold) -> String {
        let shown = twofold.shown().map_or("-".to_owned(), |mailbox| mailbox.to_string());
        let domains: Vec<String> = twofold.domains().iter().map(Domain::to_string).collect();
        format!("{shown} of {}", domains.join(" "))
    }

    #[track_caller]
    fn check(argument: &str, canonical: &str, expected: &str) {
        let shown = match ReversePath::settle(argument, canonical) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            ReversePath::Twofold(twofold) => both(&twofold),
            path => path.to_string(),
        };
        assert_eq!(shown, expected, "{argument} {canonical}");
    }

    #[test]
    fn one_address() {
        check("<Alice@Example.org>", "alice@example.org", "alice@example.org");
        check("<@a.test:alice@example.org>", "alice@example.org", "alice@example.org");
        check("<a(comment)@x.test>", "a@x.test", "a@x.test");
        check("<a(b.test)@(c@d.test)x.test(\\)>", "a@x.test", "a@x.test");
        check("<<u@x.test>>", "u@x.test", "u@x.test");
        check("<a@b@x.test>", "\"a@b\"@x.test", "\"a@b\"@x.test");
        check("<alice@mail>", "alice@mail.example.org", "alice@mail.example.org");
        check("<first.last@mail>", "first.last@mail.example.org", "first.last@mail.example.org");
        check("<copier>", "copier@mx.test", "copier@mx.test");
        check("<first.last>", "first.last@mx.test", "first.last@mx.test");
        check("<user%example.com>", "user@example.com", "user@example.com");
        check("<example.com!user>", "user@example.com", "user@example.com");
        check("<a%example.org@x.test>", "a%example.org@x.test", "a%example.org@x.test");
        check("<example.org!a@x.test>", "example.org!a@x.test", "example.org!a@x.test");
        check("<a@xn--bcher-kva.example>", "a@b\u{fc}cher.example", "a@xn--bcher-kva.example");
        check("<a@[192.0.2.1]>", "a@[192.0.2.1]", "malformed a@[192.0.2.1]");
        check("<@foreign.test:>", "", "<>");
        check("<>", "", "<>");
        check("", "", "<>");
    }

    #[test]
    fn two_addresses() {
        check(
            "<user%example.com@mx.test>",
            "user@example.com",
            "user%example.com@mx.test of example.com mx.test",
        );
        check(
            "<example.com!user@mx.test>",
            "user@example.com",
            "example.com!user@mx.test of example.com mx.test",
        );
        check("<u%x.test@example.org()>", "u@x.test", "u%x.test@example.org of example.org x.test");
        check("<u%x.test@()example.org>", "u@x.test", "u%x.test@example.org of example.org x.test");
        check("<example.org!u%x.test>", "u@x.test", "u@x.test of example.org x.test");
        check("<example\\.org!u%x.test>", "u@x.test", "u@x.test of example.org x.test");
        check("<exam()ple.org!\"u%mx\">", "u@mx.x.test", "u@mx.x.test of example.org mx.x.test ple.org");
        check("<u%mx@x.test>", "u@mx.example.org", "u%mx@x.test of mx.example.org x.test");
        check("<a%example.org@example.org>", "a@example.org", "a%example.org@example.org of example.org");
        check("<alice@example.org>", "", "alice@example.org of example.org");
        check("<>", "alice@example.org", "alice@example.org of example.org");
        check("<alice@example.org>", "alice@example.net", "alice@example.org of example.net example.org");
        check("<alice@example.org>", "bob@example.org", "alice@example.org of example.org");
    }

    #[test]
    fn recipients() {
        assert_eq!(ForwardPath::settle("<postmaster>", "postmaster@mx.test"), ForwardPath::Postmaster);
        assert_eq!(
            ForwardPath::settle("<Info@Example.org>", "info@example.org").to_string(),
            "info@example.org"
        );
        let literal = ForwardPath::settle("<Bob@[192.0.2.1]>", "bob@[192.0.2.1]");
        assert_eq!(literal, ForwardPath::AtLiteral("bob@[192.0.2.1]".to_owned()));
        assert_eq!(literal.at_literal().as_deref(), Some("bob"));
        let routed = ForwardPath::settle("<bob%[192.0.2.1]@example.org>", "bob@[192.0.2.1]");
        assert_eq!(routed.at_literal().as_deref(), Some("bob"));
        assert_eq!(routed.to_string(), "bob%[192.0.2.1]@example.org");
        assert!(routed.domains().contains(&"example.org".parse().unwrap()));
        let routed = ForwardPath::settle("<info%x.test@example.org>", "info@x.test");
        assert_eq!(routed.mailbox().map(Mailbox::to_string).as_deref(), Some("info@x.test"));
    }

    proptest! {
        /// No domain that an MTA could send as or deliver to goes unjudged, however odd the address.
        #[test]
        fn what_is_resolved_is_judged(written in "[ab.@%!\"\\\\(): <>]{0,16}", user in "[ab]", host in "(a|b)\\.(a|b)") {
            let canonical = format!("{user}@{host}");
            let path = ReversePath::settle(&format!("<{written}>"), &canonical);
            let domains = path.domains();
            prop_assert!(domains.contains(&host.parse().unwrap()), "{:?}", path);
            if let Some(kept) = kept(inner_address(&format!("<{written}>"))) {
                let named = |domain: &Domain| domains.contains(domain) || completes(domain, &host.parse().unwrap());
                prop_assert!(named(kept.domain()), "{:?} {}", path, kept);
            }
        }
    }
}
