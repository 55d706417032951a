//! What the body of an answer says of it (RFC 6522): which message it is about, whose delivery it reports (RFC 3464), and
//! what it is, where its header does not say that.
//!
//! A body is read as it comes, in pieces, and no more of it than is needed. What does not follow the standards is passed
//! over; nothing here fails. A returned message is never looked into beyond its header: what stands there, a stranger wrote.
//!
//! | file | what it reads |
//! |---|---|
//! | `part` | what a part is, by its Content-Type |
//! | `notice` | bounces of programs that write text only |

mod notice;
mod part;

use super::automatic;
use super::disposition::Disposition;
use super::media_type::MediaType;
use super::message_id;
use super::{Header, ReversePath};
use part::Kind;

/// What the body of an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the message shows itself to be, if anything.
    pub nature: Option<Nature>,
    /// The identifiers of the message that it is about, at most [`Reader::MOST_IDENTIFIERS`]: one, and those that it had
    /// before somebody gave it another.
    pub message_ids: Vec<String>,
    /// What Postfix called it (`X-Postfix-Queue-ID`).
    pub queue_id: Option<String>,
    /// The recipients that are reported on, as they were given where that is said, else as they ended up.
    pub recipients: Vec<String>,
}

/// What a body shows a message to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A bounce: a delivery status (RFC 3464), or the text of a program that writes none.
    Bounce,
    /// A receipt that somebody let be sent (RFC 8098, 3.2.6.1).
    ReceiptByHand,
    /// A receipt that a program sent by itself.
    Receipt,
    /// A receipt that says that a program did away with the message: that is how mailboxes refuse (RFC 5429, 2.2.1).
    Refusal,
    /// An answer to an invitation, or one (RFC 6047).
    Calendar,
}

impl Nature {
    /// All of them with the words for them in the log.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("bounce", Self::Bounce),
        ("receipt-by-hand", Self::ReceiptByHand),
        ("receipt", Self::Receipt),
        ("refusal", Self::Refusal),
        ("calendar", Self::Calendar),
    ];
}

impl From<Disposition> for Nature {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition { sent_by_hand: true, .. } => Self::ReceiptByHand,
            Disposition { acted_by_itself: true, is_refused: true, .. } => Self::Refusal,
            Disposition { .. } => Self::Receipt,
        }
    }
}

/// Reads the body.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The lines that part the multiparts that are open, the outermost first.
    boundaries: Vec<String>,
    part: Part,
    /// The line so far, as much of it as is kept.
    line: Vec<u8>,
    /// The header field so far, unfolded.
    field: String,
    octets: usize,
    report: Report,
    /// The recipient as it was given (`Original-Recipient`), until it is known where it ended up.
    original: Option<String>,
}

/// Where in the body the reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Before the first part, or in one that says nothing.
    Silent,
    /// In the header of a part.
    Header(Kind),
    /// In groups of fields about recipients, or about what became of the message.
    Status,
    /// Before the first words of a text.
    Opening,
    /// In the text of a bounce.
    Notice,
    /// Behind such a text, before the message that it returns.
    Ahead,
    /// In the header of the returned message.
    Returned,
    /// Nothing more is wanted.
    Done,
}

impl Reader {
    /// Octets of a body that are read. Notices for people and returned messages can be long; what we look for stands
    /// before the latter.
    pub const LIMIT: usize = 256 * 1024;

    /// Identifiers of one message that are kept.
    pub const MOST_IDENTIFIERS: usize = 3;

    /// Octets of a line, and of a field, that are kept; recipients; and multiparts within one another.
    const LONGEST_LINE: usize = 2000;
    const MOST_RECIPIENTS: usize = 1000;
    const DEEPEST: usize = 8;

    /// A reader of the body of this message, if that may say what the header leaves open: of an answer that leaves.
    pub fn of(header: &Header, reverse_path: &ReversePath) -> Option<Self> {
        if !automatic::may_say_more(header, reverse_path) {
            return None;
        }
        let content_type = header.all("Content-Type").next().map(|field| field.value.as_str());
        let media_type = content_type.and_then(MediaType::parse);
        if let Some(reader) = media_type.as_ref().and_then(Self::of_multipart) {
            return Some(reader);
        }
        let is_text = media_type.is_none_or(|kind| kind.essence.starts_with("text/"));
        (is_text && *reverse_path == ReversePath::Null).then(|| Self::of_text(header))
    }

