//! Files of grants: `login: address, @domain or *, …`.
//!
//! One login a line; a line that begins with white space continues the one before it, and a login may have several
//! lines. `#` at the beginning of a line or after white space begins a comment. A login ends at the first `:`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use unicode_normalization::UnicodeNormalization as _;

use crate::facts::GrantQuestion;
use crate::lookup::pairs::{Builder, Pairs};
use crate::lookup::problem::{Problem, quoted};
use crate::mail::domain::DomainError;
use crate::mail::{Domain, Mailbox};

/// How many problems of one file are reported.
const MOST_PROBLEMS: usize = 20;

/// Separates grants in memory. It is a control, so it is part of none.
const BETWEEN: char = '\t';

/// Who may send as what.
#[derive(Debug)]
pub struct Grants(Pairs);

/// A grant that answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The grant as the file has it, its domain as A-labels.
    pub grant: String,
    /// The line where its login is named.
    pub line: usize,
}

impl Grants {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// The first 20 problems, with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = str::from_utf8(bytes).map_err(|error| vec![not_utf8(bytes, error.valid_up_to())])?;
        let mut reader = Reader {
            pairs: Pairs::builder(),
            problems: Vec::new(),
            domains: HashMap::new(),
            canonical: String::new(),
        };
        let mut login = None;
        for (number, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            reader.line(&mut login, number + 1, line);
            if reader.problems.len() >= MOST_PROBLEMS {
                break;
            }
        }
        if reader.problems.is_empty() { Ok(Self(reader.pairs.finish())) } else { Err(reader.problems) }
    }

    /// The first grant that answers a question with yes.
    ///
    /// A login that the file has in exactly this spelling has the grants of this spelling. Otherwise ASCII case does
    /// not count, unless the file has several spellings: then it tells logins apart, and this one is unknown.
    pub fn find(&self, question: &GrantQuestion) -> Option<Found> {
        let login = question.login.0.as_str();
        let wanted = Wanted::new(question);
        let is_known = self.0.find(login).any(|pair| pair.key == login);
        let only = self.0.find(login).next()?.key;
        if !is_known && self.0.find(login).any(|pair| pair.key != only) {
            return None;
        }
        let spelling = if is_known { login } else { only };
        let lines = self.0.find(login).filter(|pair| pair.key == spelling);
        let mut grants =
            lines.flat_map(|pair| pair.value.split(BETWEEN).map(move |grant| (grant, pair.line)));
        let (grant, line) = grants.find(|(grant, _)| wanted.is_granted_by(grant))?;
        Some(Found { grant: grant.to_owned(), line })
    }

    /// How many lines name a login.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is granted to anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A claim in the spelling of grants.
struct Wanted<'a> {
    mailbox: String,
    domain: &'a str,
    subdomains: bool,
}

impl<'a> Wanted<'a> {
    fn new(question: &'a GrantQuestion) -> Self {
        let domain = question.mailbox.domain().as_str();
        Self { mailbox: question.mailbox.to_string(), domain, subdomains: question.subdomains }
    }

    fn is_granted_by(&self, grant: &str) -> bool {
        let Some(domain) = grant.strip_prefix('@') else {
            return grant == "*" || grant == self.mailbox;
        };
        let below = || self.domain.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
        domain == self.domain || (self.subdomains && below())
    }
}

/// Reads line after line.
struct Reader<'a> {
    pairs: Builder,
    problems: Vec<Problem>,
    /// The domains as written; few files have many.
    domains: HashMap<&'a str, Domain>,
    /// The grants of a line; kept to be used again.
    canonical: String,
}

impl<'a> Reader<'a> {
    fn line(&mut self, login: &mut Option<&'a str>, number: usize, line: &'a str) {
        let content = without_comment(line).trim_end();
        if content.trim_start().is_empty() {
            return;
        }
        let is_continuation = content.starts_with(char::is_whitespace);
        let grants = if is_continuation {
            content
        } else {
            let Some((name, grants)) = content.split_once(':') else {
                *login = None;
                let problem = Problem::new(format!("there is no ‘:’ after the login {}", quoted(content)));
                return self.problem(problem.at(number, Some(1)).hint("write `login: address, address`"));
            };
            *login = Some(name.trim_end());
            grants
        };
        let Some(login) = *login else {
            // The line that it continues has been reported, if there is one.
            if self.problems.is_empty() {
                let problem = Problem::new("this line continues none, as it begins with white space");
                self.problem(problem.at(number, Some(1)).hint("begin it with a login and ‘:’"));
            }
            return;
        };
        if login.is_empty() || login.contains(char::is_control) {
            let problem = Problem::new(format!("{} is no login", quoted(login)));
            return self.problem(problem.at(number, Some(1)));
        }
        let mut canonical = std::mem::take(&mut self.canonical);
        canonical.clear();
        for word in words(grants) {
            if let Err(problem) = self.grant(word, &mut canonical) {
                let column = line[..offset(line, word)].chars().count() + 1;
                self.problem(problem.at(number, Some(column)));
            }
        }
        if let Err(problem) = self.pairs.push(login, &canonical, number) {
            self.problem(problem);
        }
        self.canonical = canonical;
    }

