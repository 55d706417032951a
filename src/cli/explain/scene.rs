//! The transaction that is explained, from the options and a message in a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use jiff::Timestamp;

use super::message::Message;
use super::received::{self, Received};
use super::{Arguments, bracketed};
use crate::daemon;
use crate::journal::judged::{About, Judged};
use crate::mail::report::{Reader, Report};
use crate::mail::{ForwardPath, Header, ReversePath};
use crate::policy::Policy;
use crate::session::{Client, Envelope, Login, Origin, Recipient, Session};

/// Octets of a message that are read, at most: header, and the part of a body that a report is read from.
const MOST: u64 = 4 * 1024 * 1024;

/// A transaction with the recipients that it asks for.
pub(super) struct Scene {
    pub(super) session: Session,
    /// Without recipients.
    pub(super) envelope: Envelope,
    pub(super) recipients: Vec<Recipient>,
    /// None if the decision about a message is not to be explained.
    pub(super) header: Option<Header>,
    pub(super) report: Option<Report>,
    pub(super) now: Timestamp,
    /// What was taken from where.
    pub(super) notes: Vec<String>,
}

impl Scene {
    /// The transaction that the options describe; the error says what they lack.
    pub(super) fn of(arguments: &Arguments, policy: &Policy) -> Result<Self, String> {
        let message = arguments.message.as_deref().map(read).transpose()?.unwrap_or_default();
        let mut notes = Vec::new();
        let received = Received::of(&message);
        let mut from_received = |what: &str, received: &Received| {
            notes.push(match received.field {
                1 => format!("{what} is that of the first Received field"),
                field => {
                    format!(
                        "{what} is that of Received field {field}; those above it are hops within the host"
                    )
                }
            });
        };
        let address = match (arguments.client, &received) {
            (Some(address), _) => address,
            (None, Some(found)) => {
                from_received("the client", found);
                found.address
            }
            (None, None) => return Err(missing("--client", "no Received field that says plainly who came")),
        };
        let of_client = received.as_ref().filter(|_| arguments.client.is_none());
        let name = match (&arguments.client_name, of_client) {
            (Some(name), _) => name.clone(),
            (None, Some(found)) => found.name.clone(),
            (None, None) => "unknown".to_owned(),
        };
        let helo = match (&arguments.helo, &received) {
            (Some(helo), _) => helo.clone(),
            (None, Some(found)) => {
                from_received("HELO", found);
                found.helo.clone()
            }
            (None, None) => String::new(),
        };
        let login = match (&arguments.login, of_client.map(|found| (found, &found.login))) {
            (Some(login), _) => Some(login.clone()),
            (None, Some((found, received::Login::As(login)))) => {
                from_received("the login", found);
                Some(login.clone())
            }
            (None, Some((_, received::Login::Unnamed))) => {
                notes.push(
                    "the client logged in, and its Received field does not say as whom; use --login"
                        .to_owned(),
                );
                None
            }
            (None, _) => None,
        };
        let mail_from = match (&arguments.mail_from, message.first("Return-Path")) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => {
                notes.push("MAIL FROM is that of the Return-Path field".to_owned());
                path
            }
            (None, None) => return Err(missing("--mail-from", "no Return-Path field")),
        };
        let mut rcpt_to = arguments.rcpt_to.clone();
        if rcpt_to.is_empty() {
            let delivered = message.first("X-Original-To").or_else(|| message.first("Delivered-To"));
            rcpt_to.push(delivered.ok_or_else(|| missing("--rcpt-to", "no Delivered-To field"))?);
            notes.push("the recipient is that of the Delivered-To field".to_owned());
        }
        let client = Client { address: Some(address.to_canonical()), name, port: 1024 };
        let session = Session {
            role: arguments.role.map(|role| role.0).unwrap_or_default(),
            client,
            helo,
            mta_name: None,
            is_postfix: !arguments.sendmail,
        };
        let envelope = Envelope {
            reverse_path: ReversePath::parse(&bracketed(&mail_from)),
            bracketed: true,
            login: login.filter(|login| !login.is_empty()).map(Login),
            recipients: Vec::new(),
            queue_id: None,
        };
        let own = of_client.map_or(0, |found| found.field);
        let header: Header = message.header(own).chain(arguments.header.iter().cloned()).collect();
        let is_ours = policy.origin(&session, &envelope) != Origin::Foreign;
        let reader = Reader::of(&header, &envelope.reverse_path).filter(|_| is_ours);
        let report = reader.map(|mut reader| {
            reader.feed(message.body());
            reader.report()
        });
        let recipients =
            rcpt_to.iter().map(|argument| Recipient::bare(ForwardPath::parse(&bracketed(argument))));
        let (recipients, now) = (recipients.collect(), daemon::now());
        Ok(Self { session, envelope, recipients, header: Some(header), report, now, notes })
    }

    /// The transaction that the log describes.
    pub(super) fn logged(judged: &Judged) -> Self {
        let Judged { session, about, report, now, .. } = judged.clone();
        let mut envelope = judged.envelope.clone();
        let (recipients, header) = match about {
            About::Transaction => (Vec::new(), None),
            About::Recipient(path) => (vec![Recipient::bare(path)], None),
            About::Message(header) => (std::mem::take(&mut envelope.recipients), Some(header)),
        };
        Self { session, envelope, recipients, header, report, now, notes: Vec::new() }
    }
}

fn missing(option: &str, why: &str) -> String {
    format!("{option} is needed: the message has {why}")
}

fn read(path: &Path) -> Result<Message, String> {
    let mut octets = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MOST).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut octets))
    };
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Message::parse(&octets))
}
