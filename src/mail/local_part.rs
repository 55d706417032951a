//! When two local-parts are one.

use unicode_normalization::UnicodeNormalization as _;

/// The local-part in the form in which equal ones are the same: NFC (RFC 6532, 3.1), and in lower case unless case
/// matters.
pub fn canonical(local_part: &str, case_sensitive: bool) -> String {
    let composed: String = local_part.nfc().collect();
    if case_sensitive { composed } else { lower_case(&composed) }
}

/// The text in lower case. This is no case folding (Unicode, 3.13): that would make `ß` and `ss` one, which are two names.
fn lower_case(text: &str) -> String {
    // The form of sigma at the end of a word depends on what stands behind it, such as a subaddress.
    text.to_lowercase().replace('ς', "σ").nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_are_one() {
        let folded = |text| canonical(text, false);
        assert_eq!(folded("Alice"), "alice");
        assert_eq!(canonical("Alice", true), "Alice");
        assert_eq!(folded("A\u{308}"), "\u{e4}");
        assert_eq!(canonical("A\u{308}", true), "\u{c4}");
        assert_eq!(folded("ΝΙΚΟΣ"), folded("νικος"));
        assert_ne!(folded("STRASSE"), folded("straße"));
    }
}
