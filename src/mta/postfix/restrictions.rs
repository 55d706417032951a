//! Lists of access restrictions (`smtpd_sender_restrictions` and its kind), as smtpd(8) reads them.

use super::words;

/// Classes of restrictions that are looked into, one in another, at most. Postfix itself has no use for more.
const DEEPEST: usize = 10;

/// One restriction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction<'a> {
    /// Its name as it is written; a table without a name of its own (`hash:/etc/postfix/access`) is its own name.
    pub name: &'a str,
    /// What it is asked by: a table, a server, a list of blocked addresses, seconds.
    pub argument: Option<&'a str>,
    /// Whether a refusal is only logged (`warn_if_reject`).
    pub only_warns: bool,
}

impl Restriction<'_> {
    /// Whether it is the one of this name. Postfix does not mind the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is one of these.
    pub fn is_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is(name))
    }

    /// Whether its name begins like this.
    pub fn begins(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    /// Whether it ends its list for every client: `permit`, or `reject` and `defer` unless they only warn.
    pub fn ends(&self) -> bool {
        self.is("permit") || self.is_any(&["reject", "defer"]) && !self.only_warns
    }

    /// The restriction as it is written in main.cf.
    pub fn written(&self) -> String {
        let warning = if self.only_warns { "warn_if_reject " } else { "" };
        let argument = self.argument.map(|argument| format!(" {argument}")).unwrap_or_default();
        format!("{warning}{}{argument}", self.name)
    }
}

/// The restrictions of a list, in its order.
pub fn restrictions(list: &str) -> Vec<Restriction<'_>> {
    let mut words = words(list);
    let mut all = Vec::new();
    let mut only_warns = false;
    while let Some(name) = words.next() {
        if name.eq_ignore_ascii_case("warn_if_reject") {
            only_warns = true;
            continue;
        }
        let mut one = Restriction { name, argument: None, only_warns: std::mem::take(&mut only_warns) };
        if takes_argument(&one) {
            one.argument = words.next();
        }
        all.push(one);
    }
    all
}

/// The restrictions of a list with those of its classes in their place; each with the number of the one that it stands
/// for in the list itself. `class` gives the list of a class.
pub fn flattened<'a>(
    list: &'a str,
    class: &impl Fn(&str) -> Option<&'a str>,
) -> Vec<(usize, Restriction<'a>)> {
    let mut all = Vec::new();
    for (number, one) in restrictions(list).into_iter().enumerate() {
        flatten(one, number, class, DEEPEST, &mut all);
    }
    all
}

fn flatten<'a>(
    one: Restriction<'a>,
    number: usize,
    class: &impl Fn(&str) -> Option<&'a str>,
    depth: usize,
    all: &mut Vec<(usize, Restriction<'a>)>,
) {
    match class(one.name).filter(|_| depth > 0) {
        Some(list) => {
            for inner in restrictions(list) {
                let only_warns = inner.only_warns || one.only_warns;
                flatten(Restriction { only_warns, ..inner }, number, class, depth - 1, all);
            }
        }
        None => all.push((number, one)),
    }
}

/// Whether the word behind a restriction belongs to it.
fn takes_argument(one: &Restriction<'_>) -> bool {
    let lists = ["reject_rbl_client", "reject_rbl", "permit_dnswl_client", "permit_rhswl_client", "sleep"];
    one.is_any(&lists)
        || one.begins("reject_rhsbl_")
        || one.begins("check_") && !one.is_any(&["check_relay_domains", "check_recipient_maps"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &[&str]) {
        let written: Vec<String> = restrictions(list).iter().map(Restriction::written).collect();
        assert_eq!(written, expected, "{list}");
    }

    #[test]
    fn lists() {
        check("", &[]);
        check("permit_mynetworks, reject", &["permit_mynetworks", "reject"]);
        check(
            "warn_if_reject reject_rbl_client zen.example=127.0.0.[2..11],\n  Permit",
            &["warn_if_reject reject_rbl_client zen.example=127.0.0.[2..11]", "Permit"],
        );
        check(
            "check_policy_service { inet:127.0.0.1:1, timeout=3s } reject_rhsbl_helo x.example sleep 3 permit",
            &[
                "check_policy_service { inet:127.0.0.1:1, timeout=3s }",
                "reject_rhsbl_helo x.example",
                "sleep 3",
                "permit",
            ],
        );
        check(
            "hash:/etc/postfix/access check_recipient_maps check_sender_access",
            &["hash:/etc/postfix/access", "check_recipient_maps", "check_sender_access"],
        );
        check("é_permit, warn_if_reject", &["é_permit"]);
    }

    #[test]
    fn what_ends_a_list() {
        for (list, expected) in [
            ("permit", true),
            ("REJECT", true),
            ("defer", true),
            ("warn_if_reject reject", false),
            ("warn_if_reject permit", true),
            ("permit_mynetworks", false),
            ("reject_unauth_destination", false),
        ] {
            assert_eq!(restrictions(list)[0].ends(), expected, "{list}");
        }
    }

    #[test]
    fn classes_are_looked_into() {
        let class = |name: &str| match name {
            "grey" => Some("check_policy_service inet:x:1, mine"),
            "mine" => Some("permit_sasl_authenticated"),
            "round" => Some("round, permit"),
            _ => None,
        };
        let shown = |list| {
            let all = flattened(list, &class);
            all.iter().map(|(number, one)| format!("{number} {}", one.written())).collect::<Vec<_>>()
        };
        assert_eq!(
            shown("permit_mynetworks, warn_if_reject grey, reject"),
            [
                "0 permit_mynetworks",
                "1 warn_if_reject check_policy_service inet:x:1",
                "1 warn_if_reject permit_sasl_authenticated",
                "2 reject"
            ]
        );
        // Postfix gives up on a class that is in itself; here it is looked into for a while only.
        assert_eq!(shown("round").len(), DEEPEST + 1);
    }
}
