//! What a table has for a key, and whether it has the same for every key.

/// A value with what tells its entry from other ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    parts: Vec<Part>,
}

/// What is known of an entry, or of one of those that a joined table has put together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// A rule, by its line.
    Rule(usize),
    /// A value, of which nothing is known but itself.
    Value(String),
}

impl Entry {
    /// An entry of which only the value is known.
    pub(super) fn of_value(value: String) -> Self {
        Self { parts: vec![Part::Value(value.clone())], value }
    }

    /// What the rule in a line gives.
    pub(super) fn of_rule(line: usize, value: String) -> Self {
        Self { value, parts: vec![Part::Rule(line)] }
    }

    /// The octets that it takes beside itself.
    pub fn octets(&self) -> usize {
        let text = |part: &Part| match part {
            Part::Rule(_) => 0,
            Part::Value(value) => value.len(),
        };
        self.value.len() + self.parts.iter().map(|part| size_of::<Part>() + text(part)).sum::<usize>()
    }

    /// The line of the rule that gives it, where it is one rule of a table of rules.
    pub fn line(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Rule(line)] => Some(*line),
            _ => None,
        }
    }

    /// Whether rules alone give it, so that another one from the same rules is the same entry. Where more is behind it, two
    /// entries may happen to have one value.
    pub fn is_by_rule(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Rule(_)))
    }

    /// Several entries as one, with a value of its own.
    pub(super) fn joined(value: String, entries: impl IntoIterator<Item = Self>) -> Self {
        Self { value, parts: entries.into_iter().flat_map(|entry| entry.parts).collect() }
    }

    /// Whether one entry stands behind this, which `name` has, and behind what `stranger` has: a pattern, or a table
    /// that gives the same for every name, the name itself set aside.
    pub fn is_shared(&self, name: &str, other: &Self, stranger: &str) -> bool {
        let same = |(own, other): (&Part, &Part)| match (own, other) {
            (Part::Rule(own), Part::Rule(other)) => own == other,
            (Part::Value(own), Part::Value(other)) => *own == other.replace(stranger, name),
            _ => false,
        };
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_shared_or_not() {
        let value = |value: &str| Entry::of_value(value.to_owned());
        let rule = |line| Entry::of_rule(line, "x".to_owned());
        let both = |a, b| Entry::joined("x".to_owned(), [a, b]);
        for (own, other, shared) in [
            (value("x"), value("x"), true),
            (value("x"), value("y"), false),
            (value("info@b"), value("qqq@b"), true),
            (value("boss@b"), value("qqq@b"), false),
            (rule(1), rule(1), true),
            (rule(1), rule(2), false),
            (rule(1), value("x"), false),
            (both(value("y"), rule(1)), both(value("y"), rule(1)), true),
            (both(value("y"), rule(1)), rule(1), false),
        ] {
            assert_eq!(own.is_shared("info", &other, "qqq"), shared, "{own:?} {other:?}");
        }
    }
}
