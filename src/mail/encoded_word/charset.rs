//! Charsets by name, and what has the place of one.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

use super::{from_base64, from_q};

/// Octets of a Punycode text that are decoded, at most: its cost grows with the square.
const MAX_PUNYCODE: usize = 512;

/// How the octets of a word are read, by the name of its charset.
pub(super) enum Charset {
    /// One that all readers know, if any: those of the web.
    Known(&'static Encoding),
    /// One that may be more than another set of characters: readers differ, and only some know it.
    Odd(fn(&[u8]) -> String),
}

impl Charset {
    /// The charset of that name, however it is spelled.
    pub(super) fn of(label: &str) -> Self {
        let name: String =
            label.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let is = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if is(&["utf7"]) {
            return Self::Odd(if is(&["imap"]) { utf_7_of_imap } else { utf_7 });
        }
        let is_little = name.ends_with("le");
        if is(&["utf32", "ucs4"]) {
            return Self::Odd(if is_little { utf_32le } else { utf_32 });
        }
        if is(&["utf16", "ucs", "unicode", "10646"]) && !is(&["escape"]) {
            return Self::Odd(if is_little { utf_16le } else { utf_16 });
        }
        match Encoding::for_label(label.as_bytes()).or_else(|| Encoding::for_label(name.as_bytes())) {
            Some(encoding) if encoding != REPLACEMENT => Self::Known(encoding),
            _ if is(&["ebcdic", "ibm", "cp"]) => Self::Odd(ebcdic),
            _ if is(&["escape"]) => Self::Odd(escapes),
            _ if is(&["2022", "hz"]) => Self::Odd(shifted),
            _ if is(&["base64"]) => Self::Odd(base_64),
            _ if is(&["quotedprintable", "qprint"]) => Self::Odd(quoted_printable),
            _ if is(&["html"]) => Self::Odd(entities),
            _ if is(&["uuencode"]) => Self::Odd(uuencoded),
            _ if is(&["punycode"]) => Self::Odd(punycode),
            _ => Self::Odd(|octets| plain(octets, UTF_8)),
        }
    }

    /// Whether readers may make anything of it.
    pub(super) fn is_odd(&self) -> bool {
        matches!(self, Self::Odd(_))
    }

    /// The text of these octets.
    pub(super) fn decode(&self, octets: &[u8]) -> String {
        match self {
            Self::Known(encoding) => plain(octets, encoding),
            Self::Odd(decode) => decode(octets),
        }
    }
}

/// The ways to read the octets of a charset that not everybody knows. Some are no charsets, but PHP, which Roundcube is
/// written in, takes them for such.
pub(super) const WAYS: [fn(&[u8]) -> String; 14] = [
    utf_16,
    utf_16le,
    utf_32,
    utf_32le,
    utf_7,
    utf_7_of_imap,
    ebcdic,
    escapes,
    entities,
    shifted,
    punycode,
    base_64,
    quoted_printable,
    uuencoded,
];

fn plain(octets: &[u8], encoding: &'static Encoding) -> String {
    encoding.decode_without_bom_handling(octets).0.into_owned()
}

fn utf_16(octets: &[u8]) -> String {
    match octets {
        [0xff, 0xfe, ..] => utf_16le(octets),
        _ => plain(octets, UTF_16BE),
    }
}

fn utf_16le(octets: &[u8]) -> String {
    plain(octets, UTF_16LE)
}

fn utf_32(octets: &[u8]) -> String {
    match octets {
        [0xff, 0xfe, 0, 0, ..] => utf_32le(octets),
        _ => utf_32_with(octets, u32::from_be_bytes),
    }
}

fn utf_32le(octets: &[u8]) -> String {
    utf_32_with(octets, u32::from_le_bytes)
}

/// What is no character is skipped, as iconv does when it is asked to.
fn utf_32_with(octets: &[u8], number: fn([u8; 4]) -> u32) -> String {
    octets.as_chunks().0.iter().filter_map(|&unit| char::from_u32(number(unit))).collect()
}

fn utf_7(octets: &[u8]) -> String {
    utf_7_with(octets, b'+')
}

/// RFC 3501, 5.1.3.
fn utf_7_of_imap(octets: &[u8]) -> String {
    utf_7_with(octets, b'&')
}

/// UTF-7 (RFC 2152): base64 of UTF-16 between `shift` and whatever is not of its alphabet, of which a hyphen is lost.
fn utf_7_with(octets: &[u8], shift: u8) -> String {
    let text = plain(octets, UTF_8);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/,".contains(c);
    let mut parts = text.split(char::from(shift));
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c| !is_base64(c)).unwrap_or(part.len());
        let (encoded, rest) = part.split_at(end);
        match rest.strip_prefix('-') {
            Some(rest) if encoded.is_empty() => plain.extend([char::from(shift).to_string().as_str(), rest]),
            rest_of => {
                // Incomplete characters at the end are padding.
                let mut wide = from_base64(&encoded.replace(',', "/"));
                wide.truncate(wide.len() / 2 * 2);
                plain.push_str(&self::plain(&wide, UTF_16BE));
                plain.push_str(rest_of.unwrap_or(rest));
            }
        }
    }
    plain
}

