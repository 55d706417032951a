//! Tables made of tables: `unionmap:`, `pipemap:`, `proxy:`.

use super::{Request, Table, TableError, open};
use crate::lookup::postfix::words::{inside_braces, words};
use crate::lookup::problem::Problem;
use crate::lookup::watched::Reading;

/// Opens tables whose answers are joined: `unionmap:{ type:name, type:name }`.
pub(super) fn open_union(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let (tables, warnings) = open_all(request)?;
    Ok((Box::new(Union(tables)), warnings))
}

/// Opens tables of which each is asked for the answer of the one before.
pub(super) fn open_pipe(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    let (tables, warnings) = open_all(request)?;
    Ok((Box::new(Pipe(tables)), warnings))
}

/// Opens the table that Postfix would ask its proxy for.
pub(super) fn open_proxy(request: &Request<'_>) -> Reading<Box<dyn Table>> {
    open(request.name, request.usage, request.depth + 1)
}

fn open_all(request: &Request<'_>) -> Reading<Vec<Box<dyn Table>>> {
    let hint = format!("write {}:{{ type:name, … }}", request.kind);
    let inside = inside_braces(request.name)
        .ok_or_else(|| vec![Problem::new("the tables are not in braces").hint(&hint)])?;
    let (mut tables, mut warnings, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for word in words(inside) {
        match open(word, request.usage, request.depth + 1) {
            Ok((table, more)) => {
                tables.push(table);
                warnings.extend(more);
            }
            Err(more) => problems.extend(more),
        }
    }
    if tables.is_empty() && problems.is_empty() {
        problems.push(Problem::new("there is no table in the braces").hint(hint));
    }
    if problems.is_empty() { Ok((tables, warnings)) } else { Err(problems) }
}

#[derive(Debug)]
struct Union(Vec<Box<dyn Table>>);

#[async_trait::async_trait]
impl Table for Union {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        let mut found = String::new();
        for table in &self.0 {
            if let Some(value) = table.find(key).await? {
                if !found.is_empty() {
                    found.push(',');
                }
                found.push_str(&value);
            }
        }
        Ok((!found.is_empty()).then_some(found))
    }

    fn has_patterns(&self) -> bool {
        // As in Postfix the first table speaks for all.
        self.0.first().is_some_and(|table| table.has_patterns())
    }
}

#[derive(Debug)]
struct Pipe(Vec<Box<dyn Table>>);

#[async_trait::async_trait]
impl Table for Pipe {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        let mut value = key.to_owned();
        for table in &self.0 {
            let Some(next) = table.find(&value).await? else { return Ok(None) };
            value = next;
        }
        Ok(Some(value))
    }

    fn has_patterns(&self) -> bool {
        self.0.first().is_some_and(|table| table.has_patterns())
    }
}
