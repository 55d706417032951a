//! A message in a file, as an MTA would hand it over to a milter.

use crate::mail::{Field, received};

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    fields: Vec<Field>,
    body: Vec<u8>,
}

impl Message {
    /// Reads a message (RFC 5322, 2.1). The lines of a folded value stay lines, and the blanks before the first one are
    /// not part of it, as milters get it. What stands before the header in a mailbox file is passed over.
    pub(super) fn parse(octets: &[u8]) -> Self {
        let mut message = Self::default();
        let mut rest = octets;
        while !rest.is_empty() {
            let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                rest = after;
                break;
            }
            match (line.split_once(':'), message.fields.last_mut()) {
                (_, Some(field)) if line.starts_with([' ', '\t']) => {
                    field.value.push('\n');
                    field.value.push_str(line);
                }
                (Some((name, value)), _) if !name.trim_end().contains([' ', '\t']) => {
                    message.fields.push(Field::new(name, value.trim_start_matches([' ', '\t'])));
                }
                (_, None) if line.starts_with("From ") => {}
                // The header has ended without the empty line.
                _ => break,
            }
            rest = after;
        }
        message.body = rest.to_vec();
        message
    }

    /// The fields of the header without the first `own` Received fields: those of the MTA, which milters do not see.
    pub(super) fn header(&self, own: usize) -> impl Iterator<Item = Field> {
        let mut seen = 0;
        let is_seen = move |field: &&Field| {
            seen += usize::from(field.is(received::NAME));
            !field.is(received::NAME) || seen > own
        };
        self.fields.iter().filter(is_seen).cloned()
    }

    /// What comes after the header.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of the first field of this name, if there is one that is not empty.
    pub(super) fn first(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|field| field.is(name))?;
        let value = field.value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The values of all fields of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |field| field.is(name)).map(|field| field.value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "From a@example.com Tue Nov 24 12:00:00 2026\r\n\
        Return-Path: <a@example.com>\r\n\
        Received: from mail.example.com (mx.example.com [192.0.2.1])\r\n\
        \tby mx.example.org (Postfix) with ESMTP id 4bQ1x\r\n\
        From:\t\"A\"\r\n \x20<a@example.com>\r\n\
        \r\n\
        Not-A: field\r\n";

    #[track_caller]
    fn check(text: &str, from: Option<&str>, body: &str) {
        let message = Message::parse(text.as_bytes());
        assert_eq!(message.first("from").as_deref(), from, "{text:?}");
        assert_eq!(String::from_utf8_lossy(message.body()), body, "{text:?}");
    }

    #[test]
    fn fields_are_those_of_the_protocol() {
        check(MESSAGE, Some("\"A\"\n  <a@example.com>"), "Not-A: field\r\n");
        check(&MESSAGE.replace("\r\n", "\n"), Some("\"A\"\n  <a@example.com>"), "Not-A: field\n");
        check("From: a@b", Some("a@b"), "");
        check("From: a@b\nno field\nTo: c", Some("a@b"), "no field\nTo: c");
        check("", None, "");
    }
}
