//! Message identifiers (RFC 5322, 3.6.4).

use super::Header;

/// The identifiers in the body of Message-ID, In-Reply-To or References, without their angle brackets, in order; at most
/// `limit`, the last ones, as those are the nearest. What does not look like one is passed over.
pub fn parse(body: &str, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = body.rsplit('<').filter_map(identifier).take(limit).collect();
    found.reverse();
    found
}

/// The identifier of the message with this header, where it has one.
pub fn of(header: &Header) -> Option<String> {
    parse(&header.all("Message-ID").next()?.value, 1).pop()
}

/// The longest identifier that is believed to be one, in octets: a line (RFC 5322, 2.1.1).
const LONGEST: usize = 998;

/// The identifier in what follows an opening bracket. White space in it comes from folding.
fn identifier(text: &str) -> Option<String> {
    let (inside, _) = text.split_once('>')?;
    let identifier: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    (!identifier.is_empty() && identifier.len() <= LONGEST).then_some(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for (body, limit, expected) in [
            ("<a@x>", 9, &["a@x"][..]),
            ("<a@x> (c) <b@x>\r\n\t<c\r\n @x>", 9, &["a@x", "b@x", "c@x"]),
            ("<a@x><b@x><c@x>", 2, &["b@x", "c@x"]),
            ("Your message of Tuesday <a@x", 9, &[]),
            ("a@x", 9, &[]),
            ("<><a>", 9, &["a"]),
            (">a<b>c<", 9, &["b"]),
        ] {
            assert_eq!(parse(body, limit), expected, "{body}");
        }
        assert_eq!(parse(&format!("<{}>", "a".repeat(5000)), 9), [""; 0]);
    }
}