    /// Adds one grant in canonical form; a mailbox also in lower case, which is how most claims come.
    fn grant(&mut self, word: &'a str, canonical: &mut String) -> Result<(), Problem> {
        let mut add = |parts: &[&str]| {
            if !canonical.is_empty() {
                canonical.push(BETWEEN);
            }
            for part in parts {
                canonical.push_str(part);
            }
        };
        if word == "*" {
            add(&[word]);
            return Ok(());
        }
        let (local_part, domain) = word.rsplit_once('@').ok_or_else(|| {
            Problem::new(format!("{} is no grant", quoted(word))).hint("write an address, @domain or *")
        })?;
        let domain = self.domain(domain)?;
        if local_part.is_empty() {
            add(&["@", domain.as_str()]);
            return Ok(());
        }
        if local_part == "*" {
            return Err(Problem::new(format!("{} is no grant", quoted(word)))
                .hint(format!("write @{domain} for the whole domain")));
        }
        // Most are lower-case dot-atoms, which are canonical as they stand.
        if local_part
            .bytes()
            .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'.')
        {
            add(&[local_part, "@", domain.as_str()]);
            return Ok(());
        }
        let problem = |error| Problem::new(format!("{} is no address: {error}", quoted(word)));
        let mailbox: Mailbox = word.parse().map_err(problem)?;
        let composed: String = mailbox.local_part().nfc().collect();
        let lower: String = composed.to_lowercase().nfc().collect();
        if lower != composed {
            add(&[&Mailbox::new(composed, domain.clone()).to_string()]);
        }
        add(&[&Mailbox::new(lower, domain.clone()).to_string()]);
        Ok(())
    }

    fn domain(&mut self, text: &'a str) -> Result<&Domain, Problem> {
        match self.domains.entry(text) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let domain = text.parse().map_err(|error: DomainError| Problem::new(error.to_string()))?;
                Ok(new.insert(domain))
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Where in a line a part of it begins, in octets.
fn offset(line: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize)
}

/// The line up to a `#` at its beginning or after white space, outside of a quoted local-part.
fn without_comment(line: &str) -> &str {
    if !line.contains('#') {
        return line;
    }
    let (mut quotes, mut after_space) = (Quotes::default(), true);
    for (at, c) in line.char_indices() {
        if c == '#' && after_space && !quotes.is_open() {
            return &line[..at];
        }
        quotes.take(c);
        after_space = c.is_whitespace();
    }
    line
}

/// The grants of a line: what stands between commas and white space, outside of quotes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut quotes = Quotes::default();
    text.split(move |c: char| {
        quotes.take(c);
        !quotes.is_open() && (c == ',' || c.is_whitespace())
    })
    .filter(|word| !word.is_empty())
}

