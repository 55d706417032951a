//! `regexp:` tables: POSIX regular expressions.

use std::ops::Range;

use super::ere::{Ere, Options};
use super::rules::{self, Engine, Refusal};
use super::{Request, Table};
use crate::clients::files::problem::quoted;
use crate::clients::files::watched::Reading;

/// Opens the table.
pub(super) fn open(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    rules::open::<Ere>(request)
}

impl Engine for Ere {
    const SECOND: bool = true;

    fn compile(pattern: &str, flags: &str) -> Result<Self, Refusal> {
        let mut options = Options::default();
        let mut is_basic = false;
        for flag in flags.chars() {
            match flag {
                'i' => options.case_sensitive = !options.case_sensitive,
                'm' => options.lines = !options.lines,
                'x' => is_basic = !is_basic,
                _ => {
                    return Err(Refusal::NorByPostfix(format!(
                        "there is no flag {}",
                        quoted(&flag.to_string())
                    )));
                }
            }
        }
        if is_basic {
            return Err(Refusal::NotHere("basic regular expressions (flag x) cannot be honoured".to_owned()));
        }
        Self::compile(pattern, options)
    }

    fn groups(&self) -> usize {
        self.groups()
    }

    fn is_match(&self, subject: &str) -> Result<bool, String> {
        Ok(self.is_match(subject))
    }

    fn captures(&self, subject: &str) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
        self.captures(subject)
    }
}
