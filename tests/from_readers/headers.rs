//! Fields as programs write them, and as attackers do: drawn from a number, the same whenever it is the same.

use data_encoding::BASE64;
use fastrand::Rng;

/// Whom the login of the test is, whom it must not be shown as, and others.
const ADDRESSES: [&str; 8] = [
    "alice@example.org",
    "alice@example.org",
    "ceo@example.org",
    "ceo@example.org",
    "x@evil.test",
    "ceo@b\u{fc}cher.example",
    "\"ceo\"@example.org",
    "ceo@[example.org]",
];

const NAMES: [&str; 8] =
    ["Alice", "Alice Doe", "\"Doe, Alice\"", "Ceo of Example", "J\u{f6}rg", "\"x\\\"y\"", "Ticket.1", "a/b"];

/// What is put in anywhere. Half of it divides tokens, the other half is taken for nothing by some reader.
const NOISE: [&str; 56] = [
    " ",
    "  ",
    "\t",
    "\r\n ",
    "\r\n\t",
    "(x)",
    "(a@b)",
    "(",
    ")",
    "()",
    "\"",
    "\"\"",
    "\\",
    "<",
    ">",
    "<>",
    ",",
    ", ",
    ";",
    ":",
    "@",
    ".",
    "..",
    "[",
    "]",
    "=?",
    "?=",
    "?",
    "=",
    "=?utf-8?q?",
    "=?utf-8?q??=",
    "=?utf-8?b?Lg?=",
    "=?x?q?",
    "_",
    "=40",
    "=2E",
    "\u{ad}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{feff}",
    "\u{a0}",
    "\u{3000}",
    "\u{ff20}",
    "\u{3002}",
    "\u{ff0e}",
    "\u{ff1c}",
    "\u{ff1e}",
    "\u{ff0c}",
    "\u{1}",
    "\r",
    "'",
    "\u{301}",
    "\u{e9}",
    "mailto:",
    "&#64;",
];

