//! Lists in main.cf: words between commas and white space, `{ }` holding words together.

/// The words of a list. Braces stay on them.
pub(crate) fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let between = |c: char| matches!(c, ',' | ' ' | '\t' | '\r' | '\n');
    list.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c => return depth == 0 && between(c),
        }
        false
    })
    .filter(|word| !word.is_empty())
}

/// What is inside of the braces that a text begins and ends with; none where these two are not a pair.
pub(super) fn inside_braces(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut depth = 0_i32;
    for c in inside.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth < 0 {
            return None;
        }
    }
    (depth == 0).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let found = |list| words(list).collect::<Vec<_>>();
        assert_eq!(found(" hash:/a,regexp:/b\tx "), ["hash:/a", "regexp:/b", "x"]);
        assert_eq!(found("inline:{ {a = b, c} } d"), ["inline:{ {a = b, c} }", "d"]);
        assert_eq!(found("a} b {c d"), ["a}", "b", "{c d"]);
        assert!(found(", ").is_empty());
    }

    #[test]
    fn braces() {
        assert_eq!(inside_braces("{ a {b} }"), Some(" a {b} "));
        for text in ["a", "{a", "{a}{b}", "{a}}", ""] {
            assert_eq!(inside_braces(text), None, "{text}");
        }
    }
}
