//! Glue between the library's callbacks and a [`Conversation`]; nothing is decided here.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use indymilter::{
    ActionError, Callbacks, Context, ContextActions, EomActions, EomContext, Macros, ProtoOpts,
    SetErrorReply, SmtpReply, SocketInfo, Status,
};

use super::Wishes;
use super::conversation::{Answer, Connect, Conversation, Mail, Rcpt};
use super::negotiation::Granted;
use crate::mail::{Edit, Field, Reply};

/// What the library keeps for one connection.
struct Session<C> {
    granted: Granted,
    /// From CONNECT to QUIT. Sendmail may go on to the next client on the same connection, so nothing is left in between.
    conversation: Option<C>,
    /// Whether a message is open. The library keeps the order of commands, but after ABORT it lets RCPT pass.
    message: bool,
}

impl<C: Conversation> Session<C> {
    /// The conversation, if a message is open.
    fn message(&mut self) -> Option<&mut C> {
        self.conversation.as_mut().filter(|_| self.message)
    }

    /// Ends the open message without a verdict.
    fn abort(&mut self) {
        if let Some(conversation) = self.message() {
            conversation.abort();
        }
        self.message = false;
    }

    /// The status after an event that has no answer. Where the MTA waits for one all the same, an event that nobody
    /// could take is put off: CONNECT or MAIL is missing.
    fn collected(&self, silence: ProtoOpts, taken: bool) -> Status {
        match self.granted.collected(silence) {
            Status::Continue if !taken => Status::Tempfail,
            status => status,
        }
    }
}

impl<C> Drop for Session<C> {
    fn drop(&mut self) {
        // The runtime confines a panic to the task of this one connection, and says nothing.
        if std::thread::panicking() {
            tracing::error!("a panic ended one connection of the MTA; this is a bug in lockdown-milter");
        }
    }
}

/// The callbacks of one service.
///
/// A session exists from the negotiation on. A callback without one has no business here, and says [`Status::Tempfail`].
pub(super) fn callbacks<C, F, W>(begin: F, wishes: W) -> Callbacks<impl Send + 'static>
where
    C: Conversation,
    F: Fn(Connect) -> C + Send + Sync + 'static,
    W: Fn() -> Wishes + Send + Sync + 'static,
{
    let begin = Arc::new(begin);
    Callbacks::<Session<C>>::new()
        .on_negotiate(move |cx, actions, options| {
            let granted = Granted::of(actions, options, wishes());
            Box::pin(async move {
                if !granted.edits() {
                    tracing::debug!(?actions, "this MTA does not let us change header fields");
                }
                cx.requested_actions = granted.actions;
                cx.requested_opts = granted.options;
                cx.requested_macros = granted.macros();
                cx.data = Some(Session { granted, conversation: None, message: false });
                Status::Continue
            })
        })
        .on_connect(move |cx, name, socket| {
            let begin = Arc::clone(&begin);
            Box::pin(async move {
                let Some(session) = &mut cx.data else { return Status::Tempfail };
                session.conversation = Some(begin(connect(&name, &socket, &cx.macros)));
                session.collected(ProtoOpts::NOREPLY_CONNECT, true)
            })
        })
        .on_helo(|cx, name| {
            Box::pin(async move {
                let Some(session) = &mut cx.data else { return Status::Tempfail };
                session.abort();
                let taken = session.conversation.as_mut().map(|conversation| conversation.helo(text(&name)));
                session.collected(ProtoOpts::NOREPLY_HELO, taken.is_some())
            })
        })
        .on_mail(|cx, arguments| Box::pin(message_begins(cx, arguments)))
        .on_rcpt(|cx, arguments| {
            Box::pin(async move {
                let Some(session) = &mut cx.data else { return Status::Tempfail };
                let rcpt = rcpt(&arguments, &cx.macros);
                let is_refused = session.granted.refused() && is_refused(&rcpt);
                let Some(conversation) = session.message() else { return Status::Tempfail };
                if is_refused {
                    conversation.refused(rcpt);
                    return Status::Continue;
                }
                let answer = conversation.rcpt(rcpt).await;
                status(&answer, &mut cx.reply)
            })
        })
        .on_header(|cx, name, value| {
            Box::pin(async move {
                let Some(session) = &mut cx.data else { return Status::Tempfail };
                let field = Field::new(text(&name), text(&value));
                let taken = session.message().map(|conversation| conversation.header(field));
                session.collected(ProtoOpts::NOREPLY_HEADER, taken.is_some())
            })
        })
        .on_body(|cx, piece| {
            Box::pin(async move {
                let Some(session) = &mut cx.data else { return Status::Tempfail };
                let wanted = session.granted.body;
                let conversation = session.message().filter(|_| wanted);
                let more = conversation.is_some_and(|conversation| conversation.body(&piece));
                session.granted.after_body(more)
            })
        })
        .on_eom(|cx| Box::pin(end_of_message(cx)))
        .on_abort(|cx| {
            Box::pin(async move {
                if let Some(session) = &mut cx.data {
                    session.abort();
                }
                Status::Continue
            })
        })
        .on_close(|cx| {
            Box::pin(async move {
                if let Some(session) = &mut cx.data {
                    session.message = false;
                    session.conversation = None;
                }
                Status::Continue
            })
        })
}

