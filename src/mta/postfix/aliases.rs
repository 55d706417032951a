//! Where mail for an address ends up: virtual aliases, and the aliases of local users.

use std::collections::{HashSet, VecDeque};

use super::address::{Address, Addressing, Found, quote_local_part};
use super::main_cf::MainCf;
use super::maps::{Key, Maps};
use super::tables::{TableError, Usage, fold};
use super::targets::targets;
use super::words::words;
use crate::clients::files::watched::{Reading, apart};

/// How many addresses may be on the way, targets of local aliases included, which Postfix does not limit.
const MOST_STOPS: usize = 100_000;

/// The aliases of a Postfix instance.
#[derive(Debug)]
pub struct Aliases {
    addressing: Addressing,
    /// Of addresses (`virtual_alias_maps`).
    for_all: Maps,
    /// Of users of this host (`alias_maps`).
    for_users: Maps,
    /// Whether extensions that no key has are added to the targets of virtual aliases.
    propagates: bool,
    most_targets: usize,
    deepest: usize,
}

/// Where mail comes through or to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop<'a> {
    /// An address, the first one included.
    Address(&'a Address),
    /// The name of a user or alias of this host, in lower case.
    User(&'a str),
}

/// An address on its way.
struct Step {
    address: Address,
    stage: Stage,
    depth: usize,
    /// The alias that led here.
    by: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// Virtual aliases are looked up.
    Virtual,
    /// It is delivered, by aliases of local users perhaps.
    Delivery,
}

impl Aliases {
    /// Reads the parameters and opens the tables.
    ///
    /// # Errors
    ///
    /// Everything for which a table cannot be asked as Postfix asks it.
    pub async fn open(config_dir: Option<&std::path::Path>) -> Reading<Self> {
        let own = [
            "alias_maps",
            "propagate_unmatched_extensions",
            "virtual_alias_expansion_limit",
            "virtual_alias_maps",
            "virtual_alias_recursion_limit",
        ];
        let names: Vec<&str> = own.into_iter().chain(Addressing::PARAMETERS).collect();
        let main_cf = MainCf::read(config_dir, &names).await.map_err(|problem| vec![problem])?;
        apart(move || Self::of(&main_cf)).await
    }

    fn of(main_cf: &MainCf) -> Reading<Self> {
        let number = |name| main_cf.number(name).map_err(|problem| vec![problem]);
        let addressing = Addressing::open(main_cf);
        let for_all = Maps::open(main_cf, "virtual_alias_maps", Usage::Maps);
        let for_users = Maps::open(main_cf, "alias_maps", Usage::Aliases);
        let (most_targets, deepest) =
            (number("virtual_alias_expansion_limit")?, number("virtual_alias_recursion_limit")?);
        let ((addressing, a), (for_all, b), (for_users, c)) = match (addressing, for_all, for_users) {
            (Ok(a), Ok(b), Ok(c)) => (a, b, c),
            (a, b, c) => {
                return Err([a.err(), b.err(), c.err()].into_iter().flatten().flatten().collect());
            }
        };
        let propagates = words(main_cf.value("propagate_unmatched_extensions")).any(|word| word == "virtual");
        let aliases = Self { addressing, for_all, for_users, propagates, most_targets, deepest };
        Ok((aliases, [a, b, c].concat()))
    }

    /// Which domains are local, and what is an extension.
    pub fn addressing(&self) -> &Addressing {
        &self.addressing
    }

    /// Follows an address until `is_goal` holds, and says by which aliases it came there: none where no alias was
    /// needed for it, or `Ok(None)` where it does not come there.
    ///
    /// An address that was seen before is not followed again, so cycles end; Postfix would return such mail.
    ///
    /// # Errors
    ///
    /// Where a table cannot tell, or Postfix would give up as there are too many targets.
    pub async fn follow(
        &self,
        start: Address,
        is_goal: impl Fn(Stop<'_>) -> bool,
    ) -> Result<Option<String>, TableError> {
        let mut seen = HashSet::new();
        // Of targets of virtual aliases, counted as Postfix counts them.
        let mut count = 1;
        let mut steps =
            VecDeque::from([Step { address: start, stage: Stage::Virtual, depth: 0, by: String::new() }]);
        while let Some(step) = steps.pop_front() {
            if !seen.insert((step.stage, fold(&step.address.external()))) {
                continue;
            }
            if seen.len() > MOST_STOPS {
                return Err(TableError(format!("there are more than {MOST_STOPS} addresses on the way")));
            }
            if step.depth > self.deepest {
                return Err(TableError(format!("aliases are nested more than {} deep", self.deepest)));
            }
            if is_goal(Stop::Address(&step.address)) {
                return Ok(Some(step.by));
            }
            let next = match step.stage {
                Stage::Virtual => {
                    let next = self.after_virtual_aliases(&step).await?;
                    count += next.len().saturating_sub(1);
                    if count > self.most_targets {
                        let most = self.most_targets;
                        return Err(TableError(format!(
                            "virtual aliases lead to more than {most} addresses"
                        )));
                    }
                    next
                }
                Stage::Delivery => {
                    let address = &step.address;
                    if !self.addressing.is_local(&address.domain).await? {
                        continue;
                    }
                    let name = self.addressing.without_extension(&address.local_part);
                    let name = name.map_or(address.local_part.as_str(), |(name, _)| name);
                    if is_goal(Stop::User(&fold(name))) {
                        return Ok(Some(step.by));
                    }
                    self.after_local_alias(&step, name).await?
                }
            };
            steps.extend(next);
        }
        Ok(None)
    }

    async fn after_virtual_aliases(&self, step: &Step) -> Result<Vec<Step>, TableError> {
        let address = &step.address;
        let delivery = || Step {
            address: address.clone(),
            stage: Stage::Delivery,
            depth: step.depth,
            by: step.by.clone(),
        };
        let Some(found) = self.addressing.find(&self.for_all, address).await? else {
            return Ok(vec![delivery()]);
        };
        let by = through(&step.by, &found.hit.key);
        let next = self.virtual_targets(address, &found).into_iter().map(|target| {
            // An alias may name itself to keep its own mail.
            if fold(&target.external()) == fold(&address.external()) {
                return delivery();
            }
            Step { address: target, stage: Stage::Virtual, depth: step.depth + 1, by: by.clone() }
        });
        Ok(next.collect())
    }

    /// The targets of a virtual alias, `@domain` for the same name there included.
    fn virtual_targets(&self, address: &Address, found: &Found) -> Vec<Address> {
        let extension = found.extension.as_deref().unwrap_or_default();
        let name = address.local_part.strip_suffix(extension).unwrap_or(&address.local_part);
        let added = if self.propagates { extension } else { "" };
        let targets = self.addressing.targets(name, found.value()).addresses.into_iter();
        targets.map(|target| target.with_local_part(&(target.local_part.clone() + added))).collect()
    }

    /// Where the alias of a local user leads, if there is one: of the whole local-part, or of the name in it.
    async fn after_local_alias(&self, step: &Step, name: &str) -> Result<Vec<Step>, TableError> {
        let Some((key, value)) = self.local_alias(&step.address.local_part, name).await? else {
            return Ok(Vec::new());
        };
        let by = through(&step.by, &key);
        let mut next = Vec::new();
        for address in targets(&value).iter().filter_map(|target| self.addressing.complete(target)) {
            // Mail for others goes through virtual aliases again; mail for users here does not.
            let is_local = self.addressing.is_local(&address.domain).await?;
            let stage = if is_local { Stage::Delivery } else { Stage::Virtual };
            next.push(Step { address, stage, depth: step.depth + 1, by: by.clone() });
        }
        Ok(next)
    }

    async fn local_alias(
        &self,
        local_part: &str,
        name: &str,
    ) -> Result<Option<(String, String)>, TableError> {
        for name in [local_part, name] {
            let key = quote_local_part(name);
            let mut value = self.for_users.find(&key, Key::Whole).await?;
            if value.is_none() && key != name {
                value = self.for_users.find(name, Key::Whole).await?;
            }
            if let Some(value) = value {
                return Ok(Some((key, value)));
            }
        }
        Ok(None)
    }
}

/// The aliases so far, and one more.
fn through(so_far: &str, key: &str) -> String {
    if so_far.is_empty() { key.to_owned() } else { format!("{so_far} > {key}") }
}
