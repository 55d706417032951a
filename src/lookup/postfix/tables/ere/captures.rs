//! Which text each group of an expression matched, by the rules of POSIX (XBD 9.1): the leftmost match, of these the
//! longest, and within it each part from left to right as long as the whole allows.
//!
//! For every part and every place the set of places where it can end is found once, so that the time is bounded by
//! the size of the expression and of the subject, however both are chosen.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::parse::{Node, Place, is_word};

/// How many steps may be taken for one subject.
const MOST_STEPS: usize = 1_000_000;

/// The groups of the match, or none.
pub(super) fn find(
    node: &Node,
    groups: usize,
    subject: &[u8],
) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
    let mut solver = Solver { subject, ends: HashMap::new(), steps: 0, groups: vec![None; groups] };
    match solver.solve(node) {
        Ok(true) => Ok(Some(solver.groups)),
        Ok(false) => Ok(None),
        Err(TooLong) => Err("finding what the groups matched takes too long".to_owned()),
    }
}

struct TooLong;

/// The places where a part can end, in order.
type Ends = Rc<[usize]>;

struct Solver<'a> {
    subject: &'a [u8],
    /// By part and where it begins.
    ends: HashMap<(Part, usize), Ends>,
    steps: usize,
    groups: Vec<Option<Range<usize>>>,
}

/// A part by its place in memory: a node, or the rest of a sequence.
type Part = (usize, usize);

fn part(node: &Node) -> Part {
    (std::ptr::from_ref(node) as usize, 0)
}

fn sequence(nodes: &[Node]) -> Part {
    (nodes.as_ptr() as usize, nodes.len())
}

