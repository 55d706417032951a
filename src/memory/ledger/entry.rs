//! What is recorded of a message, and its form in the store.

use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization as _;

use crate::facts::Original;
use crate::mail::spf::SpfResult;
use crate::mail::{Domain, ForwardPath, Mailbox, ReversePath, tagged};
use crate::memory::store::{Input, Output, Record, Secret, Table};
use crate::session::Origin;

/// Recipients that are recorded of a message, at most. It is what MTAs let a transaction have.
pub const MOST_RECIPIENTS: usize = 1000;

/// Addresses in the header that are recorded of a message, at most.
pub const MOST_AUTHORS: usize = 2;

/// Hashes under which a message is found, at most: its queue id, its identifier, its reverse-path, and those of lists.
const MOST_HASHES: usize = 3 + MOST_AUTHORS + MOST_RECIPIENTS;

/// The entries by their number, in parts by the day.
pub(super) const ENTRIES: Table<u64, Entry> = Table::new("ledger.entries");

/// The order of origins in the store.
const ORIGINS: [Origin; 4] = [Origin::Local, Origin::Login, Origin::Trusted, Origin::Foreign];

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When.
    pub at: Timestamp,
    /// The reference of its line in the log.
    pub reference: String,
    /// The reverse-path.
    pub reverse_path: ReversePath,
    /// What the MTA calls it.
    pub queue_id: Option<String>,
    /// Its identifier, without angle brackets.
    pub message_id: Option<String>,
    /// Where it came from; what somebody vouches for counts as trusted.
    pub origin: Origin,
    /// What SPF said of its sender; none where that was not examined.
    pub spf: Option<SpfResult>,
    /// Whether it came from this host by SMTP, as what a filter gives back does. If it was accepted before, it is still
    /// from where it came from then.
    pub by_loopback: bool,
    /// The recipients at hosted domains as the names behind them, and whether only a wildcard knows them. Beyond
    /// [`MOST_RECIPIENTS`] they are not recorded.
    pub recipients: Vec<(Mailbox, bool)>,
    /// The addresses in its header that an answer might go to, other than the reverse-path, and whether SPF speaks for
    /// each: its domain is aligned with that of the reverse-path. At most [`MOST_AUTHORS`].
    pub authors: Vec<(Mailbox, bool)>,
    /// The domains of its other recipients, where it is worth knowing that one of ours wrote to them; an organisation has
    /// one. With the recipients not more than [`MOST_RECIPIENTS`].
    pub posted_to: Vec<Domain>,
}

/// What is recorded of a message. Strangers appear as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) at: Timestamp,
    pub(super) reference: String,
    /// Of the reverse-path; 0 if it is null or nobody can read it.
    pub(super) sender: u64,
    pub(super) origin: Origin,
    pub(super) spf: Option<SpfResult>,
    pub(super) recipients: Vec<(Mailbox, bool)>,
    /// Under which it is found.
    pub(super) hashes: Vec<u64>,
}

/// What a message says of an address that it is found under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It comes from there: it passed SPF, or is of our own.
    Comes,
    /// It may.
    MayCome,
    /// It names it in its header, and SPF does not speak for that.
    Claims,
}

impl Says {
    /// The surest first.
    pub(super) const ALL: [Self; 3] = [Self::Comes, Self::MayCome, Self::Claims];

    /// What a message with this origin and this result says of an address that SPF speaks for, or does not.
    fn of(origin: Origin, spf: Option<SpfResult>, speaks: bool) -> Self {
        match (origin, spf) {
            (Origin::Local | Origin::Login | Origin::Trusted, _) => Self::Comes,
            (Origin::Foreign, Some(SpfResult::Pass)) if speaks => Self::Comes,
            (Origin::Foreign, _) => {
                if speaks {
                    Self::MayCome
                } else {
                    Self::Claims
                }
            }
        }
    }

    /// What its hash is made for. What strangers send adds nothing to a better kind.
    fn purpose(self) -> &'static str {
        match self {
            Self::Comes => "ledger address",
            Self::MayCome => "ledger address perhaps",
            Self::Claims => "ledger address claimed",
        }
    }
}

/// The mailbox as text, the same for all that mail programs take for the same: any case, with or without a BATV tag.
fn folded(mailbox: &Mailbox) -> String {
    let untagged = tagged::without_batv(mailbox);
    let mailbox = untagged.as_ref().unwrap_or(mailbox);
    let (local_part, domain) = (mailbox.local_part(), mailbox.domain());
    if local_part.is_ascii() {
        return format!("{}@{domain}", local_part.to_ascii_lowercase());
    }
    let local_part: String = local_part.nfc().collect();
    format!("{}@{domain}", local_part.to_lowercase())
}

/// The hash of an address.
pub(super) fn of_sender(secret: Secret, address: &ForwardPath) -> u64 {
    match address {
        ForwardPath::Mailbox(mailbox) => secret.hash("ledger sender", folded(mailbox)),
        other => secret.hash("ledger sender", other.to_string().to_lowercase()),
    }
}

