//! Tables made of tables: `unionmap:`, `pipemap:`, `proxy:`.

use super::{Entry, Request, Table, TableError, open};
use crate::clients::files::problem::Problem;
use crate::clients::files::watched::Reading;
use crate::mta::postfix::words::{inside_braces, words};

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
    open(request.name, request.context.proxied(), request.depth + 1)
}

fn open_all(request: &Request<'_>) -> Reading<Vec<Box<dyn Table>>> {
    let hint = format!("write {}:{{ type:name, … }}", request.kind);
    let inside = inside_braces(request.name)
        .ok_or_else(|| vec![Problem::new("the tables are not in braces").hint(&hint)])?;
    let (mut tables, mut warnings, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for word in words(inside) {
        match open(word, request.context, request.depth + 1) {
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
        Ok(self.entry(key).await?.map(|entry| entry.value))
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        let (mut value, mut entries) = (String::new(), Vec::new());
        for table in &self.0 {
            if let Some(entry) = table.entry(key).await? {
                if !value.is_empty() {
                    value.push(',');
                }
                value.push_str(&entry.value);
                entries.push(entry);
            }
        }
        Ok((!value.is_empty()).then(|| Entry::joined(value, entries)))
    }

    fn has_patterns(&self) -> bool {
        // As in Postfix the first table speaks for all.
        self.0.first().is_some_and(|table| table.has_patterns())
    }

    fn list_keys(&self, take: &mut dyn FnMut(&str)) -> bool {
        self.0.iter().all(|table| table.list_keys(take))
    }
}

#[derive(Debug)]
struct Pipe(Vec<Box<dyn Table>>);

#[async_trait::async_trait]
impl Table for Pipe {
    async fn find(&self, key: &str) -> Result<Option<String>, TableError> {
        Ok(self.entry(key).await?.map(|entry| entry.value))
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, TableError> {
        let (mut value, mut entries) = (key.to_owned(), Vec::new());
        for table in &self.0 {
            let Some(entry) = table.entry(&value).await? else { return Ok(None) };
            value.clone_from(&entry.value);
            entries.push(entry);
        }
        Ok(Some(Entry::joined(value, entries)))
    }

    fn has_patterns(&self) -> bool {
        self.0.first().is_some_and(|table| table.has_patterns())
    }
}
