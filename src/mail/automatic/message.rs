//! A message as far as signs look at it.

use crate::mail::lexer::{Lexer, is_token};
use crate::mail::media_type::MediaType;
use crate::mail::report::{Nature, Report};
use crate::mail::{Header, ReversePath};

/// A message as far as signs look at it.
pub(super) struct Message<'a> {
    header: &'a Header,
    pub(super) is_null: bool,
    pub(super) media_type: Option<MediaType>,
    /// The keyword of Auto-Submitted (RFC 3834, 5), in lower case; empty where there is none.
    pub(super) auto_submitted: String,
    /// What the body shows, where it was read.
    pub(super) nature: Option<Nature>,
}

impl<'a> Message<'a> {
    pub(super) fn read(header: &'a Header, reverse_path: &ReversePath, report: Option<&Report>) -> Self {
        let value = |name| header.all(name).next().map(|field| field.value.as_str());
        Message {
            header,
            is_null: *reverse_path == ReversePath::Null,
            media_type: value("Content-Type").and_then(MediaType::parse),
            auto_submitted: value("Auto-Submitted").map(word).unwrap_or_default(),
            nature: report.and_then(|report| report.nature),
        }
    }

    pub(super) fn has(&self, name: &'static str) -> bool {
        self.header.all(name).next().is_some()
    }

    pub(super) fn value(&self, name: &'static str) -> &str {
        self.header.all(name).next().map_or("", |field| field.value.trim())
    }

    /// The values of all fields of that name.
    pub(super) fn values(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.header.all(name).map(|field| field.value.trim())
    }

    /// Whether the first field of that name begins with this word, which is given in lower case.
    pub(super) fn says(&self, name: &'static str, expected: &str) -> bool {
        word(self.value(name)) == expected
    }

    /// Whether something besides the sign in question says that the message answers another: the null reverse-path, or
    /// the identifier of that one.
    pub(super) fn is_answer(&self) -> bool {
        self.is_null || self.has("In-Reply-To") || self.has("References")
    }

    pub(super) fn is_report(&self, kind: &str) -> bool {
        self.media_type.as_ref().is_some_and(|found| found.is("multipart/report", "report-type", kind))
    }

    /// Whether it is a receipt (RFC 8098, 3).
    pub(super) fn is_receipt(&self) -> bool {
        self.is_report("disposition-notification")
    }

    /// Whether a program sent this receipt, as its body says.
    pub(super) fn is_automatic_receipt(&self) -> bool {
        self.is_receipt() && matches!(self.nature, Some(Nature::Receipt | Nature::Refusal))
    }
}

/// The first word of a field body, in lower case, with comments passed over; empty where there is none.
fn word(body: &str) -> String {
    let mut lexer = Lexer::new(body);
    if lexer.skip_cfws().is_err() {
        return String::new();
    }
    lexer.take_while(is_token).to_ascii_lowercase()
}