/// Whether a place is inside of a quoted-string.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn take(&mut self, c: char) {
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' if self.open => self.escaped = true,
            '"' => self.open = !self.open,
            _ => {}
        }
    }

    fn is_open(&self) -> bool {
        self.open
    }
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> Problem {
    let before = String::from_utf8_lossy(&bytes[..valid_up_to]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem::new("it is not UTF-8").at(line, Some(column)).hint("save it as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Login;

    const FILE: &str = "\
# who may send as what
alice: alice.a@example.org, @sales.example   # two
  \"the boss\"@example.org
bob : *
Carol: carol@Example.NET, Ceo@example.org
\tcfo@example.org

  # a comment between
  board@example.org
alice: late@example.org
Dave: a@example.org
DAVE: b@example.org
DOMAIN\\eve@x: @b\u{fc}cher.example
frank:
\u{e9}l\u{e9}onore: e\u{301}l\u{e9}onore@example.org
";

    fn question(login: &str, mailbox: &str, subdomains: bool) -> GrantQuestion {
        GrantQuestion { login: Login(login.to_owned()), mailbox: mailbox.parse().unwrap(), subdomains }
    }

    #[track_caller]
    fn check(login: &str, mailbox: &str, expected: Option<(&str, usize)>) {
        let grants = Grants::parse(FILE.as_bytes()).unwrap();
        let found = grants.find(&question(login, mailbox, false));
        let found = found.as_ref().map(|found| (found.grant.as_str(), found.line));
        assert_eq!(found, expected, "{login} as {mailbox}");
    }

    #[test]
    fn grants_of_every_form() {
        check("alice", "alice.a@example.org", Some(("alice.a@example.org", 2)));
        check("alice", "anybody@sales.example", Some(("@sales.example", 2)));
        check("alice", "\"the boss\"@example.org", Some(("\"the boss\"@example.org", 3)));
        check("alice", "late@example.org", Some(("late@example.org", 10)));
        check("alice", "bob@example.org", None);
        check("alice", "a@x.sales.example", None);
        check("bob", "anybody@anywhere.example", Some(("*", 4)));
        check("Carol", "board@example.org", Some(("board@example.org", 9)));
        check("DOMAIN\\eve@x", "a@xn--bcher-kva.example", Some(("@xn--bcher-kva.example", 13)));
        check("frank", "frank@example.org", None);
        check("nobody", "a@example.org", None);
        check("", "a@example.org", None);
        check(
            "\u{e9}l\u{e9}onore",
            "\u{e9}l\u{e9}onore@example.org",
            Some(("\u{e9}l\u{e9}onore@example.org", 15)),
        );
    }

    #[test]
    fn a_login_in_another_case() {
        check("ALICE", "alice.a@example.org", Some(("alice.a@example.org", 2)));
        check("carol", "cfo@example.org", Some(("cfo@example.org", 6)));
        // Where the file tells spellings apart, so do we.
        check("Dave", "a@example.org", Some(("a@example.org", 11)));
        check("Dave", "b@example.org", None);
        check("DAVE", "b@example.org", Some(("b@example.org", 12)));
        check("dave", "a@example.org", None);
        check("\u{c9}l\u{e9}onore", "\u{e9}l\u{e9}onore@example.org", None);
    }

    #[test]
    fn case_of_addresses() {
        // Claims come in lower case, or as they are where case matters.
        check("Carol", "ceo@example.org", Some(("ceo@example.org", 5)));
        check("Carol", "Ceo@example.org", Some(("Ceo@example.org", 5)));
        check("Carol", "CEO@example.org", None);
    }

    #[test]
    fn subdomains() {
        let grants = Grants::parse(b"alice: @example.org").unwrap();
        let is_granted = |mailbox, subdomains| grants.find(&question("alice", mailbox, subdomains)).is_some();
        assert!(is_granted("a@b.example.org", true));
        assert!(!is_granted("a@b.example.org", false));
        assert!(!is_granted("a@bexample.org", true));
        assert!(!is_granted("a@org", true));
    }

    #[track_caller]
    fn check_wrong(file: &[u8], expected: &[&str]) {
        let problems = Grants::parse(file).unwrap_err();
        let shown: Vec<String> =
            problems.into_iter().map(|one| one.in_file(std::path::Path::new("f")).to_string()).collect();
        assert_eq!(shown, expected, "{}", String::from_utf8_lossy(file));
    }

    #[test]
    fn what_is_wrong_and_where() {
        check_wrong(
            b"alice a@example.org",
            &["f:1:1: there is no \u{2018}:\u{2019} after the login \u{2018}alice a@example.org\u{2019}; \
             write `login: address, address`"],
        );
        check_wrong(
            b"a: b@example.org,  info\n b@[192.0.2.1]",
            &[
                "f:1:20: \u{2018}info\u{2019} is no grant; write an address, @domain or *",
                "f:2:2: \u{2018}[192.0.2.1]\u{2019} is an address literal, not a domain",
            ],
        );
        check_wrong(
            b"a: *@example.org",
            &["f:1:4: \u{2018}*@example.org\u{2019} is no grant; write @example.org for the whole domain"],
        );
        check_wrong(
            b"  b@example.org",
            &[
                "f:1:1: this line continues none, as it begins with white space; begin it with a login and \u{2018}:\u{2019}",
            ],
        );
        check_wrong(b": b@example.org", &["f:1:1: \u{2018}\u{2019} is no login"]);
        check_wrong(b"a\0b: b@example.org", &["f:1:1: \u{2018}a\\u{0}b\u{2019} is no login"]);
        check_wrong(
            "\u{e9}: \"x@example.org".as_bytes(),
            &[
                "f:1:4: \u{2018}\"x@example.org\u{2019} is no address: the quotes in \u{2018}\"x@example.org\u{2019} do not match",
            ],
        );
        check_wrong(b"a: b@example.org\n\xc3\xa9\xff", &["f:2:2: it is not UTF-8; save it as UTF-8"]);
        assert_eq!(Grants::parse("x\n".repeat(100).as_bytes()).unwrap_err().len(), 20);
    }
}
