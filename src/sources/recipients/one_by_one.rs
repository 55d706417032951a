//! Servers that are asked for one mailbox after another.

use super::Source;
use crate::clients::remembered::Hits;
use crate::facts::{Existence, RecipientQuestion};
use crate::mail::Mailbox;

/// A server that knows of single mailboxes.
#[async_trait::async_trait]
pub(super) trait Server: std::fmt::Debug + Send + Sync {
    /// Its name; see [`Source::name`].
    fn name(&self) -> &str;

    /// What it says of a mailbox. The text of [`Existence::Unknown`] is not looked at.
    async fn find(&self, mailbox: &Mailbox) -> Existence;

    /// How often what it said before was enough.
    fn hits(&self) -> Hits {
        Hits::default()
    }

    /// Whether it is known to have answered last, though perhaps not what was asked.
    fn answered(&self) -> bool {
        false
    }
}

/// The source that asks a server for one form of an address after another until it knows one.
#[derive(Debug)]
pub(super) struct OneByOne<S>(pub(super) S);

#[async_trait::async_trait]
impl<S: Server> Source for OneByOne<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        let mut strongest = Existence::Unknown(String::new());
        for form in &question.forms {
            let answer = self.0.find(form).await;
            if answer.rank() < strongest.rank() {
                strongest = answer;
            }
            // What does not answer for one form would not for the next, and each would take its time.
            if matches!(strongest, Existence::Exists(_) | Existence::Undetermined(_)) {
                break;
            }
        }
        strongest
    }

    fn hits(&self) -> Hits {
        self.0.hits()
    }

    fn answered(&self) -> bool {
        self.0.answered()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::facts::{Cost, SourceId};

    /// Takes the local-part for the answer, and notes it.
    #[derive(Debug, Default)]
    struct Parrot(Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl Server for Parrot {
        fn name(&self) -> &'static str {
            "parrot"
        }

        async fn find(&self, mailbox: &Mailbox) -> Existence {
            self.0.lock().unwrap().push(mailbox.local_part().to_owned());
            let text = mailbox.to_string();
            match mailbox.local_part() {
                "exists" => Existence::Exists(text.into()),
                "moved" => Existence::Relocated { to: text.clone(), by: text.into() },
                "undetermined" => Existence::Undetermined(text),
                _ => Existence::Unknown(text),
            }
        }
    }

    async fn check(forms: &[&str], asked: usize, expected: &str) {
        let question = RecipientQuestion {
            source: SourceId { number: 0, cost: Cost::Near },
            forms: forms.iter().map(|form| format!("{form}@example.org").parse().unwrap()).collect(),
            case_sensitive: false,
            by_name: true,
        };
        let source = OneByOne(Parrot::default());
        let answer = match source.find(&question).await {
            Existence::Exists(_) => "exists",
            Existence::Relocated { .. } => "moved",
            Existence::Undetermined(_) => "undetermined",
            _ => "unknown",
        };
        assert_eq!(answer, expected, "{forms:?}");
        assert_eq!(*source.0.0.lock().unwrap(), forms[..asked], "{forms:?}");
    }

    #[tokio::test]
    async fn forms_are_asked_for_until_one_is_known() {
        check(&["a", "b", "exists", "c"], 3, "exists").await;
        check(&["a", "b"], 2, "unknown").await;
        check(&["moved", "a"], 2, "moved").await;
        check(&["moved", "exists"], 2, "exists").await;
        check(&["a", "undetermined", "exists"], 2, "undetermined").await;
    }
}
