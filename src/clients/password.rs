//! Passwords in files of their own.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::clients::files::problem::Problem;
use crate::clients::files::watched::{Reading, Watched};

/// A password, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The first line of a file, which is read anew when it changes.
#[derive(Debug)]
pub(crate) struct PasswordFile(Watched<Password>);

impl PasswordFile {
    /// Reads the file. That everybody on this host can read it is a warning.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or its first line is empty.
    pub(crate) fn open(path: &Path) -> Reading<Self> {
        let (file, mut warnings) =
            Watched::open(path, |octets| first_line(octets).map(|password| (password, Vec::new())))?;
        let is_open = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
        if is_open {
            let warning = Problem::new("everybody on this host can read the password").in_file(path);
            warnings.push(warning.hint(format!("chmod o= {}", path.display())));
        }
        Ok((Self(file), warnings))
    }

    /// The password in force.
    pub(crate) fn current(&self) -> Arc<Password> {
        self.0.current()
    }
}

fn first_line(octets: &[u8]) -> Result<Password, Vec<Problem>> {
    let text = str::from_utf8(octets).map_err(|_| vec![Problem::new("it is not UTF-8")])?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        // A server takes a name without a password for nobody (RFC 4513, 5.1.2).
        return Err(vec![Problem::new("its first line is empty").hint("write the password there")]);
    }
    Ok(Password(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_line_is_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "open sesame \nmore\n").unwrap();
        for (mode, warned) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let (file, warnings) = PasswordFile::open(&path).unwrap();
            assert_eq!(warnings.len(), warned, "{mode:o}");
            assert_eq!(file.current().0, "open sesame ");
            assert!(!format!("{file:?} {:?}", file.current()).contains("sesame"));
        }
    }

    #[test]
    fn no_password_at_all_is_refused() {
        for text in [&b""[..], b"\n", b"\nlate\n", b"\xff\n"] {
            assert!(first_line(text).is_err(), "{text:?}");
        }
    }
}
