//! The service as systemd would start it: as whom, and what it hides from it (systemd.exec(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::access::{Hidden, Sandbox};

/// Where systemd looks for units; of a name in several of them, the first counts.
pub(super) const DIRS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The service.
pub(super) const NAME: &str = "lockdown-milter.service";

/// Settings of the unit that count here; each with all its values, as later files add to earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// The file of the unit itself.
    pub(super) file: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

/// Finds the unit and its drop-ins.
pub(super) fn find(dirs: &[PathBuf]) -> Option<Unit> {
    let file = dirs.iter().map(|dir| dir.join(NAME)).find(|file| file.exists())?;
    // A unit that is a link to /dev/null is masked.
    let text = fs::read_to_string(&file).ok().filter(|text| !text.is_empty())?;
    let mut unit = Unit { file, values: BTreeMap::new() };
    unit.read(&text);
    for file in drop_ins(dirs) {
        if let Ok(text) = fs::read_to_string(file) {
            unit.read(&text);
        }
    }
    Some(unit)
}

/// Drop-ins in the order of their names; of several with one name, the first folder's counts.
fn drop_ins(dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut all: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    // What is for the unit alone counts before what is for all services (systemd.unit(5)).
    for folder in [&format!("{NAME}.d"), "lockdown-.service.d", "service.d"] {
        for dir in dirs {
            let entries = fs::read_dir(dir.join(folder)).into_iter().flatten().filter_map(io::Result::ok);
            for entry in entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "conf")) {
                all.entry(entry.file_name()).or_insert_with(|| entry.path());
            }
        }
    }
    all.into_values().collect()
}

