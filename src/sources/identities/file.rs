//! Grants from a file of the administrator's.

use std::path::Path;

use super::grants::Grants;
use super::{Opening, Source};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Watched;
use crate::facts::{Grant, GrantQuestion};
use crate::mail::Domain;

const NAME: &str = "file";

/// The source.
#[derive(Debug)]
struct File {
    name: String,
    grants: Watched<Grants>,
}

/// Reads the file. It is read anew when it changes. A login without a domain is one of `login_domain`.
pub(super) fn open(path: &Path, login_domain: Option<Domain>) -> Opening {
    let name = format!("{NAME} {}", path.display());
    let parse = move |bytes: &[u8]| {
        let grants = Grants::parse(bytes, login_domain.as_ref())?;
        let empty = Problem::new("it grants nothing to anybody");
        let warnings = if grants.is_empty() { vec![empty] } else { Vec::new() };
        Ok((grants, warnings))
    };
    let (grants, warnings) = Watched::open(path, parse)?;
    Ok((Box::new(File { name, grants }), warnings))
}

#[async_trait::async_trait]
impl Source for File {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &GrantQuestion) -> Grant {
        let grants = self.grants.current();
        grants.find(question).map_or_else(
            || Grant::NotGranted(Vec::new()),
            |found| {
                Grant::Granted(format!("{} ({}:{})", found.grant, self.grants.path().display(), found.line))
            },
        )
    }
}
