//! Directories (`ldap`) as written, for recipients and for identities, and what they mean.

use serde::Deserialize;

use super::diagnostic::quoted;
use super::problems::Problems;
use super::written::{At, OneOrMore};
use super::yaml::Id;
use super::{Context, value, words};
use crate::clients::directory::{Bind, Referrals, Scope, Server, Settings, Template};

/// A directory as written.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    url: Option<At<OneOrMore>>,
    base: Option<At<String>>,
    filter: Option<At<String>>,
    scope: Option<At<String>>,
    referrals: Option<At<String>>,
    bind_dn: Option<At<String>>,
    password_file: Option<At<String>>,
    start_tls: Option<At<bool>>,
    ca_file: Option<At<String>>,
    /// For identities only.
    pub(super) attribute: Option<At<OneOrMore>>,
}

/// What a directory is asked about.
pub(super) struct Subject {
    /// What may stand in braces.
    pub(super) places: &'static [&'static str],
    /// Of which at least one must, as otherwise the answer would be the same for all.
    pub(super) needed: &'static [&'static str],
    /// The filter where none is written.
    pub(super) default_filter: Option<&'static str>,
}

impl Written {
    /// The directory. `key` is where it is named.
    pub(super) fn build(
        &self,
        problems: &mut Problems<'_>,
        context: Context<'_>,
        key: Id,
        subject: &Subject,
    ) -> Option<Settings> {
        if cfg!(not(feature = "ldap")) {
            problems.error(key, "this program was built without `ldap`").hint("remove this source");
            return None;
        }
        let start_tls = self.start_tls.as_ref().is_some_and(|start| start.value);
        let servers = self.servers(problems, key, start_tls);
        let base = self.base(problems, key, subject);
        let filter = self.filter(problems, key, subject);
        let scope = words::choice(problems, self.scope.as_ref(), &Scope::NAMES).unwrap_or_default();
        let referrals =
            words::choice(problems, self.referrals.as_ref(), &Referrals::NAMES).unwrap_or_default();
        let bind = self.bind(problems, context);
        let ca_file = match &self.ca_file {
            Some(path) => Some(value::path(problems, context.base, path)?),
            None => None,
        };
        let settings = Settings {
            servers: servers?,
            base: base?,
            filter: filter?,
            scope,
            referrals,
            bind: bind?,
            start_tls,
            ca_file,
        };
        self.check(problems, key, &settings, subject)?;
        Some(settings)
    }

    fn servers(&self, problems: &mut Problems<'_>, key: Id, start_tls: bool) -> Option<Vec<Server>> {
        let written = self.url.as_ref().map(At::texts).unwrap_or_default();
        if written.is_empty() {
            problems.error(key, "this source has no `url`").hint("write `url: ldaps://ldap.example.org`");
            return None;
        }
        let mut servers = Vec::new();
        let mut is_good = true;
        for (node, url) in written {
            let server: Server = match url.parse() {
                Ok(server) => server,
                Err(error) => {
                    problems
                        .error(node, format!("{error}"))
                        .hint("write ldaps://HOST, ldap://HOST or ldapi://%2FSOCKET");
                    is_good = false;
                    continue;
                }
            };
            if start_tls && !server.can_start_tls() {
                problems
                    .error(node, format!("`start_tls` is not possible with {}", quoted(url)))
                    .hint("it is for ldap://HOST; remove one of the two");
                is_good = false;
            }
            servers.push(server);
        }
        is_good.then_some(servers)
    }

    fn base(&self, problems: &mut Problems<'_>, key: Id, subject: &Subject) -> Option<Template> {
        let Some(text) = &self.base else {
            problems
                .error(key, "this source has no `base`")
                .hint("write `base: \"ou=people,dc=example,dc=org\"`");
            return None;
        };
        if !text.value.contains('=') {
            problems
                .error(text.node, format!("{} is no distinguished name", quoted(&text.value)))
                .hint("write ou=people,dc=example,dc=org");
            return None;
        }
        template(problems, text, subject)
    }

    fn filter(&self, problems: &mut Problems<'_>, key: Id, subject: &Subject) -> Option<Template> {
        match (&self.filter, subject.default_filter) {
            (Some(text), _) => template(problems, text, subject),
            (None, Some(default)) => Template::parse(default, subject.places).ok(),
            (None, None) => {
                problems.error(key, "this source has no `filter`").hint("write `filter: \"(uid={login})\"`");
                None
            }
        }
    }

    /// Who asks, where that is said; nothing at all where it is said by halves.
    #[expect(clippy::option_option, reason = "outer: is it usable; inner: is it there")]
    fn bind(&self, problems: &mut Problems<'_>, context: Context<'_>) -> Option<Option<Bind>> {
        match (&self.bind_dn, &self.password_file) {
            (None, None) => Some(None),
            (Some(dn), Some(path)) => {
                let password_file = value::path(problems, context.base, path)?;
                Some(Some(Bind { dn: dn.value.clone(), password_file }))
            }
            (Some(dn), None) => {
                // A server takes a name without a password for nobody (RFC 4513, 5.1.2).
                problems
                    .error(dn.node, "`bind_dn` needs `password_file`")
                    .hint("write the password into a file of its own");
                None
            }
            (None, Some(path)) => {
                problems.error(path.node, "`password_file` needs `bind_dn`").hint("say whose password it is");
                None
            }
        }
    }

    /// Complains about what the settings mean together.
    fn check(
        &self,
        problems: &mut Problems<'_>,
        key: Id,
        settings: &Settings,
        subject: &Subject,
    ) -> Option<()> {
        let filter = self.filter.as_ref().map_or(key, |text| text.node);
        #[cfg(feature = "ldap")]
        if !crate::clients::directory::is_filter(settings) {
            problems.error(filter, format!("{} is not a filter", quoted(&settings.filter.to_string()))).hint(
                "every part is in parentheses, and there is no space between them: (&(mail={address})(x=y))",
            );
            return None;
        }
        let is_asked = |name: &&str| settings.base.has(name) || settings.filter.has(name);
        if !subject.needed.iter().any(is_asked) {
            let names: Vec<String> = subject.needed.iter().map(|name| format!("{{{name}}}")).collect();
            problems
                .error(filter, "the answer would be the same for every question")
                .hint(format!("`filter` or `base` must have {}", names.join(" or ")));
            return None;
        }
        if settings.bind.is_some()
            && !settings.start_tls
            && settings.servers.iter().any(Server::is_readable_by_others)
        {
            problems
                .warning(
                    self.url.as_ref().map_or(key, |url| url.node),
                    "everybody on the way can read the password",
                )
                .hint("use ldaps://, or `start_tls: true`");
        }
        if let Some(ca_file) = &self.ca_file
            && !settings.start_tls
            && !settings.servers.iter().any(|server| server.is_tls)
        {
            problems
                .warning(ca_file.node, "`ca_file` is not used, as there is no TLS")
                .hint("use ldaps://, or `start_tls: true`");
        }
        Some(())
    }
}

fn template(problems: &mut Problems<'_>, text: &At<String>, subject: &Subject) -> Option<Template> {
    match Template::parse(&text.value, subject.places) {
        Ok(template) => Some(template),
        Err(error) => {
            let hint = words::nearest(&error.name, subject.places).map_or_else(
                || {
                    let known: Vec<String> =
                        subject.places.iter().map(|name| format!("{{{name}}}")).collect();
                    format!("known here: {}", known.join(", "))
                },
                |name| format!("did you mean {{{name}}}?"),
            );
            problems.error(text.node, error.to_string()).hint(hint);
            None
        }
    }
}
