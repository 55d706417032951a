//! Questions and results of databases and directories, in which `%s`, `%u`, `%d`, `%1` and the like stand for the key
//! or for a value found; and which keys are not asked for at all.

use crate::clients::files::problem::{Problem, quoted};

/// What is known of a table's templates together, as each one's needs suppress the others' questions too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    key: Wanted,
    value: Wanted,
    /// How many labels the domain of the key must have.
    labels: usize,
}

/// Which parts of a key or value are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    user: bool,
    domain: bool,
}

/// A text in which parts of the key, or of a value, stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// `%s`, `%u`, `%d`: of the value in a result, of the key in a question.
    Whole,
    User,
    Domain,
    /// `%S`, `%U`, `%D`: of the key.
    KeyWhole,
    KeyUser,
    KeyDomain,
    /// `%1` to `%9`: the label of the key's domain, counted from its end.
    Label(usize),
}

/// What a template is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Question,
    Result,
}

impl Template {
    /// Reads a template, and adds what it needs.
    ///
    /// # Errors
    ///
    /// Where `%` is followed by something else, for which Postfix would not open the table.
    pub(super) fn parse(text: &str, kind: Kind, needs: &mut Needs) -> Result<Self, Problem> {
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            let small = if kind == Kind::Question { &mut needs.key } else { &mut needs.value };
            let part = match characters.next() {
                Some('%') => {
                    literal.push('%');
                    continue;
                }
                Some('s') => Part::Whole,
                Some('u') => {
                    small.user = true;
                    Part::User
                }
                Some('d') => {
                    small.domain = true;
                    Part::Domain
                }
                Some('S') => Part::KeyWhole,
                Some('U') => {
                    needs.key.user = true;
                    Part::KeyUser
                }
                Some('D') => {
                    needs.key.domain = true;
                    Part::KeyDomain
                }
                Some(digit @ '1'..='9') => {
                    let number = digit as usize - '0' as usize;
                    needs.key.domain = true;
                    needs.labels = needs.labels.max(number);
                    Part::Label(number)
                }
                other => {
                    let found = other.map_or_else(|| "%".to_owned(), |c| format!("%{c}"));
                    let problem =
                        Problem::new(format!("{} stands for nothing in {}", quoted(&found), quoted(text)));
                    return Err(problem.hint("write %% for a percent sign"));
                }
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Part(part));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// Whether anything stands in it for the key.
    pub(super) fn is_fixed(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// A question about a key, whose parts are written as `quote` does; none where the key is not asked for.
    pub(super) fn question(
        &self,
        needs: Needs,
        key: &str,
        quote: impl FnMut(&str) -> String,
    ) -> Option<String> {
        let key = Parts::of(key, needs.key)?;
        let labels = needs.labels_of(&key)?;
        Some(self.fill(&key, &key, &labels, quote))
    }

    /// A result from a value that was found for a key; none where it is left out.
    pub(super) fn result(&self, needs: Needs, key: &str, value: &str) -> Option<String> {
        let value = Parts::of(value, needs.value)?;
        let key = Parts::of(key, needs.key)?;
        let labels = needs.labels_of(&key)?;
        Some(self.fill(&value, &key, &labels, str::to_owned))
    }

    fn fill(
        &self,
        value: &Parts<'_>,
        key: &Parts<'_>,
        labels: &[&str],
        mut quote: impl FnMut(&str) -> String,
    ) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Part(part) => text.push_str(&quote(part.of(value, key, labels))),
            }
        }
        text
    }
}

impl Needs {
    /// The labels of the key's domain from its end; none where there are too few.
    fn labels_of<'k>(self, key: &Parts<'k>) -> Option<Vec<&'k str>> {
        if self.labels == 0 {
            return Some(Vec::new());
        }
        // As in Postfix, dots side by side are one.
        let labels: Vec<&str> = key.domain?.split('.').rev().filter(|label| !label.is_empty()).collect();
        (labels.len() >= self.labels).then_some(labels)
    }
}

/// A key or value and its parts.
struct Parts<'a> {
    whole: &'a str,
    user: &'a str,
    domain: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// The parts, split at the last `@` where one of them is wanted; none where one that is wanted is not there.
    fn of(whole: &'a str, wanted: Wanted) -> Option<Self> {
        if whole.is_empty() {
            return None;
        }
        let is_split = wanted.user || wanted.domain;
        let (user, domain) = match whole.rsplit_once('@').filter(|_| is_split) {
            Some((user, domain)) => (user, Some(domain)),
            None => (whole, None),
        };
        let lacks_domain = wanted.domain && domain.is_none_or(str::is_empty);
        let lacks_user = wanted.user && domain.is_some() && user.is_empty();
        (!lacks_domain && !lacks_user).then_some(Self { whole, user, domain })
    }
}

impl Part {
    fn of<'p>(self, value: &Parts<'p>, key: &Parts<'p>, labels: &[&'p str]) -> &'p str {
        match self {
            Self::Whole => value.whole,
            Self::User => value.user,
            Self::Domain => value.domain.unwrap_or_default(),
            Self::KeyWhole => key.whole,
            Self::KeyUser => key.user,
            Self::KeyDomain => key.domain.unwrap_or_default(),
            Self::Label(number) => labels.get(number - 1).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_question(template: &str, key: &str, expected: Option<&str>) {
        let mut needs = Needs::default();
        let parsed = Template::parse(template, Kind::Question, &mut needs).unwrap();
        let found = parsed.question(needs, key, |part| part.replace('*', "\\2A"));
        assert_eq!(found.as_deref(), expected, "{template} of {key}");
    }

    #[test]
    fn questions() {
        check_question("(a=%s)", "x*@b", Some("(a=x\\2A@b)"));
        check_question("%u|%d|%U|%D|%S|%%", "a@b@c.org", Some("a@b|c.org|a@b|c.org|a@b@c.org|%"));
        check_question("%u", "a", Some("a"));
        check_question("%u", "@a", None);
        check_question("%u", "a@", Some("a"));
        check_question("%d", "a", None);
        check_question("%d", "a@", None);
        check_question("%d", "@a", Some("a"));
        check_question("%s", "@a", Some("@a"));
        check_question("%s", "", None);
        check_question("dc=%2,dc=%1", "x@mail.example.org", Some("dc=example,dc=org"));
        check_question("%2", "x@org", None);
        check_question("%2", "x@a..org", Some("a"));
        check_question("%1", "example.org", None);
    }

    #[track_caller]
    fn check_result(template: &str, key: &str, value: &str, expected: Option<&str>) {
        let mut needs = Needs::default();
        let parsed = Template::parse(template, Kind::Result, &mut needs).unwrap();
        assert_eq!(parsed.result(needs, key, value).as_deref(), expected, "{template} of {value} for {key}");
    }

    #[test]
    fn results() {
        check_result("%s", "k", "v*", Some("v*"));
        check_result("%s", "k", "", None);
        check_result("%u at %d for %U at %D", "k@x.org", "v@y.org", Some("v at y.org for k at x.org"));
        check_result("%d", "k", "v", None);
        check_result("%u", "k", "v", Some("v"));
        check_result("%u", "k", "@v", None);
        check_result("%1.%s", "k@x.org", "v", Some("org.v"));
        check_result("smtp:[%s]", "k", "v", Some("smtp:[v]"));
    }

    #[test]
    fn what_stands_for_nothing() {
        for text in ["%", "%x", "%0", "a%"] {
            assert!(Template::parse(text, Kind::Question, &mut Needs::default()).is_err(), "{text}");
        }
    }
}
