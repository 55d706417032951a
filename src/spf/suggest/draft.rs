//! Terms with their reasons, and the record that they make.

use ipnet::IpNet;

use super::Term;

/// A draft of the terms.
#[derive(Debug, Default)]
pub(super) struct Draft {
    terms: Vec<Entry>,
    pub(super) dropped: Vec<Term>,
    pub(super) unclear: Vec<Term>,
    pub(super) notes: Vec<String>,
    /// The `exp=` of the present record.
    pub(super) explanation: Option<String>,
    /// Whether a term is left out by which somebody may pass today.
    pub(super) lets_in_less: bool,
}

/// A term of the draft.
#[derive(Debug)]
struct Entry {
    term: Term,
    /// Its place among the terms of the present record, if it is one of them.
    place: Option<usize>,
}

impl Draft {
    /// Adds a term; a further reason to one that is there.
    pub(super) fn add(&mut self, text: String, why: String) {
        match self.terms.iter_mut().find(|entry| entry.term.text.eq_ignore_ascii_case(&text)) {
            Some(Entry { term, .. }) if !term.why.contains(&why) => term.why = format!("{}; {why}", term.why),
            Some(_) => {}
            None => self.terms.push(Entry { term: Term { text, why }, place: None }),
        }
    }

    /// Says that a term is the next one of the present record.
    pub(super) fn place(&mut self, text: &str) {
        let next = self.terms.iter().filter_map(|entry| entry.place).max().map_or(0, |last| last + 1);
        let entry = self.terms.iter_mut().find(|entry| entry.term.text.eq_ignore_ascii_case(text));
        if let Some(entry) = entry {
            entry.place.get_or_insert(next);
        }
    }

    /// Leaves a term of the present record out.
    pub(super) fn leave_out(&mut self, text: &str, why: impl Into<String>) {
        self.dropped.push(Term { text: text.to_owned(), why: why.into() });
    }

    /// Whether there is such a term.
    pub(super) fn has(&self, text: &str) -> bool {
        self.terms.iter().any(|entry| entry.term.text.eq_ignore_ascii_case(text))
    }

    /// Whether there is no term.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The record that ends with `end`.
    pub(super) fn record(&self, end: &str) -> String {
        let mut entries: Vec<&Entry> = self.terms.iter().collect();
        // What is kept out must be kept out before anything lets it in, and what is let in before it is kept out
        // (RFC 7208, 4.6.2): with such terms, the present order stays.
        if entries.iter().any(|entry| entry.term.text.starts_with('-')) {
            entries.sort_by_key(|entry| entry.place.unwrap_or(usize::MAX));
        } else {
            entries.sort_by_key(|entry| rank(&entry.term.text));
        }
        let words = entries.iter().map(|entry| entry.term.text.as_str());
        let explanation = self.explanation.as_deref();
        ["v=spf1"].into_iter().chain(words).chain([end]).chain(explanation).collect::<Vec<_>>().join(" ")
    }

    /// The terms.
    pub(super) fn into_terms(self) -> Vec<Term> {
        self.terms.into_iter().map(|entry| entry.term).collect()
    }
}

fn rank(term: &str) -> usize {
    let kinds = ["ip4:", "ip6:", "a", "mx", "exists:", "include:"];
    let text = term.to_ascii_lowercase();
    match kinds.iter().position(|kind| text.starts_with(kind)) {
        // What is doubtful comes after all that lets in (RFC 7208, 4.6.2).
        _ if text.starts_with(['~', '?']) => kinds.len() + 1,
        // What costs nothing comes first, and what others keep last (RFC 7208, 4.6.4).
        Some(at) => at,
        None => kinds.len(),
    }
}

/// The term for a network.
pub(super) fn network_term(network: IpNet) -> String {
    let (name, longest) = if network.addr().is_ipv4() { ("ip4", 32) } else { ("ip6", 128) };
    if network.prefix_len() == longest {
        format!("{name}:{}", network.addr())
    } else {
        format!("{name}:{network}")
    }
}
