//! Words with a fixed meaning, and what was probably meant by a word that has none.

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::At;

/// The meaning of a word, or a problem that names the words there are. `what` says what it should be: ‘a mode’.
pub(super) fn meaning<T: Copy>(
    problems: &mut Problems<'_>,
    word: &At<String>,
    what: &str,
    names: &[(&'static str, T)],
) -> Option<T> {
    let known = names.iter().find(|(name, _)| *name == word.value);
    if known.is_none() {
        let choices: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        problems.error(word.node, format!("{} is not {what}", quoted(&word.value))).hint(suggest(
            &word.value,
            "one of:",
            &choices,
        ));
    }
    known.map(|(_, meaning)| *meaning)
}

/// The choice that a setting makes, where it is set to one of the words there are.
pub(super) fn choice<T: Copy>(
    problems: &mut Problems<'_>,
    word: Option<&At<String>>,
    names: &[(&'static str, T)],
) -> Option<T> {
    word.and_then(|word| meaning(problems, word, "possible here", names))
}

/// ‘did you mean `x`?’, or the list of what there is, beginning with `lead`.
pub(super) fn suggest(word: &str, lead: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{lead} {}", known.join(", ")),
    }
}

/// The word that was probably meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    /// No name is longer; what is, would only cost time.
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&word, &name.replace('-', "_"));
    let (errors, name) = known.iter().map(|name| (distance(name), *name)).min()?;
    // One slip in every three letters; but a name that was only begun is nearer than one with several slips.
    let slip = (errors <= name.len() / 3).then_some(name);
    let begun = || {
        let mut longer =
            known.iter().filter(|name| word.len() >= 3 && name.replace('-', "_").starts_with(&word));
        longer.next().filter(|_| longer.next().is_none()).copied()
    };
    let begins = || known.iter().copied().find(|name| name.len() >= 3 && word.starts_with(name));
    slip.filter(|_| errors <= 1).or_else(begun).or(slip).or_else(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["accept", "defer", "reject", "authentication-results"];
        for (word, expected) in [
            ("rejct", Some("reject")),
            ("Reject", Some("reject")),
            ("acecpt", Some("accept")),
            ("authentication_results", Some("authentication-results")),
            ("rejected", Some("reject")),
            ("authentication", Some("authentication-results")),
            ("rejt", Some("reject")),
            ("rej", Some("reject")),
            ("drop", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(suggest("drop", "one of:", &["a", "b"]), "one of: a, b");
    }
}
