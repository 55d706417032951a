//! An expression in the form that regex-automata compiles.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::parse::{Node, Octets, Place};

/// The same expression, without its groups.
pub(super) fn hir(node: &Node) -> Hir {
    match node {
        Node::Empty => Hir::empty(),
        Node::Octet(octets) => Hir::class(Class::Bytes(class(octets))),
        Node::Place(place) => Hir::look(look(*place)),
        Node::Group(_, inner) => hir(inner),
        Node::Concat(parts) => Hir::concat(parts.iter().map(hir).collect()),
        Node::Either(branches) => Hir::alternation(branches.iter().map(hir).collect()),
        Node::Repeat { node, min, max } => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: true, sub: Box::new(hir(node)) })
        }
    }
}

fn class(octets: &Octets) -> ClassBytes {
    let ranges = (0..=255).filter(|octet| octets.contains(*octet));
    ClassBytes::new(ranges.map(|octet| ClassBytesRange::new(octet, octet)))
}

fn look(place: Place) -> Look {
    match place {
        Place::Start => Look::Start,
        Place::End => Look::End,
        Place::LineStart => Look::StartLF,
        Place::LineEnd => Look::EndLF,
        Place::WordStart => Look::WordStartAscii,
        Place::WordEnd => Look::WordEndAscii,
        Place::WordEdge => Look::WordAscii,
        Place::NoWordEdge => Look::WordAsciiNegate,
    }
}