async fn message_begins<C: Conversation>(cx: &mut Context<Session<C>>, arguments: Vec<CString>) -> Status {
    let Some(session) = &mut cx.data else { return Status::Tempfail };
    session.abort();
    session.message = session.conversation.is_some();
    let answers = session.granted.answers_mail();
    let Some(conversation) = session.message() else {
        return session.collected(ProtoOpts::NOREPLY_MAIL, false);
    };
    conversation.mail(mail(&arguments, &cx.macros));
    if !answers {
        return session.collected(ProtoOpts::NOREPLY_MAIL, true);
    }
    let answer = conversation.begun().await;
    session.message = answer == Answer::Continue;
    status(&answer, &mut cx.reply)
}

async fn end_of_message<C: Conversation>(cx: &mut EomContext<Session<C>>) -> Status {
    let Some(session) = &mut cx.data else { return Status::Tempfail };
    let Some(conversation) = session.message() else { return Status::Tempfail };
    let (edits, answer) = conversation.end_of_message(given(&cx.macros, c"i")).await;
    session.message = false;
    if answer == Answer::Continue {
        for edit in &edits {
            match apply(edit, &cx.actions).await {
                // An old MTA: the message is worth more than the trace field. The negotiation has left a line about it.
                Ok(()) | Err(ActionError::NotAvailable) => {}
                Err(error) => tracing::warn!(%error, ?edit, "a change to the message was not made"),
            }
        }
    }
    status(&answer, &mut cx.reply)
}

async fn apply(edit: &Edit, actions: &EomActions) -> Result<(), ActionError> {
    match edit {
        Edit::InsertAtTop(Field { name, value }) => {
            actions.insert_header(0, name.as_str(), value.as_str()).await
        }
        Edit::Delete { name, occurrence } => {
            let index = i32::try_from(*occurrence).map_err(|_| ActionError::InvalidParam)?;
            actions.change_header(name.as_str(), index, None::<&str>).await
        }
        Edit::DeleteRecipient(address) => actions.delete_recipient(address.as_str()).await,
        Edit::AddRecipient { address, parameters } => {
            actions.add_recipient_ext(address.as_str(), Some(parameters.as_str())).await
        }
    }
}

/// The status for an answer, with the text of the reply in place.
///
/// Both are set here and nowhere else: the library keeps a text until a status of the same class takes it, so a text
/// without its status would surface in a later answer.
fn status(answer: &Answer, reply: &mut SmtpReply) -> Status {
    match answer {
        Answer::Continue => Status::Continue,
        Answer::Discard => Status::Discard,
        Answer::Reply(text) => {
            if let Err(error) = set(text, reply) {
                tracing::error!(%error, reply = %text, "the reply went out without its text");
            }
            if text.is_transient() { Status::Tempfail } else { Status::Reject }
        }
    }
}

