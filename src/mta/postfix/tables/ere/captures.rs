//! Which text each group of an expression matched: an automaton that is walked as the C library of GNU walks its own.
//!
//! The match is the leftmost, and of these the longest, as POSIX has it (XBD 9.1). Within it the C library does not
//! follow POSIX: it takes the first way that leads to the end. Tables were written for what it does.
//!
//! Which states lead to the end is found out once for every place of the subject, so that the time is bounded by the
//! size of the expression and of the subject, however both are chosen.

use std::ops::Range;

use super::parse::{Node, Octets, Place, is_word};

/// The most states of an automaton.
const MOST_STATES: usize = 10_000;
/// The most pairs of a state and a place in the subject.
const MOST_PAIRS: usize = 4_000_000;

/// What the groups matched, from the first on.
pub(super) type Groups = Vec<Option<Range<usize>>>;

/// The automaton.
#[derive(Debug)]
pub(super) struct Automaton {
    states: Vec<State>,
    groups: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// Takes an octet.
    Octet(Box<Octets>, usize),
    /// Needs a place.
    At(Place, usize),
    /// Goes one way or the other, rather the first.
    Split(usize, usize),
    /// Begins a group.
    Open(usize, usize),
    /// Ends a group, which may be one of several repetitions that need not be.
    Close { group: usize, is_optional: bool, next: usize },
    /// The end.
    End,
}

impl Automaton {
    /// The automaton of an expression; none where it would be too large.
    pub(super) fn new(node: &Node, groups: usize) -> Option<Self> {
        let mut automaton = Self { states: vec![State::End], groups };
        // States are made from the end on, so that each knows where it leads; the last is the first.
        let start = automaton.add(node, 0, None)?;
        automaton.push(State::Split(start, start))?;
        Some(automaton)
    }

    fn push(&mut self, state: State) -> Option<usize> {
        self.states.push(state);
        (self.states.len() <= MOST_STATES).then_some(self.states.len() - 1)
    }

    /// Adds the states of a part that leads to `next`. `optional`: the group of which this is a repetition that need
    /// not be.
    fn add(&mut self, node: &Node, next: usize, optional: Option<usize>) -> Option<usize> {
        match node {
            Node::Empty => Some(next),
            Node::Octet(octets) => self.push(State::Octet(octets.clone(), next)),
            Node::Place(place) => self.push(State::At(*place, next)),
            Node::Group(group, inner) => {
                let is_optional = optional == Some(*group);
                let close = self.push(State::Close { group: *group, is_optional, next })?;
                let inside = self.add(inner, close, None)?;
                self.push(State::Open(*group, inside))
            }
            Node::Concat(parts) => {
                parts.iter().rev().try_fold(next, |next, part| self.add(part, next, optional))
            }
            Node::Either(branches) => {
                let (last, before) = branches.split_last()?;
                let last = self.add(last, next, optional)?;
                before.iter().rev().try_fold(last, |others, branch| {
                    let branch = self.add(branch, next, optional)?;
                    self.push(State::Split(branch, others))
                })
            }
            Node::Repeat { node, min, max } => self.repeat(node, *min, *max, next),
        }
    }

    /// Repetitions as the C library spells them out: the necessary ones, then a loop, or for `{0,n}` the necessary one
    /// of `((x?x)?x)?`.
    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, next: usize) -> Option<usize> {
        let group = if let Node::Group(group, _) = node { Some(*group) } else { None };
        let mut first = match max {
            None => {
                let split = self.push(State::Split(next, next))?;
                let body = self.add(node, split, group)?;
                self.states[split] = State::Split(body, next);
                split
            }
            Some(max) => self.optional(node, max - min, group, next)?,
        };
        for _ in 0..min {
            first = self.add(node, first, None)?;
        }
        Some(first)
    }

    /// Up to `most` repetitions.
    fn optional(&mut self, node: &Node, most: u32, group: Option<usize>, next: usize) -> Option<usize> {
        if most == 0 {
            return Some(next);
        }
        let mut leads_to = next;
        let mut exits = Vec::new();
        // From the outermost on: each ends with one repetition, in front of which the inner ones may be.
        for _ in 0..most {
            exits.push(leads_to);
            leads_to = self.add(node, leads_to, group)?;
        }
        exits.into_iter().rev().try_fold(leads_to, |inner, exit| self.push(State::Split(inner, exit)))
    }

    /// The groups of the match, or none.
    ///
    /// # Errors
    ///
    /// Where that would take too long to find out.
    pub(super) fn find(&self, subject: &[u8]) -> Result<Option<Groups>, String> {
        let pairs = self.states.len().saturating_mul(subject.len() + 1);
        if pairs > MOST_PAIRS {
            return Err("finding what the groups matched takes too long".to_owned());
        }
        let walk = Walk { states: &self.states, subject };
        let found = (0..=subject.len()).find_map(|start| Some((start, walk.longest(start)?)));
        Ok(found.map(|(start, end)| walk.groups(start, end, self.groups)))
    }
}