    /// A reader of the multipart whose Content-Type this is; none where that names no boundary.
    pub fn new(content_type: &str) -> Option<Self> {
        Self::of_multipart(&MediaType::parse(content_type)?)
    }

    fn of_multipart(media_type: &MediaType) -> Option<Self> {
        let boundary = part::boundary(media_type)?;
        Some(Self::begin(vec![boundary], Part::Silent))
    }

    /// A reader of a text that may be a bounce. The header names the recipients where it knows them.
    fn of_text(header: &Header) -> Self {
        let mut failed = header.all("X-Failed-Recipients").peekable();
        let part = if failed.peek().is_some() { Part::Notice } else { Part::Opening };
        let mut reader = Self::begin(Vec::new(), part);
        for address in failed.flat_map(|field| field.value.split(',')) {
            reader.add_recipient(address.trim());
        }
        reader
    }

    fn begin(boundaries: Vec<String>, part: Part) -> Self {
        Self {
            boundaries,
            part,
            line: Vec::new(),
            field: String::new(),
            octets: 0,
            report: Report::default(),
            original: None,
        }
    }

    /// Takes the next piece; whether more is wanted.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let room = Self::LIMIT.saturating_sub(self.octets);
        self.octets = self.octets.saturating_add(piece.len());
        for &octet in piece.iter().take(room) {
            if self.part == Part::Done {
                break;
            }
            if octet == b'\n' {
                self.end_of_line();
            } else if self.line.len() < Self::LONGEST_LINE {
                self.line.push(octet);
            }
        }
        self.part != Part::Done && self.octets < Self::LIMIT
    }

    /// What was found, if this was all.
    pub fn report(&self) -> Report {
        let mut last = self.clone();
        last.end_of_line();
        last.end_of_field();
        last.end_of_recipient();
        last.report
    }

    fn end_of_line(&mut self) {
        let octets = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&octets);
        let line = text.trim_end();
        if self.is_boundary(line) {
            return;
        }
        match self.part {
            Part::Header(_) | Part::Status | Part::Returned => self.line_of_fields(line),
            Part::Opening => match notice::opens(line) {
                None => {}
                Some(true) => {
                    self.report.nature = Some(Nature::Bounce);
                    self.part = Part::Notice;
                }
                Some(false) if self.boundaries.is_empty() => self.part = Part::Done,
                Some(false) => self.part = Part::Silent,
            },
            Part::Notice => {
                if notice::ends(line) {
                    self.part = Part::Ahead;
                } else if let Some(address) = notice::recipient(line) {
                    self.add_recipient(address);
                }
            }
            // Between the two, programs write what they cut off.
            Part::Ahead if line.is_empty() || line.starts_with('-') => {}
            Part::Ahead => {
                self.part = Part::Returned;
                self.line_of_fields(line);
            }
            Part::Silent | Part::Done => {}
        }
    }

    /// Takes a line if it parts two parts, or ends a multipart.
    fn is_boundary(&mut self, line: &str) -> bool {
        let found = self.boundaries.iter().enumerate().rev().find_map(|(depth, boundary)| {
            let rest = line.strip_prefix(boundary.as_str())?;
            matches!(rest, "" | "--").then_some((depth, rest.is_empty()))
        });
        let Some((depth, goes_on)) = found.filter(|_| self.part != Part::Done) else { return false };
        self.end_of_field();
        self.end_of_recipient();
        self.boundaries.truncate(if goes_on { depth + 1 } else { depth });
        if self.part != Part::Done {
            self.part = if goes_on { Part::Header(Kind::default()) } else { Part::Silent };
        }
        true
    }

    /// Takes a line of header fields, which may go on in the next one (RFC 5322, 2.2.3).
    fn line_of_fields(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) && !self.field.is_empty() {
            if self.field.len() + line.len() <= Self::LONGEST_LINE {
                self.field.push_str(line);
            }
            return;
        }
        self.end_of_field();
        if line.is_empty() {
            self.end_of_fields();
        } else if self.part != Part::Done {
            line.clone_into(&mut self.field);
        }
    }

    fn end_of_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        let Some((name, value)) = field.split_once(':') else { return };
        let (name, value) = (name.trim_end().to_ascii_lowercase(), value.trim());
        match (&self.part, name.as_str()) {
            (Part::Header(_), "content-type") => self.part = Part::Header(Kind::of(value)),
            (Part::Status, "original-message-id" | "x-original-message-id")
            | (Part::Returned, "message-id" | "x-original-message-id") => self.add_identifier(value),
            (Part::Status, "x-postfix-queue-id") => {
                self.report.queue_id.get_or_insert_with(|| value.to_owned());
            }
            (Part::Status, "original-recipient") => self.original = address(value),
            (Part::Status, "final-recipient") if self.original.is_none() => self.original = address(value),
            (Part::Status, "disposition") => {
                let nature = Disposition::parse(value).map(Nature::from);
                self.report.nature = self.report.nature.or(nature);
            }
            _ => {}
        }
    }

    /// Takes the empty line behind header fields.
    fn end_of_fields(&mut self) {
        let kind = match &mut self.part {
            Part::Header(kind) => std::mem::take(kind),
            Part::Status => return self.end_of_recipient(),
            // The header of the returned message has ended.
            Part::Returned => return self.part = Part::Done,
            _ => return,
        };
        self.part = match kind {
            Kind::Status => {
                self.report.nature.get_or_insert(Nature::Bounce);
                Part::Status
            }
            Kind::Receipt => Part::Status,
            Kind::Text if self.report.nature.is_none() => Part::Opening,
            Kind::Returned => Part::Returned,
            Kind::Calendar if self.report.nature.is_none() => {
                self.report.nature = Some(Nature::Calendar);
                Part::Done
            }
            Kind::Multipart(boundary) => {
                if self.boundaries.len() < Self::DEEPEST {
                    self.boundaries.push(boundary);
                }
                Part::Silent
            }
            Kind::Text | Kind::Calendar | Kind::Other => Part::Silent,
        };
    }

    fn end_of_recipient(&mut self) {
        if let Some(recipient) = self.original.take() {
            self.add_recipient(&recipient);
        }
    }

    fn add_recipient(&mut self, address: &str) {
        if !address.is_empty() && self.report.recipients.len() < Self::MOST_RECIPIENTS {
            self.report.recipients.push(address.to_owned());
        }
    }

    fn add_identifier(&mut self, value: &str) {
        if let Some(found) = message_id::parse(value, 1).pop()
            && self.report.message_ids.len() < Self::MOST_IDENTIFIERS
            && !self.report.message_ids.contains(&found)
        {
            self.report.message_ids.push(found);
        }
    }
}

