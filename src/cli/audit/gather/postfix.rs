//! A Postfix: its parameters, services and networks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::audit::host::{Mta, Postfix};
use crate::mta::postfix::main_cf::MainCf;
use crate::mta::postfix::master_cf::MasterCf;
use crate::mta::postfix::networks::Networks;

/// Reads the instance in a folder.
pub(super) fn postfix(dir: &Path) -> Mta {
    // postconf(1) takes a relative folder for one below its own.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let read = MainCf::read_all(Some(&dir)).and_then(|main_cf| Ok((main_cf, MasterCf::read(Some(&dir))?)));
    let (main_cf, master_cf) = match read {
        Ok(read) => read,
        Err(problem) => return Mta::Unknown(problem.to_string()),
    };
    let lists = master_cf.services.iter().filter_map(|service| service.overridden("mynetworks"));
    let lists = lists.chain([main_cf.value("mynetworks")]);
    let networks: BTreeMap<String, Networks> =
        lists.map(|list| (list.to_owned(), Networks::of(list))).collect();
    Mta::Postfix(Postfix { main_cf, master_cf, networks })
}
