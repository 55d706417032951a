//! Making text harmless before it goes where its author must not reach.

/// The first `limit` octets of `text` at most, cut at a character.
pub fn clip(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// `text` with everything but printable ASCII replaced by `?`, runs of white space folded to one space, and at most
/// `limit` octets long: fit for a reply or a header field.
pub fn printable(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut clean: String =
        words.join(" ").chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    clean.truncate(limit);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clip_never_splits_a_character() {
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("aé", 3), "aé");
        assert_eq!(clip("é", 0), "");
    }

    #[test]
    fn printable_holds_one_line() {
        assert_eq!(printable("see\r\n  http://x/\t\u{202e}é", 100), "see http://x/ ??");
        assert_eq!(printable("abcdef", 3), "abc");
    }
}
