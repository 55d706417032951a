//! Whether what the daemon would keep can be kept.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use crate::config::{Config, Diagnostic, Severity};

/// A store that the daemon needs and this user cannot write to: mail flows without it, and nothing is learned.
pub(super) fn unusable_store(config: &Config) -> Option<Diagnostic> {
    if !config.policy.learns() {
        return None;
    }
    let path = &config.ledger.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (what, hint) = if !folder.is_dir() {
        (folder, "there is no such folder; make it, or name another one in `ledger.path`")
    } else if access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        (folder, "this user cannot write to it; run `check` as the daemon's user, or change its owner")
    } else if path.exists() && access(path.as_path(), AccessFlags::R_OK | AccessFlags::W_OK).is_err() {
        (
            path.as_path(),
            "this user cannot write to it; run `check` as the daemon's user, or change its owner",
        )
    } else {
        return None;
    };
    let message = "what is learned about names behind a wildcard cannot be stored".to_owned();
    Some(Diagnostic::of_host(Severity::Warning, &what.display().to_string(), message, Some(hint)))
}
