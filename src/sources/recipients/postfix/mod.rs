//! Recipients as a Postfix knows them: what it asks itself when it decides whether to take a recipient
//! (`smtpd_reject_unlisted_recipient`), with what only a wildcard knows told apart.
//!
//! The parameters are those of main.cf when the source is opened; what master.cf overrides is not seen, nor what
//! `transport_maps` and access tables refuse.

mod delivery;
#[cfg(test)]
mod tests;
mod walk;

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::doubts::{knows_everybody, unchecked};
use super::{Opening, Source};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, apart};
use crate::clients::remembered::Hits;
use crate::facts::{Evidence, Existence, Provenance, RecipientQuestion};
use crate::mail::{Domain, Mailbox};
use crate::mta::postfix::address::{Address, Addressing};
use crate::mta::postfix::classes::Classes;
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::maps::Maps;
use crate::mta::postfix::stranger::{Strangers, stranger};
use crate::mta::postfix::tables::{Usage, fold};
use delivery::Delivery;
pub(super) use walk::Walk;

/// Tables that give a recipient another name, in the order in which smtpd(8) asks them.
const RENAMING: [&str; 3] = ["recipient_canonical_maps", "canonical_maps", "virtual_alias_maps"];

/// What each of them is for. The last ones say who exists, too.
const USAGES: [Usage; 3] = [Usage::Names, Usage::Names, Usage::Maps];

/// The parameters that are read, by topic.
pub(crate) const PARAMETERS: [&[&str]; 4] =
    [&RENAMING, &Addressing::PARAMETERS, &Classes::PARAMETERS, &Delivery::PARAMETERS];

/// How many domains are looked at for what is doubtful about them.
const MOST_DOUBTS: usize = 1000;

/// The source.
#[derive(Debug)]
struct Postfix {
    name: String,
    walk: Walk,
}

/// Asks postconf(1) for the parameters and opens the tables.
pub(super) async fn open(config_dir: Option<&Path>, cache: u64) -> Opening {
    let main_cf = MainCf::read(config_dir, &PARAMETERS.concat()).await.map_err(|problem| vec![problem])?;
    let name = match config_dir {
        Some(dir) => format!("postfix of {}", dir.display()),
        None => "postfix".to_owned(),
    };
    let (walk, warnings) = apart(move || of(&main_cf, cache)).await?;
    Ok((Box::new(Postfix { name, walk }), warnings))
}

/// Opens the tables that a configuration names.
fn of(main_cf: &MainCf, cache: u64) -> Reading<Walk> {
    let (mut warnings, mut problems) = (Vec::new(), Vec::new());
    let mut renaming = Vec::new();
    for (parameter, usage) in RENAMING.into_iter().zip(USAGES) {
        match Maps::open(main_cf, parameter, usage) {
            Ok((maps, more)) => {
                renaming.push(maps);
                warnings.extend(more);
            }
            Err(more) => problems.extend(more),
        }
    }
    match (Addressing::open(main_cf), Delivery::open(main_cf)) {
        (Ok((addressing, a)), Ok((delivery, b))) if problems.is_empty() => {
            let strangers = Strangers::within(cache);
            let walk = Walk { addressing, renaming, delivery: Some(delivery), strangers };
            Ok((walk, [warnings, a, b].concat()))
        }
        (a, b) => Err([Some(problems), a.err(), b.err()].into_iter().flatten().flatten().collect()),
    }
}

/// The addresses that Postfix may have a mailbox under: folded, as smtpd(8) does it, and with its domain in U-labels too.
pub(super) fn addresses(mailbox: &Mailbox) -> impl Iterator<Item = Address> {
    let address = Address { local_part: fold(mailbox.local_part()), ..Address::from(mailbox) };
    let other = address.with_u_labels();
    [Some(address), other].into_iter().flatten()
}

/// What the forms of an address are together: the first entry of a name's own, else the strongest answer of the first
/// form that has one.
pub(super) async fn find(walk: &Walk, forms: impl IntoIterator<Item = &Mailbox>, by_name: bool) -> Existence {
    let mut strongest: Option<Existence> = None;
    for address in forms.into_iter().flat_map(addresses) {
        let existence = walk.find(address, by_name).await;
        if matches!(existence, Existence::Exists(_) | Existence::Relocated { .. }) {
            return existence;
        }
        if strongest.as_ref().is_none_or(|known| existence.rank() < known.rank()) {
            strongest = Some(existence);
        }
    }
    strongest.unwrap_or_else(|| Existence::Unknown(String::new()))
}

