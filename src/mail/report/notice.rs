//! Bounces of programs that write a text for people and nothing for programs: qmail, Exim before 4.90, dma, Gmail of old.

use crate::mail::Mailbox;

/// How such a text begins, and who begins it so.
const OPENINGS: [(&str, &str); 3] = [
    ("Hi. This is the qmail-send program at ", "qmail-send.c; QSBMF of its author"),
    ("This message was created automatically by mail delivery software", "Exim, src/moan.c and deliver.c"),
    ("This is the DragonFly Mail Agent ", "dma, mail.c"),
];

/// What stands between such a text and the message that it returns.
const ENDS: [(&str, &str); 5] = [
    ("--- Below this line is a copy of the message", "qmail"),
    ("------ This is a copy of ", "Exim: of the message, or of its headers"),
    ("----- Original message -----", "Gmail"),
    ("Original message follows.", "dma"),
    ("Message headers follow.", "dma"),
];

/// Whether a text that begins with this line is a bounce.
pub(super) fn opens(line: &str) -> bool {
    OPENINGS.iter().any(|(opening, _)| line.starts_with(opening))
}

/// Whether the text ends here, and the returned message is next.
pub(super) fn ends(line: &str) -> bool {
    ENDS.iter().any(|(end, _)| line.starts_with(end))
}

/// The recipient that this line is about: `<user@example.org>:` by qmail, an address alone and indented by Exim.
pub(super) fn recipient(line: &str) -> Option<&str> {
    let address = match line.strip_prefix('<') {
        Some(rest) => rest.strip_suffix(">:")?,
        None if line.starts_with("  ") => line.trim_start(),
        None => return None,
    };
    address.parse::<Mailbox>().is_ok().then_some(address)
}
