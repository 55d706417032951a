//! The parts of a path as the kernel goes through them, links followed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::access::Part;

/// Links that are followed, at most; the kernel's own limit.
const MOST_LINKS: usize = 40;

/// Every folder on the way to an absolute path, from the root on, and what is there, links followed.
///
/// # Errors
///
/// Where something is not there, or this user may not look.
pub(super) fn parts(path: &Path) -> io::Result<Vec<Part>> {
    let mut here = PathBuf::from("/");
    let mut parts = vec![part(&here)?];
    let mut ahead: VecDeque<OsString> = names(path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        if fs::symlink_metadata(&next)?.file_type().is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(nix::errno::Errno::ELOOP.into());
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                ahead.push_front(name);
            }
            continue;
        }
        parts.push(part(&next)?);
        here = next;
    }
    Ok(parts)
}

fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

fn part(path: &Path) -> io::Result<Part> {
    let found = fs::symlink_metadata(path)?;
    Ok(Part { path: path.to_owned(), uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o7777 })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed() {
        let dir = tempfile::TempDir::new().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "").unwrap();
        symlink("a/b", root.join("relative")).unwrap();
        symlink(root.join("relative"), root.join("a/absolute")).unwrap();
        symlink("../a/absolute/../b/file", root.join("a/dotted")).unwrap();
        symlink("round", root.join("round")).unwrap();
        for name in ["a/b/file", "relative/file", "a/absolute/file", "a/dotted", "a/../a/b/file"] {
            let last = parts(&root.join(name)).unwrap().pop().unwrap();
            assert_eq!(last.path, root.join("a/b/file"), "{name}");
        }
        assert!(parts(&root.join("round")).is_err());
        assert_eq!(parts(&root.join("nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(parts(Path::new("/")).unwrap().len(), 1);
    }
}
