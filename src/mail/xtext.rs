//! Text in which an octet may be written as `+` and two digits (RFC 3461, 4).

/// The text that was encoded.
///
/// What is no encoding of UTF-8 is returned as it is, so that no two texts become one.
pub fn decode(encoded: &str) -> String {
    decoded(encoded).unwrap_or_else(|| encoded.to_owned())
}

fn decoded(encoded: &str) -> Option<String> {
    let mut parts = encoded.split('+');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hexadecimal = |octet: u8| matches!(octet, b'0'..=b'9' | b'A'..=b'F');
        if !digits.bytes().all(is_hexadecimal) {
            return None;
        }
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_encodings_are_decoded() {
        for (encoded, text) in [
            ("", ""),
            ("alice@example.org", "alice@example.org"),
            ("ceo+2Bassistant@example.org", "ceo+assistant@example.org"),
            ("m+C3+BCller", "müller"),
            ("a+2B2B", "a+2B"),
            ("+3D", "="),
            // No xtext: lower-case digits, too few of them, a sign, a digit in two.
            ("a+2b", "a+2b"),
            ("a+2", "a+2"),
            ("a+", "a+"),
            ("a+-1", "a+-1"),
            ("a+2ü", "a+2ü"),
            // Octets that are no UTF-8.
            ("a+FF", "a+FF"),
        ] {
            assert_eq!(decode(encoded), text, "{encoded}");
        }
    }
}
