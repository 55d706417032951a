//! What we ask of an MTA, and what is left of it when the MTA offers less.

use std::collections::HashMap;
use std::ffi::{CStr, CString};

use indymilter::{Actions, MacroStage, ProtoOpts, Status};

/// What we do to a message: insert fields (part of `ADD_HEADER`) and delete them. The right to choose macros is an
/// action on the wire, too.
const ACTIONS: Actions = Actions::ADD_HEADER.union(Actions::CHANGE_HEADER).union(Actions::REQUEST_MACROS);

/// The stages that never get an answer: nothing is decided before the first recipient, and no MTA should wait for us
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
}

impl Granted {
    /// What is granted of our wishes, given the offer; `refused` if we want to be told of recipients that the MTA itself
    /// refuses.
    pub(super) fn of(actions: Actions, options: ProtoOpts, refused: bool) -> Self {
        let refused = if refused { ProtoOpts::REJECTED_RCPT } else { ProtoOpts::empty() };
        Self { actions: actions & ACTIONS, options: options & (WITHOUT_REPLY | WITHOUT_EVENT | refused) }
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
        let granted = Granted::of(Actions::all(), ProtoOpts::all(), false);
        assert_eq!(granted.actions, ACTIONS);
        assert_eq!(granted.options, WITHOUT_REPLY | WITHOUT_EVENT);
        assert!(!granted.refused());
        assert!(Granted::of(Actions::all(), ProtoOpts::all(), true).refused());
        assert!(granted.edits());
        assert_eq!(granted.macros().len(), MACROS.len());
        assert_eq!(granted.collected(ProtoOpts::NOREPLY_MAIL), Status::Noreply);
    }

    #[test]
    fn a_poor_offer_is_not_overdrawn() {
        let granted = Granted::of(Actions::ADD_HEADER | Actions::ADD_RCPT, ProtoOpts::NO_BODY, true);
        assert_eq!(granted.actions, Actions::ADD_HEADER);
        assert_eq!(granted.options, ProtoOpts::NO_BODY);
        assert!(!granted.edits());
        assert!(granted.macros().is_empty());
        assert_eq!(granted.collected(ProtoOpts::NOREPLY_MAIL), Status::Continue);
    }
}
