//! Recipients from a socketmap server: whoever has a value exists.

use super::one_by_one::{OneByOne, Server};
use super::probed::{Lifetimes, Probed};
use super::{SocketmapSettings, Source};
use crate::clients::socketmap::{Answer, Socketmap};
use crate::facts::{Evidence, Existence};
use crate::mail::Mailbox;

/// The server.
#[derive(Debug)]
struct Recipients {
    name: String,
    server: Socketmap,
}

/// Takes the server; it is asked for nothing yet.
pub(super) fn open(settings: &SocketmapSettings, cache: u64) -> Box<dyn Source> {
    let server = Socketmap::new(settings.address.clone(), &settings.map);
    let name = format!("socketmap {} {}", server.endpoint(), server.map());
    Box::new(Probed::new(OneByOne(Recipients { name, server }), Lifetimes::NEAR, cache))
}

#[async_trait::async_trait]
impl Server for Recipients {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, mailbox: &Mailbox) -> Existence {
        match self.server.find(&mailbox.to_string()).await {
            Ok(Answer::Found(value)) => {
                let words = format!("{mailbox} ({})", self.name);
                Existence::Exists(Evidence::Said { words, value: Some(value) }.into())
            }
            Ok(Answer::NotFound) => Existence::Unknown(String::new()),
            Ok(Answer::Failed(why) | Answer::FailedForGood(why)) => {
                Existence::Undetermined(format!("{}: {why}", self.name))
            }
            Err(trouble) => Existence::Undetermined(format!("{}: {trouble}", self.name)),
        }
    }
}
