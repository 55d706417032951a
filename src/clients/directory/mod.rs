//! Directories (LDAP) as the configuration describes them: servers, where and for what is searched, who asks.

#[cfg(feature = "ldap")]
mod open;
mod server;
mod template;

use std::path::PathBuf;

#[cfg(feature = "ldap")]
pub(crate) use open::{Directory, is_filter};
#[cfg(feature = "ldap")]
pub(crate) use server::percent_decoded;
pub use server::{Place, Server, UrlError};
pub use template::{GRANT_PLACES, RECIPIENT_PLACES, Template, TemplateError};

/// How a directory is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The servers, in the order in which they are tried; at least one.
    pub servers: Vec<Server>,
    /// Where the search begins.
    pub base: Template,
    /// What is searched for (RFC 4515).
    pub filter: Template,
    /// How deep.
    pub scope: Scope,
    /// Who asks; none for nobody.
    pub bind: Option<Bind>,
    /// What a part of the directory means that is on another server.
    pub referrals: Referrals,
    /// Whether TLS begins after the connection is there.
    pub start_tls: bool,
    /// The authorities that certify the servers (PEM); none for those that this host trusts.
    pub ca_file: Option<PathBuf>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The distinguished name.
    pub dn: String,
    /// The file whose first line is the password.
    pub password_file: PathBuf,
}

/// How deep a search goes (RFC 4511, 4.5.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The base and all below it.
    #[default]
    Sub,
    /// What is directly below the base.
    One,
    /// The base itself.
    Base,
}

impl Scope {
    /// All scopes with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("sub", Self::Sub), ("one", Self::One), ("base", Self::Base)];
}

/// What a part of the directory means that is on another server (RFC 4511, 4.5.3). Nobody follows it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referrals {
    /// Nothing.
    #[default]
    Ignore,
    /// What is not found may be there, so that it cannot be told.
    Defer,
}

impl Referrals {
    /// All of them with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("ignore", Self::Ignore), ("defer", Self::Defer)];
}

/// What to do about parts of a directory that are on other servers.
#[cfg(feature = "ldap")]
pub(crate) const GLOBAL_CATALOGUE: &str = "an Active Directory has all of a forest at its global catalogue, on the ports \
                                           3268 and 3269 (ldaps)";

/// What there is to say about directories where the program was built without them.
#[cfg(not(feature = "ldap"))]
pub(crate) fn missing() -> crate::clients::files::problem::Problem {
    crate::clients::files::problem::Problem::new("this program was built without `ldap`")
}

impl Settings {
    /// The servers in one line.
    pub fn servers(&self) -> String {
        self.servers.iter().map(Server::to_string).collect::<Vec<_>>().join(", ")
    }
}
