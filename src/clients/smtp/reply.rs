//! Replies, and what a reply to RCPT says of the mailbox.

use super::super::Trouble;
use super::super::wire::{Wire, garbled};
use crate::clients::files::problem::quoted;
use crate::mail::Mailbox;

/// The longest line of a reply, in octets; servers must keep to 512 (RFC 5321, 4.5.3.1.5).
const LONGEST_LINE: usize = 2048;

/// How many lines a reply may have.
const MOST_LINES: usize = 100;

/// Words of a refusal that is not about the mailbox, in lower case. Where no enhanced code tells, 550 stands for either
/// (RFC 5321, 4.2.3: ‘mailbox not found, no access, or command rejected for policy reasons’).
const POLICY: [&str; 14] = [
    "access denied",
    "administrative",
    "authenticat",
    "blacklist",
    "blocked",
    "blocklist",
    "not allowed",
    "not permitted",
    "policy",
    "prohibit",
    "relay",
    "reputation",
    "sender",
    "spam",
];

/// A reply (RFC 5321, 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    code: u16,
    /// What stands behind the code in each line.
    lines: Vec<String>,
}

/// What a server says of a mailbox, with its words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It takes mail for it.
    Exists,
    /// It has moved; where to, if that is said.
    Relocated(Option<Mailbox>),
    /// There is no such mailbox.
    Unknown(String),
    /// There is one, which is closed.
    Closed(String),
    /// It does not tell, or refuses for another reason.
    Undetermined(String),
}

impl Reply {
    /// Reads a reply.
    pub(super) async fn read(wire: &mut Wire) -> Result<Self, Trouble> {
        let mut reply: Option<Self> = None;
        loop {
            let line = wire.line(LONGEST_LINE).await?;
            let (code, is_last, text) = parse(&line).ok_or_else(|| garbled(&line))?;
            let reply = reply.get_or_insert(Self { code, lines: Vec::new() });
            if code != reply.code || reply.lines.len() == MOST_LINES {
                return Err(garbled(&line));
            }
            reply.lines.push(text);
            if is_last {
                return Ok(reply.clone());
            }
        }
    }

    /// Reads a reply to a command that is not the first of a question: an end instead of it is no reason to ask again.
    pub(super) async fn read_or_end(wire: &mut Wire) -> Result<Self, Trouble> {
        Self::read(wire).await.map_err(|trouble| match trouble {
            Trouble::Closed => Trouble::Refused("the server closed the connection at RCPT".to_owned()),
            trouble => trouble,
        })
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// The reply, where it lets us go on. `what` leads to its text where it does not.
    pub(super) fn accepted(self, what: &str) -> Result<Self, Trouble> {
        match self.code {
            200..=299 => Ok(self),
            _ => Err(Trouble::Refused(format!("{what} {}", self.shown()))),
        }
    }

    /// Whether a reply to EHLO names an extension.
    pub(super) fn offers(&self, extension: &str) -> bool {
        let keyword =
            |line: &str| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(extension));
        self.lines.iter().skip(1).any(|line| keyword(line))
    }

    /// What a reply to RCPT says of the mailbox.
    ///
    /// Only what is said of the mailbox itself counts: that there is none, that it has another name, that its name is
    /// no name, that it is closed. A refusal for who we are, for the domain or by policy, and a mailbox that is full, say
    /// nothing about it. Nor does 252, which is how a server says that it will see (RFC 5321, 3.5.3).
    pub(super) fn verdict(&self, asked: &Mailbox) -> Verdict {
        match (self.code, self.enhanced()) {
            (250 | 251, _) => Verdict::Exists,
            (550 | 551 | 553, Some([5, 1, 6])) => Verdict::Relocated(self.other_than(asked)),
            // X.1.10 is a name that can get no mail (RFC 7505), and Exchange says it of every name that it does not know.
            // 511 is what chkuser has qmail say, 554 what some say for 550. With 556 the domain takes no mail (RFC 7504).
            (501 | 511 | 550 | 551 | 553 | 554, Some([5, 1, 0 | 1 | 3 | 10])) => {
                Verdict::Unknown(self.shown())
            }
            // Exchange Online refuses names that its directory does not have as if nobody had answered (X.4.1), and
            // outlook.com as an error of the protocol (X.5.0). From others, these are what they say.
            (550, Some([5, 4, 1])) if self.says("recipient address rejected") => {
                Verdict::Unknown(self.shown())
            }
            (550, Some([5, 5, 0])) if self.says("mailbox unavailable") => Verdict::Unknown(self.shown()),
            // The mailbox is there and takes no mail (RFC 3463, 3.3): to accept any would make bounces of it.
            (550 | 554, Some([5, 2, 1])) => Verdict::Closed(self.shown()),
            (550, None) if !POLICY.iter().any(|word| self.says(word)) => Verdict::Unknown(self.shown()),
            (551, None) if self.other_than(asked).is_some() => Verdict::Relocated(self.other_than(asked)),
            _ => Verdict::Undetermined(format!("RCPT is answered by {}", self.shown())),
        }
    }

