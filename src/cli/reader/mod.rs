//! The files that the configuration names, looked at as the daemon's user under the sandbox of its unit would see them:
//! what root can read, the daemon may not.

mod access;
mod files;
mod unit;
mod walk;

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};

use super::DEFAULT_CONFIG;
use crate::config::{Config, Diagnostic, Severity};
use access::{ENTER, Eyes, Obstacle, Part, WRITE};
use files::Used;
use unit::Unit;

/// The user of the package's unit.
const USER: &str = "lockdown-milter";

/// Whoever the daemon is.
struct Reader {
    name: String,
    eyes: Eyes,
    unit: Option<Unit>,
}

/// What the daemon could not read. Nothing where this host has neither its unit nor its user.
pub(super) async fn unreadable(config: &Config, config_file: &Path, dirs: &[PathBuf]) -> Vec<Diagnostic> {
    let dirs = if dirs.is_empty() { unit::DIRS.map(PathBuf::from).to_vec() } else { dirs.to_owned() };
    let reader = match reader(unit::find(&dirs)) {
        Ok(Some(reader)) => reader,
        Ok(None) => return Vec::new(),
        Err(problem) => return vec![*problem],
    };
    let is_its_own = reader.runs_with(config_file);
    let mut problems = Vec::new();
    for used in files::used(config, Some(config_file).filter(|_| is_its_own)).await {
        problems.extend(reader.problem(&used, is_its_own));
    }
    problems.extend(reader.unwritable_ledger(config));
    problems.push(reader.note());
    problems
}

/// The daemon as it would be started here.
fn reader(unit: Option<Unit>) -> Result<Option<Reader>, Box<Diagnostic>> {
    let name = match &unit {
        Some(unit) => unit.value("User").unwrap_or("root").to_owned(),
        None => USER.to_owned(),
    };
    let user = match name.parse::<u32>() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(&name),
    };
    let user = user.ok().flatten();
    let is_dynamic = unit.as_ref().is_some_and(|unit| unit.is_on("DynamicUser"));
    let Some(unit) = unit else {
        return Ok(user.map(|user| Reader { eyes: eyes(Some(&user), None), name, unit: None }));
    };
    if user.is_none() && !is_dynamic && name.parse::<u32>().is_err() {
        let message = format!("the unit's user {name} does not exist, so that the service cannot start");
        let file = unit.file.display().to_string();
        let problem = Diagnostic::of_host(Severity::Warning, &file, message, Some("see systemd-sysusers(8)"));
        return Err(Box::new(problem));
    }
    Ok(Some(Reader { eyes: eyes(user.as_ref(), Some(&unit)), name, unit: Some(unit) }))
}

fn eyes(user: Option<&User>, unit: Option<&Unit>) -> Eyes {
    let uid = user.map(|user| user.uid.as_raw());
    let group_of = |name: &str| match name.parse::<u32>() {
        Ok(gid) => Some(gid),
        Err(_) => Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()),
    };
    let own = unit.and_then(|unit| group_of(unit.value("Group")?));
    let first = own.or(user.map(|user| user.gid.as_raw()));
    let listed = user.and_then(|user| {
        let name = CString::new(user.name.as_str()).ok()?;
        getgrouplist(&name, first.map_or(user.gid, Gid::from_raw)).ok()
    });
    let added = unit.map(Unit::groups).unwrap_or_default();
    let gids = listed.into_iter().flatten().map(Gid::as_raw);
    Eyes {
        uid,
        gids: gids.chain(first).chain(added.iter().filter_map(|name| group_of(name))).collect(),
        is_almighty: uid == Some(0) && unit.is_none_or(Unit::leaves_power),
        sandbox: unit.map(Unit::sandbox).unwrap_or_default(),
    }
}

impl Reader {
    /// Whether the service runs with this configuration, and not with another one.
    fn runs_with(&self, config_file: &Path) -> bool {
        let named = self.unit.as_ref().and_then(Unit::config);
        let own = named.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(&own) == real(config_file)
    }

    /// Why a file cannot be used by the daemon. What this user cannot look at is not known, and nothing is said of it.
    fn problem(&self, used: &Used, is_its_own: bool) -> Option<Diagnostic> {
        let parts = walk::parts(&used.path).ok()?;
        let obstacle = access::obstacle(&self.eyes, &parts, used.needed)?;
        let is_certain = !matches!(&obstacle, Obstacle::Denied { may_be_allowed: true, .. });
        // Another configuration may be meant for another place.
        let severity = if is_certain && is_its_own { Severity::Error } else { Severity::Warning };
        let (message, hint) = self.said(&obstacle, used);
        Some(Diagnostic::of_host(severity, &used.path.display().to_string(), message, Some(&hint)))
    }

