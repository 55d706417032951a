//! Grants from Postfix's `smtpd_sender_login_maps`: for an address the logins that own it.

use std::path::Path;

use super::{Opening, Source};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, apart};
use crate::facts::{Grant, GrantQuestion};
use crate::mail::Domain;
use crate::mta::postfix::address::{Address, Addressing, Found};
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::maps::Maps;
use crate::mta::postfix::tables::{TableError, Usage};
use crate::session::{Account, LoginRules};

const NAME: &str = "postfix_sender_login_maps";
const PARAMETER: &str = "smtpd_sender_login_maps";

#[derive(Debug)]
struct SenderLoginMaps {
    addressing: Addressing,
    maps: Maps,
    login_domain: Option<Domain>,
}

/// Opens the tables. The parameters are those of main.cf; what master.cf overrides is not seen. A login without a domain
/// is one of `login_domain`, in the tables as elsewhere.
pub(super) async fn open(config_dir: Option<&Path>, login_domain: Option<&Domain>) -> Opening {
    let login_domain = login_domain.cloned();
    let names: Vec<&str> = [PARAMETER].into_iter().chain(Addressing::PARAMETERS).collect();
    let main_cf = MainCf::read(config_dir, &names).await.map_err(|problem| vec![problem])?;
    let (source, warnings) = apart(move || SenderLoginMaps::open(&main_cf, login_domain)).await?;
    Ok((Box::new(source), warnings))
}

impl SenderLoginMaps {
    fn open(main_cf: &MainCf, login_domain: Option<Domain>) -> Reading<Self> {
        let (addressing, maps) = (Addressing::open(main_cf), Maps::open(main_cf, PARAMETER, Usage::Maps));
        let ((addressing, mut warnings), (maps, more)) = match (addressing, maps) {
            (Ok(addressing), Ok(maps)) => (addressing, maps),
            (a, b) => return Err([a.err(), b.err()].into_iter().flatten().flatten().collect()),
        };
        warnings.extend(more);
        if maps.is_empty() {
            let problem = Problem::new(format!("{PARAMETER} is empty: it grants nothing"));
            warnings.push(problem.in_file(main_cf.file()));
        }
        Ok((Self { addressing, maps, login_domain }, warnings))
    }

    /// Whether a login is among these, between commas and white space. Case does not count, as it does not in Postfix.
    fn names(&self, owners: &str, login: &Account) -> bool {
        let rules = LoginRules { domain: self.login_domain.as_ref(), case_sensitive: false };
        let owners = owners.split(|c: char| c == ',' || c.is_ascii_whitespace());
        owners.filter_map(Account::parse).any(|owner| owner.is(login, rules))
    }

    /// What the tables say of an address, whose domain they may have in U-labels.
    async fn owners(&self, address: &Address) -> Result<Option<Found>, TableError> {
        if let Some(found) = self.addressing.find(&self.maps, address).await? {
            return Ok(Some(found));
        }
        match address.with_u_labels() {
            Some(address) => self.addressing.find(&self.maps, &address).await,
            None => Ok(None),
        }
    }
}

#[async_trait::async_trait]
impl Source for SenderLoginMaps {
    fn name(&self) -> &str {
        NAME
    }

    async fn find(&self, question: &GrantQuestion) -> Grant {
        let found = match self.owners(&Address::from(&question.mailbox)).await {
            Ok(found) => found,
            Err(why) => return Grant::Undetermined(why.to_string()),
        };
        let login = Account::parse(&question.login.0);
        match found.zip(login) {
            Some((found, login)) if self.names(found.value(), &login) => {
                Grant::Granted(format!("{} ({PARAMETER})", found.hit.key))
            }
            _ => Grant::NotGranted(Vec::new()),
        }
    }
}
