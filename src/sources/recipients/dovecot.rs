//! Recipients from Dovecot's user database, asked as its own LMTP server asks.

use super::one_by_one::{OneByOne, Server};
use super::probed::{Lifetimes, Probed};
use super::{DovecotSettings, Source};
use crate::clients::Endpoint;
use crate::clients::dovecot::{Answer, Userdb};
use crate::clients::files::problem::quoted;
use crate::facts::Existence;
use crate::mail::Mailbox;

/// The server.
#[derive(Debug)]
struct Users {
    name: String,
    server: Userdb,
    without_domain: bool,
}

/// Takes the server; it is asked for nothing yet.
pub(super) fn open(settings: &DovecotSettings, cache: u64) -> Box<dyn Source> {
    let server = Userdb::new(Endpoint::Unix(settings.socket.clone()));
    let name = format!("dovecot {}", server.endpoint());
    let users = Users { name, server, without_domain: settings.without_domain };
    Box::new(Probed::new(OneByOne(users), Lifetimes::NEAR, cache))
}

#[async_trait::async_trait]
impl Server for Users {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, mailbox: &Mailbox) -> Existence {
        let user = user(mailbox, self.without_domain);
        match self.server.find(&user).await {
            Ok(Answer::User(known)) if known == user => {
                Existence::Exists(format!("{mailbox} ({})", self.name).into())
            }
            Ok(Answer::User(known)) => {
                Existence::Exists(format!("{mailbox} ({}, as {})", self.name, quoted(&known)).into())
            }
            Ok(Answer::NotFound) => Existence::Unknown(String::new()),
            Ok(Answer::Failed(why)) => Existence::Undetermined(format!("{}: {why}", self.name)),
            Err(trouble) => Existence::Undetermined(format!("{}: {trouble}", self.name)),
        }
    }
}

/// The user that Dovecot's LMTP server takes a mailbox for: without quoting, unless that would leave two ‘@’.
fn user(mailbox: &Mailbox, without_domain: bool) -> String {
    let local_part = mailbox.local_part();
    match (without_domain, local_part.contains('@')) {
        (true, _) => local_part.to_owned(),
        (false, false) => format!("{local_part}@{}", mailbox.domain()),
        (false, true) => mailbox.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        for (address, whole, alone) in [
            ("alice@example.org", "alice@example.org", "alice"),
            ("\"a b\"@example.org", "a b@example.org", "a b"),
            ("\"a@b\"@example.org", "\"a@b\"@example.org", "a@b"),
        ] {
            let mailbox = address.parse().unwrap();
            assert_eq!((user(&mailbox, false).as_str(), user(&mailbox, true).as_str()), (whole, alone));
        }
    }
}