    /// The enhanced status code (RFC 3463, 2), where there is one: in front of the text, or after a `#` as qmail and
    /// others have it, also at the end.
    fn enhanced(&self) -> Option<[u16; 3]> {
        let first = self.lines.first()?;
        let in_front = first.split(' ').next().and_then(status);
        in_front.or_else(|| {
            let mut marked = first.split('#').skip(1);
            marked.find_map(|text| text.split([' ', ')', ',']).next().and_then(status))
        })
    }

    /// Whether the text has these words, in any case.
    fn says(&self, words: &str) -> bool {
        self.lines.join(" ").to_ascii_lowercase().contains(words)
    }

    /// The mailbox in the text (RFC 5321, 3.4) that is not the one that was asked for: Postfix names both.
    fn other_than(&self, asked: &Mailbox) -> Option<Mailbox> {
        let between = |c: char| c.is_whitespace() || "<>()[],;:".contains(c);
        let words = self.lines.iter().flat_map(|line| line.split(between));
        let mut mailboxes = words.filter_map(|word| word.trim_end_matches('.').parse().ok());
        mailboxes.find(|mailbox: &Mailbox| {
            let same_name = mailbox.local_part().eq_ignore_ascii_case(asked.local_part());
            !(same_name && mailbox.domain() == asked.domain())
        })
    }

