//! The signs by which automatic replies and bounces are seen, and those for which a message is neither.

use super::message::Message;
use super::suppresses;
use crate::mail::report::Nature;

/// One sign.
#[derive(Debug)]
pub struct Sign {
    /// A stable word for it, for the log.
    pub name: &'static str,
    /// Where it is written down, or who is known to send it.
    pub source: &'static str,
    bears: fn(&Message<'_>) -> bool,
}

impl Sign {
    pub(super) fn is_borne_by(&self, message: &Message<'_>) -> bool {
        (self.bears)(message)
    }
}

/// Bounces. They come first, as some of them call themselves replies, and others generated.
pub static BOUNCES: [Sign; 4] = [
    Sign {
        name: "delivery-status",
        source: "RFC 3464, 2; RFC 6522, 3",
        bears: |message| message.is_null && message.is_report("delivery-status"),
    },
    Sign {
        name: "failed-recipients",
        source: "Exim, src/moan.c and deliver.c; Gmail",
        bears: |message| message.is_null && message.has("X-Failed-Recipients"),
    },
    Sign {
        name: "bounce-text",
        source: "a delivery status in another multipart (Exchange, gateways that add a footer); the texts of qmail, Exim and \
                 dma, which have their own table",
        bears: |message| message.is_null && message.nature == Some(Nature::Bounce),
    },
    Sign {
        name: "rejected",
        source: "RFC 5429, 2.2.1; Dovecot's and Cyrus' reject and notices of full mailboxes",
        bears: |message| {
            let says_so = message.value("Auto-Submitted").to_ascii_lowercase().contains("(rejected)");
            let refuses = match message.nature {
                Some(nature) => nature == Nature::Refusal,
                // Where the body was not seen, the header must say it.
                None => says_so,
            };
            message.is_null && message.is_receipt() && message.auto_submitted == "auto-replied" && refuses
        },
    },
];

/// What is neither, whatever else it looks like.
pub static EXEMPT: [Sign; 8] = [
    Sign {
        name: "list",
        source: "RFC 2919, 3; RFC 3834, 5",
        bears: |message| message.has("List-Id") || message.says("Precedence", "list"),
    },
    Sign {
        name: "auto-generated",
        source: "RFC 3834, 5: orders, tickets, cron",
        bears: |message| message.auto_submitted == "auto-generated" && !is_generated_answer(message),
    },
    Sign {
        name: "auto-notified",
        source: "RFC 5436, 2.7.1: notifications of mail",
        bears: |message| message.auto_submitted == "auto-notified",
    },
    Sign {
        name: "receipt",
        source: "RFC 8098, 3: people send them, or let them be sent",
        bears: |message| message.is_receipt() && !message.is_automatic_receipt(),
    },
    Sign {
        name: "feedback-report",
        source: "RFC 5965, 2",
        bears: |message| message.is_report("feedback-report"),
    },
    Sign {
        name: "tls-report",
        source: "RFC 8460, 5.3",
        bears: |message| message.is_report("tlsrpt") || message.has("TLS-Report-Domain"),
    },
    Sign {
        name: "dmarc-report",
        source: "RFC 7489, 7.2.1.1",
        bears: |message| {
            // Programs answer a subject that a stranger wrote with the same one. No report answers anything.
            let answers = ["In-Reply-To", "References"].iter().any(|name| message.has(name))
                || message.auto_submitted == "auto-replied";
            let subject = message.value("Subject").to_ascii_lowercase();
            !answers && subject.starts_with("report domain:") && subject.contains("submitter:")
        },
    },
    Sign {
        name: "calendar",
        source: "RFC 6047, 2.4: replies to invitations, alone or with a text beside them; Exchange",
        bears: |message| {
            message.nature == Some(Nature::Calendar)
                || message.media_type.as_ref().is_some_and(|kind| kind.essence == "text/calendar")
                || message.value("Content-Class").eq_ignore_ascii_case("urn:content-classes:calendarmessage")
        },
    },
];

/// What somebody's mailbox passes on: whatever it is, it was not made here. Only of mail that leaves this tells anything, as
/// strangers write what they like.
pub static PASSED_ON: [Sign; 3] = [
    Sign {
        name: "redirected",
        source: "redirect of Pigeonhole, Dovecot's Sieve",
        bears: |message| message.has("X-Sieve-Redirected-From"),
    },
    Sign {
        name: "resent",
        source: "RFC 5322, 3.6.6",
        bears: |message| message.has("Resent-From") || message.has("Resent-Sender"),
    },
    Sign {
        name: "delivered",
        source: "Postfix's local(8), qmail, Dovecot: a mailbox has had it already",
        bears: |message| message.values("Delivered-To").any(|mailbox| !is_autoresponder(mailbox)),
    },
];

/// Automatic replies.
pub static REPLIES: [Sign; 10] = [
    Sign {
        name: "auto-replied",
        source: "RFC 3834, 5: Sieve (Pigeonhole, Cyrus), vacation(1), Gmail, Zimbra, Exim, Plesk",
        bears: |message| message.auto_submitted == "auto-replied" && !message.is_receipt(),
    },
    Sign {
        name: "generated-answer",
        source: "Exchange and Outlook; Domino; acknowledgements of OTRS and Znuny: auto-generated, yet an answer",
        bears: is_generated_answer,
    },
    Sign {
        name: "out-of-office",
        source: "Exchange 2010 and older, and gateways that take Auto-Submitted away; Zammad's OutOfOfficeCheck",
        bears: is_out_of_office,
    },
    Sign {
        name: "automatic-receipt",
        source: "RFC 8098, 3.2.6.1: MDN-sent-automatically",
        bears: |message| message.is_automatic_receipt(),
    },
    Sign {
        name: "apple-vacation",
        source: "iCloud Mail",
        bears: |message| message.says("X-Apple-Action", "vacation"),
    },
    Sign {
        name: "autoresponder",
        source: "autorespond of qmail, vpopmail and qmailadmin; Mailtraq; Webmin and Virtualmin",
        bears: |message| {
            let class = message.value("X-POST-MessageClass").to_ascii_lowercase();
            message.values("Delivered-To").any(is_autoresponder)
                || (class.starts_with('9') && class.contains("autoresponder"))
                || message.has("X-Webmin-Autoreply")
        },
    },
    Sign {
        name: "responder",
        source: "gnarwl, webmailers, BoxTrapper and cPanel, DTC, LogSat: fields of their own",
        bears: |message| {
            const FIELDS: [&str; 5] =
                ["X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Mail-Autoreply", "X-AutoReply-From"];
            message.is_answer() && FIELDS.iter().any(|name| message.has(name) && !message.says(name, "no"))
        },
    },
    Sign {
        name: "machine-generated",
        source: "FirstClass; CommuniGate Pro",
        bears: |message| {
            let is_made = message.says("X-FC-MachineGenerated", "true");
            message.is_answer() && (is_made || message.says("X-Autogenerated", "reply"))
        },
    },
    Sign {
        name: "precedence-auto-reply",
        source: "cPanel's autorespond and BoxTrapper; Exim's autoreply recipes",
        bears: |message| {
            const FIELDS: [&str; 3] = ["Precedence", "X-Precedence", "Preference"];
            message.is_answer() && FIELDS.iter().any(|name| message.says(name, "auto_reply"))
        },
    },
    Sign {
        name: "vacation",
        source: "vacation(1) and procmail's recipes before they knew Auto-Submitted: bulk that answers a message",
        bears: |message| {
            let is_bulk = ["bulk", "junk"].iter().any(|word| message.says("Precedence", word));
            message.is_null && is_bulk && (message.has("In-Reply-To") || message.has("References"))
        },
    },
];

/// RFC 3834, 5 wants replies to call themselves auto-replied. Those that do not are known by what Exchange writes, or by the
/// null reverse-path together with what they answer: a notification has a sender who hears of its failure.
fn is_generated_answer(message: &Message<'_>) -> bool {
    let answers = message.is_null && message.has("In-Reply-To");
    message.auto_submitted == "auto-generated" && (is_out_of_office(message) || answers)
}

/// The rules of mailboxes mark all that they send, also what they forward; only of replies they say that nobody is to
/// answer them.
fn is_out_of_office(message: &Message<'_>) -> bool {
    message.has("X-MS-Exchange-Inbox-Rules-Loop")
        && message.values("X-Auto-Response-Suppress").any(suppresses)
}

fn is_autoresponder(mailbox: &str) -> bool {
    mailbox.eq_ignore_ascii_case("autoresponder")
}
