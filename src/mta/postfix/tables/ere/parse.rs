//! The grammar of extended regular expressions (POSIX, XBD 9.4), with the operators of GNU.

use super::Options;
use crate::mta::postfix::tables::rules::Refusal;

/// How deep groups may be nested.
const DEEPEST: usize = 50;
/// `RE_DUP_MAX` of the C library.
const MOST_REPEATS: u32 = 0x7fff;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    /// Matches nothing at all.
    Empty,
    /// One octet.
    Octet(Box<Octets>),
    /// A place between octets.
    Place(Place),
    /// A group, counted from 0.
    Group(usize, Box<Node>),
    /// One after another.
    Concat(Vec<Node>),
    /// One of several.
    Either(Vec<Node>),
    /// So many times.
    Repeat { node: Box<Node>, min: u32, max: Option<u32> },
}

/// A place between octets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Start,
    End,
    LineStart,
    LineEnd,
    WordStart,
    WordEnd,
    WordEdge,
    NoWordEdge,
}

/// A set of octets.
#[derive(Clone, Debug)]
pub(super) struct Octets([bool; 256]);

impl Octets {
    fn none() -> Self {
        Self([false; 256])
    }

    fn of(wanted: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::none();
        (0..=255).filter(|octet| wanted(*octet)).for_each(|octet| set.add(octet));
        set
    }

    fn add(&mut self, octet: u8) {
        self.0[usize::from(octet)] = true;
    }

    pub(super) fn contains(&self, octet: u8) -> bool {
        self.0[usize::from(octet)]
    }

    fn fold_case(&mut self) {
        for octet in b'a'..=b'z' {
            if self.contains(octet) || self.contains(octet.to_ascii_uppercase()) {
                self.add(octet);
                self.add(octet.to_ascii_uppercase());
            }
        }
    }

    fn negate(&mut self) {
        self.0.iter_mut().for_each(|is_in| *is_in = !*is_in);
    }
}

/// The octets of a word, for `\w` and the like.
pub(super) fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

/// Reads an expression; also how many groups it has.
pub(super) fn parse(pattern: &[u8], options: Options) -> Result<(Node, usize), Refusal> {
    let mut parser = Parser { rest: pattern, options, groups: 0, depth: 0 };
    let node = parser.either()?;
    // An unmatched `)` is an ordinary character, so nothing is left.
    Ok((node, parser.groups))
}

struct Parser<'a> {
    rest: &'a [u8],
    options: Options,
    groups: usize,
    depth: usize,
}