impl Solver<'_> {
    fn solve(&mut self, node: &Node) -> Result<bool, TooLong> {
        for start in 0..=self.subject.len() {
            if let Some(end) = self.ends(node, start)?.last() {
                self.assign(node, start, *end)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step(&mut self, count: usize) -> Result<(), TooLong> {
        self.steps += count;
        if self.steps > MOST_STEPS { Err(TooLong) } else { Ok(()) }
    }

    /// Where a part can end that begins at `start`.
    fn ends(&mut self, node: &Node, start: usize) -> Result<Ends, TooLong> {
        self.step(1)?;
        let only = |is_so: bool, end: usize| Ok(if is_so { Rc::from([end]) } else { Rc::from([]) });
        match node {
            Node::Empty => only(true, start),
            Node::Octet(octets) => {
                only(self.subject.get(start).is_some_and(|octet| octets.contains(*octet)), start + 1)
            }
            Node::Place(place) => only(self.is_at(*place, start), start),
            Node::Group(_, inner) => self.ends(inner, start),
            Node::Concat(parts) => self.ends_of_all(parts, start),
            Node::Either(branches) => self.once((part(node), start), |solver| {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend_from_slice(&solver.ends(branch, start)?);
                }
                Ok(all)
            }),
            Node::Repeat { node, min, max } => self.ends_of_repeats(node, *min, *max, start),
        }
    }

    /// Where the sequence can end.
    fn ends_of_all(&mut self, parts: &[Node], start: usize) -> Result<Ends, TooLong> {
        let Some((first, rest)) = parts.split_first() else { return Ok(Rc::from([start])) };
        self.once((sequence(parts), start), |solver| {
            let mut all = Vec::new();
            for between in solver.ends(first, start)?.iter() {
                all.extend_from_slice(&solver.ends_of_all(rest, *between)?);
            }
            Ok(all)
        })
    }

    /// Where `min` to `max` repetitions can end.
    fn ends_of_repeats(
        &mut self,
        node: &Node,
        min: u32,
        max: Option<u32>,
        start: usize,
    ) -> Result<Ends, TooLong> {
        let mut frontier = vec![start];
        for _ in 0..min {
            frontier = self.after_one_more(node, &frontier)?;
            if frontier.is_empty() {
                break;
            }
        }
        let mut all = frontier.clone();
        let mut left = max.map(|max| max - min);
        while !frontier.is_empty() && left != Some(0) {
            left = left.map(|left| left - 1);
            let next = self.after_one_more(node, &frontier)?;
            frontier = next.into_iter().filter(|end| !all.contains(end)).collect();
            self.step(all.len())?;
            all.extend_from_slice(&frontier);
        }
        all.sort_unstable();
        Ok(all.into())
    }

    fn after_one_more(&mut self, node: &Node, starts: &[usize]) -> Result<Vec<usize>, TooLong> {
        let mut all = Vec::new();
        for start in starts {
            all.extend_from_slice(&self.ends(node, *start)?);
            self.step(all.len())?;
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Finds out once and remembers.
    fn once(
        &mut self,
        key: (Part, usize),
        find: impl FnOnce(&mut Self) -> Result<Vec<usize>, TooLong>,
    ) -> Result<Ends, TooLong> {
        if let Some(known) = self.ends.get(&key) {
            return Ok(Rc::clone(known));
        }
        let mut all = find(self)?;
        self.step(all.len())?;
        all.sort_unstable();
        all.dedup();
        let all: Ends = all.into();
        self.ends.insert(key, Rc::clone(&all));
        Ok(all)
    }

    /// Sets the groups of a part that matches from `start` to `end`.
    fn assign(&mut self, node: &Node, start: usize, end: usize) -> Result<(), TooLong> {
        match node {
            Node::Empty | Node::Octet(_) | Node::Place(_) => Ok(()),
            Node::Group(number, inner) => {
                self.groups[*number] = Some(start..end);
                self.assign(inner, start, end)
            }
            Node::Concat(parts) => self.assign_all(parts, start, end),
            Node::Either(branches) => {
                for branch in branches {
                    if self.ends(branch, start)?.contains(&end) {
                        return self.assign(branch, start, end);
                    }
                }
                Ok(())
            }
            Node::Repeat { node, min, max } => self.assign_repeats(node, *min, *max, start, end),
        }
    }

    fn assign_all(&mut self, mut parts: &[Node], mut start: usize, end: usize) -> Result<(), TooLong> {
        while let Some((first, rest)) = parts.split_first() {
            for between in self.ends(first, start)?.iter().rev() {
                if self.ends_of_all(rest, *between)?.contains(&end) {
                    self.assign(first, start, *between)?;
                    (parts, start) = (rest, *between);
                    break;
                }
            }
            if parts.len() != rest.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn assign_repeats(
        &mut self,
        node: &Node,
        mut min: u32,
        mut max: Option<u32>,
        mut start: usize,
        end: usize,
    ) -> Result<(), TooLong> {
        let mut is_first = true;
        // An empty repetition counts where the minimum asks for it, or where there would be none otherwise.
        while max != Some(0) && (start < end || min > 0 || is_first) {
            (min, max) = (min.saturating_sub(1), max.map(|max| max - 1));
            let ends = self.ends(node, start)?;
            let mut chosen = None;
            for between in ends.iter().rev().filter(|between| **between > start || start == end || min > 0) {
                if self.ends_of_repeats(node, min, max, *between)?.contains(&end) {
                    chosen = Some(*between);
                    break;
                }
            }
            let Some(between) = chosen else { return Ok(()) };
            self.assign(node, start, between)?;
            (start, is_first) = (between, false);
        }
        Ok(())
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let octet = |at: Option<usize>| at.and_then(|at| self.subject.get(at)).copied();
        let (before, after) = (octet(at.checked_sub(1)), octet(Some(at)));
        let (word_before, word_after) = (before.is_some_and(is_word), after.is_some_and(is_word));
        match place {
            Place::Start => before.is_none(),
            Place::End => after.is_none(),
            Place::LineStart => before.is_none_or(|octet| octet == b'\n'),
            Place::LineEnd => after.is_none_or(|octet| octet == b'\n'),
            Place::WordStart => !word_before && word_after,
            Place::WordEnd => word_before && !word_after,
            Place::WordEdge => word_before != word_after,
            Place::NoWordEdge => word_before == word_after,
        }
    }
}
