//! Recipients from a file of the administrator's.

use std::path::Path;

use super::names::Names;
use super::{Opening, Source};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Watched;
use crate::facts::{Existence, RecipientQuestion};

/// The source.
#[derive(Debug)]
struct File {
    name: String,
    names: Watched<Names>,
}

/// Reads the file. It is read anew when it changes.
pub(super) fn open(path: &Path) -> Opening {
    let parse = |bytes: &[u8]| {
        let names = Names::parse(bytes)?;
        let empty = Problem::new("it names nobody, so that no recipient exists by it");
        let warnings = if names.len() == 0 { vec![empty] } else { Vec::new() };
        Ok((names, warnings))
    };
    let (names, warnings) = Watched::open(path, parse)?;
    Ok((Box::new(File { name: format!("file {}", path.display()), names }), warnings))
}

#[async_trait::async_trait]
impl Source for File {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&self, question: &RecipientQuestion) -> Existence {
        let names = self.names.current();
        names.find(question, |name, line| format!("{name} ({}:{line})", self.names.path().display()))
    }
}