/// EBCDIC: its letters, digits, dot and hyphen, which all its code pages have in the same places, and the at sign, which has
/// seven.
fn ebcdic(octets: &[u8]) -> String {
    let letter = |first: u8, octet: u8, base: u8| char::from(first + (octet - base));
    let read = |&octet: &u8| match octet {
        0x40 => ' ',
        0x4b => '.',
        0x60 => '-',
        0x6d => '_',
        0x81..=0x89 => letter(b'a', octet, 0x81),
        0x91..=0x99 => letter(b'j', octet, 0x91),
        0xa2..=0xa9 => letter(b's', octet, 0xa2),
        0xc1..=0xc9 => letter(b'a', octet, 0xc1),
        0xd1..=0xd9 => letter(b'j', octet, 0xd1),
        0xe2..=0xe9 => letter(b's', octet, 0xe2),
        0xf0..=0xf9 => letter(b'0', octet, 0xf0),
        0x44 | 0x7c | 0x80 | 0xac | 0xae | 0xb5 | 0xec => '@',
        _ => char::REPLACEMENT_CHARACTER,
    };
    octets.iter().map(read).collect()
}

/// Characters by number, as Python and Java write them: `\x40`, `\100`, `\u0040`, `\U00000040`, or by name.
fn escapes(octets: &[u8]) -> String {
    let text = plain(octets, UTF_8);
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = |skipped: usize, most: usize, radix: u32| {
            let run =
                part[skipped..].bytes().take(most).take_while(|&c| char::from(c).is_digit(radix)).count();
            let value =
                u32::from_str_radix(&part[skipped..skipped + run], radix).ok().and_then(char::from_u32);
            (value, skipped + run)
        };
        let (value, end) = match part.as_bytes().first() {
            Some(b'x') => digits(1, 2, 16),
            Some(b'u') => digits(1, 4, 16),
            Some(b'U') => digits(1, 8, 16),
            Some(b'0'..=b'7') => digits(0, 3, 8),
            // Of the names, that of the at sign is of interest.
            Some(b'N') => (Some('@'), part.find('}').map_or(part.len(), |end| end + 1)),
            _ => (None, 0),
        };
        plain.extend(value);
        plain.push_str(&part[end..]);
    }
    plain
}

/// Characters by number, as HTML writes them: `&#64;`, `&#x40;`.
fn entities(octets: &[u8]) -> String {
    let text = plain(octets, UTF_8);
    let mut parts = text.split("&#");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, radix) = match part.strip_prefix(['x', 'X']) {
            Some(number) => (number, 16),
            None => (part, 10),
        };
        let end = number.find(|c: char| !c.is_digit(radix)).unwrap_or(number.len());
        plain.extend(u32::from_str_radix(&number[..end], radix).ok().and_then(char::from_u32));
        let rest = &number[end..];
        plain.push_str(rest.strip_prefix(';').unwrap_or(rest));
    }
    plain
}

/// ASCII with double-byte characters between shifts (ISO 2022, RFC 1843), of which those are read that look like ASCII:
/// the Chinese, Japanese and Korean sets have them in the same row.
fn shifted(octets: &[u8]) -> String {
    let mut plain = String::new();
    let (mut rest, mut is_double) = (octets, false);
    loop {
        rest = match rest {
            [] => return plain,
            [0x0f, rest @ ..] | [b'~', b'}', rest @ ..] | [0x1b, b'(', _, rest @ ..] => {
                is_double = false;
                rest
            }
            [0x0e, rest @ ..]
            | [b'~', b'{', rest @ ..]
            | [0x1b, b'$', b'@' | b'A' | b'B', rest @ ..]
            | [0x1b, b'$', b'(', _, rest @ ..] => {
                is_double = true;
                rest
            }
            // What a shift of one octet leads to, or for the next character only.
            [0x1b, b'$', b')' | b'*' | b'+', _, rest @ ..] | [0x1b, _, rest @ ..] => rest,
            [row, cell, rest @ ..] if is_double || row & cell & 0x80 != 0 => {
                plain.push(match (row & 0x7f, cell & 0x7f) {
                    (0x23, cell) => char::from(cell),
                    (0x21, 0x77) => '@',
                    (0x21, 0x23 | 0x25) => '.',
                    (0x21, 0x5d) => '-',
                    _ => char::REPLACEMENT_CHARACTER,
                });
                rest
            }
            [octet, rest @ ..] => {
                plain.push(char::from(*octet));
                rest
            }
        };
    }
}

fn base_64(octets: &[u8]) -> String {
    plain(&from_base64(&plain(octets, UTF_8)), UTF_8)
}

fn quoted_printable(octets: &[u8]) -> String {
    plain(&from_q(&plain(octets, UTF_8)), UTF_8)
}

/// Punycode (RFC 3492), which Python takes for a charset.
fn punycode(octets: &[u8]) -> String {
    let text = std::str::from_utf8(octets).ok().filter(|text| text.len() <= MAX_PUNYCODE);
    text.and_then(idna::punycode::decode_to_string).unwrap_or_default()
}

/// Lines of uuencode, whose first character is their length.
fn uuencoded(octets: &[u8]) -> String {
    let mut plain = Vec::new();
    for line in octets.split(|&octet| octet == b'\n') {
        let Some((&first, digits)) = line.split_first() else { continue };
        let value = |octet: u8| octet.wrapping_sub(b' ') & 0x3f;
        let begun = plain.len();
        for group in digits.chunks(4) {
            let [a, b, c, d] = std::array::from_fn(|at| group.get(at).copied().map_or(0, value));
            plain.extend([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        }
        plain.truncate(begun + usize::from(value(first)));
    }
    self::plain(&plain, UTF_8)
}
