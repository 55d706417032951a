//! The body of a report (RFC 6522): which message it is about, and whose delivery it reports (RFC 3464).
//!
//! It is read as it comes, in pieces, and no more of it than is needed. What does not follow the standards is passed
//! over; nothing here fails.

use super::automatic::{self, Automatic};
use super::media_type::MediaType;
use super::message_id;
use super::{Header, ReversePath};

/// What a report says of the message that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its identifier in the returned message or header.
    pub message_id: Option<String>,
    /// What Postfix called it (`X-Postfix-Queue-ID`).
    pub queue_id: Option<String>,
    /// The recipients that are reported on, as they were given where that is said, else as they ended up.
    pub recipients: Vec<String>,
}

/// Reads the body.
#[derive(Clone, Debug)]
pub struct Reader {
    boundary: String,
    part: Part,
    /// The line so far, as much of it as is kept.
    line: Vec<u8>,
    octets: usize,
    report: Report,
    /// The recipient as it was given (`Original-Recipient`), until it is known where it ended up.
    original: Option<String>,
}

/// Where in the body the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Before the first part, or in one that says nothing.
    Silent,
    /// In the header of a part.
    Header(Kind),
    /// In groups of fields about recipients.
    Status,
    /// In the header of the returned message.
    Returned,
    /// Nothing more is wanted.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Other,
    Status,
    Returned,
}

impl Reader {
    /// Octets of a body that are read. Notices for people and returned messages can be long; what we look for stands
    /// before the latter.
    pub const LIMIT: usize = 256 * 1024;

    /// Octets of a line that are kept, and recipients.
    const LONGEST_LINE: usize = 2000;
    const MOST_RECIPIENTS: usize = 1000;

    /// A reader of the body of this message, if it is a bounce: nobody else says anything of interest in it.
    pub fn of(header: &Header, reverse_path: &ReversePath) -> Option<Self> {
        let (what, _) = automatic::recognise_leaving(header, reverse_path);
        let field = header.all("Content-Type").next().filter(|_| what == Some(Automatic::Bounce))?;
        Self::new(&field.value)
    }

    /// A reader of the report whose Content-Type this is; none where that names no boundary.
    pub fn new(content_type: &str) -> Option<Self> {
        let boundary = MediaType::parse(content_type)?.parameter("boundary")?.to_owned();
        (!boundary.is_empty()).then(|| Self {
            boundary: format!("--{boundary}"),
            part: Part::Silent,
            line: Vec::new(),
            octets: 0,
            report: Report::default(),
            original: None,
        })
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
        last.end_of_recipient();
        last.report
    }

    fn end_of_line(&mut self) {
        let octets = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&octets);
        let line = text.trim_end();
        if let Some(rest) = line.strip_prefix(&self.boundary)
            && matches!(rest, "" | "--")
        {
            self.end_of_recipient();
            self.part = if rest.is_empty() { Part::Header(Kind::Other) } else { Part::Done };
            return;
        }
        match self.part {
            Part::Header(kind) if line.is_empty() => {
                self.part = match kind {
                    Kind::Other => Part::Silent,
                    Kind::Status => Part::Status,
                    Kind::Returned => Part::Returned,
                };
            }
            Part::Header(_) => {
                if let Some(value) = value(line, "content-type") {
                    self.part = Part::Header(kind(value));
                }
            }
            Part::Status => self.status(line),
            // The header of the returned message has ended.
            Part::Returned if line.is_empty() => self.part = Part::Done,
            Part::Returned => self.returned(line),
            Part::Silent | Part::Done => {}
        }
    }

    /// Takes a line of the groups of fields about the message and each recipient (RFC 3464, 2.1).
    fn status(&mut self, line: &str) {
        if line.is_empty() {
            self.end_of_recipient();
        } else if let Some(queue_id) = value(line, "x-postfix-queue-id") {
            self.report.queue_id.get_or_insert_with(|| queue_id.to_owned());
        } else if let Some(original) = value(line, "original-recipient") {
            self.original = address(original);
        } else if let Some(last) = value(line, "final-recipient")
            && self.original.is_none()
        {
            self.original = address(last);
        }
    }

    fn end_of_recipient(&mut self) {
        if let Some(recipient) = self.original.take()
            && self.report.recipients.len() < Self::MOST_RECIPIENTS
        {
            self.report.recipients.push(recipient);
        }
    }

    /// Takes a line of the returned header. A folded identifier stands in the line after its name.
    fn returned(&mut self, line: &str) {
        let body = value(line, "message-id");
        if let Some(found) = body.and_then(|body| message_id::parse(body, 1).pop()) {
            self.report.message_id = Some(found);
            self.part = Part::Done;
        } else if body.is_some_and(str::is_empty) {
            // The next line is read as if it began with the name.
            self.line = b"Message-ID:".to_vec();
        }
    }
}

/// The body of the field in this line, if it has that name, which is given in lower case.
fn value<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (found, body) = line.split_once(':')?;
    found.trim_end().eq_ignore_ascii_case(name).then(|| body.trim())
}

/// What a part is, by its Content-Type.
fn kind(content_type: &str) -> Kind {
    let essence = MediaType::parse(content_type).map_or_else(String::new, |found| found.essence);
    match essence.as_str() {
        "message/delivery-status" | "message/global-delivery-status" => Kind::Status,
        "message/rfc822"
        | "message/global"
        | "message/rfc822-headers"
        | "message/global-headers"
        | "text/rfc822-headers" => Kind::Returned,
        _ => Kind::Other,
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
        assert_eq!(report.message_id.as_deref().unwrap_or_default(), message_id);
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
}
