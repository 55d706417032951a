//! What commands write as JSON, held to the schemas in `tests/schemas` (JSON Schema, draft 2020-12).
#![allow(dead_code, reason = "each test file uses its own part of the support")]

use std::fs;
use std::path::PathBuf;

use boon::{Compiler, Schemas};
use serde_json::Value;

/// Where the schemas are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas");

/// The document that a command wrote, which must be as `tests/schemas/NAME.json` says.
///
/// Schemas may refer to each other by their file names: `"$ref": "catch-all-report.json#/$defs/name"`.
///
/// # Panics
///
/// With everything that is wrong, when it is none or another one.
#[track_caller]
pub(crate) fn check(name: &str, output: impl AsRef<[u8]>) -> Value {
    let output = output.as_ref();
    let document = serde_json::from_slice(output)
        .unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(output)));
    if let Err(complaint) = complain(name, &document) {
        panic!("{complaint}\n{document:#}");
    }
    document
}

/// What the schema has against a document.
pub(crate) fn complain(name: &str, document: &Value) -> Result<(), String> {
    let mut compiler = Compiler::new();
    for (name, schema) in all() {
        compiler.add_resource(&address(&name), schema).map_err(|error| format!("{name}: {error}"))?;
    }
    compiler.enable_format_assertions();
    let mut schemas = Schemas::new();
    let schema = compiler.compile(&address(name), &mut schemas).map_err(|error| format!("{error:#}"))?;
    schemas.validate(document, schema).map_err(|error| format!("{error:#}"))
}

/// Every schema, by its name.
pub(crate) fn all() -> Vec<(String, Value)> {
    let paths = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut schemas: Vec<(String, Value)> = paths
        .filter(json)
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let schema =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().expect("a file has a name").to_string_lossy().into_owned(), schema)
        })
        .collect();
    schemas.sort_by(|(one, _), (other, _)| one.cmp(other));
    schemas
}

/// What stands for the place of a schema; nothing is read from there.
fn address(name: &str) -> String {
    format!("file:///schemas/{name}.json")
}
