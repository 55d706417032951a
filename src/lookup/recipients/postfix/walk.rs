//! From an address through the aliases of domains to an entry that is somebody's own.

use std::collections::HashSet;

use super::delivery::Delivery;
use crate::facts::Existence;
use crate::lookup::postfix::address::{Address, Addressing, Found, Scope, Targets};
use crate::lookup::postfix::maps::Maps;
use crate::lookup::postfix::stranger::{Owner, name_of, owner};
use crate::lookup::postfix::tables::{TableError, fold};

/// How many addresses one may lead to by aliases of domains. Postfix goes on to a thousand; nobody means more than a few.
const MOST_STOPS: usize = 100;

/// The longest address that is followed, in octets. Patterns may make one grow with every step.
const LONGEST: usize = 2048;

/// What leads from address to address, and what is there at the end.
#[derive(Debug)]
pub(in super::super) struct Walk {
    pub(super) addressing: Addressing,
    /// Tables that give an address another name, in the order of asking.
    pub(super) renaming: Vec<Maps>,
    /// What is known of addresses that have no other name; none where that is nothing.
    pub(super) delivery: Option<Delivery>,
}

/// An address on the way, and the entries that led to it.
struct Step {
    address: Address,
    by: String,
}

/// What an address turned out to be: what is known of it, and where else to look.
#[derive(Default)]
struct Outcome {
    known: Vec<Existence>,
    next: Vec<Step>,
}

impl Walk {
    /// A walk through one list of tables of aliases.
    pub(in super::super) fn through(maps: Maps) -> Self {
        Self { addressing: Addressing::none(), renaming: vec![maps], delivery: None }
    }

    /// What is known of an address.
    pub(in super::super) async fn find(&self, address: Address) -> Existence {
        let mut strongest = Existence::Unknown(String::new());
        let mut seen = HashSet::new();
        let mut steps = vec![Step { address, by: String::new() }];
        while let Some(step) = steps.pop() {
            // Mail that goes round arrives nowhere.
            if !seen.insert(fold(&step.address.external())) {
                continue;
            }
            if seen.len() > MOST_STOPS || step.address.external().len() > LONGEST {
                let why = format!("{}: aliases of domains lead on and on", first(&step.by));
                return Existence::Undetermined(why);
            }
            let Outcome { known, next } = match self.look(&step).await {
                Ok(outcome) => outcome,
                Err(why) => {
                    Outcome { known: vec![Existence::Undetermined(why.to_string())], next: Vec::new() }
                }
            };
            for existence in known {
                if rank(&existence) < rank(&strongest) {
                    strongest = existence;
                }
            }
            if matches!(strongest, Existence::Exists(_)) {
                break;
            }
            steps.extend(next);
        }
        strongest
    }

    async fn look(&self, step: &Step) -> Result<Outcome, TableError> {
        let address = &step.address;
        let via = |entry| through(&step.by, entry);
        let mut outcome = Outcome::default();
        for maps in &self.renaming {
            let Some(found) = self.addressing.find(maps, address).await? else { continue };
            let table = maps.name(found.hit.table);
            let Owner::Everybody { stranger, value } = owner(maps, address, &found).await? else {
                outcome.known = vec![Existence::Exists(via(format!("{table} {}", found.hit.key)))];
                return Ok(outcome);
            };
            let by = via(of_everybody(table, &found));
            // What a stranger would be delivered to as well does not depend on the name.
            let everybodys = self.addressing.targets(&stranger, &value).addresses;
            let Targets { addresses: own, has_others } =
                self.addressing.targets(name_of(address, &found), found.value());
            let (fixed, named): (Vec<Address>, Vec<Address>) =
                own.into_iter().partition(|target| everybodys.contains(target));
            let (same, others): (Vec<Address>, Vec<Address>) =
                named.into_iter().partition(|target| fold(&target.external()) == fold(&address.external()));
            if !fixed.is_empty() || has_others || (same.is_empty() && others.is_empty()) {
                outcome.known.push(Existence::Wildcard(by.clone()));
            }
            let goes_on = others.is_empty() || !same.is_empty();
            outcome.next.extend(others.into_iter().map(|address| Step { address, by: by.clone() }));
            if !goes_on {
                return Ok(outcome);
            }
        }
        if let Some(delivery) = &self.delivery {
            let found = delivery.find(&self.addressing, address, &step.by).await?;
            // Where a wildcard takes all mail, only an entry of the name's own says more.
            if outcome.known.is_empty() || matches!(found, Existence::Exists(_)) {
                outcome.known.push(found);
            }
        }
        Ok(outcome)
    }
}

/// The entries so far, and one more.
pub(super) fn through(so_far: &str, entry: String) -> String {
    if so_far.is_empty() { entry } else { format!("{so_far} > {entry}") }
}

/// The first of the entries so far.
fn first(so_far: &str) -> &str {
    so_far.split(" > ").next().unwrap_or_default()
}

/// An entry that everybody has, for the log: its key, or that it is for any name.
pub(super) fn of_everybody(table: &str, found: &Found) -> String {
    match found.scope {
        Scope::Domain => format!("{table} {}", found.hit.key),
        Scope::Address | Scope::LocalPart => format!("{table} for any name"),
    }
}

/// How much one answer counts beside others for the same mail. Of several places to which mail goes, one whose names
/// nobody knows may have the name: that counts before a wildcard.
fn rank(existence: &Existence) -> usize {
    match existence {
        Existence::Exists(_) => 0,
        Existence::Relocated { .. } => 1,
        Existence::Undetermined(_) => 2,
        Existence::NoList(_) => 3,
        Existence::Wildcard(_) => 4,
        Existence::Unknown(_) => 5,
    }
}
