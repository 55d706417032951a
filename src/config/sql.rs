//! `sql: { url: "postgres://milter@db/mail", query: "…", password_file: … }` among sources of recipients and of
//! identities.

use std::path::Path;

use serde::Deserialize;

use super::problems::Problems;
use super::value;
use super::written::At;
use super::yaml::Id;
use crate::clients::sql::{DatabaseUrl, Dialect, Query, Settings};

/// A database as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    url: Option<At<String>>,
    query: Option<At<String>>,
    password_file: Option<At<String>>,
}

/// What a query may ask for, and of what it must ask for one.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) known: &'static [&'static str],
    pub(super) required: &'static [&'static str],
}

impl Written {
    /// The database. `key` is where the kind of source is named; relative paths begin at `base`.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        base: &Path,
        key: Id,
        names: Names,
    ) -> Option<Settings> {
        let url = self.url.as_ref().and_then(|text| match DatabaseUrl::parse(&text.value, base) {
            Ok(url) => Some(url),
            Err(error) => {
                problems.error(text.node, error.message).hint(error.hint);
                None
            }
        });
        // What there is to say of the query does not hang on the URL, but for what is a quote.
        let dialect = url.as_ref().map_or(Dialect::Postgres, DatabaseUrl::dialect);
        let query = self.query.as_ref().and_then(|text| {
            match Query::parse(dialect, &text.value, names.known, names.required) {
                Ok(query) => Some(query),
                Err(error) => {
                    problems.error(text.node, error.message).hint(error.hint);
                    None
                }
            }
        });
        let lacks = [("url", self.url.is_none()), ("query", self.query.is_none())];
        for (name, _) in lacks.into_iter().filter(|(_, is_missing)| *is_missing) {
            let example = match name {
                "url" => "postgres://milter@db/mail".to_owned(),
                _ => format!("select 1 from … where … = {{{}}}", names.required[0]),
            };
            problems
                .error(key, format!("this source has no `{name}`"))
                .hint(format!("add `{name}: \"{example}\"`"));
        }
        let password_file = match &self.password_file {
            Some(path) if dialect == Dialect::Sqlite => {
                problems.error(path.node, "a database in a file has no password").hint("remove it");
                return None;
            }
            Some(path) => Some(value::path(problems, base, path)?),
            None => None,
        };
        Some(Settings { url: url?, query: query?, password_file })
    }
}
