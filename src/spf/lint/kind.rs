//! What `spf lint` can find: the registry.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Receivers cannot evaluate the record, or it lets everybody in.
    Error,
    /// It does less than it seems to.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A kind of finding: its name, how bad it is, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its stable name.
    pub slug: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What to do.
    pub hint: &'static str,
}

/// Declares the kinds, and the list of them all.
macro_rules! kinds {
    ($($name:ident $slug:literal $severity:ident $hint:literal;)*) => {
        $(
            #[doc = concat!("`", $slug, "`: ", $hint, ".")]
            pub const $name: Kind = Kind { slug: $slug, severity: Severity::$severity, hint: $hint };
        )*

        /// All kinds.
        pub const ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    // RFC 7208, 3.2, 4.5 and 4.6: what makes every evaluation a permerror.
    SYNTAX "syntax" Error "mend the term: receivers take the whole record for broken";
    MULTIPLE_RECORDS "multiple-records" Error "publish one record with the terms of all";
    REPEATED_MODIFIER "repeated-modifier" Error "keep one of them";
    MACRO_LETTER "macro-letter" Error "use them in the text that exp= names only";
    // RFC 7208, 4.6.4: the limits.
    TOO_MANY_LOOKUPS "too-many-lookups" Error "replace a, mx and include by the networks behind them, or move senders to subdomains";
    TOO_MANY_VOID_LOOKUPS "too-many-void-lookups" Error "remove terms whose names do not exist any more";
    VOID_LOOKUPS_OF_FAMILY "void-lookups-of-family" Warning "write ip4 instead of a and mx for hosts with one kind of address";
    TOO_MANY_MX_HOSTS "too-many-mx-hosts" Error "name the networks of the hosts by ip4 and ip6";
    FEW_LOOKUPS_LEFT "few-lookups-left" Note "what others include may grow by a term tomorrow";
    TOO_MANY_QUERIES "too-many-queries" Warning "what is included is too large to be looked at as a whole";
    // RFC 7208, 5.2 and 6.1: other people's records.
    INCLUDE_MISSING "include-missing" Error "remove it, or ask its owner for the right name: receivers take your record for broken";
    INCLUDE_BROKEN "include-broken" Error "ask its owner to mend it, or name the networks yourself";
    INCLUDE_LOOP "include-loop" Error "remove the term that leads back";
    INCLUDE_PASSES_ALL "include-passes-all" Error "remove it: through it everybody may send for you";
    REDIRECT_MISSING "redirect-missing" Error "name a domain with a record, or end the record with -all";
    REDIRECT_PER_MESSAGE "redirect-per-message" Note "publish a record for every other name as well (*), unless the mail of others should be an error";
    REDIRECT_BROKEN "redirect-broken" Error "mend the record that it names";
    // RFC 7208, 5.1: the end of the record.
    PASS_ALL "pass-all" Error "write ~all, and -all later";
    NEUTRAL_ALL "neutral-all" Warning "write ~all: ?all says nothing about strangers";
    NO_ALL "no-all" Warning "end the record with ~all, and -all later";
    SOFTFAIL_ALL "softfail-all" Note "write -all once all senders are known; `spf suggest` says when";
    UNREACHABLE_TERM "unreachable-term" Warning "move it before all, or remove it";
    UNREACHABLE_BROKEN "unreachable-broken-term" Note "remove it";
    IGNORED_REDIRECT "ignored-redirect" Warning "remove it, or the all before it";
    DUPLICATE_TERM "duplicate-term" Warning "remove it";
    // RFC 7208, 5.6: networks.
    WORLD_NETWORK "world-network" Error "name the networks of your own hosts";
    WIDE_NETWORK "wide-network" Warning "name the networks of your own hosts only";
    HOST_BITS "host-bits" Warning "write the first address of the network, or no prefix length";
    PRIVATE_NETWORK "private-network" Warning "remove it: no receiver ever sees such a client";
    REDUNDANT_NETWORK "redundant-network" Note "remove it: another term covers it";
    // RFC 7208, 5.5, 6 and 7.
    PTR "ptr" Warning "name the hosts by ip4, ip6, a or mx: RFC 7208, 5.5 tells domains not to use ptr";
    MISSPELT_MODIFIER "misspelt-modifier" Warning "receivers ignore it; a mechanism takes a colon";
    UNKNOWN_MODIFIER "unknown-modifier" Note "receivers ignore it";
    EXPLANATION_MISSING "explanation-missing" Note "publish one TXT record there, or remove exp=";
    MACRO "macro" Note "what it gives depends on each message, and is looked at for a stranger here";
    VOID_LOOKUP "void-lookup" Warning "remove it, or publish what it names: of such look-ups, receivers put up with two";
    NULL_MX_TARGET "null-mx-target" Warning "remove mx: the domain takes no mail, so that it has no mail hosts";
    // How it is published.
    NO_RECORD "no-record" Warning "publish one; `spf suggest` writes it";
    ALMOST_RECORD "almost-record" Warning "begin it with exactly v=spf1 and a blank, or receivers do not see it";
    SENDER_ID "sender-id" Note "remove it: nobody evaluates it any more (RFC 6686, 6)";
    LONG_ANSWER "long-answer" Warning "shorten the record or move other TXT records to names of their own";
    NEEDS_SPLITTING "needs-splitting" Note "publish it as several character-strings of one TXT record";
    TYPE_99 "type-99" Note "remove it: receivers read TXT only (RFC 7208, 3.1)";
    NOT_COVERED "not-covered" Warning "add its network, as mail leaves this host from there";
    NULL_MX_SENDS "null-mx-sends" Warning "write v=spf1 -all, if the domain sends no mail either";
    SENDS_NO_MAIL "sends-no-mail" Note "nothing to do, if the domain sends no mail";
    HELO_WITHOUT_RECORD "helo-without-record" Warning "publish v=spf1 a -all for the name: it judges the bounces of this host";
    DMARC_MISSING "dmarc-missing" Warning "publish v=DMARC1; p=none; rua=mailto:… to learn who sends for you";
    DMARC_BROKEN "dmarc-broken" Warning "write v=DMARC1; p=none, quarantine or reject (RFC 7489, 6.3)";
    DMARC_NONE "dmarc-none" Note "raise it to quarantine once reports show that all of your mail passes";
    DNS_FAILURE "dns-failure" Warning "try again: until DNS answers, receivers cannot evaluate the record either";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let slugs: BTreeSet<&str> = ALL.iter().map(|kind| kind.slug).collect();
        assert_eq!(slugs.len(), ALL.len());
        assert!(
            slugs
                .iter()
                .all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b"-0123456789".contains(&b)))
        );
    }
}