/// A walk through the automaton along a subject.
struct Walk<'a> {
    states: &'a [State],
    subject: &'a [u8],
}

impl Walk<'_> {
    fn start(&self) -> usize {
        self.states.len() - 1
    }

    /// Where a state leads at a place: to which states, and whether an octet is taken.
    fn ways(&self, state: usize, at: usize) -> ([Option<usize>; 2], usize) {
        match &self.states[state] {
            State::Octet(octets, next) => {
                let fits = self.subject.get(at).is_some_and(|octet| octets.contains(*octet));
                ([fits.then_some(*next), None], 1)
            }
            State::At(place, next) => ([self.is_at(*place, at).then_some(*next), None], 0),
            State::Split(first, second) => ([Some(*first), Some(*second)], 0),
            State::Open(_, next) | State::Close { next, .. } => ([Some(*next), None], 0),
            State::End => ([None, None], 0),
        }
    }

    /// The last place where a match that begins at `start` can end.
    fn longest(&self, start: usize) -> Option<usize> {
        let mut now = vec![false; self.states.len()];
        let (mut stack, mut longest) = (vec![self.start()], None);
        for at in start..=self.subject.len() {
            let mut next = Vec::new();
            while let Some(state) = stack.pop() {
                if std::mem::replace(&mut now[state], true) {
                    continue;
                }
                if matches!(self.states[state], State::End) {
                    longest = Some(at);
                }
                let (ways, taken) = self.ways(state, at);
                let further = if taken == 0 { &mut stack } else { &mut next };
                further.extend(ways.into_iter().flatten());
            }
            if next.is_empty() {
                break;
            }
            now.fill(false);
            stack = next;
        }
        longest
    }

    /// For every place up to `end` which states lead to the end of the expression there.
    fn leading_to(&self, start: usize, end: usize) -> Vec<Vec<bool>> {
        let mut lead = vec![vec![false; self.states.len()]; end - start + 1];
        for at in (start..=end).rev() {
            // Ways without an octet may form loops, so this goes on until nothing changes.
            loop {
                let mut has_changed = false;
                for state in 0..self.states.len() {
                    if lead[at - start][state] {
                        continue;
                    }
                    let (ways, taken) = self.ways(state, at);
                    let is_end = at == end && matches!(self.states[state], State::End);
                    let leads = |next: usize| lead.get(at - start + taken).is_some_and(|lead| lead[next]);
                    if is_end || ways.into_iter().flatten().any(leads) {
                        lead[at - start][state] = true;
                        has_changed = true;
                    }
                }
                if !has_changed {
                    break;
                }
            }
        }
        lead
    }

    /// What the groups matched on the way from `start` to `end`.
    fn groups(&self, start: usize, end: usize, count: usize) -> Groups {
        let lead = self.leading_to(start, end);
        let leads = |state: usize, at: usize| lead.get(at - start).is_some_and(|lead| lead[state]);
        let mut registers = Registers::new(count);
        let (mut state, mut at) = (self.start(), start);
        let mut passed = vec![false; self.states.len()];
        // A loop is passed twice without an octet, at most.
        for _ in 0..(end - start + 1) * 3 * self.states.len() {
            match &self.states[state] {
                State::Open(group, _) => registers.open(*group, at),
                State::Close { group, is_optional, .. } => registers.close(*group, at, *is_optional),
                _ => {}
            }
            passed[state] = true;
            let (ways, taken) = self.ways(state, at);
            let mut good = ways.into_iter().flatten().filter(|next| leads(*next, at + taken));
            let Some(mut next) = good.next() else { break };
            // A loop that takes nothing is left.
            if let Some(other) = good.next().filter(|_| passed[next]) {
                next = other;
            }
            if taken > 0 {
                passed.fill(false);
            }
            (state, at) = (next, at + taken);
        }
        registers.groups()
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

/// What the groups matched so far: where each begins, and where it ends if it has ended.
struct Registers {
    now: Vec<(Option<usize>, Option<usize>)>,
    /// The same after the last group that was not empty.
    before: Vec<(Option<usize>, Option<usize>)>,
}

impl Registers {
    fn new(count: usize) -> Self {
        Self { now: vec![(None, None); count], before: vec![(None, None); count] }
    }

    fn open(&mut self, group: usize, at: usize) {
        self.now[group] = (Some(at), None);
    }

    fn close(&mut self, group: usize, at: usize, is_optional: bool) {
        if self.now[group].0.is_some_and(|begin| begin < at) {
            self.now[group].1 = Some(at);
            self.before.clone_from(&self.now);
        } else if is_optional && self.before[group].0.is_some() {
            // One more repetition that is empty did not happen, nor did what is inside of it.
            self.now.clone_from(&self.before);
        } else {
            self.now[group].1 = Some(at);
        }
    }

    fn groups(self) -> Groups {
        self.now.into_iter().map(|(begin, end)| Some(begin?..end?)).collect()
    }
}
