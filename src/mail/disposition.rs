//! The field Disposition of a receipt (RFC 8098, 3.2.6): who let it be sent, and what became of the message.

use super::lexer::Lexer;

/// A disposition, as far as it says who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Whether somebody let this very receipt be sent (`MDN-sent-manually`).
    pub sent_by_hand: bool,
    /// Whether a program did without anybody's doing what is reported (`automatic-action`).
    pub acted_by_itself: bool,
    /// Whether the message was done away with: `deleted`, and `denied` and `failed` of RFC 2298, 3.2.6.
    pub is_refused: bool,
}

impl Disposition {
    /// Reads the field body; none where it does not follow the grammar. Comments may stand between all tokens, and what
    /// comes after the type says nothing of interest.
    pub fn parse(body: &str) -> Option<Self> {
        let mut lexer = Lexer::new(body);
        let mut word = |end: Option<char>| {
            lexer.skip_cfws().ok()?;
            let word = lexer.value().ok()?.to_ascii_lowercase();
            lexer.skip_cfws().ok()?;
            end.is_none_or(|end| lexer.take(end)).then_some(word)
        };
        let (action, sending, kind) = (word(Some('/'))?, word(Some(';'))?, word(None)?);
        let sent_by_hand = match sending.as_str() {
            "mdn-sent-manually" => true,
            "mdn-sent-automatically" => false,
            _ => return None,
        };
        let acted_by_itself = match action.as_str() {
            "automatic-action" => true,
            "manual-action" => false,
            _ => return None,
        };
        let is_refused = ["deleted", "denied", "failed"].contains(&kind.as_str());
        Some(Self { sent_by_hand, acted_by_itself, is_refused })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<(bool, bool, bool)>) {
        let found = Disposition::parse(body);
        let found = found.map(|found| (found.sent_by_hand, found.acted_by_itself, found.is_refused));
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn who_let_it_be_sent() {
        check("manual-action/MDN-sent-manually; displayed", Some((true, false, false)));
        check("manual-action/MDN-sent-automatically;displayed", Some((false, false, false)));
        check("automatic-action/MDN-sent-automatically; deleted", Some((false, true, true)));
        check("AUTOMATIC-ACTION/mdn-sent-MANUALLY; Processed/Error,x-y", Some((true, true, false)));
        check(
            " (a) manual-action (b) / (c(d)) MDN-sent-manually\r\n\t(e;) ; (f) deleted (g) / error (h)",
            Some((true, false, true)),
        );
        check("automatic-action/MDN-sent-automatically; failed/failure: x", Some((false, true, true)));
    }

    #[test]
    fn what_follows_no_grammar_says_nothing() {
        for body in [
            "",
            "displayed",
            "MDN-sent-manually; displayed",
            "manual-action/MDN-sent-manually",
            "manual-action/MDN-sent-manually;",
            "manual-action/; displayed",
            "manual/manually; displayed",
            "manual-action;MDN-sent-manually/displayed",
            "(manual-action/MDN-sent-manually; displayed",
        ] {
            check(body, None);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in "[a-z/;() -]{0,40}|.{0,40}") {
            let _ = Disposition::parse(&body);
        }
    }
}
