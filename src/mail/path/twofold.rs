//! One meaning of an address: which of its forms each MTA keeps, delivers and tells a milter, and what is judged by.
//!
//! Clients may write a route into an address (`user%b@a`, `b!user@a`, `user@b@a`, `"user@b"@a`), and an MTA to which `a` is
//! local follows it. So one command has up to three forms:
//!
//! | form | Postfix | Sendmail |
//! |---|---|---|
//! | the argument | what the client wrote | the same |
//! | resolved: where a recipient's mail goes | every domain of `mydestination` and every address literal of the host is stripped, and what is left is rewritten again (`b!user` and `user%b` to `user@b`, as `swap_bangpath` and `allow_percent_hack` say, in quotes by `resolve_dequoted_address`) | the same with class `w` |
//! | kept: Return-Path, next hop's MAIL | the argument without routes `@a,@b:`, comments, a trailing dot and needless quotes; what has no `@` is rewritten or completed by `myorigin` | the *resolved* form |
//! | the macro, `{mail_addr}` or `{rcpt_addr}` | the *resolved* form in lower case, of reverse-paths too | the delivery target, aliases and virtual users applied; what is not stripped is as written |
//!
//! Mostly they are one but for case. Where the argument, read as the MTA reads it, is another address than the macro has
//! (to Sendmail: if it has a route at all), the path is [`Twofold`]: it is judged by every domain that either names. A
//! reverse-path counts as what is kept, as that is what the next host and the reader see, and matches no login; a
//! recipient must exist at every hosted station. A foreign domain is never stripped: `%` and `!` in front of it are part
//! of a name, and of no interest.

use super::argument::inner_address;
use super::{ForwardPath, Mailbox, ReversePath};
use crate::mail::{Domain, visible};

/// An address that the MTA keeps in one form and resolves to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Twofold {
    written: String,
    resolved: String,
    is_stripped: bool,
    delivered: Option<Mailbox>,
}

impl Twofold {
    /// The address that a client wrote, and the one to which the MTA resolves it, without angle brackets; and whether the
    /// MTA keeps the latter of a reverse-path, as Sendmail does.
    pub fn new(written: impl Into<String>, resolved: impl Into<String>, is_stripped: bool) -> Self {
        let (written, resolved) = (written.into(), resolved.into());
        let delivered = resolved.parse().ok();
        Self { written, resolved, is_stripped, delivered }
    }

    /// The same of two arguments.
    fn of(argument: &str, canonical: &str) -> Self {
        Self::new(inner_address(argument), inner_address(canonical), false)
    }

