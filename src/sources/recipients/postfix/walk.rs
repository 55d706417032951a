//! From an address through the aliases of domains to an entry that is somebody's own.

use std::collections::HashSet;

use super::delivery::Delivery;
use crate::clients::remembered::Hits;
use crate::facts::{Evidence, Existence, Key, Provenance};
use crate::mta::postfix::address::{Address, Addressing, Found, Scope, Targets};
use crate::mta::postfix::maps::Maps;
use crate::mta::postfix::stranger::{Owner, Shared, Strangers, name_of};
use crate::mta::postfix::tables::{TableError, fold};

/// How many addresses one may lead to by aliases of domains. Postfix goes on to a thousand; nobody means more than a few.
const MOST_STOPS: usize = 100;

/// The longest address that is followed, in octets. Patterns may make one grow with every step.
const LONGEST: usize = 2048;

/// Values that only say yes, where it is not known what a table is for. Postfix has no word for it; these are in use.
const YES: [&str; 12] = ["1", "*", "-", "all", "any", "dunno", "ok", "permit", "true", "x", "y", "yes"];

/// What leads from address to address, and what is there at the end.
#[derive(Debug)]
pub(in super::super) struct Walk {
    pub(super) addressing: Addressing,
    /// Tables that give an address another name, in the order of asking.
    pub(super) renaming: Vec<Maps>,
    /// What is known of addresses that have no other name; none where that is nothing.
    pub(super) delivery: Option<Delivery>,
    pub(super) strangers: Strangers,
}

/// An address on the way, and the entries that led to it.
struct Step {
    address: Address,
    by: Provenance,
}

/// What an address turned out to be: what is known of it, and where else to look.
#[derive(Default)]
struct Outcome {
    known: Vec<Existence>,
    next: Vec<Step>,
}

impl Walk {
    /// A walk through one list of tables of aliases. What is remembered of them takes `cache` octets at most.
    pub(in super::super) fn through(maps: Maps, cache: u64) -> Self {
        let (addressing, strangers) = (Addressing::none(), Strangers::within(cache));
        Self { addressing, renaming: vec![maps], delivery: None, strangers }
    }

    /// What is known of an address, and if it matters (`by_name`), whether it is the name's own.
    pub(in super::super) async fn find(&self, address: Address, by_name: bool) -> Existence {
        let mut strongest = Existence::Unknown(String::new());
        let mut seen = HashSet::new();
        let mut steps = vec![Step { address, by: Provenance::default() }];
        while let Some(step) = steps.pop() {
            // Mail that goes round arrives nowhere.
            if !seen.insert(fold(&step.address.external())) {
                continue;
            }
            if seen.len() > MOST_STOPS || step.address.external().len() > LONGEST {
                let first = step.by.first().map_or_else(String::new, ToString::to_string);
                return Existence::Undetermined(format!("{first}: aliases of domains lead on and on"));
            }
            let mut outcome = Outcome::default();
            if let Err(why) = self.look(&step, by_name, &mut outcome).await {
                outcome.known.push(Existence::Undetermined(why.to_string()));
                outcome.next.clear();
            }
            for existence in outcome.known {
                if rank(&existence) < rank(&strongest) {
                    strongest = existence;
                }
            }
            if matches!(strongest, Existence::Exists(_)) {
                break;
            }
            steps.extend(outcome.next);
        }
        strongest
    }

    /// How often what was known of names that nobody has was enough.
    pub(in super::super) fn hits(&self) -> Hits {
        self.strangers.hits()
    }

    async fn look(&self, step: &Step, by_name: bool, outcome: &mut Outcome) -> Result<(), TableError> {
        let address = &step.address;
        for maps in &self.renaming {
            let Some(found) = self.addressing.find(maps, address).await? else { continue };
            let owner = self.strangers.owner(maps, address, &found, by_name).await;
            let (Shared { stranger, value }, is_certain) = match owner {
                Owner::Name => {
                    outcome.known = vec![Existence::Exists(step.by.then(entry(maps, &found, true)))];
                    return Ok(());
                }
                Owner::Everybody(shared) => (shared, true),
                Owner::Either(shared) => (shared, false),
            };
            let by = step.by.then(entry(maps, &found, !is_certain));
            // What a stranger would be delivered to as well does not depend on the name.
            let everybodys = self.addressing.targets(&stranger, &value).addresses;
            let Targets { addresses: own, has_others } =
                self.addressing.targets(name_of(address, &found), found.value());
            let (fixed, named): (Vec<Address>, Vec<Address>) =
                own.into_iter().partition(|target| everybodys.contains(target));
            let (same, others): (Vec<Address>, Vec<Address>) =
                named.into_iter().partition(|target| fold(&target.external()) == fold(&address.external()));
            let leads_nowhere = only_says_yes(found.value(), address)
                || (fixed.is_empty() && others.is_empty() && !same.is_empty());
            if self.delivery.is_none() && leads_nowhere {
                outcome.known.push(if is_certain {
                    Existence::NoList(names_nobody(&by))
                } else {
                    Existence::Ambiguous(by)
                });
                return Ok(());
            }
            if !fixed.is_empty() || has_others || (same.is_empty() && others.is_empty()) {
                let known = if is_certain { Existence::Wildcard } else { Existence::Ambiguous };
                outcome.known.push(known(by.clone()));
            }
            let goes_on = others.is_empty() || !same.is_empty();
            outcome.next.extend(others.into_iter().map(|address| Step { address, by: by.clone() }));
            if !goes_on {
                return Ok(());
            }
        }
        if let Some(delivery) = &self.delivery {
            let asked = delivery.find(self, address, &step.by, by_name);
            let found = asked.await?;
            // Where a wildcard takes all mail, only an entry of the name's own says more.
            if outcome.known.is_empty() || matches!(found, Existence::Exists(_)) {
                outcome.known.push(found);
            }
        }
        Ok(())
    }
}

/// An entry: the name's, or else everybody's.
pub(super) fn entry(maps: &Maps, found: &Found, is_of_name: bool) -> Evidence {
    let key = match found.scope {
        Scope::Domain => Key::Domain(found.hit.key.strip_prefix('@').unwrap_or(&found.hit.key).to_owned()),
        Scope::Address | Scope::LocalPart if is_of_name => Key::Name(found.hit.key.clone()),
        Scope::Address | Scope::LocalPart => Key::Every,
    };
    let table = maps.name(found.hit.table).to_owned();
    Evidence::Entry { parameter: maps.parameter().map(str::to_owned), table, key }
}

/// Why nothing follows from an entry that every name has and that leads nowhere.
pub(super) fn names_nobody(by: &Provenance) -> String {
    format!("{by} lets every name pass and leads to no mailbox, so that it does not tell which names exist")
}

/// Whether a value only says yes: one of the usual words, or the domain again.
fn only_says_yes(value: &str, address: &Address) -> bool {
    let value = fold(value.trim());
    YES.contains(&value.as_str()) || value == fold(&address.domain)
}

/// How much one answer counts beside others for the same mail. Of several places to which mail goes, one whose names
/// nobody knows may have the name: that counts before a wildcard.
fn rank(existence: &Existence) -> usize {
    match existence {
        Existence::Exists(_) => 0,
        Existence::Relocated { .. } => 1,
        Existence::Ambiguous(_) => 2,
        Existence::Undetermined(_) => 3,
        Existence::NoList(_) => 4,
        Existence::Wildcard(_) => 5,
        Existence::Unknown(_) => 6,
    }
}
