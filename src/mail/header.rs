//! Header fields as the milter protocol hands them over, and the changes we ask for.

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
}