/// A charset, by the name in a word, and the octets that it has for a text.
type Charset = (&'static str, fn(&str) -> Vec<u8>);

/// Those of them, at the front, that programs write.
const HONEST: usize = 4;

const CHARSETS: [Charset; 32] = [
    ("utf-8", utf_8),
    ("UTF-8", utf_8),
    ("iso-8859-1", latin_1),
    ("windows-1252", latin_1),
    ("us-ascii", utf_8),
    ("utf-8*en", utf_8),
    ("us-ascii*", utf_8),
    ("x-unknown", utf_8),
    ("unknown-8bit", latin_1),
    ("utf-16", |text| [vec![0xfe, 0xff], utf_16be(text)].concat()),
    ("utf-16", utf_16le),
    ("utf-16be", utf_16be),
    ("UTF-16LE", utf_16le),
    ("iso-10646-ucs-2", utf_16be),
    ("utf-32be", |text| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ("utf-32le", |text| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
    ("ucs-4", |text| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ("utf-7", utf_7),
    ("unicode-1-1-utf-7", utf_7),
    ("x-unicode-2-0-utf-7", utf_7),
    ("cp037", |text| ebcdic(text, 0x7c)),
    ("cp273", |text| ebcdic(text, 0xb5)),
    ("IBM500", |text| ebcdic(text, 0x7c)),
    ("iso-2022-jp", |text| [b"\x1b$B".as_slice(), &japanese(text, 0), b"\x1b(B"].concat()),
    ("hz", |text| [b"~{".as_slice(), &chinese(text, 0), b"~}"].concat()),
    ("euc-jp", |text| japanese(text, 0x80)),
    ("gb18030", |text| chinese(text, 0x80)),
    ("euc-kr", |text| chinese(text, 0x80)),
    ("unicode-escape", |text| {
        text.bytes().flat_map(|octet| format!("\\x{octet:02x}").into_bytes()).collect()
    }),
    ("html-entities", |text| {
        text.chars().flat_map(|c| format!("&#{};", u32::from(c)).into_bytes()).collect()
    }),
    // PHP takes these for charsets.
    ("base64", |text| BASE64.encode(text.as_bytes()).into_bytes()),
    ("quoted-printable", |text| {
        text.bytes().flat_map(|octet| format!("={octet:02X}").into_bytes()).collect()
    }),
];

/// A field as an attacker writes it.
pub(crate) fn hostile(number: u64) -> Vec<u8> {
    let mut draft = Draft { rng: Rng::with_seed(number) };
    let mut body = draft.base().into_bytes();
    for _ in 0..draft.rng.usize(..4) {
        draft.disturb(&mut body);
    }
    body
}

/// A field as programs write it, of one author.
pub(crate) fn honest(number: u64, address: &str) -> String {
    let mut draft = Draft { rng: Rng::with_seed(number) };
    let fold = *draft.one_of(&[" ", " ", " ", "\r\n ", "\r\n\t"]);
    let name = match draft.rng.usize(..7) {
        0 => return format!("{}{address}", draft.one_of(&["", " ", "\r\n "])),
        1 => return format!("<{address}>"),
        2 => {
            return format!("{address}{fold}({})", draft.one_of(&["Alice", "Alice Doe", "Cron Daemon"]));
        }
        3 => {
            (*draft.one_of(&["Alice", "Alice Doe", "Joe Q. Public", "Alice Doe/Sales/Example", "Alice, Doe"]))
                .replace(',', "")
        }
        4 => {
            let quoted = [
                "Doe, Alice",
                "Alice \\\"Al\\\" Doe",
                address,
                &format!("'{address}'"),
                "Carol via example.org",
                "a: b; c",
            ];
            format!("\"{}\"", draft.one_of(&quoted))
        }
        5 => draft.words("Alice M\u{fc}ller", 1, &CHARSETS[..HONEST]),
        _ => {
            format!(
                "{}{fold}{}",
                draft.one_of(&["Alice", "\"Alice\""]),
                draft.words("M\u{fc}ller, Alice", 2, &CHARSETS[..HONEST])
            )
        }
    };
    format!("{name}{fold}<{address}>")
}

struct Draft {
    rng: Rng,
}

impl Draft {
    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.usize(..choices.len())]
    }

    fn address(&mut self) -> String {
        (*self.one_of(&ADDRESSES)).to_owned()
    }

    /// Something that a parser may go wrong on.
    fn base(&mut self) -> String {
        let (a, b) = (self.address(), self.address());
        let name = *self.one_of(&NAMES);
        match self.rng.usize(..24) {
            0 => a,
            1 => format!("<{a}>"),
            2 => format!("{name} <{a}>"),
            3 => format!("\"{a}\" <{b}>"),
            4 => format!("{a} <{b}>"),
            5 => format!("{} <{b}>", self.encoded(&a)),
            6 => self.encoded(&a),
            7 => {
                let whole = format!("{name} <{a}>");
                self.encoded(&whole)
            }
            8 => format!("{}, <{b}>", self.encoded(&a)),
            9 => format!("{a}, {b}"),
            10 => format!("{name}: {a}, {b};"),
            11 => format!("{a}: {b};"),
            12 => format!("{a} ({b})"),
            13 => format!("({a}) {b}"),
            14 => format!("{a}, ({b})"),
            15 => format!("<{a}> <{b}>"),
            16 => format!("{a} {b}"),
            17 => format!("<{a}>, {name} <{b}>"),
            18 => format!("{name} <{a}>, {name}"),
            19 => format!("<@{}:{b}>", a.rsplit('@').next().unwrap_or_default()),
            20 => format!("\"{}\" <{b}>", self.encoded(&a)),
            21 => format!("{} {}", self.encoded(name), self.encoded(&a)),
            // Long enough to be cut or folded by somebody.
            22 => format!("{}{a}", format!("({})", "x".repeat(40)).repeat(1 + self.rng.usize(..25))),
            _ => format!("{name}{}<{a}>", " ".repeat(self.rng.usize(..1000))),
        }
    }

    /// One thing more that is wrong.
    fn disturb(&mut self, body: &mut Vec<u8>) {
        let (from, to) = (self.rng.usize(..=body.len()), self.rng.usize(..=body.len()));
        let (from, to) = (from.min(to), from.max(to));
        match self.rng.usize(..10) {
            0..5 => {
                let noise = self.one_of(&NOISE).bytes();
                body.splice(from..from, noise);
            }
            5 => drop(body.splice(from..(from + 1).min(body.len()), [])),
            // A part of it encoded: an address, across its at sign, or across the brackets.
            6 | 7 => {
                let part = String::from_utf8_lossy(&body[from..to.min(from + 30)]).into_owned();
                let end = to.min(from + 30);
                let words = self.encoded(&part);
                body.splice(from..end, words.into_bytes());
            }
            8 => {
                let part = body[from..to.min(from + 30)].to_vec();
                body.splice(to..to, part);
            }
            _ => {
                if let Some(c) = body.get_mut(from) {
                    *c = *self.one_of(&[0xfc, 0xe4, 0xff, 0x80, b'a', b'"', b'@', b'.']);
                }
            }
        }
    }

    /// Encoded-words that say this, the way somebody might write them.
    fn encoded(&mut self, text: &str) -> String {
        let count = 1 + self.rng.usize(..3);
        self.words(text, count, &CHARSETS)
    }

    /// So many encoded-words.
    fn words(&mut self, text: &str, count: usize, charsets: &[Charset]) -> String {
        let (label, encode) = *self.one_of(charsets);
        let octets = encode(text);
        let gap = *self.one_of(&[" ", " ", "\r\n ", "", "\t"]);
        let is_base64 = self.rng.bool();
        let words = octets.chunks(octets.len().div_ceil(count).max(1)).map(|octets| {
            if is_base64 {
                format!("=?{label}?b?{}?=", BASE64.encode(octets))
            } else {
                format!("=?{label}?Q?{}?=", self.quoted(octets))
            }
        });
        words.collect::<Vec<_>>().join(gap)
    }

    /// The Q encoding: letters as they are, the rest as it must be, and a few as they may be.
    fn quoted(&mut self, octets: &[u8]) -> String {
        let hides_syntax = self.rng.u8(..4) > 0;
        let quote = |&octet: &u8| match octet {
            b' ' => "_".to_owned(),
            _ if octet.is_ascii_alphanumeric() => char::from(octet).to_string(),
            b'@' | b'.' | b'<' | b'>' if !hides_syntax => char::from(octet).to_string(),
            _ => format!("={octet:02X}"),
        };
        octets.iter().map(quote).collect()
    }
}

fn utf_8(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn utf_16be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn utf_16le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-7 (RFC 2152) in which all but letters is shifted.
fn utf_7(text: &str) -> Vec<u8> {
    let shift = |c: char| match c {
        _ if c.is_ascii_alphanumeric() => c.to_string(),
        _ => format!("+{}-", BASE64.encode(&utf_16be(&c.to_string())).trim_end_matches('=')),
    };
    text.chars().flat_map(|c| shift(c).into_bytes()).collect()
}

fn ebcdic(text: &str, at_sign: u8) -> Vec<u8> {
    let octet = |octet: u8| match octet {
        b'a'..=b'i' => octet - b'a' + 0x81,
        b'j'..=b'r' => octet - b'j' + 0x91,
        b's'..=b'z' => octet - b's' + 0xa2,
        b'A'..=b'I' => octet - b'A' + 0xc1,
        b'J'..=b'R' => octet - b'J' + 0xd1,
        b'S'..=b'Z' => octet - b'S' + 0xe2,
        b'.' => 0x4b,
        b'<' => 0x4c,
        b'>' => 0x6e,
        b'-' => 0x60,
        b'@' => at_sign,
        _ => 0x40,
    };
    text.bytes().map(octet).collect()
}

/// Full-width letters of the Japanese set, whose rows begin at 0x21 or at 0xa1.
fn japanese(text: &str, high: u8) -> Vec<u8> {
    let pair = |octet: u8| match octet {
        b'@' => [0x21, 0x77],
        b'.' => [0x21, 0x25],
        _ if octet.is_ascii_alphanumeric() => [0x23, octet],
        _ => [0x21, 0x21],
    };
    text.bytes().flat_map(pair).map(|octet| octet | high).collect()
}

/// Full-width letters of the Chinese set, and of the Korean.
fn chinese(text: &str, high: u8) -> Vec<u8> {
    let pair = |octet: u8| if octet.is_ascii_graphic() { [0x23, octet] } else { [0x21, 0x21] };
    text.bytes().flat_map(pair).map(|octet| octet | high).collect()
}