    /// The reply in one line, for the log.
    fn shown(&self) -> String {
        quoted(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

/// An enhanced status code.
fn status(word: &str) -> Option<[u16; 3]> {
    let is_number =
        |number: &str| (1..=3).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_digit());
    let numbers = word.split('.').map(|number| number.parse().ok().filter(|_| is_number(number)));
    numbers.collect::<Option<Vec<u16>>>()?.try_into().ok()
}

/// Code, whether the line is the last one, and text.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (code, rest) = line.split_at_checked(3)?;
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] = code else { return None };
    let code = str::from_utf8(code).ok()?.parse().ok()?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    match rest {
        [] => Some((code, true, String::new())),
        [b' ', rest @ ..] => Some((code, true, text(rest))),
        [b'-', rest @ ..] => Some((code, false, text(rest))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        let lines: Vec<_> = text.lines().map(|line| parse(line.as_bytes()).unwrap()).collect();
        Reply { code: lines[0].0, lines: lines.into_iter().map(|(_, _, text)| text).collect() }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match reply(text).verdict(&"a@b.example".parse().unwrap()) {
            Verdict::Exists => "exists".to_owned(),
            Verdict::Unknown(_) => "unknown".to_owned(),
            Verdict::Closed(_) => "closed".to_owned(),
            Verdict::Undetermined(_) => "undetermined".to_owned(),
            Verdict::Relocated(to) => {
                format!("moved to {}", to.map_or_else(|| "?".to_owned(), |to| to.to_string()))
            }
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_replies_say_of_a_mailbox() {
        check("250 2.1.5 Ok", "exists");
        check("251 User not local; will forward to <a@b.example>", "exists");
        check("252 2.1.5 Cannot VRFY user", "undetermined");
        check("550 5.1.1 <a@b.example>: User unknown", "unknown");
        check("550-5.1.1 The account does not exist\n550 5.1.1 Learn more", "unknown");
        check("550 No such user here", "unknown");
        check("550", "unknown");
        check("550 5.1.10 RESOLVER.ADR.RecipientNotFound", "unknown");
        check("553 5.1.3 not an address", "unknown");
        check("501 5.1.3 Bad recipient address syntax", "unknown");
        check("551 5.1.1 User not local", "unknown");
        check("551 User not local; please try <c@d.example>", "moved to c@d.example");
        check("551 User not local", "undetermined");
        check("550 5.1.6 moved, try <c@d.example> now", "moved to c@d.example");
        check("550 5.1.6 <A@b.example>: User has moved to c@d.example.", "moved to c@d.example");
        check("550 5.1.6 <a@b.example> moved", "moved to ?");
        check("551 5.7.1 ask <c@d.example>", "undetermined");
        check("550 5.2.1 The email account that you tried to reach is disabled.", "closed");
        for text in [
            "421 4.3.2 shutting down",
            "450 4.1.1 unverified",
            "451 4.3.0 later",
            "452 4.2.2 full",
            "500 5.5.2 line too long",
            "501 syntax",
            "503 5.5.1 no MAIL",
            "530 5.7.0 STARTTLS first",
            "550 5.1.2 no such domain",
            "550 5.1.8 sender's domain",
            "550 5.7.1 policy",
            "550 4.1.1 two minds",
            "552 5.2.2 full",
            "553 sorry, not in my list of allowed rcpthosts",
            "554 5.7.1 Relay access denied",
        ] {
            check(text, "undetermined");
        }
    }

    /// As servers were seen to say it, or as their manuals and sources have it.
    #[test]
    fn what_servers_in_use_say() {
        for text in [
            // Exchange Online, Exchange 2016, outlook.com, Exchange's Edge.
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [BN1NAM02FT022.eop-nam02.prod.protection.outlook.com]",
            "550 5.4.1 [a@b.example]: Recipient address rejected: Access denied",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
            "550 5.1.1 User unknown",
            // Google, Postfix (Zimbra, mailcow), Dovecot's LMTP, Cyrus.
            "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550 5.1.1 double-checking",
            "550 5.1.1 <a@b.example>: Recipient address rejected: User unknown in virtual mailbox table",
            "550 5.1.1 <a@b.example>: Recipient address rejected: b.example",
            "550 5.1.1 <a@b.example> User doesn't exist: a@b.example",
            "550-Mailbox unknown.  Either there is no mailbox associated with this\n550 5.1.1 User unknown",
            // qmail with several patches, vpopmail's chkuser, Exim, IronPort, Sendmail, hMailServer.
            "550 sorry, no mailbox here by that name. (#5.1.1)",
            "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)",
            "553 sorry, no mailbox here by that name (#5.1.1)",
            "550 Unrouteable address",
            "550 no such address here",
            "550 #5.1.0 Address rejected.",
            "550 5.1.1 <a@b.example>... User unknown",
            "550 Unknown user",
            "554 5.1.1 no such user",
        ] {
            check(text, "unknown");
        }
        for text in [
            // Postfix that verifies (unverified_recipient_reject_code, unverified_recipient_defer_code).
            "450 4.1.1 <a@b.example>: Recipient address rejected: undeliverable address: host x said: 550 5.1.1",
            "450 4.1.1 <a@b.example>: Recipient address rejected: unverified address: Address verification in progress",
            // Exchange: a domain that is not its own, a group for members only, throttling.
            "550 5.7.64 TenantAttribution; Relay Access Denied",
            "550 5.4.1 no answer from host",
            "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
            "451 4.7.500 Server busy",
            "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked",
            // Google, Sendmail, Exim, qmail: policy, a full mailbox, a domain that takes no mail at all.
            "550 5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized",
            "452 4.2.2 The email account that you tried to reach is over quota",
            "552 5.2.2 The email account that you tried to reach is over quota",
            "550 5.0.0 Access denied",
            "550 5.5.0 bad sequence",
            "550 relay not permitted",
            "550 Administrative prohibition",
            "550-Verification failed for <c@d.example>\n550 Sender verify failed",
            "550 Rejected because 192.0.2.1 is in a black list at zen: blocked using a blocklist",
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "550 sorry, we do not take mail from you (#5.7.1)",
            "571 sorry, sender address has invalid format (#5.7.1 - chkuser)",
            "556 5.1.10 the domain takes no mail",
        ] {
            check(text, "undetermined");
        }
    }

    #[test]
    fn lines() {
        assert_eq!(parse(b"250-a b\r"), Some((250, false, "a b".to_owned())));
        assert_eq!(parse(b"250"), Some((250, true, String::new())));
        for garbage in [&b""[..], b"25", b"2500 x", b"150 x", b"650 x", b"25x x", b"250_x", b"HTTP/1.0 400"] {
            assert_eq!(parse(garbage), None);
        }
        let hello = reply("250-mx SMTPUTF8\n250-PIPELINING\n250 smtputf8");
        assert!(hello.offers("SMTPUTF8") && !hello.offers("mx") && !hello.offers("DSN"));
    }
}
