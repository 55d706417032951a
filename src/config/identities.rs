//! Who may send as what: logins and sources of grants as written, and what they mean.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::diagnostic::{quoted, visible};
use super::directory::{self, Subject};
use super::problems::{Problems, Spot};
use super::written::{At, TextOr};
use super::yaml::Id;
use super::{Context, domains, postfix, sql, value, words};
use crate::check::Mode;
use crate::check::auth_match::Axis;
use crate::clients::directory::GRANT_PLACES;
use crate::mail::Domain;
use crate::policy::Policy;
use crate::session::LoginPattern;
use crate::sources::identities::{self, SourceSettings};

/// `identities` as written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    login_domain: Option<At<String>>,
    sources: Vec<At<TextOr<WrittenSource>>>,
    exempt_logins: Vec<At<String>>,
}

/// A source in its long form.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenSource {
    file: Option<At<String>>,
    postfix_sender_login_maps: postfix::Instance,
    postfix_aliases: postfix::Instance,
    ldap: directory::Written,
    sql: sql::Written,
}

/// The keys of a source in its long form, one for each kind.
const KINDS: [&str; 5] = ["file", "postfix_sender_login_maps", "postfix_aliases", "ldap", "sql"];

const SQL: sql::Names = sql::Names { known: &identities::sql::NAMES, required: &identities::sql::REQUIRED };

impl Written {
    /// The domain of logins that name none.
    pub(super) fn login_domain(&self, problems: &mut Problems<'_>) -> Option<Domain> {
        self.login_domain.as_ref().and_then(|text| value::domain(problems, text))
    }

    /// The logins that may send as anything.
    pub(super) fn exempt_logins(&self, problems: &mut Problems<'_>) -> Vec<LoginPattern> {
        let mut logins = Vec::new();
        for text in &self.exempt_logins {
            if let Some(pattern) = value::login_pattern(problems, text)
                && !logins.contains(&pattern)
            {
                logins.push(pattern);
            }
        }
        logins
    }

    /// The sources of grants.
    pub(super) fn sources(&self, problems: &mut Problems<'_>, context: Context<'_>) -> Vec<SourceSettings> {
        value::distinct(problems, &self.sources, |problems, item| match &item.value {
            TextOr::Text(word) => short_form(problems, item.node, word),
            TextOr::Map(written) => written.build(problems, context, item.node),
        })
    }

    /// Complains about what the locks ask of logins and `identities` cannot give. `demands` are the settings that ask
    /// for `auth_match` by address.
    pub(super) fn check(&self, problems: &mut Problems<'_>, policy: &Policy, demands: &BTreeSet<Id>) {
        if problems.has_gap_in(&["identities"]) {
            return;
        }
        if self.sources.is_empty() && self.exempt_logins.is_empty() {
            for &demand in demands {
                problems
                    .error(demand, "`auth_match` by address: nobody could send as anything but the login itself")
                    .hint(
                        "name a source of grants in `identities.sources`, or set `mail_from`, `header_from` and \
                         `sender` of `auth_match` to `domain`",
                    );
            }
        }
        match (&self.login_domain, &policy.site.login_domain) {
            (Some(text), Some(domain)) => check_login_domain(problems, policy, text, domain),
            (None, _) if !problems.has_errors() => warn_of_bare_logins(problems, policy),
            _ => {}
        }
    }
}

/// A domain that is not hosted is a slip more often than not.
fn check_login_domain(problems: &mut Problems<'_>, policy: &Policy, text: &At<String>, domain: &Domain) {
    if policy.hosted.contains_key(domain)
        || problems.has_gap_in(&["domains"])
        || problems.has_gap_in(&["domains_from"])
    {
        return;
    }
    let hint = domains::nearest(problems, &policy.hosted, domain);
    let warning = problems.warning(text.node, format!("{domain} is not a hosted domain"));
    warning.hint(hint.unwrap_or_else(|| "logins without a domain will be judged by `defaults`".to_owned()));
}

/// A login without a domain is nobody's: the locks of `defaults` judge it, and it has no address to match.
fn warn_of_bare_logins(problems: &mut Problems<'_>, policy: &Policy) {
    let lock = &policy.defaults.auth_match;
    let axes = [lock.settings.mail_from, lock.settings.header_from, lock.settings.sender];
    if lock.mode == Mode::Off || axes.iter().all(|axis| *axis == Axis::None) {
        return;
    }
    let key = problems.tree().find(0, &["identities"]);
    let mut independent = policy.hosted.keys().filter(|domain| !policy.site.aliases.contains_key(domain));
    let hint = match (independent.next(), independent.next()) {
        (Some(only), None) => format!("set `identities.login_domain: {only}`"),
        _ => "set `identities.login_domain`".to_owned(),
    };
    problems
        .warning(
            key.map_or(Spot::Whole, |(key, _)| key.into()),
            "a login without a domain, such as `alice`, has no address of its own for `auth_match`",
        )
        .hint(hint);
}

