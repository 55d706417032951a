//! Whether a user can read a file, under what systemd hides from its service: computed from what stat(2) says of each part
//! of the path. Access control lists are not seen; where one could make a difference, that is part of the answer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Reading, of a file and of what is in a folder.
pub(super) const READ: u32 = 0o4;
/// Writing, which connecting to a Unix socket is as well.
pub(super) const WRITE: u32 = 0o2;
/// Going through a folder.
pub(super) const ENTER: u32 = 0o1;

/// Whoever looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Eyes {
    /// The user; none for one that is made when the service starts.
    pub(super) uid: Option<u32>,
    /// All groups.
    pub(super) gids: BTreeSet<u32>,
    /// Whether permissions do not matter, as for root with all capabilities.
    pub(super) is_almighty: bool,
    /// What is hidden.
    pub(super) sandbox: Sandbox,
}

/// What systemd makes of the file system for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sandbox {
    /// What is not there.
    pub(super) hidden: Vec<Hidden>,
    /// What is there although something around it is hidden.
    pub(super) shown: Vec<PathBuf>,
    /// What is something else there.
    pub(super) replaced: Vec<PathBuf>,
    /// What nobody writes to, with the setting.
    pub(super) read_only: Vec<(PathBuf, String)>,
    /// What may be written to within that.
    pub(super) writable: Vec<PathBuf>,
    /// Folders that systemd gives to the user before the service starts.
    pub(super) given: Vec<PathBuf>,
}

/// A hidden folder or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Which.
    pub(super) path: PathBuf,
    /// By which setting: `ProtectHome=yes`.
    pub(super) setting: String,
    /// Whether what the unit binds below it shows.
    pub(super) shows_binds: bool,
}

/// One part of a path, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its owner.
    pub(super) uid: u32,
    /// Its group.
    pub(super) gid: u32,
    /// Its permission bits.
    pub(super) mode: u32,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// A setting of the unit hides it.
    Hidden(String),
    /// A setting of the unit keeps it from being written to.
    ReadOnly(String),
    /// Permissions.
    Denied {
        /// Of which part.
        part: Part,
        /// Whether it is the file itself, and not a folder on the way.
        is_file: bool,
        /// Whether an access control list may allow it.
        may_be_allowed: bool,
    },
}

/// Whether the last of these parts, from the root on, can be used as it is needed.
pub(super) fn obstacle(eyes: &Eyes, parts: &[Part], needed: u32) -> Option<Obstacle> {
    let sandbox = &eyes.sandbox;
    for (number, part) in parts.iter().enumerate() {
        if sandbox.replaced.iter().any(|path| part.path.starts_with(path)) {
            // What is there instead cannot be seen from here.
            return None;
        }
        let is_last = number + 1 == parts.len();
        match sandbox.view(&part.path) {
            View::Hidden(setting) => return Some(Obstacle::Hidden(setting.to_owned())),
            // systemd makes it, so that everybody may pass.
            View::MountPoint if !is_last => continue,
            View::MountPoint | View::Real => {}
        }
        if sandbox.given.contains(&part.path) {
            continue;
        }
        let wanted = if is_last { needed } else { ENTER };
        if !eyes.is_almighty && !eyes.may(part, wanted) {
            let may_be_allowed = eyes.may_be_allowed(part, wanted);
            return Some(Obstacle::Denied { part: part.clone(), is_file: is_last, may_be_allowed });
        }
    }
    let last = parts.last().filter(|_| needed & WRITE != 0)?;
    sandbox.forbids_writing(&last.path).map(|setting| Obstacle::ReadOnly(setting.to_owned()))
}

/// How a path looks from within.
enum View<'a> {
    Real,
    Hidden(&'a str),
    /// It is there only because something below it is shown.
    MountPoint,
}

