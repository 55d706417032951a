//! Header fields as the milter protocol hands them over, and the changes we ask for.

use super::{authres, received_spf};

/// One header field (RFC 5322, 2.2), raw: the value is unfolded by nobody and may hold anything but NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, as written.
    pub name: String,
    /// The value; octets that are no UTF-8 have become U+FFFD.
    pub value: String,
}

impl Field {
    /// A field from its parts.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Whether this field has that name; field names are case-insensitive.
    pub fn is(&self, name: &str) -> bool {
        self.name.trim_end().eq_ignore_ascii_case(name)
    }
}

/// The part of a message's header that any lock looks at, in order.
///
/// A header can be as long as the MTA lets a message be, so the fields that nobody asks for are not kept, and of the
/// others at most [`Header::LIMIT`] octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    fields: Vec<Field>,
    octets: usize,
}

impl Header {
    /// Octets of names and values kept. Whoever needs more of these fields is up to something.
    pub const LIMIT: usize = 1024 * 1024;

    /// The fields that are kept.
    const KEPT: [&'static str; 20] = [
        authres::NAME,
        received_spf::NAME,
        "From",
        "Sender",
        "Resent-From",
        "Resent-Sender",
        "List-Id",
        "Auto-Submitted",
        "Content-Type",
        "Delivered-To",
        "In-Reply-To",
        "Message-ID",
        "Precedence",
        "References",
        "Subject",
        "TLS-Report-Domain",
        "X-Auto-Response-Suppress",
        "X-Autoreply",
        "X-Autorespond",
        "X-Sieve-Redirected-From",
    ];

    /// Adds the next field.
    pub fn push(&mut self, field: Field) {
        if Self::KEPT.iter().any(|name| field.is(name)) {
            self.octets = self.octets.saturating_add(field.name.len() + field.value.len());
            if !self.is_excessive() {
                self.fields.push(field);
            }
        }
    }

    /// Whether fields are missing because there were too many.
    pub fn is_excessive(&self) -> bool {
        self.octets > Self::LIMIT
    }

    /// All fields that are kept, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields of that name, in order. It must be one of those that are kept.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        debug_assert!(Self::KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name)), "{name} is not kept");
        self.fields.iter().filter(move |field| field.is(name))
    }
}

impl FromIterator<Field> for Header {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut header = Self::default();
        fields.into_iter().for_each(|field| header.push(field));
        header
    }
}

/// A change to the message that we ask the MTA to make at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Insert a field above all others, the trace fields of the MTA included (RFC 8601, 4.1).
    InsertAtTop(Field),
    /// Delete one field.
    Delete {
        /// The name, as written in the message.
        name: String,
        /// Which of the fields of that name, from 1, counted over the message as it arrived.
        occurrence: u32,
    },
    /// Take a recipient off the envelope.
    DeleteRecipient(String),
    /// Put a recipient on the envelope.
    AddRecipient {
        /// The address as RCPT had it.
        address: String,
        /// The parameters of RCPT, with spaces between them.
        parameters: String,
    },
}
