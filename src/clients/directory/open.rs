//! A directory that can be asked.

use std::path::Path;

use tracing::warn;

use super::{Bind, GLOBAL_CATALOGUE, Referrals, Settings};
use crate::clients::files::problem::{Problem, quoted};
use crate::clients::files::watched::Reading;
use crate::clients::ldap::{self, CONNECT_TIME, Client, Found, SEARCH_TIME, Search, SearchError};
use crate::clients::password::PasswordFile;
use crate::clients::tls::{self, Trust};

/// A directory with the question that it is asked.
#[derive(Debug)]
pub(crate) struct Directory {
    settings: Settings,
    client: Client,
}

impl Directory {
    /// Reads the files that the settings name. The servers are asked when there is a question.
    pub(crate) fn open(settings: &Settings) -> Reading<Self> {
        if !is_filter(settings) {
            let problem = Problem::new(format!("{} is no filter", quoted(&settings.filter.to_string())));
            return Err(vec![problem]);
        }
        let (bind, mut warnings) = match &settings.bind {
            Some(Bind { dn, password_file }) => {
                let (file, warnings) = PasswordFile::open(password_file)?;
                (ldap::Bind::File(dn.clone(), file), warnings)
            }
            None => (ldap::Bind::Anonymous, Vec::new()),
        };
        let is_tls = settings.start_tls || settings.servers.iter().any(|server| server.is_tls);
        let tls = if is_tls {
            let trust = settings.ca_file.as_deref().map(Path::to_owned).map_or(Trust::System, Trust::File);
            let (config, more) = tls::client(&trust)?;
            warnings.extend(more);
            Some(config)
        } else {
            None
        };
        let client = Client::new(ldap::Settings {
            servers: settings.servers.clone(),
            start_tls: settings.start_tls,
            tls,
            bind,
            connect_time: CONNECT_TIME,
            search_time: SEARCH_TIME,
        });
        Ok((Self { settings: settings.clone(), client }, warnings))
    }

    /// Why what was not found may be there all the same, if it may; parts that are elsewhere are told of.
    pub(crate) fn doubt(&self, found: &Found) -> Option<String> {
        if found.cut.is_some() {
            return found.cut.clone();
        }
        if found.references.is_empty() {
            return None;
        }
        if self.settings.referrals == Referrals::Defer {
            return Some(found.references.to_string());
        }
        warn!("ldap {}: {}; {GLOBAL_CATALOGUE}", self.settings.servers(), found.references);
        None
    }

    /// What is found for these values, at most `most` entries of it; 0 for all. What no directory can hold is not
    /// found and not asked for.
    ///
    /// # Errors
    ///
    /// Where the directory cannot tell.
    pub(crate) async fn search(
        &self,
        values: &[&str],
        attributes: &[String],
        most: usize,
    ) -> Result<Found, String> {
        if !values.iter().all(|value| is_literal(value)) {
            return Ok(Found::default());
        }
        let base = self.settings.base.fill(values, ldap::in_name);
        let filter = self.settings.filter.fill(values, ldap::in_filter);
        let search = Search {
            base: &base,
            scope: self.settings.scope,
            filter: &filter,
            attributes,
            most,
            dereference: ldap::Dereference::Never,
        };
        match self.client.search(&search).await {
            // A base that is not there is a mistake, unless it depends on the question.
            Err(SearchError::NoBase(_)) if self.settings.base.has_any() => Ok(Found::default()),
            answer => answer.map_err(|error| error.to_string()),
        }
    }
}

/// Whether the filter is one.
pub(crate) fn is_filter(settings: &Settings) -> bool {
    ldap::is_filter(&settings.filter.fill(&[], |_| "x".to_owned()))
}

/// Whether directories compare a text as it is. They may leave out controls and what cannot be seen, and they take
/// spaces at either end for none and several for one (RFC 4518, 2.2 and 2.6.1): the text would find another name.
fn is_literal(text: &str) -> bool {
    let is_unseen = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
    };
    let is_other_space = |c: char| c != ' ' && c.is_whitespace();
    !text.contains(|c: char| c.is_control() || is_unseen(c) || is_other_space(c))
        && !text.contains("  ")
        && text.trim_matches(' ') == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_find_another_name() {
        for text in ["alice@example.org", "*)(uid=*", "\\", "the boss", "\"' OR 1=1 --\"@x", "élodie", ""] {
            assert!(is_literal(text), "{text:?}");
        }
        for text in [
            " alice",
            "alice ",
            "the  boss",
            "a\0",
            "a\tb",
            "a\nb",
            "al\u{200b}ice",
            "al\u{ad}ice",
            "a\u{a0}b",
        ] {
            assert!(!is_literal(text), "{text:?}");
        }
    }
}