impl Sandbox {
    fn view(&self, path: &Path) -> View<'_> {
        let around = self.hidden.iter().filter(|hidden| path.starts_with(&hidden.path));
        let Some(hidden) = around.max_by_key(|hidden| hidden.path.components().count()) else {
            return View::Real;
        };
        let mut inside = self.shown.iter().filter(|shown| shown.starts_with(&hidden.path));
        if !hidden.shows_binds {
            return View::Hidden(&hidden.setting);
        }
        if inside.clone().any(|shown| path.starts_with(shown)) {
            View::Real
        } else if inside.any(|shown| shown.starts_with(path)) {
            View::MountPoint
        } else {
            View::Hidden(&hidden.setting)
        }
    }

    /// The setting that keeps a path from being written to: of those around it the closest counts.
    fn forbids_writing(&self, path: &Path) -> Option<&str> {
        let depth = |around: &Path| path.starts_with(around).then(|| around.components().count());
        let forbidden = self.read_only.iter().filter_map(|(around, setting)| Some((depth(around)?, setting)));
        let (closest, setting) = forbidden.max_by_key(|(depth, _)| *depth)?;
        let free = self.writable.iter().chain(&self.given).filter_map(|around| depth(around)).max();
        free.is_none_or(|free| free < closest).then_some(setting)
    }
}

impl Eyes {
    /// Whether the permission bits grant all that is needed. Of owner, group and others, only the first that fits counts.
    fn may(&self, part: &Part, needed: u32) -> bool {
        let shift = if self.uid == Some(part.uid) {
            6
        } else if self.gids.contains(&part.gid) {
            3
        } else {
            0
        };
        (part.mode >> shift) & needed == needed
    }

