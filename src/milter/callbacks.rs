//! Glue between the library's callbacks and a [`Conversation`]; nothing is decided here.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use indymilter::{
    ActionError, Callbacks, ContextActions, EomActions, EomContext, Macros, ProtoOpts, SetErrorReply,
    SmtpReply, SocketInfo, Status,
};

use super::conversation::{Answer, Connect, Conversation, Mail, Rcpt};
use super::negotiation::Granted;
use crate::mail::{Edit, Field, Reply};

/// What the library keeps for one connection.
struct Session<C> {
    granted: Granted,
    /// From CONNECT to QUIT. Sendmail may go on to the next client on the same connection, so nothing is left in between.
    conversation: Option<C>,
}

impl<C> Drop for Session<C> {
    fn drop(&mut self) {
        // The runtime confines a panic to the task of this one connection, and says nothing.
        if std::thread::panicking() {
            tracing::error!("a panic ended one connection of the MTA; this is a bug in lockdown-milter");
        }
    }
}

/// The callbacks of one listener: `begin` makes its conversations.
pub(super) fn callbacks<C, F>(begin: F) -> Callbacks<impl Send + 'static>
where
    C: Conversation,
    F: Fn(Connect) -> C + Send + Sync + 'static,
{
    let begin = Arc::new(begin);
    Callbacks::<Session<C>>::new()
        .on_negotiate(|cx, actions, options| {
            Box::pin(async move {
                let granted = Granted::of(actions, options);
                if !granted.edits() {
                    tracing::debug!(?actions, "this MTA does not let us change header fields");
                }
                cx.requested_actions = granted.actions;
                cx.requested_opts = granted.options;
                cx.requested_macros = granted.macros();
                cx.data = Some(Session { granted, conversation: None });
                Status::Continue
            })
        })
        .on_connect(move |cx, name, socket| {
            let begin = Arc::clone(&begin);
            Box::pin(async move {
                let Some(session) = cx.data.as_mut() else { return Status::Tempfail };
                session.conversation = Some(begin(connect(&name, &socket, &cx.macros)));
                session.granted.collected(ProtoOpts::NOREPLY_CONNECT)
            })
        })
        .on_helo(|cx, name| {
            Box::pin(
                async move { collect(cx.data.as_mut(), ProtoOpts::NOREPLY_HELO, |c| c.helo(text(&name))) },
            )
        })
        .on_mail(|cx, arguments| {
            Box::pin(async move {
                let mail = mail(&arguments, &cx.macros);
                collect(cx.data.as_mut(), ProtoOpts::NOREPLY_MAIL, |c| c.mail(mail))
            })
        })
        .on_rcpt(|cx, arguments| {
            Box::pin(async move {
                let Some(conversation) = open(cx.data.as_mut()) else { return Status::Tempfail };
                let answer = conversation.rcpt(rcpt(&arguments, &cx.macros)).await;
                status(&answer, &mut cx.reply)
            })
        })
        .on_header(|cx, name, value| {
            Box::pin(async move {
                let field = Field::new(text(&name), text(&value));
                collect(cx.data.as_mut(), ProtoOpts::NOREPLY_HEADER, |c| c.header(field))
            })
        })
        .on_eom(|cx| Box::pin(end_of_message(cx)))
        .on_abort(|cx| {
            Box::pin(async move {
                if let Some(conversation) = open(cx.data.as_mut()) {
                    conversation.abort();
                }
                Status::Continue
            })
        })
        .on_close(|cx| {
            Box::pin(async move {
                if let Some(session) = cx.data.as_mut() {
                    session.conversation = None;
                }
                Status::Continue
            })
        })
}

/// Hands an event over that has no answer.
fn collect<C: Conversation>(
    session: Option<&mut Session<C>>,
    silence: ProtoOpts,
    event: impl FnOnce(&mut C),
) -> Status {
    let Some(session) = session else { return Status::Tempfail };
    let status = session.granted.collected(silence);
    match open(Some(session)) {
        Some(conversation) => event(conversation),
        // Commands before CONNECT: nobody knows whom they come from. The recipient will get the answer.
        None if status == Status::Continue => return Status::Tempfail,
        None => {}
    }
    status
}

/// The conversation that CONNECT has begun.
fn open<C>(session: Option<&mut Session<C>>) -> Option<&mut C> {
    session.and_then(|session| session.conversation.as_mut())
}

async fn end_of_message<C: Conversation>(cx: &mut EomContext<Session<C>>) -> Status {
    let queue_id = given(&cx.macros, c"i");
    let Some(conversation) = open(cx.data.as_mut()) else { return Status::Tempfail };
    let (edits, answer) = conversation.end_of_message(queue_id).await;
    if answer == Answer::Continue {
        for edit in &edits {
            match apply(edit, &cx.actions).await {
                Ok(()) => {}
                // An old MTA: the message is worth more than the trace field. The negotiation has left a line about it.
                Err(ActionError::NotAvailable) => {}
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