impl WrittenSource {
    fn build(&self, problems: &mut Problems<'_>, context: Context<'_>, node: Id) -> Option<SourceSettings> {
        let (tree, base) = (problems.tree(), context.base);
        let keys: Vec<(&str, Id)> =
            KINDS.into_iter().filter_map(|kind| Some((kind, tree.find(node, &[kind])?.0))).collect();
        match keys.as_slice() {
            // What could not be read may have named it.
            _ if problems.has_gap(node) => None,
            [] => {
                problems.error(node, "this source names nothing").hint(HINT);
                None
            }
            [("postfix_sender_login_maps", _)] => {
                let config_dir = self.postfix_sender_login_maps.config_dir(problems, base)?;
                Some(SourceSettings::PostfixSenderLoginMaps { config_dir })
            }
            [("postfix_aliases", _)] => {
                let config_dir = self.postfix_aliases.config_dir(problems, base)?;
                Some(SourceSettings::PostfixAliases { config_dir })
            }
            [("ldap", key)] => self.ldap(problems, context, *key),
            [("sql", key)] => self.sql.build(problems, context.base, *key, SQL).map(SourceSettings::Sql),
            [(_, key)] => {
                let Some(path) = &self.file else {
                    problems.error(*key, "this source names no file").hint(HINT);
                    return None;
                };
                value::path(problems, base, path).map(SourceSettings::File)
            }
            [(_, first), (_, second), ..] => {
                problems
                    .error(*second, "a source is one thing only")
                    .hint("make it two items of the list")
                    .related(*first, "the other one");
                None
            }
        }
    }
}

impl WrittenSource {
    /// The directory, and the attributes whose values are grants.
    fn ldap(&self, problems: &mut Problems<'_>, context: Context<'_>, key: Id) -> Option<SourceSettings> {
        let subject = Subject { places: &GRANT_PLACES, needed: &["login"], default_filter: None };
        let directory = self.ldap.build(problems, context, key, &subject)?;
        let mut attributes = Vec::new();
        for (node, name) in self.ldap.attribute.as_ref().map(At::texts).unwrap_or_default() {
            // RFC 4512, 2.5: a description may have options.
            let is_fit = |c: char| c.is_ascii_alphanumeric() || "-.;".contains(c);
            if name.is_empty() || !name.chars().all(is_fit) {
                problems
                    .error(node, format!("{} is no attribute", quoted(name)))
                    .hint("write `attribute: mail`");
                return None;
            }
            attributes.push(name.to_owned());
        }
        match &self.ldap.attribute {
            Some(written) if directory.filter.has("address") || directory.base.has("address") => {
                problems
                    .error(written.node, "`attribute` is not asked for where the filter has {address}")
                    .hint("remove one of the two: an entry that fits is the grant, or the values of the attribute are");
                return None;
            }
            None => attributes.push("mail".to_owned()),
            Some(_) => {}
        }
        Some(SourceSettings::Ldap { directory: Box::new(directory), attributes })
    }
}

/// How sources are written.
const HINT: &str =
    "write `file: PATH`, `postfix_sender_login_maps`, `postfix_aliases`, `ldap: {…}` or `sql: {…}`";

/// A source that is one word.
fn short_form(problems: &mut Problems<'_>, node: Id, word: &str) -> Option<SourceSettings> {
    match word {
        "postfix_sender_login_maps" => {
            return Some(SourceSettings::PostfixSenderLoginMaps { config_dir: None });
        }
        "postfix_aliases" => return Some(SourceSettings::PostfixAliases { config_dir: None }),
        "file" => {
            problems.error(node, "this source names no file").hint(HINT);
        }
        "ldap" => {
            problems
                .error(node, "‘ldap’ needs to know more")
                .hint("write `ldap: { url: …, base: …, filter: … }`");
        }
        "sql" => {
            problems.error(node, "‘sql’ needs to know more").hint("write `sql: { url: …, query: … }`");
        }
        word => {
            let hint = if word.contains('/') {
                format!("write `file: {}`", visible(word, 80))
            } else {
                words::suggest(word, "known here:", &KINDS)
            };
            problems.error(node, format!("{} is not a source of identities", quoted(word))).hint(hint);
        }
    }
    None
}
