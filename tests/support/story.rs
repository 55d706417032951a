//! Stories: SMTP sessions as data, with what they must leave in the log and at the next hop.
//!
//! A story file is read line by line; `*` stands for anything, `{ref}` for a reference (the same one wherever the story
//! names it, until a new `client` line), and `#` begins a comment.
//!
//! ```text
//! client ADDR=192.0.2.66 NAME=mail.fail.example        a new connection as this client (XCLIENT attributes)
//! submission ADDR=192.0.2.66                           the same to the submission service
//! starttls                                             STARTTLS; EHLO follows
//! starttls ceo@example.org                             the same with a client certificate for this address
//! login alice@example.org                              logs in by AUTH PLAIN, or another mechanism: `… LOGIN`
//! mail a@pass.example -> info@local.test               MAIL and RCPT, both accepted
//! > RCPT TO:<info@local.test>                          what it sends
//! < 550 5.7.23 * (ref {ref})                           the last line of the reply
//! message                                              DATA with the indented lines; the reply follows
//!     From: a@pass.example
//!
//!     Body.
//! sendmail -f shop@local.test friend@outside.test      a message given to sendmail(1) on the host itself
//!     From: shop@local.test
//!
//!     Body.
//! later +11m                                           the daemon's time of day, from the true one
//! log event=recipient verdict=reject ref={ref}         the next line of the decision log, some fields of it
//! delivered a@pass.example -> info@local.test          the next message at the next hop: envelope, whole header, body;
//!                                                      without lines: the envelope
//!     Authentication-Results: mx.local.test; *
//!     From: a@pass.example
//!
//!     Body.
//! filed info@local.test                                the message in this mailbox: whole header, body
//!     *
//!     From: a@pass.example
//!
//!     *
//! ```
//!
//! In a message, a line that is only `*` stands for any number of fields, or for any body. Decisions, deliveries and mail
//! left in the queue that the story does not name are failures too.

#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::daemon::{Daemon, LogLine};
use crate::mta::{Mta, PASSWORD, Service};
use crate::sink::{self, Delivered, Sink};
use crate::smtp::{Client, Mechanism};

/// The stories in this folder of `tests/stories`, by name.
pub(crate) fn all_in(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stories: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "story"))
        .map(|file| {
            let name = file.file_stem().expect("it has an extension").to_string_lossy().into_owned();
            (name, fs::read_to_string(file).unwrap())
        })
        .collect();
    stories.sort();
    stories
}

/// Plays a story against a mail system whose milter is `daemon` and whose next hop is `sink`.
///
/// # Panics
///
/// At the first line of the story that does not come true, and when more was decided or delivered than it tells.
pub(crate) fn play(story: &str, mta: &dyn Mta, daemon: Daemon, sink: &Sink) {
    act(story, mta, &daemon, sink);
    assert_eq!(daemon.stop(), [], "decisions that the story does not tell");
}

/// The same with a daemon that goes on, so that it does not show whether more was decided.
///
/// # Panics
///
/// At the first line of the story that does not come true, and when more was delivered than it tells.
pub(crate) fn act(story: &str, mta: &dyn Mta, daemon: &Daemon, sink: &Sink) {
    let mut lines = Lines { story, next: 0 };
    let mut references = HashMap::new();
    let mut client = None;
    let mut reply = None;
    while let Some(line) = lines.next_line() {
        let place = format!("line {}: {line}", lines.next);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "client" | "submission" => {
                let service = if word == "client" { Service::Exchange } else { Service::Submission };
                client = Some(mta.connect(service, rest));
                references = HashMap::new();
            }
            "starttls" => {
                let authority = mta.authority();
                let config =
                    if rest.is_empty() { authority.client() } else { authority.certified_client(rest) };
                connected(&mut client).start_tls(&config);
            }
            "login" => {
                let (login, mechanism) = match rest.split_once(' ') {
                    None => (rest, Mechanism::Plain),
                    Some((login, "LOGIN")) => (login, Mechanism::Login),
                    Some(_) => panic!("{place}\n  names no mechanism"),
                };
                let reply = connected(&mut client).log_in(mechanism, login, PASSWORD);
                assert_eq!(reply.code(), 235, "{place}\n  but: {reply}");
            }
            "mail" => {
                let (from, to) = rest.split_once(" -> ").expect("mail FROM -> TO");
                for command in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>")] {
                    let reply = connected(&mut client).command(&command);
                    assert_eq!(reply.code(), 250, "{place}\n  but: {reply}");
                }
            }
            ">" => reply = Some(connected(&mut client).command(rest)),
            "message" => reply = Some(connected(&mut client).data(&lines.block())),
            "<" => {
                let reply = reply.take().expect("something was sent");
                let last = reply.lines.last().map_or("(connection closed)", String::as_str);
                assert!(matches(rest, last, &mut references), "{place}\n  but: {reply}");
            }
            "sendmail" => mta.submit(rest, &lines.block()),
            "later" => daemon.shift_clock(rest),
            "log" => check_log(rest, &daemon.next_decision(), &mut references, &place),
            "delivered" => check_delivered(rest, &lines.block(), &sink.next(), &place),
            "filed" => {
                mta.wait_until_idle();
                let message = mta.take(rest).unwrap_or_else(|| panic!("{place}\n  but the mailbox is empty"));
                check_message(&lines.block(), &message, &place);
            }
            _ => panic!("{place}\n  is no line of a story"),
        }
    }
    drop(client);
    mta.wait_until_idle();
    assert_eq!(sink.surplus(), None, "a message that the story does not tell");
}