/// The address in `rfc822; user@example.org` (RFC 3464, 2.1.2).
fn address(body: &str) -> Option<String> {
    let (_, address) = body.split_once(';')?;
    let address = address.trim().trim_start_matches('<').trim_end_matches('>');
    (!address.is_empty()).then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTENT_TYPE: &str =
        "multipart/report; report-type=delivery-status;\n\tboundary=\"4bQ1x.1700000000/mx.example\"";

    const BODY: &str = "This is a MIME-encapsulated message.\r\n\
        \r\n\
        --4bQ1x.1700000000/mx.example\r\n\
        Content-Description: Notification\r\n\
        \r\n\
        Message-ID: <of.the.notice@mx.example>\r\n\
        --4bQ1x.1700000000/mx.example\r\n\
        Content-Type: message/delivery-status\r\n\
        \r\n\
        Reporting-MTA: dns; mx.example\r\n\
        X-Postfix-Queue-ID: 4bQ1x\r\n\
        \r\n\
        Final-Recipient: rfc822; inner@mx.example\r\n\
        Original-Recipient: rfc822;Info@example.org\r\n\
        Status: 5.1.1\r\n\
        \r\n\
        Final-Recipient: rfc822; other@example.org\r\n\
        \r\n\
        --4bQ1x.1700000000/mx.example\r\n\
        Content-Type: message/rfc822\r\n\
        \r\n\
        From: a@example.com\r\n\
        Message-ID:\r\n\
        \t<original@example.com>\r\n\
        \r\n\
        Message-ID: <of.the.body@example.com>\r\n\
        --4bQ1x.1700000000/mx.example--\r\n";

    #[track_caller]
    fn check(body: &str, piece: usize, expected: (&[&str], &str, &str)) {
        let mut reader = Reader::new(CONTENT_TYPE).unwrap();
        for piece in body.as_bytes().chunks(piece) {
            reader.feed(piece);
        }
        let report = reader.report();
        let (recipients, queue_id, message_id) = expected;
        assert_eq!(report.recipients, recipients);
        assert_eq!(report.queue_id.as_deref().unwrap_or_default(), queue_id);
        assert_eq!(report.message_ids.join(" "), message_id);
    }

    #[test]
    fn a_bounce_in_pieces_of_any_size() {
        let expected = (&["Info@example.org", "other@example.org"][..], "4bQ1x", "original@example.com");
        for piece in [1, 7, 64, BODY.len()] {
            check(BODY, piece, expected);
            check(&BODY.replace("\r\n", "\n"), piece, expected);
            check(&BODY.replace("message/rfc822", "text/rfc822-headers"), piece, expected);
        }
    }

    #[test]
    fn what_is_odd_says_less() {
        check("", 9, (&[], "", ""));
        check(
            &BODY[..BODY.find("Message-ID:\r\n").unwrap()],
            9,
            (&["Info@example.org", "other@example.org"], "4bQ1x", ""),
        );
        check(&BODY.replace("Content-Type: message", "Content-Type: x"), 9, (&[], "", ""));
        check(&BODY.replace("--4bQ1x.", "--other."), 9, (&[], "", ""));
        assert!(Reader::new("multipart/report; report-type=delivery-status").is_none());
    }

    #[test]
    fn no_body_is_too_long() {
        let mut reader = Reader::new(CONTENT_TYPE).unwrap();
        let piece = vec![b'x'; 65_535];
        let wanted = (0..1000).take_while(|_| reader.feed(&piece)).count();
        assert!(wanted <= Reader::LIMIT / 65_535 + 1, "{wanted}");
        assert_eq!(reader.report(), Report::default());
    }

    /// Multiparts within one another, as deep as it takes, and a field that never ends.
    #[test]
    fn what_is_kept_is_bounded() {
        let mut reader = Reader::new("multipart/mixed; boundary=b0").unwrap();
        for depth in 0..10_000 {
            let part = format!("--b{depth}\nContent-Type: multipart/mixed; boundary=b{}\n\n", depth + 1);
            reader.feed(part.as_bytes());
        }
        assert_eq!(reader.boundaries.len(), Reader::DEEPEST);

        let folded =
            format!("--x\nContent-Type: message/rfc822\n\nMessage-ID: <a@\n{}", " b\n".repeat(80_000));
        let mut reader = Reader::new("multipart/report; boundary=x").unwrap();
        reader.feed(folded.as_bytes());
        assert!(reader.field.len() <= Reader::LONGEST_LINE);
        assert_eq!(reader.report(), Report::default());
    }

    proptest! {
        /// A body says the same in whatever pieces it comes.
        #[test]
        fn pieces_do_not_matter(
            lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..30),
            piece in 1_usize..40,
        ) {
            let body = lines.join("\n");
            for mut whole in [Reader::new(CONTENT_TYPE).unwrap(), Reader::of_text(&Header::default())] {
                let mut pieces = whole.clone();
                whole.feed(body.as_bytes());
                for piece in body.as_bytes().chunks(piece) {
                    pieces.feed(piece);
                }
                prop_assert_eq!(whole.report(), pieces.report());
            }
        }
    }

    /// What bodies are made of.
    const LINES: [&str; 20] = [
        "--4bQ1x.1700000000/mx.example",
        "--4bQ1x.1700000000/mx.example--",
        "--inner",
        "--inner--",
        "Content-Type: multipart/alternative; boundary=inner",
        "Content-Type: message/delivery-status",
        "Content-Type:",
        " message/disposition-notification",
        "Content-Type: message/rfc822",
        "\ttext/calendar",
        "",
        "Disposition: manual-action/MDN-sent-manually;",
        " displayed",
        "Final-Recipient: rfc822; info@example.org",
        "Message-ID: <original@example.com>",
        "X-Original-Message-ID: <first@example.com>",
        "Hi. This is the qmail-send program at mx.example.org.",
        "<info@example.org>:",
        "--- Below this line is a copy of the message.",
        "text",
    ];
}
