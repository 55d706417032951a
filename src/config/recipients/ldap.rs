//! `- ldap: { url: "ldaps://ldap.example.org", base: "ou=people,dc=example,dc=org", filter: "(mail={address})" }`

use super::super::directory::{Subject, Written};
use super::super::yaml::Id;
use super::{Context, Problems, SourceSettings};
use crate::clients::directory::RECIPIENT_PLACES;

/// The directory of recipients.
pub(super) fn build(
    problems: &mut Problems<'_>,
    context: Context<'_>,
    written: &Written,
    key: Id,
) -> Option<SourceSettings> {
    if let Some(attribute) = &written.attribute {
        problems
            .error(attribute.node, "`attribute` is for identities; a recipient exists by any entry")
            .hint("remove it, or make it a part of the filter: (&(mail={address})(attribute=*))");
        return None;
    }
    let subject = Subject {
        places: &RECIPIENT_PLACES,
        needed: &["address", "local_part"],
        default_filter: Some("(mail={address})"),
    };
    let settings = written.build(problems, context, key, &subject)?;
    Some(SourceSettings::Ldap(Box::new(settings)))
}
