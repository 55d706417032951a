//! Bounces of programs that write a text for people and nothing for programs: qmail, Exim before 4.90, dma, `OpenSMTPD`, and
//! Gmail and Postfix of old.

use crate::mail::Mailbox;

/// How such a text begins, and who begins it so.
const OPENINGS: [(&str, &str); 6] = [
    ("Hi. This is the qmail-send program at ", "qmail-send.c; QSBMF of its author; also within a multipart"),
    (
        "This message was created automatically by mail delivery software",
        "Exim, src/moan.c and deliver.c; GMX",
    ),
    ("This is the DragonFly Mail Agent ", "dma, mail.c"),
    ("This is the MAILER-DAEMON, please DO NOT REPLY to this e", "OpenSMTPD, bounce.c"),
    ("This is the mail system at host ", "Postfix, bounce_templates.c"),
    ("This is the Postfix program at host ", "Postfix before 2.3"),
];

/// What a program may say before that.
const GREETING: &str = "Hi!";

/// What stands between such a text and the message that it returns, besides lines of hyphens with such words in them.
const ENDS: [(&str, &str); 4] = [
    ("Original message follows.", "dma"),
    ("Message headers follow.", "dma"),
    ("Below is a copy of the original message:", "OpenSMTPD"),
    ("Below is a copy of the message headers:", "OpenSMTPD"),
];

/// Whether the first line of a text that is not empty says what the text is. None: the next one must.
pub(super) fn opens(line: &str) -> Option<bool> {
    let line = line.trim_start();
    let says_nothing = line.is_empty() || line == GREETING;
    (!says_nothing).then(|| OPENINGS.iter().any(|(opening, _)| line.starts_with(opening)))
}

/// Whether the text ends here, and the returned message is next.
pub(super) fn ends(line: &str) -> bool {
    let line = line.trim_start();
    // `--- Below this line is a copy of the message.`, `------ This is a copy of the message, …`, `----- Original message -----`,
    // `--- The header of the original message is following. ---`
    let is_ruled = line.starts_with("---") && {
        let lower = line.to_ascii_lowercase();
        lower.contains("copy of the message") || lower.contains("original message")
    };
    is_ruled || ENDS.iter().any(|(end, _)| line.starts_with(end))
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