    /// Whether an access control list may grant what the bits do not: not to the owner, and to nobody more than its mask
    /// allows, which stands in the place of the group's bits (POSIX 1003.1e draft 17, 23.1).
    fn may_be_allowed(&self, part: &Part, needed: u32) -> bool {
        self.uid != Some(part.uid) && (part.mode >> 3) & needed == needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of a path, from the root on: `0755 0:0 /etc`.
    fn parts(lines: &[&str]) -> Vec<Part> {
        let part = |line: &&str| {
            let mut words = line.split(' ');
            let mode = u32::from_str_radix(words.next().unwrap(), 8).unwrap();
            let (uid, gid) = words.next().unwrap().split_once(':').unwrap();
            Part {
                path: PathBuf::from(words.next().unwrap()),
                uid: uid.parse().unwrap(),
                gid: gid.parse().unwrap(),
                mode,
            }
        };
        lines.iter().map(part).collect()
    }

    fn eyes() -> Eyes {
        Eyes { uid: Some(100), gids: BTreeSet::from([100, 20]), ..Eyes::default() }
    }

    /// What stands in the way of reading, in a word.
    fn shown(eyes: &Eyes, lines: &[&str], needed: u32) -> String {
        match obstacle(eyes, &parts(lines), needed) {
            None => "none".to_owned(),
            Some(Obstacle::Hidden(setting) | Obstacle::ReadOnly(setting)) => setting,
            Some(Obstacle::Denied { part, is_file, may_be_allowed }) => {
                let what = if is_file { "file" } else { "folder" };
                format!("{what} {}{}", part.path.display(), if may_be_allowed { "?" } else { "" })
            }
        }
    }

    #[test]
    fn permissions() {
        for (lines, needed, expected) in [
            (&["0755 0:0 /", "0644 0:0 /f"][..], READ, "none"),
            (&["0755 0:0 /", "0600 0:0 /f"], READ, "file /f"),
            (&["0755 0:0 /", "0640 0:0 /f"], READ, "file /f?"),
            (&["0755 0:0 /", "0640 0:20 /f"], READ, "none"),
            (&["0755 0:0 /", "0400 100:0 /f"], READ, "none"),
            // The owner has the owner's bits only, and the group the group's.
            (&["0755 0:0 /", "0044 100:0 /f"], READ, "file /f"),
            (&["0755 0:0 /", "0604 0:20 /f"], READ, "file /f"),
            (&["0755 0:0 /", "0700 0:0 /d", "0644 0:0 /d/f"], READ, "folder /d"),
            (&["0755 0:0 /", "0750 0:0 /d", "0644 0:0 /d/f"], READ, "folder /d?"),
            (&["0755 0:0 /", "0711 0:0 /d", "0644 0:0 /d/f"], READ, "none"),
            (&["0755 0:0 /", "0666 0:0 /s"], WRITE, "none"),
            (&["0755 0:0 /", "0644 0:0 /s"], WRITE, "file /s"),
            (&["0755 0:0 /", "0770 0:20 /d"], WRITE | ENTER, "none"),
            (&["0755 0:0 /", "0760 0:20 /d"], WRITE | ENTER, "file /d"),
        ] {
            assert_eq!(shown(&eyes(), lines, needed), expected, "{lines:?}");
            let root = Eyes { is_almighty: true, ..eyes() };
            assert_eq!(shown(&root, lines, needed), "none", "{lines:?}");
        }
        // A user that is made at the start owns nothing.
        let dynamic = Eyes { uid: None, gids: BTreeSet::new(), ..Eyes::default() };
        assert_eq!(shown(&dynamic, &["0755 0:0 /", "0600 0:0 /f"], READ), "file /f");
        assert_eq!(shown(&dynamic, &["0755 0:0 /", "0604 0:0 /f"], READ), "none");
    }

    #[test]
    fn what_is_hidden() {
        let hidden = |path: &str, setting: &str, shows_binds| Hidden {
            path: PathBuf::from(path),
            setting: setting.to_owned(),
            shows_binds,
        };
        let sandbox = Sandbox {
            hidden: vec![
                hidden("/home", "ProtectHome=tmpfs", true),
                hidden("/root", "ProtectHome=yes", false),
                hidden("/home/shown/secret", "InaccessiblePaths=/home/shown/secret", false),
            ],
            shown: vec![
                PathBuf::from("/home/user-data/mail"),
                PathBuf::from("/home/shown"),
                PathBuf::from("/root/x"),
            ],
            replaced: vec![PathBuf::from("/opt/other")],
            ..Sandbox::default()
        };
        let eyes = Eyes { sandbox, ..eyes() };
        let root = "0755 0:0 /";
        for (lines, expected) in [
            (&[root, "0755 0:0 /homes", "0644 0:0 /homes/f"][..], "none"),
            (&[root, "0755 0:0 /home", "0755 0:0 /home/a", "0644 0:0 /home/a/f"], "ProtectHome=tmpfs"),
            // The folders around what is bound are made by systemd, whatever the real ones allow.
            (
                &[
                    root,
                    "0700 0:0 /home",
                    "0700 0:0 /home/user-data",
                    "0755 0:0 /home/user-data/mail",
                    "0644 0:0 /home/user-data/mail/f",
                ],
                "none",
            ),
            (
                &[
                    root,
                    "0700 0:0 /home",
                    "0700 0:0 /home/user-data",
                    "0700 0:0 /home/user-data/mail",
                    "0644 0:0 /home/user-data/mail/f",
                ],
                "folder /home/user-data/mail",
            ),
            (
                &[root, "0755 0:0 /home", "0755 0:0 /home/shown", "0644 0:0 /home/shown/secret"],
                "InaccessiblePaths=/home/shown/secret",
            ),
            (&[root, "0755 0:0 /root", "0644 0:0 /root/x"], "ProtectHome=yes"),
            (&[root, "0755 0:0 /opt", "0700 0:0 /opt/other", "0600 0:0 /opt/other/f"], "none"),
        ] {
            assert_eq!(shown(&eyes, lines, READ), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_written() {
        let sandbox = Sandbox {
            read_only: vec![(PathBuf::from("/"), "ProtectSystem=strict".to_owned())],
            writable: vec![PathBuf::from("/srv/w")],
            given: vec![PathBuf::from("/var/lib/lockdown-milter")],
            ..Sandbox::default()
        };
        let eyes = Eyes { sandbox, ..eyes() };
        let folder = |path: &str, mode: &str| {
            shown(&eyes, &["0755 0:0 /", &format!("{mode} 100:100 {path}")], WRITE | ENTER)
        };
        assert_eq!(folder("/srv/x", "0755"), "ProtectSystem=strict");
        assert_eq!(folder("/srv/w", "0755"), "none");
        assert_eq!(folder("/srv/w", "0555"), "file /srv/w");
        assert_eq!(folder("/var/lib/lockdown-milter", "0000"), "none");
        assert_eq!(shown(&eyes, &["0755 0:0 /", "0644 0:0 /srv/x"], READ), "none");
    }
}
