//! Results of rules, in which `$1` stands for the text of a group.

use super::rules::Refusal;

/// A part of a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Group(usize),
}

/// Reads a result: `$1`, `${1}` and `$(1)` stand for groups, `$$` for a dollar.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, Refusal> {
    let refused = |why: &str| Refusal::NorByPostfix(why.to_owned());
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let name;
        (name, rest) = macro_name(rest).ok_or_else(|| refused("a `$` in the result does not end"))?;
        let is_number = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_digit());
        let number: usize = name
            .parse()
            .ok()
            .filter(|number| is_number && *number > 0)
            .ok_or_else(|| refused("a `$` in the result is not followed by the number of a group"))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Group(number));
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// The name after a `$`, and what follows it.
fn macro_name(text: &str) -> Option<(&str, &str)> {
    let (open, close) = match text.chars().next() {
        Some('(') => ('(', ')'),
        Some('{') => ('{', '}'),
        _ => {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            return Some(text.split_at(end));
        }
    };
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("a $1-${2}$(10)"),
            Ok(vec![text("a "), Piece::Group(1), text("-"), Piece::Group(2), Piece::Group(10),])
        );
        assert_eq!(pieces("$$1"), Ok(vec![text("$1")]));
        assert_eq!(
            pieces("$1$1a"),
            Err(Refusal::NorByPostfix(
                "a `$` in the result is not followed by the number of a group".to_owned()
            ))
        );
        for wrong in ["$", "$ 1", "$x", "${1", "$0", "${}", "$99999999999999999999"] {
            assert!(pieces(wrong).is_err(), "{wrong}");
        }
    }
}
