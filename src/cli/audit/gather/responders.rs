//! What answers mail by itself: vacation programs and Sieve scripts of a mailbox, as far as they can be seen.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use crate::audit::host::Postfix;
use crate::mail::Domain;
use crate::mta::postfix::everybodys::{Everybodys, leaves};

/// How much of a file is looked at, in octets.
const LONGEST: u64 = 64 << 10;

/// Files in a mailbox or home that make it answer.
const FILES: [&str; 6] =
    [".forward", ".vacation.msg", ".dovecot.sieve", ".sieve", "sieve/active.sieve", "sieve/.dovecot.sieve"];

/// What answers mail that these entries lead to.
pub(super) fn responders(postfix: &Postfix, domain: &Domain, entries: &[Everybodys]) -> Vec<String> {
    let mut all = Vec::new();
    for entry in entries {
        for target in entry.value.split([',', ' ', '\t']).filter(|target| !target.is_empty()) {
            all.extend(of_target(postfix, domain, target));
        }
    }
    all.dedup();
    all
}

fn of_target(postfix: &Postfix, domain: &Domain, target: &str) -> Vec<String> {
    if target.starts_with('|') && target.contains("vacation") {
        return vec![format!("the program {target}")];
    }
    let (local_part, at) = target.rsplit_once('@').unwrap_or((target, domain.as_str()));
    let base = Path::new(postfix.main_cf.value("virtual_mailbox_base"));
    let mut folders: Vec<PathBuf> = Vec::new();
    if base.is_absolute() {
        folders.extend([base.join(at).join(local_part), base.join(target.trim_start_matches('/'))]);
    }
    let user = User::from_name(local_part).ok().flatten();
    folders.extend(user.map(|user| user.dir));
    let scripts = folders.iter().flat_map(|folder| FILES.iter().map(move |file| folder.join(file)));
    let mut all: Vec<String> =
        scripts.filter(|file| answers(file)).map(|file| file.display().to_string()).collect();
    all.extend(alias_program(postfix, local_part));
    all
}

/// Whether a file makes a mailbox answer.
fn answers(file: &Path) -> bool {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return false;
    }
    file.ends_with(".vacation.msg") || text(file).is_some_and(|text| text.to_lowercase().contains("vacation"))
}

fn text(file: &Path) -> Option<String> {
    let mut octets = Vec::new();
    File::open(file).ok()?.take(LONGEST).read_to_end(&mut octets).ok()?;
    Some(String::from_utf8_lossy(&octets).into_owned())
}

/// A vacation program that the aliases have for a user.
fn alias_program(postfix: &Postfix, user: &str) -> Option<String> {
    leaves(postfix.main_cf.value("alias_maps")).into_iter().find_map(|table| {
        let file = Path::new(table.split_once(':')?.1).to_owned();
        let text = fs::metadata(&file).ok().filter(fs::Metadata::is_file).and_then(|_| text(&file))?;
        let line = text.lines().find(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case(user) && value.contains('|') && value.contains("vacation")
            })
        })?;
        Some(format!("{}: {}", file.display(), line.trim()))
    })
}
