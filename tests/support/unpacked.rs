//! Programs that are never installed, but unpacked beside the test's other output: Sendmail's, as Debian's packages of Sendmail
//! and of Postfix exclude each other, and what else wants more of a machine than its files.
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::host;

/// What is unpacked of Sendmail: the server, its configuration macros and their processor, and the tool that writes passwords.
const PACKAGES: [&str; 5] = ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "sasl2-bin"];

/// Where Sendmail is, or what stands in the way.
pub(crate) fn unpacked() -> Result<&'static Path, String> {
    PROGRAMS.as_deref().map_err(Clone::clone)
}

static PROGRAMS: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| unpack("sendmail", &PACKAGES));

/// Where these packages are unpacked, below a folder of that name; they are downloaded once and kept with cargo's other
/// output. What stands in the way otherwise.
pub(crate) fn unpack(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let root = folder.join("root");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Another test binary may be at it.
    let lock = fs::File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if root.is_dir() {
        return Ok(root);
    }
    let unpacked = tempfile::Builder::new().tempdir_in(&folder).map_err(|error| error.to_string())?;
    let mut apt_get = host::command(&host::program("apt-get")?);
    host::run(apt_get.current_dir(unpacked.path()).args(["-q", "download"]).args(packages))?;
    let archives = fs::read_dir(unpacked.path()).map_err(|error| error.to_string())?;
    for archive in archives.filter_map(Result::ok).map(|entry| entry.path()) {
        let mut dpkg = host::command(&host::program("dpkg")?);
        host::run(dpkg.arg("-x").arg(archive).arg(unpacked.path().join("root")))?;
    }
    // Whole or not at all.
    fs::rename(unpacked.path().join("root"), &root).map_err(|error| error.to_string())?;
    Ok(root)
}
