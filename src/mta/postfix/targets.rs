//! The values of aliases: addresses between commas, as header fields have them, and what is no address.

/// The addresses of a value, with their quoting. Commands, files and `:include:` lists are left out, and so are names
/// in front of an address in angle brackets. Addresses with no more than white space between them are two, as for
/// Postfix.
pub(super) fn targets(value: &str) -> Vec<String> {
    let mut all = Vec::new();
    for item in split(value, |c| c == ',') {
        let item = without_comments(item);
        // A `"` before a command makes the whole of it one quoted-string.
        let plain = item.trim().trim_start_matches('"').to_ascii_lowercase();
        if plain.starts_with(['|', '/', '~']) || plain.starts_with(":include:") {
            continue;
        }
        let (bracketed, rest) = in_brackets(&item);
        all.extend(bracketed);
        all.extend(split(rest, |c| c.is_ascii_whitespace()).map(str::to_owned));
    }
    all
}

/// The files of the lists in a value (`:include:/file`).
pub(crate) fn includes(value: &str) -> Vec<String> {
    let items = split(value, |c| c == ',' || c.is_ascii_whitespace());
    let files = items.filter_map(|item| {
        let item = item.trim_matches('"');
        let (word, file) = item.split_at_checked(":include:".len())?;
        word.eq_ignore_ascii_case(":include:").then(|| file.to_owned())
    });
    files.collect()
}

/// The parts of a text between the separators outside of quotes, comments and angle brackets; empty ones left out.
fn split(text: &str, is_separator: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut state = State::default();
    text.split(move |c| state.is_outside(c) && is_separator(c))
        .map(|part| part.trim_matches(|c: char| c.is_ascii_whitespace()))
        .filter(|part| !part.is_empty())
}

/// What is in the pairs of angle brackets outside of quotes, and what follows the last of them. What is before one is
/// a name.
fn in_brackets(item: &str) -> (Vec<String>, &str) {
    let mut state = State::default();
    let (mut all, mut open, mut rest) = (Vec::new(), None, item);
    for (at, c) in item.char_indices() {
        let quoted = state.quoted || state.escaped;
        state.is_outside(c);
        match c {
            '<' if !quoted => open = Some(at + 1),
            '>' if !quoted => {
                if let Some(from) = open.take() {
                    all.push(item[from..at].trim().to_owned());
                    rest = &item[at + 1..];
                }
            }
            _ => {}
        }
    }
    (all, rest)
}

/// The text without what is in parentheses outside of quotes.
fn without_comments(text: &str) -> String {
    let mut state = State::default();
    let mut kept = String::new();
    for c in text.chars() {
        let before = state.comments;
        state.is_outside(c);
        if before == 0 && state.comments == 0 {
            kept.push(c);
        }
    }
    kept
}

#[derive(Default)]
struct State {
    quoted: bool,
    escaped: bool,
    comments: usize,
    bracketed: bool,
}

impl State {
    /// Takes the next character; whether it is outside of everything.
    fn is_outside(&mut self, c: char) -> bool {
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' => self.escaped = true,
            '"' if self.comments == 0 => self.quoted = !self.quoted,
            _ if self.quoted => {}
            '(' => self.comments += 1,
            ')' => self.comments = self.comments.saturating_sub(1),
            _ if self.comments > 0 => {}
            '<' => self.bracketed = true,
            '>' => self.bracketed = false,
            _ => return !self.bracketed,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        assert_eq!(targets(value), expected, "{value}");
    }

    #[test]
    fn lists_in_values() {
        assert_eq!(includes("a, :include:/x, \":include:/y\" :INCLUDE:/z (:include:/c)"), ["/x", "/y", "/z"]);
        assert_eq!(includes("a, include:/x, \"b :include:/y\""), [""; 0]);
    }

    #[test]
    fn values_of_aliases() {
        check("alice, bob@example.org", &["alice", "bob@example.org"]);
        check("alice bob", &["alice", "bob"]);
        check("\"a, b\"@example.org , c", &["\"a, b\"@example.org", "c"]);
        check("Alice <a@example.org>, <b@example.org>", &["a@example.org", "b@example.org"]);
        check("\"Smith, A\" <a@example.org>", &["a@example.org"]);
        check("A <a@x> B <b@x> c@x d@x, <e", &["a@x", "b@x", "c@x", "d@x", "<e"]);
        check("a (the, boss) , b", &["a", "b"]);
        check("|/bin/x alice, \"|/bin/y alice, bob\", /var/x, ~/y, :include:/etc/list, z", &["z"]);
        check("\\\"a, b", &["\\\"a", "b"]);
        check("\"unclosed, a", &["\"unclosed, a"]);
        check(" , ", &[]);
    }
}
