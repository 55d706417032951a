//! Who brought a message, by its Received fields, as MTAs write them (RFC 5321, 4.4, and what they add to it).
//!
//! | MTA | form |
//! |---|---|
//! | Postfix, Sendmail, Courier | `from HELO (NAME [ADDRESS])`, with `(may be forged)` behind the address |
//! | Exim | `from NAME ([ADDRESS] helo=HELO)`, `from [ADDRESS] (port=N helo=HELO)` |
//! | qmail | `from NAME (HELO HELO) (USER@ADDRESS)` |
//! | Exchange | `from HELO (ADDRESS)` |
//! | Notes | `from NAME [ADDRESS] (EHLO HELO)` |

use std::net::IpAddr;

use super::message::Message;

/// Who brought a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) helo: String,
    /// The verified host name, or `unknown`.
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) login: Login,
    /// Which Received field says so, from 1.
    pub(super) field: usize,
}

/// What the field says of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Nothing.
    None,
    /// There was one, but not whose.
    Unnamed,
    /// This one.
    As(String),
}

impl Received {
    /// The client of the topmost Received field that is not a hop within the host itself, if that says plainly who it was.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let mut local = None;
        for (at, value) in message.all("Received").enumerate() {
            let hop = Hop::read(value);
            if hop.is_delivery() {
                continue;
            }
            let found = hop.client().map(|client| Self { field: at + 1, ..client });
            match found {
                // What a content filter gives back.
                Some(client) if client.address.to_canonical().is_loopback() => {
                    local.get_or_insert(client);
                }
                Some(client) => return Some(client),
                None => break,
            }
        }
        local
    }
}

/// A word or a comment of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item<'v> {
    Word(&'v str),
    Comment(&'v str),
}

/// A Received field, up to its date.
struct Hop<'v> {
    items: Vec<Item<'v>>,
}

/// Items of a field that are looked at, at most.
const MOST_ITEMS: usize = 100;

impl<'v> Hop<'v> {
    fn read(value: &'v str) -> Self {
        let mut items = Vec::new();
        let mut rest = value.trim_start();
        while !rest.is_empty() && !rest.starts_with(';') && items.len() < MOST_ITEMS {
            let (item, behind) = if let Some(inside) = rest.strip_prefix('(') {
                let (comment, behind) = inside.split_at(end_of_comment(inside));
                (Item::Comment(comment.trim()), behind.strip_prefix(')').unwrap_or(behind))
            } else {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ';'));
                let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                (Item::Word(word), behind)
            };
            items.push(item);
            rest = behind.trim_start();
        }
        Self { items }
    }

    /// Whether it tells of delivery within the host: LMTP, or a program of qmail's.
    fn is_delivery(&self) -> bool {
        let is_qmail = matches!(self.items.first(), Some(Item::Comment(text)) if text.starts_with("qmail "));
        is_qmail || self.protocol().trim_start_matches("UTF8").starts_with("LMTP")
    }

    /// The protocol in capitals; empty where it is not said.
    fn protocol(&self) -> String {
        let with = |item: &Item<'_>| matches!(item, Item::Word(word) if word.eq_ignore_ascii_case("with"));
        let at = self.items.iter().position(with);
        match at.and_then(|at| self.items.get(at + 1)) {
            Some(Item::Word(protocol)) => protocol.to_ascii_uppercase(),
            _ => String::new(),
        }
    }

    fn client(&self) -> Option<Received> {
        let is_from = |word: &str| word.eq_ignore_ascii_case("from");
        let Some((Item::Word(from), rest)) = self.items.split_first() else { return None };
        let by = |item: &Item<'_>| matches!(item, Item::Word(word) if word.eq_ignore_ascii_case("by"));
        let end = rest.iter().position(by).unwrap_or(rest.len());
        let (Some((Item::Word(first), said)), true) = (rest[..end].split_first(), is_from(from)) else {
            return None;
        };
        let comments = || {
            said.iter().filter_map(|item| match item {
                Item::Comment(text) => Some(*text),
                Item::Word(_) => None,
            })
        };
        let client = comments()
            .find_map(|comment| named(first, comment))
            .or_else(|| numbered(first, said))
            .or_else(|| bare(first, comments()))?;
        let login = self.login().or_else(|| client.identity.map(|user| Login::As(user.to_owned())));
        let has_login = self.has_login();
        Some(Received {
            helo: client.helo.to_owned(),
            name: client.name.unwrap_or("unknown").trim_end_matches('.').to_owned(),
            address: client.address,
            login: match login {
                Some(login) if has_login => login,
                _ if has_login => Login::Unnamed,
                _ => Login::None,
            },
            field: 0,
        })
    }

    /// The login that a comment names: by Postfix, by Courier.
    fn login(&self) -> Option<Login> {
        self.comments().find_map(|comment| {
            let login = match comment.strip_prefix("Authenticated sender:") {
                Some(login) => login.trim(),
                None => comment.strip_prefix("AUTH:")?.trim().split([' ', ',']).nth(1)?,
            };
            (!login.is_empty()).then(|| Login::As(login.to_owned()))
        })
    }

    /// Whether the client logged in: by Sendmail's comment, or by the protocol (RFC 3848, 1; RFC 6531, 4.3).
    fn has_login(&self) -> bool {
        let protocol = self.protocol();
        let by_comment = self.comments().any(|comment| {
            ["Authenticated sender:", "AUTH:", "authenticated"].iter().any(|start| comment.starts_with(start))
        });
        let by_protocol = ["ESMTPA", "ESMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "ASMTP"].contains(&&*protocol);
        by_comment || by_protocol
    }

    fn comments(&self) -> impl Iterator<Item = &'v str> {
        self.items.iter().filter_map(|item| match item {
            Item::Comment(text) => Some(*text),
            Item::Word(_) => None,
        })
    }
}

