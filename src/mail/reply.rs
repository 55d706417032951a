//! SMTP replies as values (RFC 5321, 4.2; RFC 3463).

use std::fmt;

/// What a refused client is told: a reply code, an enhanced status code and one line of text.
///
/// The text is for the stranger. It may quote him, so it is made harmless here, once, for every reply: printable ASCII
/// only, at most [`Reply::MAX_TEXT`] octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    code: u16,
    enhanced: &'static str,
    text: String,
}

impl Reply {
    /// Octets of text in a reply. A reply line holds 512 octets (RFC 5321, 4.5.3.1.5), code and reference included.
    pub const MAX_TEXT: usize = 480;

    /// A reply from its three parts. `code` is 4xx or 5xx, and `enhanced` begins with the same digit.
    pub fn new(code: u16, enhanced: &'static str, text: &str) -> Self {
        debug_assert!(matches!(code, 400..=599) && enhanced.starts_with(if code < 500 { '4' } else { '5' }));
        let mut text: String =
            text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
        text.truncate(Self::MAX_TEXT);
        Self { code, enhanced, text }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code (RFC 3463).
    pub fn enhanced(&self) -> &'static str {
        self.enhanced
    }

    /// The text after both codes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the client may try again: a 4xx reply.
    pub fn is_transient(&self) -> bool {
        self.code < 500
    }

    /// The same reply with the reference at its end by which the administrator finds the log line. The text gives way.
    #[must_use]
    pub fn with_reference(&self, reference: &str) -> Self {
        let tail = format!(" (ref {reference})");
        let room = Self::MAX_TEXT.saturating_sub(tail.len());
        let mut text = self.text.clone();
        text.truncate(room);
        Self { text: text + &tail, ..*self }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_printable_ascii_reaches_the_client() {
        let reply = Reply::new(550, "5.7.23", "a\r\n250 ok\0\u{1b}[31mé%s");
        assert_eq!(reply.to_string(), "550 5.7.23 a??250 ok??[31m?%s");
    }

    #[test]
    fn the_reference_survives_a_long_text() {
        let reply = Reply::new(550, "5.7.23", &"x".repeat(2000)).with_reference("ABCD2345");
        assert_eq!(reply.text().len(), Reply::MAX_TEXT);
        assert!(reply.text().ends_with("x (ref ABCD2345)"));
    }
}
