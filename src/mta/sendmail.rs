//! The configuration of a Sendmail (sendmail.cf), as far as it says whom it takes mail from and for, and who filters it.
//!
//! The file is what m4(1) makes of sendmail.mc. What matters here stands in single lines; of the rewriting rules only the
//! marks of well-known features are looked for.

use std::path::PathBuf;

use crate::clients::files::problem::Problem;

/// What sendmail.cf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendmailCf {
    /// The version that the macros are of (`Z`): `8.17.1.9`.
    pub version: String,
    /// Options, by their long names, in the order of the file; some occur more than once.
    pub options: Vec<(String, String)>,
    /// Milters (`X`).
    pub filters: Vec<Filter>,
    /// Tables (`K`).
    pub maps: Vec<Map>,
    /// Members of classes (`C`), without the words that stand in files.
    pub classes: Vec<(String, String)>,
    /// Files with members of classes (`F`).
    pub class_files: Vec<(String, PathBuf)>,
    /// Where unknown names of this host go (`DL`, `LUSER_RELAY`); empty where they are unknown.
    pub unknown_users: String,
    /// Features of the rules that pass mail on for others.
    pub relaying: Vec<Relaying>,
}

/// A milter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name.
    pub name: String,
    /// Its settings: `S`, `F` and `T` with their values.
    pub settings: Vec<(String, String)>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its name: `virtuser`, `access`.
    pub name: String,
    /// What kind it is: `hash`, `ldap`, …
    pub kind: String,
    /// The file that makemap(8) makes it from, where it is of such a kind.
    pub file: Option<PathBuf>,
}

/// What passes mail on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaying {
    /// Everything, for everybody (`promiscuous_relay`).
    Everybody,
    /// For whoever says that the mail is from here (`relay_local_from`, `relay_mail_from`).
    Senders,
    /// For every host of this domain (`relay_entire_domain`).
    OwnDomain,
}

impl Relaying {
    /// The feature of the macros.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Everybody => "promiscuous_relay",
            Self::Senders => "relay_local_from",
            Self::OwnDomain => "relay_entire_domain",
        }
    }
}

/// A service, with its settings (`DaemonPortOptions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    settings: Vec<(String, String)>,
}

impl SendmailCf {
    /// Reads the text.
    ///
    /// # Errors
    ///
    /// Where it is none of Sendmail's.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut cf = Self::default();
        let lines = logical_lines(text);
        if !lines.iter().any(|line| line.starts_with('V') || line.starts_with("O ")) {
            return Err(Problem::new("this is no sendmail.cf").hint("name the file that m4 made"));
        }
        for line in &lines {
            cf.line(line);
        }
        // The rules of this feature are what is missing, and their comment is all that there is.
        let has_mark = |mark: &str| text.lines().any(|line| line.starts_with('#') && line.contains(mark));
        let marks = [
            (Relaying::Everybody, "promiscuous_relay.m4"),
            (Relaying::Senders, "relay_local_from.m4"),
            (Relaying::Senders, "relay_mail_from.m4"),
            (Relaying::OwnDomain, "relay_entire_domain.m4"),
        ];
        cf.relaying.extend(marks.into_iter().filter(|(_, mark)| has_mark(mark)).map(|(what, _)| what));
        let denies = lines.iter().any(|line| line.starts_with('R') && line.contains("Relaying denied"));
        if !denies && !cf.relaying.contains(&Relaying::Everybody) {
            cf.relaying.push(Relaying::Everybody);
        }
        Ok(cf)
    }

    fn line(&mut self, line: &str) {
        let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
        match kind {
            "D" if rest.starts_with('Z') => rest[1..].trim().clone_into(&mut self.version),
            "D" if rest.starts_with('L') => rest[1..].trim().clone_into(&mut self.unknown_users),
            "O" => {
                if let Some((name, value)) = rest.trim().split_once('=') {
                    self.options.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
            "X" => {
                let (name, settings) = rest.split_once(',').unwrap_or((rest, ""));
                self.filters.push(Filter { name: name.trim().to_owned(), settings: pairs(settings, ',') });
            }
            "K" => self.maps.extend(map(rest)),
            "C" => {
                if let Some((class, members)) = class(rest) {
                    let members = members.split_whitespace();
                    self.classes.extend(members.map(|member| (class.to_owned(), member.to_owned())));
                }
            }
            "F" => {
                if let Some((class, file)) = class(rest) {
                    let file = file.trim().trim_start_matches("-o").trim();
                    if file.starts_with('/') {
                        self.class_files.push((class.to_owned(), file.into()));
                    }
                }
            }
            _ => {}
        }
    }

    /// The last value of an option; empty where it is not set.
    pub fn option(&self, name: &str) -> &str {
        let found = self.options.iter().rfind(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The services; one where nothing is said of any.
    pub fn daemons(&self) -> Vec<Daemon> {
        let named = self.options.iter().filter(|(name, _)| name.eq_ignore_ascii_case("DaemonPortOptions"));
        let daemons: Vec<Daemon> = named.map(|(_, value)| Daemon { settings: pairs(value, ',') }).collect();
        if daemons.is_empty() { vec![Daemon { settings: Vec::new() }] } else { daemons }
    }

    /// The members of a class that stand in the file itself.
    pub fn members<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a str> {
        self.classes.iter().filter(move |(name, _)| name == class).map(|(_, member)| member.as_str())
    }

    /// A table by its name.
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|map| map.name == name)
    }
}

impl Filter {
    /// A setting: `S`, `F` or `T`; empty where it is not made.
    pub fn setting(&self, name: &str) -> &str {
        value(&self.settings, name)
    }

    /// One of the times (`T=C:10s;S:10s;R:30s;E:5m`), in seconds; none where it is not said.
    pub fn time(&self, of: &str) -> Option<u64> {
        let times = pairs_by(self.setting("T"), ';', ':');
        let text = times.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(of))?.1;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().ok()?;
        let unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        number.checked_mul(unit)
    }
}

