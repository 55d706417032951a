//! Reading files of grants into canonical form.

use super::BETWEEN;
use crate::clients::files::lines::{Domains, MOST_PROBLEMS, Quotes, offset, utf8, without_comment};
use crate::clients::files::pairs::{Builder, Pairs};
use crate::clients::files::problem::{Problem, quoted};
use crate::mail::{Domain, Mailbox, local_part};
use crate::session::Account;

/// Reads a file: by login its grants.
pub(super) fn read(bytes: &[u8], login_domain: Option<&Domain>) -> Result<Pairs, Vec<Problem>> {
    let text = utf8(bytes).map_err(|problem| vec![problem])?;
    let mut reader = Reader::new(login_domain);
    let mut login = None;
    for (number, line) in text.lines().enumerate() {
        reader.line(&mut login, number + 1, line);
        if reader.problems.len() >= MOST_PROBLEMS {
            break;
        }
    }
    if reader.problems.is_empty() { Ok(reader.pairs.finish()) } else { Err(reader.problems) }
}

/// The grants in a text, as a line of a file has them after its login; what is none is left out.
#[cfg(feature = "ldap")]
pub(super) fn grants_in(text: &str) -> String {
    let (mut domains, mut canonical) = (Domains::default(), String::new());
    for word in words(text) {
        // What is no grant adds nothing.
        let _ = add_grant(&mut domains, word, &mut canonical);
    }
    canonical
}

/// The only address in a text, if it has nothing else.
#[cfg(feature = "ldap")]
pub(super) fn address_in(text: &str) -> Option<String> {
    let mut words = words(text);
    let word = words.next().filter(|_| words.next().is_none())?;
    let is_address = word.rsplit_once('@').is_some_and(|(local_part, _)| !["", "*"].contains(&local_part));
    let mut canonical = String::new();
    (is_address && add_grant(&mut Domains::default(), word, &mut canonical).is_ok()).then_some(canonical)
}

/// The same, where what is none is a problem.
pub(super) fn only_grants_in(text: &str) -> Result<String, Problem> {
    let (mut domains, mut canonical) = (Domains::default(), String::new());
    for word in words(text) {
        add_grant(&mut domains, word, &mut canonical)?;
    }
    Ok(canonical)
}

/// Reads line after line.
struct Reader<'a> {
    pairs: Builder,
    problems: Vec<Problem>,
    domains: Domains<'a>,
    login_domain: Option<&'a Domain>,
    /// The grants of a line; kept to be used again.
    canonical: String,
}

impl<'a> Reader<'a> {
    fn new(login_domain: Option<&'a Domain>) -> Self {
        Self {
            pairs: Pairs::builder(),
            problems: Vec::new(),
            domains: Domains::default(),
            login_domain,
            canonical: String::new(),
        }
    }

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
        let account = Account::parse(login).filter(|_| !login.contains(char::is_control));
        let Some(account) = account else {
            let problem = Problem::new(format!("{} is no login", quoted(login)));
            return self.problem(problem.at(number, Some(1)));
        };
        let mut canonical = std::mem::take(&mut self.canonical);
        canonical.clear();
        for word in words(grants) {
            if let Err(problem) = add_grant(&mut self.domains, word, &mut canonical) {
                let column = line[..offset(line, word)].chars().count() + 1;
                self.problem(problem.at(number, Some(column)));
            }
        }
        if let Err(problem) = self.pairs.push(&account.key(self.login_domain), &canonical, number) {
            self.problem(problem);
        }
        self.canonical = canonical;
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Adds one grant in canonical form; a mailbox also in lower case, which is how most claims come.
fn add_grant<'a>(domains: &mut Domains<'a>, word: &'a str, canonical: &mut String) -> Result<(), Problem> {
    let mut add = |parts: &[&str]| {
        if !canonical.is_empty() {
            canonical.push(BETWEEN);
        }
        canonical.extend(parts.iter().copied());
    };
    if word == "*" {
        add(&[word]);
        return Ok(());
    }
    let (local_part, domain) = word.rsplit_once('@').ok_or_else(|| {
        Problem::new(format!("{} is no grant", quoted(word))).hint("write an address, @domain or *")
    })?;
    let domain = domains.parse(domain)?;
    if local_part.is_empty() {
        add(&["@", domain.as_str()]);
        return Ok(());
    }
    if local_part == "*" {
        return Err(Problem::new(format!("{} is no grant", quoted(word)))
            .hint(format!("write @{domain} for the whole domain")));
    }
    // Most are lower-case dot-atoms, which are canonical as they stand.
    if local_part.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'.') {
        add(&[local_part, "@", domain.as_str()]);
        return Ok(());
    }
    let problem = |error| Problem::new(format!("{} is no address: {error}", quoted(word)));
    let mailbox: Mailbox = word.parse().map_err(problem)?;
    let of_case = |case_sensitive| local_part::canonical(mailbox.local_part(), case_sensitive);
    let (composed, lower) = (of_case(true), of_case(false));
    if lower != composed {
        add(&[&Mailbox::new(composed, domain.clone()).to_string()]);
    }
    add(&[&Mailbox::new(lower, domain.clone()).to_string()]);
    Ok(())
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