fn wrong(why: &str) -> Refusal {
    Refusal::NorByPostfix(why.to_owned())
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn either(&mut self) -> Result<Node, Refusal> {
        let mut branches = vec![self.branch()?];
        while self.peek() == Some(b'|') {
            self.next();
            branches.push(self.branch()?);
        }
        Ok(one_or(branches, Node::Either))
    }

    fn branch(&mut self) -> Result<Node, Refusal> {
        let mut parts = Vec::new();
        while let Some(octet) = self.peek() {
            if octet == b'|' || (octet == b')' && self.depth > 0) {
                break;
            }
            let part = self.single()?;
            parts.push(if matches!(part, Node::Place(_)) { part } else { self.repeats(part)? });
        }
        Ok(if parts.is_empty() { Node::Empty } else { one_or(parts, Node::Concat) })
    }

    /// One thing that can be repeated, or a place, which cannot.
    fn single(&mut self) -> Result<Node, Refusal> {
        let Some(octet) = self.next() else { return Ok(Node::Empty) };
        Ok(match octet {
            b'(' => return self.group(),
            b'[' => return self.bracket(),
            b'\\' => return self.escaped(),
            b'*' | b'+' | b'?' | b'{' => {
                return Err(wrong("there is nothing before the repetition operator"));
            }
            b'^' => Node::Place(if self.options.lines { Place::LineStart } else { Place::Start }),
            b'$' => Node::Place(if self.options.lines { Place::LineEnd } else { Place::End }),
            b'.' => {
                let lines = self.options.lines;
                octets(Octets::of(|octet| octet != 0 && !(lines && octet == b'\n')))
            }
            octet => self.literal(octet),
        })
    }

    fn literal(&self, octet: u8) -> Node {
        let mut set = Octets::of(|other| other == octet);
        if !self.options.case_sensitive {
            set.fold_case();
        }
        octets(set)
    }

    fn group(&mut self) -> Result<Node, Refusal> {
        if self.depth == DEEPEST {
            return Err(Refusal::NotHere(format!("groups are nested more than {DEEPEST} deep")));
        }
        let number = self.groups;
        self.groups += 1;
        self.depth += 1;
        let inner = self.either()?;
        self.depth -= 1;
        if self.next() != Some(b')') {
            return Err(wrong("a ‘(’ is not closed"));
        }
        Ok(Node::Group(number, Box::new(inner)))
    }

    fn escaped(&mut self) -> Result<Node, Refusal> {
        let octet = self.next().ok_or_else(|| wrong("it ends with a backslash"))?;
        Ok(match octet {
            b'1'..=b'9' => return Err(Refusal::NotHere("back-references cannot be honoured".to_owned())),
            b'w' => octets(Octets::of(is_word)),
            b'W' => octets(Octets::of(|octet| !is_word(octet))),
            b's' => octets(Octets::of(is_space)),
            b'S' => octets(Octets::of(|octet| !is_space(octet))),
            b'b' => Node::Place(Place::WordEdge),
            b'B' => Node::Place(Place::NoWordEdge),
            b'<' => Node::Place(Place::WordStart),
            b'>' => Node::Place(Place::WordEnd),
            b'`' => Node::Place(Place::Start),
            b'\'' => Node::Place(Place::End),
            octet => self.literal(octet),
        })
    }

    fn repeats(&mut self, mut node: Node) -> Result<Node, Refusal> {
        loop {
            let (min, max) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    self.next();
                    let (min, max) = self.interval()?;
                    node = Node::Repeat { node: Box::new(node), min, max };
                    continue;
                }
                _ => return Ok(node),
            };
            self.next();
            node = Node::Repeat { node: Box::new(node), min, max };
        }
    }

    /// What stands between `{` and `}`.
    fn interval(&mut self) -> Result<(u32, Option<u32>), Refusal> {
        let min = self.number()?;
        let (min, max) = match (self.next(), min) {
            (Some(b'}'), Some(min)) => return Ok((min, Some(min))),
            (Some(b','), min) => (min.unwrap_or(0), self.number()?),
            _ => return Err(wrong("the content of ‘{}’ is invalid")),
        };
        if self.next() != Some(b'}') {
            return Err(wrong("a ‘{’ is not closed"));
        }
        if max.is_some_and(|max| max < min) {
            return Err(wrong("the content of ‘{}’ is invalid"));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>, Refusal> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.next();
            let next = number.unwrap_or(0) * 10 + u32::from(digit - b'0');
            if next > MOST_REPEATS {
                return Err(wrong("the content of ‘{}’ is too large"));
            }
            number = Some(next);
        }
        Ok(number)
    }

    /// A bracket expression (POSIX, XBD 9.3.5), its `[` being read. Backslashes are ordinary in it.
    fn bracket(&mut self) -> Result<Node, Refusal> {
        let unclosed = || wrong("a ‘[’ is not closed");
        let negated = self.peek() == Some(b'^');
        if negated {
            self.next();
        }
        let mut set = Octets::none();
        let mut is_first = true;
        loop {
            let octet = self.next().ok_or_else(unclosed)?;
            if octet == b']' && !is_first {
                break;
            }
            is_first = false;
            match (octet, self.peek()) {
                (b'[', Some(b':')) => self.class(&mut set)?,
                (b'[', Some(b'.' | b'=')) => {
                    return Err(Refusal::NotHere("collating elements cannot be honoured".to_owned()));
                }
                (from, Some(b'-')) if !matches!(self.rest.get(1), None | Some(b']')) => {
                    self.next();
                    let to = self.next().ok_or_else(unclosed)?;
                    if to == b'[' && matches!(self.peek(), Some(b'.' | b'=' | b':')) {
                        return Err(Refusal::NotHere(
                            "ranges of collating elements cannot be honoured".into(),
                        ));
                    }
                    if to < from {
                        return Err(wrong("a range ends before it begins"));
                    }
                    (from..=to).for_each(|octet| set.add(octet));
                    if self.peek() == Some(b'-') && self.rest.get(1) != Some(&b']') {
                        return Err(Refusal::NotHere("a range that begins with the end of another".into()));
                    }
                }
                (octet, _) => set.add(octet),
            }
        }
        if !self.options.case_sensitive {
            set.fold_case();
        }
        if negated {
            set.negate();
            if self.options.lines {
                set.0[usize::from(b'\n')] = false;
            }
        }
        Ok(octets(set))
    }

    /// A character class such as `[:alpha:]`, its `[` being read; in the C locale, which Postfix has.
    fn class(&mut self, set: &mut Octets) -> Result<(), Refusal> {
        let end = self.rest.windows(2).position(|two| two == b":]").filter(|end| *end > 0);
        let end = end.ok_or_else(|| wrong("a ‘[:’ is not closed"))?;
        let is_in: fn(&u8) -> bool = match &self.rest[1..end] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"punct" => u8::is_ascii_punctuation,
            b"xdigit" => u8::is_ascii_hexdigit,
            b"cntrl" => u8::is_ascii_control,
            b"graph" => u8::is_ascii_graphic,
            b"print" => |octet| octet.is_ascii_graphic() || *octet == b' ',
            b"space" => |octet| is_space(*octet),
            b"blank" => |octet| matches!(octet, b' ' | b'\t'),
            _ => return Err(wrong("there is no character class of this name")),
        };
        self.rest = &self.rest[end + 2..];
        (0..=255).filter(is_in).for_each(|octet| set.add(octet));
        Ok(())
    }
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

fn octets(set: Octets) -> Node {
    Node::Octet(Box::new(set))
}

/// The only part, or all of them as one.
fn one_or(mut parts: Vec<Node>, all: fn(Vec<Node>) -> Node) -> Node {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            all(parts)
        }
    }
}