/// Where a comment ends whose opening parenthesis is read already.
fn end_of_comment(inside: &str) -> usize {
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return at,
            ')' => depth -= 1,
            _ => {}
        }
    }
    inside.len()
}

/// A client as a field describes it.
struct Client<'v> {
    helo: &'v str,
    name: Option<&'v str>,
    address: IpAddr,
    /// Who the client says it works for (RFC 1413), which is the login where qmail has one.
    identity: Option<&'v str>,
}

/// The client of `(NAME [ADDRESS])`, behind the name in HELO, or of Exim's `([ADDRESS] helo=HELO)`, behind the verified one.
fn named<'v>(first: &'v str, comment: &'v str) -> Option<Client<'v>> {
    let (name, rest) = comment.split_once('[')?;
    let (literal, behind) = rest.split_once(']')?;
    let address = address(literal)?;
    let name = name.trim();
    if let Some(helo) = value(behind, "helo=") {
        return name.is_empty().then_some(Client { helo, name: Some(first), address, identity: None });
    }
    if name.contains(char::is_whitespace) {
        return None;
    }
    // `IDENT:root@mail.example.com`; a name that may be forged is not a verified one.
    let name = name.rsplit_once('@').map_or(name, |(_, name)| name);
    let name = Some(name).filter(|name| !name.is_empty() && !behind.contains("may be forged"));
    Some(Client { helo: first, name, address, identity: None })
}

/// The client of Exim's `[ADDRESS] (port=N helo=HELO)`, and of the Notes form `NAME [ADDRESS] (EHLO HELO)`.
fn numbered<'v>(first: &'v str, said: &[Item<'v>]) -> Option<Client<'v>> {
    let literal = |word: &'v str| address(word.strip_prefix('[')?.split(']').next()?);
    let helo = said.iter().find_map(|item| match item {
        Item::Comment(text) => value(text, "helo=").or_else(|| greeting(text)),
        Item::Word(_) => None,
    });
    if let Some(address) = literal(first) {
        return Some(Client { helo: helo.unwrap_or(first), name: None, address, identity: None });
    }
    let address = said.iter().find_map(|item| match item {
        Item::Word(word) => literal(word),
        Item::Comment(_) => None,
    })?;
    Some(Client { helo: helo.unwrap_or(first), name: Some(first), address, identity: None })
}

/// The client of qmail's `NAME (HELO HELO) (USER@ADDRESS)`, and of Exchange's `HELO (ADDRESS)`.
fn bare<'v>(first: &'v str, comments: impl Iterator<Item = &'v str> + Clone) -> Option<Client<'v>> {
    let helo = comments.clone().find_map(greeting);
    let (address, identity) = comments.into_iter().find_map(|comment| {
        let word = comment.split(char::is_whitespace).next()?;
        let (identity, literal) = match word.rsplit_once('@') {
            Some((user, literal)) => (Some(user), literal),
            None => (None, word),
        };
        Some((address(literal.trim_start_matches('[').trim_end_matches(']'))?, identity))
    })?;
    // Behind a greeting the name is the verified one; alone, it is what the client called itself.
    let name = helo.map(|_| first);
    Some(Client { helo: helo.unwrap_or(first), name, address, identity })
}

/// The name in `HELO NAME`. qmail writes question marks where it does not trust a character.
fn greeting(comment: &str) -> Option<&str> {
    let (verb, name) = comment.split_once(' ')?;
    let is_verb = verb.eq_ignore_ascii_case("HELO") || verb.eq_ignore_ascii_case("EHLO");
    is_verb.then(|| name.trim())
}

/// The value of `key` in a comment of Exim's.
fn value<'v>(text: &'v str, key: &str) -> Option<&'v str> {
    text.split(char::is_whitespace).find_map(|word| word.strip_prefix(key))
}

