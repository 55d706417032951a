//! Sources of recipients as written, and what they mean. Each kind is a file beside this one and a line in the lists here.

use serde::Deserialize;

use super::super::diagnostic::{quoted, visible};
use super::super::directory;
use super::super::sql;
use super::super::yaml::Id;
use super::{
    At, Context, Problems, SourceSettings, TextOr, aliases, call_ahead, dovecot, ldap, list, passwd, postfix,
    postfix_map, socketmap, value, words,
};
use crate::sources::recipients;

/// A source in its long form: one key, which names the kind.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    aliases: aliases::Written,
    dovecot: dovecot::Written,
    file: Option<At<String>>,
    ldap: directory::Written,
    list: Option<Vec<At<String>>>,
    lmtp: call_ahead::Written,
    passwd: passwd::Written,
    postfix: postfix::Instance,
    postfix_map: Option<At<String>>,
    smtp: call_ahead::Written,
    socketmap: socketmap::Written,
    sql: sql::Written,
}

/// The kinds of sources.
const KINDS: [&str; 12] = [
    "aliases",
    "dovecot",
    "file",
    "ldap",
    "list",
    "lmtp",
    "passwd",
    "postfix",
    "postfix_map",
    "smtp",
    "socketmap",
    "sql",
];

const SQL: sql::Names = sql::Names { known: &recipients::sql::NAMES, required: &recipients::sql::REQUIRED };

impl Written {
    /// The source of a kind. `key` is where the kind is named.
    fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        kind: &str,
        key: Id,
    ) -> Option<SourceSettings> {
        match kind {
            "dovecot" => self.dovecot.build(problems, context, key),
            "aliases" => self.aliases.build(problems, context, key),
            "file" => match &self.file {
                Some(path) => value::path(problems, context.base, path).map(SourceSettings::File),
                None => missing(problems, key, "names no file"),
            },
            "ldap" => ldap::build(problems, context, &self.ldap, key),
            "list" => Some(list::build(problems, self.list.as_deref().unwrap_or_default())),
            "postfix" => {
                let config_dir = self.postfix.config_dir(problems, context.base)?;
                Some(SourceSettings::Postfix { config_dir })
            }
            "postfix_map" => match &self.postfix_map {
                Some(table) => postfix_map::build(problems, table),
                None => missing(problems, key, "names no table"),
            },
            "lmtp" => self.lmtp.lmtp(problems, context, key).map(SourceSettings::Lmtp),
            "smtp" => self.smtp.smtp(problems, context, key).map(SourceSettings::Smtp),
            "socketmap" => self.socketmap.build(problems, key),
            "sql" => self.sql.build(problems, context.base, key, SQL).map(SourceSettings::Sql),
            "passwd" => self.passwd.build(problems, context, key),
            _ => None,
        }
    }
}

/// A kind that is one word.
fn short_form(problems: &mut Problems<'_>, node: Id, word: &str) -> Option<SourceSettings> {
    if word == "postfix" {
        return Some(SourceSettings::Postfix { config_dir: None });
    }
    if KINDS.contains(&word) {
        problems
            .error(node, format!("{} needs to know more", quoted(word)))
            .hint(format!("write `{word}: …`; lockdown-milter.conf(5) shows every kind of source"));
        return None;
    }
    let hint = if word.contains('/') {
        format!("write `file: {}`", visible(word, 80))
    } else {
        words::suggest(word, "known here:", &KINDS)
    };
    problems.error(node, format!("{} is not a source of recipients", quoted(word))).hint(hint);
    None
}

/// Complains about a source that lacks what it cannot do without.
pub(super) fn missing<T>(problems: &mut Problems<'_>, node: Id, what: &str) -> Option<T> {
    problems.error(node, format!("this source {what}"));
    None
}

/// The sources of a list, none twice.
pub(super) fn build(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    written: &[At<TextOr<Written>>],
) -> Vec<SourceSettings> {
    value::distinct(problems, written, |problems, item| match &item.value {
        TextOr::Text(word) => short_form(problems, item.node, word),
        TextOr::Map(written) => long_form(problems, context, item.node, written),
    })
}

fn long_form(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    node: Id,
    written: &Written,
) -> Option<SourceSettings> {
    let tree = problems.tree();
    let keys: Vec<(&str, Id)> =
        KINDS.into_iter().filter_map(|kind| Some((kind, tree.find(node, &[kind])?.0))).collect();
    match keys.as_slice() {
        // What could not be read may have named it.
        _ if problems.has_gap(node) => None,
        [] => {
            problems.error(node, "this source names nothing").hint(format!("one of: {}", KINDS.join(", ")));
            None
        }
        [(kind, key)] => written.build(problems, context, kind, *key),
        [(_, first), (_, second), ..] => {
            problems
                .error(*second, "a source is one thing only")
                .hint("make it two items of the list")
                .related(*first, "the other one");
            None
        }
    }
}