impl Unit {
    /// Adds what a file says. An empty value takes back what was said before.
    fn read(&mut self, text: &str) {
        let mut is_service = false;
        // A line goes on behind a backslash; comments in between do not end it.
        let mut open = String::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(start) = line.strip_suffix('\\') {
                open += start;
                open.push(' ');
                continue;
            }
            let line = std::mem::take(&mut open) + line;
            if line.starts_with('[') {
                is_service = line == "[Service]";
            } else if let Some((name, value)) = line.split_once('=').filter(|_| is_service) {
                let values = self.values.entry(name.trim().to_owned()).or_default();
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_owned()),
                }
            }
        }
    }

    /// A setting of which the last value counts.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// The words of all values of a setting that adds up.
    pub(super) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flatten().flat_map(|value| value.split_whitespace())
    }

    /// Whether a setting is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.value(name).is_some_and(is_on)
    }

    /// Whether root's power over all files is left to the service, should it run as root.
    pub(super) fn leaves_power(&self) -> bool {
        let power = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"];
        match self.values.get("CapabilityBoundingSet") {
            None => true,
            Some(values) if values.iter().any(|value| value.starts_with('~')) => {
                !values.iter().any(|value| power.iter().any(|one| value.contains(one)))
            }
            Some(values) => values.iter().any(|value| power.iter().any(|one| value.contains(one))),
        }
    }

    /// The configuration that the service runs with, where its command names one.
    pub(super) fn config(&self) -> Option<PathBuf> {
        let command = self.value("ExecStart")?;
        let mut words = command.split_whitespace();
        while let Some(word) = words.next() {
            let found = match word.strip_prefix("--config") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            if let Some(file) = found {
                return Some(PathBuf::from(file.trim_matches(['"', '\''])));
            }
        }
        None
    }

    /// What the service does not see, and what it cannot write to.
    pub(super) fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::default();
        let mut hide = |paths: &[&str], setting: String, shows_binds: bool| {
            let hidden = paths.iter().map(|path| Hidden {
                path: PathBuf::from(path),
                setting: setting.clone(),
                shows_binds,
            });
            sandbox.hidden.extend(hidden);
        };
        let homes = ["/home", "/root", "/run/user"];
        let home = self.value("ProtectHome").unwrap_or("no");
        if is_on(home) || home == "tmpfs" {
            hide(&homes, format!("ProtectHome={home}"), home == "tmpfs");
        }
        // Values other than `yes` and `no` came later, and hide as much.
        let tmp = self.value("PrivateTmp").unwrap_or("no");
        if !["no", "false", "off", "0"].contains(&tmp) {
            hide(&["/tmp", "/var/tmp"], format!("PrivateTmp={tmp}"), true);
        }
        for (name, shows_binds) in [("InaccessiblePaths", false), ("TemporaryFileSystem", true)] {
            for word in self.words(name) {
                let path = path_of(word);
                hide(&[path], format!("{name}={path}"), shows_binds);
            }
        }
        for name in ["BindPaths", "BindReadOnlyPaths"] {
            for word in self.words(name) {
                let mut ends = word.trim_start_matches('-').split(':');
                let source = ends.next().unwrap_or_default();
                let target = ends.next().filter(|target| !target.is_empty()).unwrap_or(source);
                let list = if source == target { &mut sandbox.shown } else { &mut sandbox.replaced };
                list.push(PathBuf::from(target));
                if name == "BindReadOnlyPaths" {
                    sandbox.read_only.push((PathBuf::from(target), format!("{name}={target}")));
                } else {
                    sandbox.writable.push(PathBuf::from(target));
                }
            }
        }
        // Another root altogether: nothing of it can be seen from here.
        if self.value("RootDirectory").or(self.value("RootImage")).is_some() {
            sandbox.replaced.push(PathBuf::from("/"));
        }
        self.keep_from_writing(&mut sandbox, home);
        sandbox
    }

    fn keep_from_writing(&self, sandbox: &mut Sandbox, home: &str) {
        let system = self.value("ProtectSystem").unwrap_or("no");
        let closed: &[&str] = match system {
            "strict" => &["/"],
            "full" => &["/usr", "/boot", "/efi", "/etc"],
            value if is_on(value) => &["/usr", "/boot", "/efi"],
            _ => &[],
        };
        let closed = closed.iter().map(|path| (PathBuf::from(path), format!("ProtectSystem={system}")));
        sandbox.read_only.extend(closed);
        if home == "read-only" {
            let homes = ["/home", "/root", "/run/user"];
            let closed = homes.map(|path| (PathBuf::from(path), format!("ProtectHome={home}")));
            sandbox.read_only.extend(closed);
        }
        for word in self.words("ReadOnlyPaths") {
            let path = path_of(word);
            sandbox.read_only.push((PathBuf::from(path), format!("ReadOnlyPaths={path}")));
        }
        sandbox.writable.extend(self.words("ReadWritePaths").map(|word| PathBuf::from(path_of(word))));
        sandbox.writable.extend(["/dev", "/proc", "/sys", "/tmp", "/var/tmp"].map(PathBuf::from));
        let kept = [
            ("StateDirectory", "/var/lib"),
            ("RuntimeDirectory", "/run"),
            ("CacheDirectory", "/var/cache"),
            ("LogsDirectory", "/var/log"),
        ];
        for (name, around) in kept {
            // A name may have a link behind it.
            let names = self.words(name).map(|word| word.split(':').next().unwrap_or_default());
            sandbox.given.extend(names.map(|name| Path::new(around).join(name)));
        }
    }

    /// The groups that the service has beside that of its user.
    pub(super) fn groups(&self) -> BTreeSet<String> {
        self.words("SupplementaryGroups").map(str::to_owned).collect()
    }
}

/// A path of a list, without the signs that may stand before it and the options behind it.
fn path_of(word: &str) -> &str {
    word.trim_start_matches(['-', '+']).split(':').next().unwrap_or_default()
}

