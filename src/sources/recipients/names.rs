//! Mailboxes by the million, and domains of which every name is one.

use unicode_normalization::UnicodeNormalization as _;

use crate::clients::files::lines::{Domains, MOST_PROBLEMS, offset, utf8, without_comment};
use crate::clients::files::pairs::{Builder, Pairs};
use crate::clients::files::problem::{Problem, quoted};
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::{Domain, Mailbox};

/// Mailboxes and `@domain`.
#[derive(Debug)]
pub(super) struct Names(Pairs);

impl Names {
    /// Reads a file: one address or `@domain` a line, `#` begins a comment.
    ///
    /// # Errors
    ///
    /// The first problems of the lines that are neither.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = utf8(bytes).map_err(|problem| vec![problem])?;
        let (mut pairs, mut domains, mut problems) = (Pairs::builder(), Domains::default(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let name = without_comment(line).trim();
            if let Err(problem) = add_line(&mut pairs, &mut domains, name, number + 1) {
                let column = line[..offset(line, name)].chars().count() + 1;
                problems.push(problem.at(number + 1, Some(column)));
                if problems.len() == MOST_PROBLEMS {
                    break;
                }
            }
        }
        if problems.is_empty() { Ok(Self(pairs.finish())) } else { Err(problems) }
    }

    /// The mailboxes of a list; the line of each is its place in it.
    ///
    /// # Errors
    ///
    /// When there are more than fit.
    pub(super) fn of(mailboxes: &[Mailbox]) -> Result<Self, Problem> {
        let mut pairs = Pairs::builder();
        for (at, mailbox) in mailboxes.iter().enumerate() {
            add(&mut pairs, mailbox, at + 1)?;
        }
        Ok(Self(pairs.finish()))
    }

    /// Mailboxes from lines of a file.
    ///
    /// # Errors
    ///
    /// When there are more than fit.
    pub(super) fn at_lines(mailboxes: &[(Mailbox, usize)]) -> Result<Self, Problem> {
        let mut pairs = Pairs::builder();
        for (mailbox, line) in mailboxes {
            add(&mut pairs, mailbox, *line)?;
        }
        Ok(Self(pairs.finish()))
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is known of an address. `shown` describes a line.
    pub(super) fn find(
        &self,
        question: &RecipientQuestion,
        shown: impl Fn(&str, usize) -> String,
    ) -> Existence {
        for form in &question.forms {
            let key = form.to_string();
            let fits = |found: &str| !question.case_sensitive || found == key;
            if let Some(pair) = self.0.find(&key).find(|pair| fits(pair.key)) {
                return Existence::Exists(shown(pair.key, pair.line).into());
            }
        }
        for form in &question.forms {
            if let Some(pair) = self.0.find(&every_name(form.domain())).next() {
                return Existence::Wildcard(shown(pair.key, pair.line).into());
            }
        }
        Existence::Unknown(String::new())
    }
}

/// The entry that knows every name of a domain.
fn every_name(domain: &Domain) -> String {
    format!("@{domain}")
}

fn add_line<'a>(
    pairs: &mut Builder,
    domains: &mut Domains<'a>,
    name: &'a str,
    line: usize,
) -> Result<(), Problem> {
    if name.is_empty() {
        return Ok(());
    }
    let no_address = || Problem::new(format!("{} is no address", quoted(name)));
    let (local_part, domain) =
        name.rsplit_once('@').ok_or_else(|| no_address().hint("write one address a line, or @domain"))?;
    let domain = domains.parse(domain)?;
    if local_part.is_empty() {
        return pairs.push(&every_name(domain), "", line);
    }
    if local_part == "*" {
        return Err(no_address().hint(format!("write @{domain} for every name of the domain")));
    }
    // Most are ASCII dot-atoms, which are canonical as they stand.
    if local_part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet)) {
        return pairs.push(&format!("{local_part}@{domain}"), "", line);
    }
    let mailbox: Mailbox =
        name.parse().map_err(|error| Problem::new(format!("{}: {error}", quoted(name))))?;
    add(pairs, &Mailbox::new(mailbox.local_part(), domain.clone()), line)
}

/// Adds a mailbox as it is written, and in lower case where that is more than a matter of ASCII.
fn add(pairs: &mut Builder, mailbox: &Mailbox, line: usize) -> Result<(), Problem> {
    let composed: String = mailbox.local_part().nfc().collect();
    let lower = composed.to_lowercase().replace('ς', "σ").nfc().collect::<String>();
    if lower != composed.to_ascii_lowercase() {
        pairs.push(&Mailbox::new(lower, mailbox.domain().clone()).to_string(), "", line)?;
    }
    pairs.push(&Mailbox::new(composed, mailbox.domain().clone()).to_string(), "", line)
}