fn address(literal: &str) -> Option<IpAddr> {
    let tagged = literal.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    literal.get(if tagged { 5 } else { 0 }..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of these Received fields: HELO, name, address, login, and which of them says so.
    #[track_caller]
    fn check(fields: &[&str], expected: &str) {
        let text = format!("Received: {}\n\n", fields.join("\nReceived: "));
        let found = Received::of(&Message::parse(text.as_bytes()));
        let found = found.map_or("-".to_owned(), |found| {
            let login = match found.login {
                Login::None => "-".to_owned(),
                Login::Unnamed => "?".to_owned(),
                Login::As(login) => login,
            };
            format!("{} {} {} {login} {}", found.helo, found.name, found.address, found.field)
        });
        assert_eq!(found, expected, "{fields:?}");
    }

    #[test]
    fn postfix() {
        check(
            &["from h (n.example [192.0.2.1])\n\tby x (Postfix) with ESMTP id 4bQ1x"],
            "h n.example 192.0.2.1 - 1",
        );
        check(&["from h (unknown [192.0.2.1])\n\tby x (Postfix) with ESMTP"], "h unknown 192.0.2.1 - 1");
        check(&["from h (n [IPv6:2001:db8::1])\n\tby x (Postfix) with ESMTP"], "h n 2001:db8::1 - 1");
        check(
            &["from [192.0.2.9] (n.example [192.0.2.1]) by x (Postfix) with ESMTP"],
            "[192.0.2.9] n.example 192.0.2.1 - 1",
        );
        check(
            &[
                "from h (n.example [192.0.2.1])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\t \
               key-exchange X25519 server-signature RSA-PSS (2048 bits))\n\t(No client certificate requested)\n\t\
               (Authenticated sender: bob@example.org)\n\tby x (Postfix) with ESMTPSA id 4bQ1x\n\tfor <a@example.com>",
            ],
            "h n.example 192.0.2.1 bob@example.org 1",
        );
        check(&["by mx.example.org (Postfix, from userid 0)"], "-");
        check(&["from h (n.example) by x"], "-");
    }

    #[test]
    fn sendmail_and_courier() {
        check(
            &["from h (n.example [192.0.2.1] (may be forged))\n\tby x (8.18.1/8.18.1) with ESMTP id 4AO"],
            "h unknown 192.0.2.1 - 1",
        );
        check(&["from h ([192.0.2.1])\n\tby x (8.18.1/8.18.1) with ESMTP"], "h unknown 192.0.2.1 - 1");
        check(
            &["from h (IDENT:root@n.example [192.0.2.1])\n\tby x (8.18.1/8.18.1)"],
            "h n.example 192.0.2.1 - 1",
        );
        check(
            &["from h (n.example [IPv6:2001:db8:0:0:0:0:0:1])\n\tby x (8.18.1/8.18.1)"],
            "h n.example 2001:db8::1 - 1",
        );
        check(
            &[
                "from h (n.example [192.0.2.1])\n\t(authenticated bits=0)\n\tby x (8.18.1/8.18.1) with ESMTPSA id 4AO",
            ],
            "h n.example 192.0.2.1 ? 1",
        );
        check(
            &[
                "from h (n.example [::ffff:192.0.2.1])\n  (AUTH: LOGIN bob@example.org, TLS: TLSv1.3,256bits)\n  by x with ESMTPSA",
            ],
            "h n.example ::ffff:192.0.2.1 bob@example.org 1",
        );
    }

    #[test]
    fn exim_qmail_exchange_and_notes() {
        check(
            &["from n.example ([192.0.2.1] helo=h)\n\tby x with esmtp (Exim 4.96)"],
            "h n.example 192.0.2.1 - 1",
        );
        check(
            &["from n.example ([192.0.2.1]:25001 helo=h)\n\tby x with esmtp (Exim 4.96)"],
            "h n.example 192.0.2.1 - 1",
        );
        check(
            &["from n.example ([192.0.2.1])\n\tby x with esmtp (Exim 4.96)"],
            "n.example unknown 192.0.2.1 - 1",
        );
        check(
            &["from [192.0.2.1] (port=1234 helo=[10.0.0.1])\n\tby x with esmtpsa (TLS1.3) (Exim 4.96)"],
            "[10.0.0.1] unknown 192.0.2.1 ? 1",
        );
        check(&["from [2001:db8::1] (helo=h) by x with esmtp (Exim 4.96)"], "h unknown 2001:db8::1 - 1");
        check(&["from root by x with local (Exim 4.96)\n\tid 1P1ceB"], "-");
        check(&["from unknown (HELO h) (192.0.2.1)\n  by x with SMTP"], "h unknown 192.0.2.1 - 1");
        check(
            &["from n.example (HELO h) (bob@example.org@192.0.2.1)\n  by x with ESMTPA"],
            "h n.example 192.0.2.1 bob@example.org 1",
        );
        check(&["from n.example (HELO h) (ident@192.0.2.1)\n  by x with ESMTP"], "h n.example 192.0.2.1 - 1");
        check(
            &[
                "(qmail 4711 invoked by uid 89); 24 Nov 2026",
                "(qmail 4710 invoked from network); 24 Nov 2026",
                "from n.example (EHLO ?10.0.0.1?) (192.0.2.1 with plain)\n  by x with SMTP",
            ],
            "?10.0.0.1? n.example 192.0.2.1 - 3",
        );
        check(
            &[
                "from h (192.0.2.1) by x (10.0.0.2) with Microsoft SMTP Server\n (version=TLS1_2, cipher=X) id 15.1.1",
            ],
            "h unknown 192.0.2.1 - 1",
        );
        check(
            &["from h (2001:db8::1) by x (2001:db8::2) with Microsoft SMTP Server"],
            "h unknown 2001:db8::1 - 1",
        );
        check(
            &["from h ([192.0.2.1]) by x over TLS secured channel with Microsoft SMTPSVC(7.5.1)"],
            "h unknown 192.0.2.1 - 1",
        );
        check(
            &["from h (n.example. [192.0.2.1]) by mx.google.com with ESMTPS id a"],
            "h n.example 192.0.2.1 - 1",
        );
        check(&["from unknown [192.0.2.1] (EHLO h) by x with ESMTP"], "h unknown 192.0.2.1 - 1");
    }

    #[test]
    fn hops_within_the_host_are_passed_over() {
        let client = "from h (n.example [192.0.2.1])\n\tby mx (Postfix) with ESMTP id 4bQ1x";
        for hop in [
            "from mx.example.org\n\tby mx.example.org with LMTP\n\tid MNbkKfU9\n\t(envelope-from <a@example.com>)",
            "from mx.example.org ([127.0.0.1])\n\tby mx.example.org with LMTP id MNbkKfU9",
            "from mx.example.org ([unix socket])\n\t by mx.example.org (Cyrus 3.6.1) with LMTPA;\n\t Tue, 24 Nov 2026",
            "from mx.example.org (mx.example.org [192.0.2.20])\n\tby imap.example.org (Cyrus 3.6.1) with LMTPSA",
            "from localhost (localhost [127.0.0.1])\n\tby mx.example.org (Postfix) with ESMTP id 4bQ1y",
            "from mx.example.org ([127.0.0.1])\n by localhost (mx.example.org [127.0.0.1]) (amavisd-new, port 10024)\n with ESMTP",
            "from localhost (localhost [IPv6:::1])\n\tby mx.example.org (Postfix) with ESMTP id 4bQ1y",
            "from mx.example.org (localhost [::ffff:127.0.0.1]) by x (Postfix) with UTF8SMTP",
        ] {
            check(&[hop, client], "h n.example 192.0.2.1 - 2");
            check(&[hop, hop, hop, client], "h n.example 192.0.2.1 - 4");
        }
        check(&["from h (localhost [127.0.0.1]) by mx (Postfix)"], "h localhost 127.0.0.1 - 1");
        // A program on the host wrote it; what stands below came before.
        let pickup = "by mx.example.org (Postfix, from userid 1000)\n\tid 4bQ1z";
        check(&[pickup, client], "-");
        check(&["from mx.example.org by x with LMTP", pickup, client], "-");
        // What a stranger calls himself says nothing of a login.
        check(&["from (Authenticated (n.example [192.0.2.1]) by mx (Postfix) with ESMTP"], "-");
    }
}