impl Postfix {
    /// The forms that Postfix would see as this address. What an extension is, its own `recipient_delimiter` says.
    fn forms<'q>(&self, question: &'q RecipientQuestion) -> impl Iterator<Item = &'q Mailbox> {
        let shortened = |longer: &Mailbox, form: &Mailbox| {
            let (long, short) = (longer.local_part(), form.local_part());
            longer.domain() == form.domain() && long.len() > short.len() && long.starts_with(short)
        };
        let by_postfix = |longer: &Mailbox, form: &Mailbox| {
            let bare = self.walk.addressing.without_extension(longer.local_part());
            bare.is_some_and(|(name, _)| name == form.local_part())
        };
        question.forms.iter().filter(move |form| {
            let mut longer = question.forms.iter().filter(|longer| shortened(longer, form)).peekable();
            longer.peek().is_none() || longer.any(|longer| by_postfix(longer, form))
        })
    }
}

#[async_trait::async_trait]
impl Source for Postfix {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        find(&self.walk, self.forms(question), question.by_name).await
    }

    async fn doubts(&self, domains: &[&Domain]) -> Vec<Problem> {
        doubts(&self.walk, domains).await
    }

    fn hits(&self) -> Hits {
        self.walk.hits()
    }
}

/// What is doubtful about a walk for domains, by a name that nobody has at each: that nothing lists their recipients, that
/// every name is answered without a word why, that it cannot be told.
pub(super) async fn doubts(walk: &Walk, domains: &[&Domain]) -> Vec<Problem> {
    let (mut unlisted, mut everybody) = (Groups::default(), Groups::default());
    let mut uncertain: Option<Problem> = None;
    let begun = Instant::now();
    for domain in domains.iter().take(MOST_DOUBTS) {
        // A server that does not answer for one domain would make us wait for each of the others.
        if uncertain.is_some() && begun.elapsed() > PATIENCE {
            break;
        }
        let nobody = Mailbox::new(stranger(""), (*domain).clone());
        let mut answers = Vec::new();
        for address in addresses(&nobody) {
            answers.push(walk.find(address, true).await);
        }
        match answers.as_slice() {
            [Existence::NoList(_), .., Existence::NoList(why)] | [Existence::NoList(why)] => {
                unlisted.add(why.clone(), domain);
            }
            [Existence::Ambiguous(by), ..] | [_, Existence::Ambiguous(by)] => {
                everybody.add(whence(by), domain);
            }
            [Existence::Undetermined(why), ..] => {
                let message = format!("whether names of {domain} exist cannot be told: {why}");
                uncertain.get_or_insert_with(|| Problem::new(message));
            }
            _ => {}
        }
    }
    let unlisted = unlisted.0.iter().map(|(why, domains)| unchecked(domains, why));
    let everybody = everybody.0.iter().map(|(by, domains)| knows_everybody(by, domains));
    let mut doubts: Vec<Problem> = unlisted.chain(everybody).chain(uncertain).collect();
    if domains.len() > MOST_DOUBTS {
        doubts.push(Problem::new(format!("only the first {MOST_DOUBTS} domains were looked at")));
    }
    doubts
}

/// The table that an answer is from in the end, with the parameter that names it.
fn whence(by: &Provenance) -> String {
    match by.last() {
        Some(Evidence::Entry { parameter: Some(parameter), table, .. }) => format!("{table} ({parameter})"),
        Some(Evidence::Entry { parameter: None, table, .. }) => table.clone(),
        Some(evidence) => evidence.to_string(),
        None => String::new(),
    }
}

/// Domains by what is said of them.
#[derive(Default)]
struct Groups<'a>(Vec<(String, Vec<&'a str>)>);

impl<'a> Groups<'a> {
    fn add(&mut self, what: String, domain: &'a Domain) {
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, domains)) => domains.push(domain.as_str()),
            None => self.0.push((what, vec![domain.as_str()])),
        }
    }
}

/// How long a table that cannot tell may take, all domains together.
const PATIENCE: Duration = Duration::from_secs(1);