    fn said(&self, obstacle: &Obstacle, used: &Used) -> (String, String) {
        let name = &self.name;
        let doing = if used.needed & WRITE == 0 { "readable" } else { "reached" };
        let by = if geteuid().is_root() { "by root" } else { "here" };
        let (path, what) = (used.path.display(), &used.what);
        match obstacle {
            Obstacle::Hidden(setting) => {
                let kept = if setting.starts_with("ProtectHome") { "ProtectHome=tmpfs and " } else { "" };
                let hint = format!(
                    "move it, or `systemctl edit lockdown-milter`: {kept}BindReadOnlyPaths={path} (README.Debian)"
                );
                (format!("{doing} {by}, but {setting} of the unit hides it from {name}: {what}"), hint)
            }
            Obstacle::ReadOnly(setting) => {
                let hint = format!("`systemctl edit lockdown-milter`: ReadWritePaths={path}");
                (format!("{name} cannot write to it, by {setting} of the unit: {what}"), hint)
            }
            Obstacle::Denied { part, is_file, may_be_allowed } => {
                let owned = owned(part);
                let unless = if *may_be_allowed { "; an ACL, which is not seen, may allow it" } else { "" };
                let hint = self.way_in(part);
                let message = if *is_file {
                    format!("{doing} {by}, but not by {name} ({owned}): {what}{unless}")
                } else {
                    let folder = part.path.display();
                    format!(
                        "{doing} {by}, but not by {name}, which may not enter {folder} ({owned}): {what}{unless}"
                    )
                };
                (message, hint)
            }
        }
    }

    /// How the user comes to its right.
    fn way_in(&self, part: &Part) -> String {
        let (name, path) = (&self.name, part.path.display());
        // What the group may do, a member may.
        let wanted = if part.mode & 0o040 != 0 || part.mode & 0o010 != 0 { Some(part.gid) } else { None };
        match wanted.filter(|gid| *gid != 0).map(group_name) {
            Some(group) => {
                format!("make {name} a member of its group ({group}), or give {path} another group")
            }
            None => format!("give {path} a group that {name} is in, and that group the right"),
        }
    }

    /// Whether what the daemon learns can be kept.
    fn unwritable_ledger(&self, config: &Config) -> Option<Diagnostic> {
        if !config.policy.learns() {
            return None;
        }
        let path = &config.ledger.path;
        let folder = path.parent().filter(|folder| folder.is_absolute())?;
        let needs = [(folder, WRITE | ENTER), (path.as_path(), WRITE | access::READ)];
        let (path, obstacle) = needs.into_iter().find_map(|(path, needed)| {
            let parts = walk::parts(path).ok()?;
            Some((path, access::obstacle(&self.eyes, &parts, needed)?))
        })?;
        let why = match &obstacle {
            Obstacle::Hidden(setting) | Obstacle::ReadOnly(setting) => format!("{setting} of the unit"),
            Obstacle::Denied { part, .. } => format!("{} ({})", part.path.display(), owned(part)),
        };
        let message = format!("{} cannot store what is learned there: {why}", self.name);
        let hint =
            "give it to that user, allow it by `ReadWritePaths=`, or name another place in `ledger.path`";
        Some(Diagnostic::of_host(Severity::Warning, &path.display().to_string(), message, Some(hint)))
    }

    /// Whose eyes these were.
    fn note(&self) -> Diagnostic {
        let (place, under) = match &self.unit {
            Some(unit) => (unit.file.display().to_string(), "under the restrictions of its unit"),
            None => (format!("user {}", self.name), "for there is no unit"),
        };
        let message = format!("files were looked at as {} would, {under}; ACLs are not seen", self.name);
        Diagnostic::of_host(Severity::Note, &place, message, None)
    }
}

/// `0600 root:root`.
fn owned(part: &Part) -> String {
    let user = User::from_uid(Uid::from_raw(part.uid)).ok().flatten();
    let user = user.map_or_else(|| part.uid.to_string(), |user| user.name);
    format!("{:04o} {user}:{}", part.mode, group_name(part.gid))
}

fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}
