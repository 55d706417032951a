//! The services of a Postfix instance (master.cf), as its own postconf(1) says them.

use std::path::{Path, PathBuf};

use super::main_cf::{MainCf, postconf};
use crate::clients::files::problem::Problem;

/// The services, in the order of their file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterCf {
    /// The services.
    pub services: Vec<Service>,
    /// Where they are from.
    pub file: PathBuf,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name: `smtp`, `127.0.0.1:10025`.
    pub name: String,
    /// How it is reached: `inet`, `unix`, `pass`, …
    pub kind: String,
    /// Whether it sees the files below the queue directory only.
    pub chroot: bool,
    /// The program, with its arguments.
    pub command: String,
    /// The parameters that `-o` sets, with `$name` expanded.
    pub overrides: Vec<(String, String)>,
}

impl MasterCf {
    /// Asks for the services of the instance in `config_dir`, or of the machine's default.
    ///
    /// # Errors
    ///
    /// Where postconf(1) cannot be run, fails, or takes longer than 10 s.
    pub fn read(config_dir: Option<&Path>) -> Result<Self, Problem> {
        let services = postconf(config_dir, &["-M"])?;
        let overrides = postconf(config_dir, &["-P", "-x"])?;
        let file = config_dir.unwrap_or(Path::new("/etc/postfix")).join("master.cf");
        Ok(Self { services: parse(&services, &overrides), file })
    }
}

impl Service {
    /// `name/kind`, as postconf(1) names it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    /// The program without its arguments.
    pub fn program(&self) -> &str {
        self.command.split_whitespace().next().unwrap_or_default()
    }

    /// The value that a parameter is overridden with here.
    pub fn overridden(&self, name: &str) -> Option<&str> {
        self.overrides.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is in force here.
    pub fn value<'a>(&'a self, main_cf: &'a MainCf, name: &str) -> &'a str {
        self.overridden(name).unwrap_or(main_cf.value(name))
    }

    /// The host that the service listens on, where its name says one, and its port or the name of that.
    pub fn endpoint(&self) -> (Option<&str>, &str) {
        match self.name.rsplit_once(':') {
            Some((host, port)) => (Some(host.trim_matches(['[', ']'])), port),
            None => (None, &self.name),
        }
    }
}

/// Reads what `-M` and `-P` say. In the former, each service is a line of seven fields and a command.
pub(super) fn parse(services: &str, overrides: &str) -> Vec<Service> {
    let mut services: Vec<Service> = services.lines().filter_map(service).collect();
    for line in overrides.lines() {
        let Some((path, value)) = line.split_once(" =") else { continue };
        // Names of services may have slashes in them, so the service is found by what the path begins with.
        let of = |service: &Service| {
            path.strip_prefix(&service.label()).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned)
        };
        if let Some((name, service)) = services.iter_mut().find_map(|one| Some((of(one)?, one))) {
            service.overrides.push((name, value.trim().to_owned()));
        }
    }
    services
}

fn service(line: &str) -> Option<Service> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.trim_start().split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(field)
    };
    let (name, kind) = (field()?, field()?);
    let (_private, _unprivileged) = (field()?, field()?);
    // Since Postfix 3.0 `-` is no chroot.
    let chroot = field()? == "y";
    let (_wakeup, _most) = (field()?, field()?);
    Some(Service {
        name: name.to_owned(),
        kind: kind.to_owned(),
        chroot,
        command: rest.to_owned(),
        overrides: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_what_they_override() {
        let services = parse(
            "smtp       inet  n       -       y       -       -       smtpd\n\
             [::1]:10025 inet n   -       n       -       -       smtpd -o smtpd_milters=\n\
             private/x unix - - - - - smtpd -o {smtpd_milters={ inet:1:2, default_action=accept }}\n",
            "[::1]:10025/inet/smtpd_milters =\n\
             private/x/unix/smtpd_milters = { inet:1:2, default_action=accept }\n\
             nowhere/inet/x = y\n",
        );
        let shown: Vec<_> = services
            .iter()
            .map(|one| (one.label(), one.chroot, one.program(), one.overrides.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("smtp/inet".to_owned(), true, "smtpd", 0),
                ("[::1]:10025/inet".to_owned(), false, "smtpd", 1),
                ("private/x/unix".to_owned(), false, "smtpd", 1),
            ]
        );
        assert_eq!(services[1].endpoint(), (Some("::1"), "10025"));
        assert_eq!(services[0].endpoint(), (None, "smtp"));
        let main_cf = MainCf::of(Path::new("/x"), &[("smtpd_milters", "inet:a:1")]);
        let in_force: Vec<_> = services.iter().map(|one| one.value(&main_cf, "smtpd_milters")).collect();
        assert_eq!(in_force, ["inet:a:1", "", "{ inet:1:2, default_action=accept }"]);
    }
}