fn set(text: &Reply, reply: &mut SmtpReply) -> Result<(), indymilter::SmtpReplyError> {
    // MTAs take the text for a format: Postfix drops a single percent sign, Sendmail drops the text.
    let line = text.text().replace('%', "%%");
    reply.set_error_reply(&text.code().to_string(), Some(text.enhanced()), [line])
}

fn connect(name: &CStr, socket: &SocketInfo, macros: &Macros) -> Connect {
    let (address, port) = match socket {
        SocketInfo::Inet(address) => (Some(address.ip().to_canonical()), address.port()),
        SocketInfo::Unix(_) | SocketInfo::Unknown => (None, 0),
    };
    Connect {
        client_name: text(name),
        address,
        port,
        host: given(macros, c"j"),
        software: given(macros, c"v"),
        daemon_name: given(macros, c"{daemon_name}"),
    }
}

fn mail(arguments: &[CString], macros: &Macros) -> Mail {
    let (argument, parameters) = command(arguments);
    Mail {
        argument,
        parameters,
        // Empty is an address: the null reverse-path.
        address: macros.get(c"{mail_addr}").map(text),
        login: given(macros, c"{auth_authen}"),
        mechanism: given(macros, c"{auth_type}"),
        queue_id: given(macros, c"i"),
    }
}

fn rcpt(arguments: &[CString], macros: &Macros) -> Rcpt {
    let (argument, parameters) = command(arguments);
    Rcpt {
        argument,
        parameters,
        address: given(macros, c"{rcpt_addr}"),
        host: given(macros, c"{rcpt_host}"),
        mailer: given(macros, c"{rcpt_mailer}"),
        queue_id: given(macros, c"i"),
    }
}

/// Whether the MTA itself refuses a recipient: it then names the mailer `error` and, in place of a next hop, an enhanced
/// status code. Postfix does the first for a virtual alias as well, with a text behind the code.
fn is_refused(rcpt: &Rcpt) -> bool {
    let is_code = |host: &str| {
        let parts: Vec<&str> = host.split('.').collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        parts.len() == 3 && parts[0].len() == 1 && parts.iter().all(digits)
    };
    rcpt.mailer.as_deref() == Some("error") && rcpt.host.as_deref().is_some_and(is_code)
}

/// The argument of a command and its parameters.
fn command(arguments: &[CString]) -> (String, Vec<String>) {
    let mut arguments = arguments.iter().map(|argument| text(argument));
    (arguments.next().unwrap_or_default(), arguments.collect())
}

/// The value of a macro; an empty one counts as absent.
fn given(macros: &Macros, name: &CStr) -> Option<String> {
    macros.get(name).filter(|value| !value.is_empty()).map(text)
}

fn text(wire: &CStr) -> String {
    wire.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mailer: Option<&str>, host: Option<&str>, expected: bool) {
        let rcpt = Rcpt {
            argument: "<nobody@example.org>".to_owned(),
            parameters: Vec::new(),
            address: None,
            host: host.map(str::to_owned),
            mailer: mailer.map(str::to_owned),
            queue_id: None,
        };
        assert_eq!(is_refused(&rcpt), expected, "{mailer:?} {host:?}");
    }

    #[test]
    fn what_the_mta_refuses() {
        check(Some("error"), Some("5.1.1"), true);
        check(Some("error"), Some("4.7.10"), true);
        check(Some("error"), Some("5.1.1 User unknown in virtual alias table"), false);
        check(Some("error"), Some("55.1.1"), false);
        check(Some("error"), Some("5.1"), false);
        check(Some("error"), Some("5.1.1.1"), false);
        check(Some("error"), Some("5..1"), false);
        check(Some("error"), None, false);
        check(Some("smtp"), Some("5.1.1"), false);
        check(None, Some("5.1.1"), false);
    }
}