/// The words for yes (systemd.syntax(7)).
fn is_on(value: &str) -> bool {
    ["yes", "true", "on", "1", "y", "t"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        let mut unit = Unit::default();
        unit.read(text);
        unit
    }

    #[test]
    fn units_with_drop_ins() {
        let dir = tempfile::TempDir::new().unwrap();
        let dirs: Vec<PathBuf> = ["etc", "lib"].map(|name| dir.path().join(name)).into();
        assert_eq!(find(&dirs), None);
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "lib/lockdown-milter.service",
            "[Unit]\nUser=nobody\n[Service]\nUser=a\nProtectHome=yes\nSupplementaryGroups=x\n",
        );
        write("lib/lockdown-milter.service.d/50-b.conf", "[Service]\nUser=b\n");
        write(
            "etc/lockdown-milter.service.d/60-c.conf",
            "[Service]\nProtectHome=\nSupplementaryGroups=y z\n",
        );
        write("etc/lockdown-milter.service.d/README", "[Service]\nUser=c\n");
        write("lib/service.d/10-all.conf", "[Service]\nGroup=g\n");
        let found = find(&dirs).unwrap();
        assert_eq!((found.value("User"), found.value("ProtectHome")), (Some("b"), None));
        assert_eq!(found.groups(), BTreeSet::from(["x", "y", "z"].map(str::to_owned)));
        assert_eq!(found.value("Group"), Some("g"));
        // A drop-in with the name of another one takes its place.
        write("etc/lockdown-milter.service.d/50-b.conf", "[Service]\nUser=d\n");
        assert_eq!(find(&dirs).unwrap().value("User"), Some("d"));
        write("etc/lockdown-milter.service", "");
        assert_eq!(find(&dirs), None, "it is masked");
    }

    #[test]
    fn lines_of_a_unit() {
        let unit = unit(
            "[Service]\n# User=x\nExecStart=/usr/sbin/lockdown-milter run \\\n# between\n  --config=/srv/c.yaml\nUser = a \n[Install]\nUser=b\n",
        );
        assert_eq!(unit.value("User"), Some("a"));
        assert_eq!(unit.config(), Some(PathBuf::from("/srv/c.yaml")));
    }

    #[test]
    fn what_the_shipped_unit_hides() {
        let shipped = unit(include_str!("../../../systemd/lockdown-milter.service"));
        let sandbox = shipped.sandbox();
        let hidden: Vec<_> =
            sandbox.hidden.iter().map(|one| (one.path.to_str().unwrap(), one.setting.as_str())).collect();
        assert_eq!(
            hidden,
            [
                ("/home", "ProtectHome=yes"),
                ("/root", "ProtectHome=yes"),
                ("/run/user", "ProtectHome=yes"),
                ("/tmp", "PrivateTmp=yes"),
                ("/var/tmp", "PrivateTmp=yes"),
            ]
        );
        assert_eq!(sandbox.read_only, [(PathBuf::from("/"), "ProtectSystem=strict".to_owned())]);
        assert!(sandbox.given.contains(&PathBuf::from("/var/lib/lockdown-milter")));
        assert_eq!(shipped.value("User"), Some("lockdown-milter"));
        assert_eq!(shipped.config(), None);
        assert!(!shipped.leaves_power());
    }

    #[test]
    fn what_a_drop_in_shows_again() {
        let sandbox = unit(
            "[Service]\nProtectHome=yes\nProtectHome=tmpfs\nBindReadOnlyPaths=/home/a/mail -/srv/x:/srv/y:rbind\nInaccessiblePaths=-/opt\nTemporaryFileSystem=/var:ro\n",
        )
        .sandbox();
        assert_eq!(sandbox.shown, [PathBuf::from("/home/a/mail")]);
        assert_eq!(sandbox.replaced, [PathBuf::from("/srv/y")]);
        let hidden: Vec<_> =
            sandbox.hidden.iter().map(|one| (one.path.to_str().unwrap(), one.shows_binds)).collect();
        assert_eq!(
            hidden,
            [("/home", true), ("/root", true), ("/run/user", true), ("/opt", false), ("/var", true)]
        );
    }

    #[test]
    fn root_without_its_power() {
        for (line, expected) in [
            ("", true),
            ("CapabilityBoundingSet=", false),
            ("CapabilityBoundingSet=CAP_NET_ADMIN", false),
            ("CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN", true),
            ("CapabilityBoundingSet=~CAP_SYS_ADMIN", true),
        ] {
            assert_eq!(unit(&format!("[Service]\n{line}\n")).leaves_power(), expected, "{line}");
        }
    }
}