fn connected(client: &mut Option<Client>) -> &mut Client {
    client.as_mut().expect("a client line comes first")
}

fn check_log(expected: &str, line: &LogLine, references: &mut HashMap<String, String>, place: &str) {
    for pair in expected.split_whitespace() {
        let (key, pattern) = pair.split_once('=').expect("key=pattern");
        let value = line.field(key).unwrap_or_default();
        assert!(matches(pattern, value, references), "{place}\n  {key} differs in: {line:?}");
    }
}

fn check_delivered(envelope: &str, expected: &str, message: &Delivered, place: &str) {
    let route = format!("{} -> {}", message.mail_from, message.rcpt_to.join(", "));
    let agree = matches(envelope.trim_start(), route.trim_start(), &mut HashMap::new());
    assert!(agree, "{place}\n  but the envelope is: {route}");
    if !expected.trim().is_empty() {
        check_message(expected, &message.data, place);
    }
}

fn check_message(expected: &str, message: &[u8], place: &str) {
    let (header, body) = expected.split_once("\n\n").expect("an empty line ends the header");
    let (patterns, fields) = (header.lines().collect::<Vec<_>>(), sink::fields(message));
    assert!(fields_match(&patterns, &fields), "{place}\n  but the header is:\n{}", fields.join("\n"));
    if body.trim_end() != "*" {
        assert_eq!(body.trim_end(), sink::body(message).trim_end(), "{place}");
    }
}

/// Whether these fields are what the patterns describe, one by one; `*` alone describes any number of them.
fn fields_match(patterns: &[&str], fields: &[String]) -> bool {
    match (patterns, fields) {
        ([], fields) => fields.is_empty(),
        (["*", rest @ ..], fields) => {
            (0..=fields.len()).any(|skipped| fields_match(rest, &fields[skipped..]))
        }
        ([_, ..], []) => false,
        ([pattern, patterns @ ..], [field, fields @ ..]) => {
            matches(pattern, field, &mut HashMap::new()) && fields_match(patterns, fields)
        }
    }
}

/// Whether `text` is what `pattern` describes. A `{name}` seen for the first time takes eight characters of the text.
fn matches(pattern: &str, text: &str, references: &mut HashMap<String, String>) -> bool {
    if let Some((before, rest)) = pattern.split_once('{') {
        let (name, after) = rest.split_once('}').expect("a closed brace");
        let reference = references.get(name).cloned().or_else(|| {
            // The reference is found from its surroundings: the text after the literal end of `before`.
            let literal = before.rsplit('*').next().unwrap_or_default();
            let start = text.find(literal)? + literal.len();
            text.get(start..start + 8).map(str::to_owned)
        });
        let Some(reference) = reference.filter(|reference| is_reference(reference)) else { return false };
        references.insert(name.to_owned(), reference.clone());
        return matches(&format!("{before}{reference}{after}"), text, references);
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn is_reference(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit())
}

struct Lines<'a> {
    story: &'a str,
    next: usize,
}

impl<'a> Lines<'a> {
    /// The next line that is neither empty nor a comment.
    fn next_line(&mut self) -> Option<&'a str> {
        let line = self.story.lines().nth(self.next)?;
        self.next += 1;
        if line.is_empty() || line.starts_with('#') { self.next_line() } else { Some(line) }
    }

    /// The indented lines that follow, without their indent; empty lines among them belong to it.
    fn block(&mut self) -> String {
        let mut block = String::new();
        for line in self.story.lines().skip(self.next) {
            let Some(line) = line.strip_prefix("    ").or(line.is_empty().then_some("")) else { break };
            block += line;
            block.push('\n');
            self.next += 1;
        }
        block.truncate(block.trim_end().len());
        block.push('\n');
        block
    }
}