/// The hash of a reverse-path; 0 if nobody can be sent an answer.
fn of_reverse_path(secret: Secret, path: &ReversePath) -> u64 {
    let address = match path {
        ReversePath::Mailbox(mailbox) => Some(mailbox.clone().into()),
        // At an address literal, the MTA sends answers all the same (RFC 5321, 4.1.3).
        ReversePath::Malformed(raw) => ForwardPath::parse(raw).answered(),
        ReversePath::Twofold(twofold) => ForwardPath::parse(twofold.written()).answered(),
        ReversePath::Null => None,
    };
    address.map_or(0, |address| of_sender(secret, &address))
}

/// The hash of an address with what messages say of it.
pub(super) fn of_address(secret: Secret, says: Says, address: u64) -> u64 {
    secret.hash(says.purpose(), format_args!("{address:x}"))
}

/// The hash of a queue id.
pub(super) fn of_queue_id(secret: Secret, id: &str) -> u64 {
    secret.hash("ledger queue id", id)
}

/// The hash of an identifier with its sender: nobody can put a message of theirs before one of somebody else's.
pub(super) fn of_message_id(secret: Secret, sender: u64, id: &str) -> u64 {
    secret.hash("ledger message id", format_args!("{sender:x} {id}"))
}

/// The hash of an identifier with its sender and the organisation of a recipient.
pub(super) fn of_posted(secret: Secret, sender: u64, id: &str, to: &Domain) -> u64 {
    secret.hash("ledger posted", format_args!("{sender:x} {} {id}", to.organisation()))
}

impl Message {
    /// The hash of its identifier with its sender, where it has both.
    pub(super) fn identity(&self, secret: Secret) -> Option<u64> {
        let sender = of_reverse_path(secret, &self.reverse_path);
        let id = self.message_id.as_ref().filter(|_| sender != 0)?;
        Some(of_message_id(secret, sender, id))
    }

    /// The entry, as of this origin and with this result.
    pub(super) fn entry(&self, secret: Secret, (origin, spf): (Origin, Option<SpfResult>)) -> Entry {
        let sender = of_reverse_path(secret, &self.reverse_path);
        let recipients = self.recipients.iter().take(MOST_RECIPIENTS);
        let mut hashes: Vec<u64> = self.queue_id.iter().map(|id| of_queue_id(secret, id)).collect();
        if sender != 0 {
            let says = Says::of(origin, spf, true);
            hashes.push(of_address(secret, says, sender));
            if let Some(id) = &self.message_id {
                hashes.push(of_message_id(secret, sender, id));
                let room = MOST_RECIPIENTS - recipients.len();
                let posted_to = self.posted_to.iter().take(room);
                hashes.extend(posted_to.map(|to| of_posted(secret, sender, id, to)));
            }
        }
        for (author, speaks) in self.authors.iter().take(MOST_AUTHORS) {
            let author = of_sender(secret, &author.clone().into());
            hashes.push(of_address(secret, Says::of(origin, spf, *speaks), author));
        }
        hashes.sort_unstable();
        hashes.dedup();
        Entry {
            // As the store has it, so that memory and disk agree.
            at: Timestamp::from_millisecond(self.at.as_millisecond()).unwrap_or(self.at),
            reference: self.reference.clone(),
            sender,
            origin,
            spf,
            recipients: recipients.cloned().collect(),
            hashes,
        }
    }
}

impl Entry {
    /// What a decision wants to know of it, where it was found under an address of which it says that.
    pub(super) fn original(self, says: Says) -> Original {
        let Self { reference, origin, spf, recipients, .. } = self;
        Original { reference, origin, spf, is_claimed: says == Says::Claims, recipients }
    }

    /// What it says of its reverse-path.
    pub(super) fn says(&self) -> Says {
        Says::of(self.origin, self.spf, true)
    }
}

impl Record for Entry {
    const VERSION: u8 = 1;

    fn write(&self, output: &mut Output) {
        output.signed(self.at.as_millisecond());
        output.text(&self.reference);
        output.hash(self.sender);
        output.number(place(&ORIGINS, &self.origin));
        output.number(self.spf.map_or(0, |result| place(&SpfResult::ALL, &result) + 1));
        output.number(self.recipients.len() as u64);
        for (mailbox, by_wildcard) in &self.recipients {
            output.text(mailbox.local_part());
            output.text(mailbox.domain().as_str());
            output.number(u64::from(*by_wildcard));
        }
        output.number(self.hashes.len() as u64);
        for hash in &self.hashes {
            output.hash(*hash);
        }
    }

    fn read(version: u8, input: &mut Input<'_>) -> Option<Self> {
        (version == Self::VERSION).then_some(())?;
        Some(Self {
            at: Timestamp::from_millisecond(input.signed()?).ok()?,
            reference: input.text()?,
            sender: input.hash()?,
            origin: *ORIGINS.get(input.number::<usize>()?)?,
            spf: match input.number::<usize>()? {
                0 => None,
                number => Some(*SpfResult::ALL.get(number - 1)?),
            },
            recipients: input.list(MOST_RECIPIENTS, |input| {
                let (local_part, domain) = (input.text()?, input.text()?);
                let by_wildcard = [false, true].get(input.number::<usize>()?)?;
                Some((Mailbox::new(local_part, domain.parse().ok()?), *by_wildcard))
            })?,
            hashes: input.list(MOST_HASHES, Input::hash)?,
        })
    }
}

/// The place of an item in a list that has it.
fn place<T: PartialEq>(list: &[T], item: &T) -> u64 {
    list.iter().position(|other| other == item).map_or(0, |place| place as u64)
}