    /// The route of an argument to Sendmail, where it has one that the MTA follows: to the station that is its target, or to
    /// the last one, or to what no mailbox is, such as an address literal.
    fn of_route(argument: &str, target: &str) -> Option<Self> {
        let written = inner_address(argument);
        let (stations, aim) = (stations(written), kept(target));
        let (first, last) = (stations.first()?, stations.last()?);
        let end = stations.iter().find(|station| aim.as_ref().is_some_and(|aim| station.is_like(aim)));
        // Without an `@` of its own the whole may be completed, or a part of it be the domain.
        if end == Some(first) && kept(written).is_some() {
            return None;
        }
        let resolved = match first.local_part().rsplit_once('%') {
            Some((name, place)) if end.is_none() && last == first => format!("{name}@{place}"),
            _ if end.is_none() && last == first && !is_routed(first) => return None,
            _ => end.unwrap_or(last).to_string(),
        };
        Some(Self::new(written, resolved, true))
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

    /// Whether the MTA keeps what the address resolves to.
    pub fn is_stripped(&self) -> bool {
        self.is_stripped
    }

    /// The mailbox that a reader of the message sees: what is kept, or else what it resolves to.
    pub fn shown(&self) -> Option<Mailbox> {
        let kept = self.kept().filter(|_| !self.is_stripped);
        kept.or_else(|| self.delivered.clone())
    }

    /// The mailboxes by which tables may be asked: what is written, where it ends, and what Sendmail may read on the way.
    pub fn mailboxes(&self) -> Vec<Mailbox> {
        let mut mailboxes =
            if self.is_stripped { stations(&self.written) } else { Vec::from_iter(self.kept()) };
        mailboxes.extend(self.delivered.clone());
        mailboxes.dedup();
        mailboxes
    }

    /// The local-part at an address literal that either form ends in, what it resolves to first.
    pub fn at_literal(&self) -> Option<String> {
        let at_literal = |text: &String| {
            let masked = masked(text);
            let (local_part, domain) = masked.rsplit_once('@')?;
            domain.starts_with('[').then(|| unmasked(local_part))
        };
        [&self.resolved, &self.written].into_iter().find_map(at_literal)
    }

    /// Every domain that either form names, sorted.
    pub fn domains(&self) -> Vec<Domain> {
        let mut domains = named(&self.written);
        domains.extend(named(&self.resolved));
        domains.extend(stations(&self.written).iter().map(|station| station.domain().clone()));
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

    /// Whether it has no `@` of its own, so that the MTA may keep the whole of it as a name of the host.
    pub fn may_be_completed(&self) -> bool {
        let written = match self {
            Self::Null | Self::Mailbox(_) => return false,
            Self::Malformed(raw) => raw,
            Self::Twofold(twofold) => twofold.written(),
        };
        !masked(written).contains('@')
    }

    /// The reverse-path as Sendmail reads an argument whose delivery target is known.
    pub fn read(argument: &str, target: &str) -> Self {
        match Self::parse(argument) {
            Self::Mailbox(mailbox) if !is_routed(&mailbox) => Self::Mailbox(mailbox),
            path @ (Self::Mailbox(_) | Self::Malformed(_)) => match Twofold::of_route(argument, target) {
                Some(twofold) => Self::Twofold(Box::new(twofold)),
                None => kept(inner_address(argument)).map_or(path, Self::Mailbox),
            },
            path => path,
        }
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

    /// The forward-path as Sendmail reads an argument whose delivery target is known.
    pub fn read(argument: &str, target: &str) -> Self {
        match Self::parse(argument) {
            Self::Mailbox(mailbox) if !is_routed(&mailbox) => Self::Mailbox(mailbox),
            path @ (Self::Mailbox(_) | Self::AtLiteral(_) | Self::Malformed(_)) => {
                let twofold = Twofold::of_route(argument, target);
                twofold.map_or(path, |twofold| Self::Twofold(Box::new(twofold)))
            }
            path => path,
        }
    }
}

/// Whether a local-part could be a route.
fn is_routed(mailbox: &Mailbox) -> bool {
    mailbox.local_part().contains(['%', '!', '@'])
}

fn is_same(argument: &str, canonical: &str) -> bool {
    inner_address(argument).eq_ignore_ascii_case(canonical)
}

/// Whether an argument, read as the MTA keeps it, is this mailbox and no other.
fn means(argument: &str, mailbox: &Mailbox) -> bool {
    let written = inner_address(argument);
    match kept(written) {
        Some(kept) => kept.is_like(mailbox) || is_completed(&kept, mailbox),
        // Without a domain of its own it is completed. A route may end at the macro's address before or after that: who can
        // tell what is kept?
        None => !written.is_empty() && !unmasked(&masked(written)).contains(['@', '%', '!']),
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
    let plain = unmasked(&masked(address));
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
    mailbox(masked(written).rsplit_once('@')?)
}

/// The stations of a route, as far as they are mailboxes: what is written, and what remains each time that a domain is
/// taken off, by `@` before `%` before `!`, and then from what was in quotes.
fn stations(written: &str) -> Vec<Mailbox> {
    const MOST: usize = 16;
    let (mut stations, mut rest) = (Vec::new(), masked(written));
    for _ in 0..MOST {
        let behind = rest.rsplit_once('@').or_else(|| rest.rsplit_once('%'));
        let before = || rest.split_once('!').map(|(domain, remaining)| (remaining, domain));
        let next = match behind.or_else(before) {
            Some((remaining, domain)) => {
                // The colon of what was a route in quotes, or the bracket of a path.
                let domain = unmasked(domain).replace([':', ',', ';', '<', '>'], "");
                stations.extend(mailbox((remaining, &domain)));
                remaining.to_owned()
            }
            None => masked(&unmasked(&rest)),
        };
        if next == rest {
            break;
        }
        rest = next;
    }
    stations
}

fn mailbox((local_part, domain): (&str, &str)) -> Option<Mailbox> {
    let domain = unmasked(domain).trim_end_matches('.').parse().ok()?;
    Some(Mailbox::new(unmasked(local_part), domain))
}

/// The operators of routes, and what stands for them where quotes or a backslash have taken their meaning.
const MASKS: [(char, char); 3] = [('@', '\u{f8f0}'), ('%', '\u{f8f1}'), ('!', '\u{f8f2}')];

/// An address as an MTA reads it: comments, angle brackets and most white space left out, quotes and backslashes undone.
fn masked(written: &str) -> String {
    let mask = |c: char| MASKS.iter().find(|(operator, _)| *operator == c).map_or(c, |(_, mask)| *mask);
    let (mut plain, mut is_quoted, mut depth) = (String::with_capacity(written.len()), false, 0_usize);
    let mut characters = written.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let escaped = characters.next();
                plain.extend(escaped.filter(|_| depth == 0).map(mask));
            }
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            '"' => is_quoted = !is_quoted,
            // Sendmail joins two words by a dot (BlankSub).
            ' ' | '\t' if !is_quoted => {
                let is_word = |c: &char| c.is_alphanumeric() || "-_".contains(*c);
                let joins = plain.chars().next_back().is_some_and(|c| is_word(&c))
                    && characters.peek().is_some_and(is_word);
                plain.extend(joins.then_some('.'));
            }
            '<' | '>' if !is_quoted => {}
            c => plain.push(if is_quoted { mask(c) } else { c }),
        }
    }
    plain
}

/// The same with every operator as it is.
fn unmasked(masked: &str) -> String {
    let unmask = |c: char| MASKS.iter().find(|(_, mask)| *mask == c).map_or(c, |(operator, _)| *operator);
    masked.chars().map(unmask).collect()
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
        check("<user%example.com>", "user@example.com", "user@example.com of example.com");
        check("<example.com!user>", "user@example.com", "user@example.com of example.com");
        check("<u%mx>", "u@mx", "u@mx of mx");
        check("<example.org!u%x.test>", "u@x.test", "u@x.test of example.org x.test");
        check("<example\\.org!u%x.test>", "u@x.test", "u@x.test of example.org org x.test");
        check("<exam()ple.org!\"u%mx\">", "u@mx.x.test", "u@mx.x.test of example.org mx mx.x.test ple.org");
        check("<u%mx@x.test>", "u@mx.example.org", "u%mx@x.test of mx mx.example.org x.test");
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

    #[track_caller]
    fn check_read(argument: &str, target: &str, expected: &str) {
        let shown = match ReversePath::read(argument, target) {
            ReversePath::Malformed(raw) => format!("malformed {raw}"),
            ReversePath::Twofold(twofold) => both(&twofold),
            path => path.to_string(),
        };
        assert_eq!(shown, expected, "{argument} {target}");
    }

    #[test]
    fn what_sendmail_reads() {
        check_read("<Alice@Example.org>", "root", "Alice@example.org");
        check_read("<a%b.test@x.test>", "a%b.test@x.test", "a%b.test@x.test");
        check_read("<b.test!a@x.test>", "b.test!a@x.test", "b.test!a@x.test");
        check_read("<a@x . test>", "a@x.test", "a@x.test");
        check_read("<a(c)@x.test..>", "a@x.test", "a@x.test");
        check_read("<a@[192.0.2.1]>", "a", "malformed a@[192.0.2.1]");
        check_read("<copier>", "copier", "malformed copier");
        check_read("<>", "", "<>");
        check_read("<a%b.test@x.test>", "a@b.test", "a@b.test of b.test x.test");
        check_read("<a%b.test@x.test>", "root", "a@b.test of b.test x.test");
        check_read("<b.test!a>", "a@b.test", "a@b.test of b.test");
        check_read("<a@x  test>", "a@x.test", "a@x.test");
        check_read("<a%[192.0.2.1]@x.test>", "a@[192.0.2.1]", "- of 192.0.2.1 x.test");
        check_read("<a%[192.0.2.1]@x.test>", "a", "- of 192.0.2.1 x.test");
        check_read("<\":b.test!a\"%localhost..>", "a", "a@b.test of b.test localhost");
        check_read("<\"a@b.test\"%x.test>", "a@b.test", "a@b.test of b.test b.testx.test x.test");
        check_read("<a%b.test%x.test>", "a%b.test@x.test", "a%b.test@x.test of b.test x.test");
        check_read("<\"a@(c)b.test\"@x.test>", "a@b.test", "a@b.test of b.test c cb.test x.test");
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