impl Daemon {
    /// Its name; Sendmail calls the first one `Daemon0`.
    pub fn name(&self) -> &str {
        match value(&self.settings, "Name") {
            "" => "Daemon0",
            name => name,
        }
    }

    /// Its port.
    pub fn port(&self) -> &str {
        match value(&self.settings, "Port") {
            "" => "25",
            port => port,
        }
    }

    /// Whether only this host reaches it.
    pub fn is_loopback(&self) -> bool {
        let address = self.setting("Address");
        let address = address.or_else(|| self.setting("Addr")).unwrap_or_default();
        address.starts_with("127.") || address == "::1" || address == "localhost"
    }

    /// Its modifiers: `a` takes a login, `E` refuses ETRN, …
    pub fn modifiers(&self) -> &str {
        self.setting("Modifiers").or_else(|| self.setting("M")).unwrap_or_default()
    }

    /// The milters of this service; none where they are those of all.
    pub fn filters(&self) -> Option<Vec<&str>> {
        let named = self.setting("InputMailFilters")?;
        Some(named.split(';').map(str::trim).filter(|name| !name.is_empty()).collect())
    }

    /// Its settings in one line, its name first; with the modifier `a`, which takes a login, if that is wanted.
    pub fn written(&self, takes_login: bool) -> String {
        let modifiers = match self.modifiers() {
            modifiers if takes_login && !modifiers.contains('a') => format!("{modifiers}a"),
            modifiers => modifiers.to_owned(),
        };
        let others =
            self.settings.iter().filter(|(name, _)| !["Name", "M", "Modifiers"].contains(&name.as_str()));
        let others = others.map(|(name, value)| format!(", {name}={value}"));
        let modifiers = if modifiers.is_empty() { String::new() } else { format!(", M={modifiers}") };
        format!("Name={}{}{modifiers}", self.name(), others.collect::<String>())
    }

    fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Lines with those that continue them; comments left out.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// `name=value` between separators.
fn pairs(text: &str, between: char) -> Vec<(String, String)> {
    pairs_by(text, between, '=')
}

fn pairs_by(text: &str, between: char, sign: char) -> Vec<(String, String)> {
    let parts = text.split(between).filter_map(|part| part.split_once(sign));
    parts.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

/// `{VirtHost}rest` or `wrest`.
fn class(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('{') {
        Some(text) => text.split_once('}'),
        None => text.split_at_checked(1),
    }
}

/// `virtuser hash -o /etc/mail/virtusertable`.
fn map(text: &str) -> Option<Map> {
    let mut words = text.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    let made = ["hash", "btree", "dbm", "cdb", "text"].contains(&kind);
    let file = words.rfind(|word| word.starts_with('/')).filter(|_| made);
    Some(Map { name: name.to_owned(), kind: kind.to_owned(), file: file.map(PathBuf::from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# comment
#####  $Id: relay_entire_domain.m4,v 8.11 $  #####
V10/Berkeley
Cwlocalhost mx.example.org
C{VirtHost}example.org
Fw-o /etc/mail/local-host-names
Kvirtuser hash -o /etc/mail/virtusertable
Kdequote dequote
DZ8.17.1.9
O PrivacyOptions=goaway,
	restrictqrun
O DaemonPortOptions=Name=MTA
O DaemonPortOptions=Port=587, Name=MSA, M=Ea, InputMailFilters=one;two
O InputMailFilters=one
R$*	$#error $: \"550 Relaying denied\"
Xone, S=inet:8891@127.0.0.1, F=T, T=S:10s;R:1m
";

    #[test]
    fn what_the_file_says() {
        let cf = SendmailCf::parse(TEXT).unwrap();
        assert_eq!(cf.version, "8.17.1.9");
        assert_eq!(cf.option("privacyoptions"), "goaway, restrictqrun");
        assert_eq!(cf.members("w").collect::<Vec<_>>(), ["localhost", "mx.example.org"]);
        assert_eq!(cf.members("VirtHost").collect::<Vec<_>>(), ["example.org"]);
        assert_eq!(cf.class_files, [("w".to_owned(), "/etc/mail/local-host-names".into())]);
        assert_eq!(cf.map("virtuser").unwrap().file, Some("/etc/mail/virtusertable".into()));
        assert_eq!(cf.map("dequote").unwrap().file, None);
        assert_eq!(cf.relaying, [Relaying::OwnDomain]);
        let daemons = cf.daemons();
        let shown: Vec<_> =
            daemons.iter().map(|one| (one.name(), one.port(), one.modifiers(), one.filters())).collect();
        assert_eq!(shown, [("MTA", "25", "", None), ("MSA", "587", "Ea", Some(vec!["one", "two"]))]);
        let filter = &cf.filters[0];
        assert_eq!((filter.setting("S"), filter.setting("F")), ("inet:8891@127.0.0.1", "T"));
        assert_eq!((filter.time("R"), filter.time("S"), filter.time("E")), (Some(60), Some(10), None));
    }

    #[test]
    fn who_relays_for_all_denies_nothing() {
        let cf = SendmailCf::parse("V10/Berkeley\nO X=y\n").unwrap();
        assert_eq!(cf.relaying, [Relaying::Everybody]);
        assert!(SendmailCf::parse("listen: [x]\n").is_err());
        for line in ["X", "K", "C", "F", "D", "O", "C{", "F{x}", "Dé", "Xé,é=é"] {
            SendmailCf::parse(&format!("V10\n{line}\n")).unwrap();
        }
    }
}
