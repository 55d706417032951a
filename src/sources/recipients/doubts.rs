//! What is doubtful about the use of a source for domains, in words.

use crate::clients::files::problem::Problem;

/// A source that answers for every name of domains in a way that does not tell why.
pub(super) fn knows_everybody(source: &str, domains: &[&str]) -> Problem {
    let message = format!(
        "{source} answers for every name of {} by itself, so that `soft` and `reject` cannot tell real names that it \
         answers alike from names that nobody has, and let all of them in",
        named(domains)
    );
    Problem::new(message)
        .hint("name a source that has the real names only instead, such as the panel's own rows by `sql`")
}

/// Domains whose names nothing lists.
pub(super) fn unchecked(domains: &[&str], why: &str) -> Problem {
    Problem::new(format!("recipients of {} are not checked: {why}", named(domains)))
}

/// The first few names, and how many more there are.
fn named(names: &[&str]) -> String {
    const NAMED: usize = 10;
    match names.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}
