//! What we ask of an MTA, and what is left of it when the MTA offers less.

use std::collections::HashMap;
use std::ffi::{CStr, CString};

use indymilter::{Actions, MacroStage, ProtoOpts, Status};

use super::Wishes;

/// What we do to a message: insert fields (part of `ADD_HEADER`) and delete them. The right to choose macros is an
/// action on the wire, too.
const ACTIONS: Actions = Actions::ADD_HEADER.union(Actions::CHANGE_HEADER).union(Actions::REQUEST_MACROS);

/// What takes recipients off and puts them on again, with parameters.
const RECIPIENT_ACTIONS: Actions = Actions::DELETE_RCPT.union(Actions::ADD_RCPT_EXT);

/// The stages that get no answer: nothing is decided before the first recipient, as a rule, and no MTA should wait for us
/// to say so.
const WITHOUT_REPLY: ProtoOpts = ProtoOpts::NOREPLY_CONNECT
    .union(ProtoOpts::NOREPLY_HELO)
    .union(ProtoOpts::NOREPLY_MAIL)
    .union(ProtoOpts::NOREPLY_HEADER);

/// The stages that need not be sent at all.
const WITHOUT_EVENT: ProtoOpts =
    ProtoOpts::NO_DATA.union(ProtoOpts::NO_EOH).union(ProtoOpts::NO_BODY).union(ProtoOpts::NO_UNKNOWN);

/// The macros we want, by stage. A list replaces the MTA's own list, and Sendmail sends some of them only when asked.
///
/// `{mail_addr}` and `{rcpt_addr}` are always set, so these stages always have a macro frame with something in it; an
/// empty one would leave the macros of the message before in place.
const MACROS: [(MacroStage, &CStr); 4] = [
    (MacroStage::Connect, c"j v {daemon_name}"),
    (MacroStage::Mail, c"i {mail_addr} {auth_authen} {auth_type}"),
    (MacroStage::Rcpt, c"i {rcpt_addr} {rcpt_host} {rcpt_mailer}"),
    (MacroStage::Eom, c"i"),
];

/// What an MTA has granted. Asking for more than it offers would fail the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    pub(super) actions: Actions,
    pub(super) options: ProtoOpts,
    /// Whether we wish for bodies; an MTA may send them without being asked.
    pub(super) body: bool,
}

impl Granted {
    /// What is granted of our wishes, given the offer.
    pub(super) fn of(actions: Actions, options: ProtoOpts, wishes: Wishes) -> Self {
        let mut wanted = WITHOUT_REPLY | WITHOUT_EVENT;
        if wishes.refused {
            wanted |= ProtoOpts::REJECTED_RCPT;
        }
        if wishes.mail {
            wanted -= ProtoOpts::NOREPLY_MAIL;
        }
        if wishes.body {
            wanted = (wanted - ProtoOpts::NO_BODY) | ProtoOpts::SKIP;
        }
        // Whoever may take a recipient off and not put it on again would lose mail.
        let both = wishes.recipients && actions.contains(RECIPIENT_ACTIONS);
        let changes = if both { RECIPIENT_ACTIONS } else { Actions::empty() };
        Self { actions: actions & (ACTIONS | changes), options: options & wanted, body: wishes.body }
    }

    /// The macros to ask for.
    pub(super) fn macros(self) -> HashMap<MacroStage, CString> {
        if !self.actions.contains(Actions::REQUEST_MACROS) {
            return HashMap::new();
        }
        MACROS.iter().map(|&(stage, names)| (stage, names.to_owned())).collect()
    }

    /// Whether the fields of a message can be changed.
    pub(super) fn edits(self) -> bool {
        self.actions.contains(Actions::ADD_HEADER | Actions::CHANGE_HEADER)
    }

    /// Whether we are told of recipients that the MTA itself refuses.
    pub(super) fn refused(self) -> bool {
        self.options.contains(ProtoOpts::REJECTED_RCPT)
    }

    /// Whether the MTA waits for an answer to MAIL.
    pub(super) fn answers_mail(self) -> bool {
        !self.options.contains(ProtoOpts::NOREPLY_MAIL)
    }

    /// The status after a piece of a body, of which more is wanted or not. Without the right to skip the rest, an MTA sends it all the same.
    pub(super) fn after_body(self, more: bool) -> Status {
        if more || !self.options.contains(ProtoOpts::SKIP) { Status::Continue } else { Status::Skip }
    }

    /// The status of a stage that is only collected. An MTA that has not granted silence waits for an answer; one that
    /// has takes an answer for that of the next stage.
    pub(super) fn collected(self, silence: ProtoOpts) -> Status {
        if self.options.contains(silence) { Status::Noreply } else { Status::Continue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_offer_grants_every_wish() {
        let granted = Granted::of(Actions::all(), ProtoOpts::all(), Wishes::default());
        assert_eq!(granted.actions, ACTIONS);
        assert_eq!(granted.options, WITHOUT_REPLY | WITHOUT_EVENT);
        assert!(!granted.refused() && !granted.answers_mail());
        assert_eq!(granted.collected(ProtoOpts::NOREPLY_MAIL), Status::Noreply);
        assert_eq!(granted.after_body(false), Status::Continue);
        let granted = Granted::of(
            Actions::all(),
            ProtoOpts::all(),
            Wishes { refused: true, body: true, mail: true, recipients: true },
        );
        assert!(granted.refused());
        assert_eq!(granted.actions, ACTIONS | RECIPIENT_ACTIONS);
        assert!(granted.answers_mail());
        assert!(!granted.options.contains(ProtoOpts::NO_BODY));
        assert_eq!((granted.after_body(true), granted.after_body(false)), (Status::Continue, Status::Skip));
        assert!(granted.edits());
        assert_eq!(granted.macros().len(), MACROS.len());
    }

    #[test]
    fn recipients_are_changed_whole_or_not_at_all() {
        let wishes = Wishes { recipients: true, ..Wishes::default() };
        for half in [Actions::DELETE_RCPT, Actions::ADD_RCPT_EXT] {
            let granted = Granted::of(Actions::all() - half, ProtoOpts::all(), wishes);
            assert_eq!(granted.actions & RECIPIENT_ACTIONS, Actions::empty(), "without {half:?}");
        }
    }

    #[test]
    fn a_poor_offer_is_not_overdrawn() {
        let granted = Granted::of(
            Actions::ADD_HEADER | Actions::ADD_RCPT,
            ProtoOpts::NO_BODY,
            Wishes { refused: true, ..Wishes::default() },
        );
        assert_eq!(granted.actions, Actions::ADD_HEADER);
        assert_eq!(granted.options, ProtoOpts::NO_BODY);
        assert!(!granted.edits());
        assert!(granted.macros().is_empty());
        assert_eq!(granted.collected(ProtoOpts::NOREPLY_MAIL), Status::Continue);
    }
}
