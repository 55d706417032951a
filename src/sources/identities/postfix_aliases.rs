//! Grants from Postfix's aliases: whoever an alias delivers to may send as the alias.
//!
//! Members of `:include:` lists are granted nothing: a list does not belong to its members.

use std::path::Path;

use super::{Opening, Source};
use crate::facts::{Grant, GrantQuestion};
use crate::mail::{Domain, Mailbox, local_part};
use crate::mta::postfix::address::Address;
use crate::mta::postfix::aliases::{Aliases, Stop};
use crate::mta::postfix::tables::{TableError, fold};
use crate::session::{Account, Login};

const NAME: &str = "postfix_aliases";

#[derive(Debug)]
struct PostfixAliases {
    aliases: Aliases,
    login_domain: Option<Domain>,
}

/// Opens the tables. A login without a domain is one of `login_domain`, and it is the local user of its name.
pub(super) async fn open(config_dir: Option<&Path>, login_domain: Option<&Domain>) -> Opening {
    let (aliases, warnings) = Aliases::open(config_dir).await?;
    Ok((Box::new(PostfixAliases { aliases, login_domain: login_domain.cloned() }), warnings))
}

/// Who a login is as a recipient.
struct Recipient {
    mailbox: Option<Mailbox>,
    user: Option<String>,
}

impl PostfixAliases {
    async fn recipient(&self, login: &Login) -> Result<Recipient, TableError> {
        let mailbox = Account::parse(&login.0).and_then(|login| login.mailbox(self.login_domain.as_ref()));
        let user = match &mailbox {
            _ if login.0.is_empty() => None,
            // Who names no domain is a local user, whatever mail domain he has.
            _ if !login.0.contains('@') => Some(fold(&login.0)),
            Some(mailbox) if self.aliases.addressing().is_local(mailbox.domain().as_str()).await? => {
                Some(fold(mailbox.local_part()))
            }
            _ => None,
        };
        Ok(Recipient { mailbox: mailbox.as_ref().map(canonical), user })
    }

    async fn reaches(&self, question: &GrantQuestion) -> Result<Option<String>, TableError> {
        let login = self.recipient(&question.login).await?;
        let is_login = |stop: Stop<'_>| match stop {
            Stop::User(name) => login.user.as_deref() == Some(name),
            Stop::Address(address) => {
                login.mailbox.is_some() && address.mailbox().as_ref().map(canonical) == login.mailbox
            }
        };
        let address = Address::from(&question.mailbox);
        if let Some(by) = self.aliases.follow(address.clone(), is_login).await? {
            return Ok(Some(by));
        }
        match address.with_u_labels() {
            Some(address) => self.aliases.follow(address, is_login).await,
            None => Ok(None),
        }
    }
}

#[async_trait::async_trait]
impl Source for PostfixAliases {
    fn name(&self) -> &str {
        NAME
    }

    async fn find(&self, question: &GrantQuestion) -> Grant {
        match self.reaches(question).await {
            Ok(Some(by)) if by.is_empty() => Grant::Granted("its own mailbox (postfix_aliases)".to_owned()),
            Ok(Some(by)) => Grant::Granted(format!("alias {by} (postfix_aliases)")),
            Ok(None) => Grant::NotGranted(Vec::new()),
            Err(why) => Grant::Undetermined(why.to_string()),
        }
    }
}

/// The form in which equal mailboxes are the same, by Postfix's rules: case does not count.
fn canonical(mailbox: &Mailbox) -> Mailbox {
    Mailbox::new(local_part::canonical(mailbox.local_part(), false), mailbox.domain().clone())
}
