//! Tables that a real Postfix would not be given, or would choke on.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::*;
#[cfg(feature = "sqlite")]
use crate::clients::sql::run_on_sqlite;
use crate::sources::recipients::{Recipients, SourceSettings};

/// A source with these parameters.
fn postfix(values: &[(&str, &str)]) -> Postfix {
    let mut all =
        vec![("append_at_myorigin", "yes"), ("myorigin", "host.example"), ("recipient_delimiter", "+")];
    all.extend(values);
    let (walk, _) = of(&MainCf::of(Path::new("/etc/postfix"), &all), 1 << 20).unwrap();
    Postfix { name: "postfix".to_owned(), walk }
}

async fn ask(source: &dyn Source, forms: &[&str]) -> String {
    let forms = forms.iter().map(|form| form.parse().unwrap()).collect();
    let source_id = crate::facts::SourceId { number: 0, cost: crate::facts::Cost::Near };
    let question = RecipientQuestion { source: source_id, forms, case_sensitive: false, by_name: true };
    match source.find(&question).await {
        Existence::Exists(by) => format!("exists: {by}"),
        Existence::Relocated { to, .. } => format!("relocated: {to}"),
        Existence::Ambiguous(by) => format!("ambiguous: {by}"),
        Existence::Wildcard(by) => format!("wildcard: {by}"),
        Existence::Unknown(_) => "unknown".to_owned(),
        Existence::NoList(why) => format!("no list: {why}"),
        Existence::Undetermined(why) => format!("undetermined: {why}"),
    }
}

async fn check(values: &[(&str, &str)], forms: &[&str], expected: &str) {
    assert_eq!(ask(&postfix(values), forms).await, expected, "{values:?} {forms:?}");
}

#[tokio::test]
async fn aliases_that_go_round_arrive_nowhere() {
    let values = |table| [("virtual_alias_domains", "a.example b.example"), ("virtual_alias_maps", table)];
    check(&values("inline:{ {@a.example=@a.example} }"), &["x@a.example"], "unknown").await;
    let round = "inline:{ {@a.example=@b.example} {@b.example=@a.example} {y@b.example=z} }";
    check(&values(round), &["x@a.example"], "unknown").await;
    check(&values(round), &["y@a.example"], "exists: inline @a.example > inline y@b.example").await;
    let wildcard = "inline:{ {@a.example=@b.example, info@c.example} {@b.example=@a.example} }";
    check(&values(wildcard), &["x@b.example"], "wildcard: inline @b.example > inline @a.example").await;
}

#[tokio::test]
async fn aliases_that_grow_or_branch_come_to_an_end() {
    let values = |table| [("virtual_alias_domains", "a.example"), ("virtual_alias_maps", table)];
    let on_and_on = "undetermined: regexp for any name: aliases of domains lead on and on";
    check(&values("regexp:{ {/^(.*)@a.example$/ x$1@a.example} }"), &["y@a.example"], on_and_on).await;
    check(&values("regexp:{ {/^(.*)@a.example$/ $1$1@a.example} }"), &["y@a.example"], on_and_on).await;
    let two = "regexp:{ {/^(.*)@a.example$/ 0$1@a.example, 1$1@a.example} }";
    check(&values(two), &["y@a.example"], on_and_on).await;
}

#[tokio::test]
async fn a_long_chain_is_followed_and_a_longer_one_is_not() {
    let chain = |length: usize| {
        let mut text = String::new();
        for number in 0..length {
            writeln!(text, "@d{number}.example @d{}.example", number + 1).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text + &format!("info@d{length}.example root\n")).unwrap();
        file
    };
    for (length, exists) in [(99, true), (101, false), (3000, false)] {
        let file = chain(length);
        let table = format!("texthash:{}", file.path().display());
        let found = ask(&postfix(&[("virtual_alias_maps", &table)]), &["info@d0.example"]).await;
        assert_eq!(found.starts_with("exists"), exists, "{length}: {}", &found[..60]);
        assert_eq!(found.starts_with("undetermined"), !exists, "{length}: {}", &found[..60]);
    }
}

#[test]
fn tables_that_change_are_seen() {
    // With one thread for files, what is asked of it now is done when what was asked before is.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("virtual");
        fs::write(&path, "info@a.example root\n").unwrap();
        let table = format!("texthash:{}", path.display());
        let source = postfix(&[("virtual_alias_domains", "a.example"), ("virtual_alias_maps", &table)]);
        assert_eq!(ask(&source, &["sales@a.example"]).await, "unknown");
        let new = dir.path().join("new");
        fs::write(&new, "sales@a.example root\n").unwrap();
        fs::rename(&new, &path).unwrap();
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(3)).await;
            ask(&source, &["sales@a.example"]).await;
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        assert_eq!(ask(&source, &["sales@a.example"]).await, format!("exists: {table} sales@a.example"));
        assert_eq!(ask(&source, &["info@a.example"]).await, "unknown");
    });
}

#[tokio::test]
async fn a_table_in_trouble_leaves_open_what_it_may_know() {
    let values = [
        ("virtual_alias_maps", "inline:{ {info@b.example=x} {@b.example=x} }"),
        ("virtual_mailbox_domains", "b.example c.example"),
        ("virtual_mailbox_maps", "inline:{ {info@c.example=x} } fail:x"),
    ];
    check(&values, &["info@c.example"], "exists: inline info@c.example").await;
    let trouble = "undetermined: virtual_mailbox_maps fail:x: it always fails";
    check(&values, &["sales@c.example"], trouble).await;
    check(&values, &["info@b.example"], "exists: inline info@b.example").await;
    // Behind the wildcard the name may have a mailbox of its own.
    check(&values, &["sales@b.example"], trouble).await;
    // An entry for any form settles it.
    check(&values, &["sales@c.example", "info@c.example"], "exists: inline info@c.example").await;
}

#[tokio::test]
async fn forms_are_those_that_postfix_sees() {
    let with = |delimiter| {
        [
            ("recipient_delimiter", delimiter),
            ("virtual_alias_domains", "a.example xn--bcher-kva.example bücher.example"),
            ("virtual_alias_maps", "inline:{ {info@a.example=x} {info@bücher.example=x} {@w.example=x} }"),
        ]
    };
    let exists = "exists: inline info@a.example";
    let tagged = ["prvs=1234567890=info+t@a.example", "info+t@a.example", "info@a.example"];
    check(&with("+"), &tagged, exists).await;
    check(&with("-"), &tagged, "unknown").await;
    check(&with("-"), &["prvs=1234567890=info@a.example", "info@a.example"], exists).await;
    check(
        &with("-"),
        &["info+t@b.example", "info@b.example", "info+t@a.example", "info@a.example"],
        "unknown",
    )
    .await;
    check(&with("-"), &["info@b.example", "info@a.example"], exists).await;
    check(&with("+"), &["info@xn--bcher-kva.example"], "exists: inline info@bücher.example").await;
    check(&with("+"), &["sales@xn--bcher-kva.example"], "unknown").await;
}

#[tokio::test]
async fn classes_without_a_table_are_reported() {
    let source = postfix(&[
        ("mydestination", "host.example"),
        ("relay_domains", "r.example s.example"),
        ("virtual_alias_domains", "a.example alias.example"),
        ("virtual_alias_maps", "inline:{ {@alias.example=@r.example} }"),
        ("virtual_mailbox_domains", "b.example bad.example"),
        ("virtual_mailbox_maps", "fail:x"),
    ]);
    let domains = [
        "a.example",
        "b.example",
        "s.example",
        "bad.example",
        "host.example",
        "r.example",
        "alias.example",
        "o.example",
    ];
    let domains = domains.map(|domain| domain.parse::<Domain>().unwrap());
    let doubts = source.doubts(&domains.iter().collect::<Vec<_>>()).await;
    let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    assert_eq!(
        doubts,
        [
            "recipients of s.example, r.example are not checked: relay_recipient_maps is empty",
            "recipients of host.example are not checked: local_recipient_maps is empty",
            "recipients of alias.example are not checked: inline @alias.example > relay_recipient_maps is empty",
            "recipients of o.example are not checked: Postfix has the domain in none of mydestination, \
             virtual_alias_domains, virtual_mailbox_domains, relay_domains",
            "whether names of b.example exist cannot be told: virtual_mailbox_maps fail:x: it always fails",
        ]
    );
}

/// A table on a server that has rows of its own and a catch-all inside the query, and where it is.
#[cfg(feature = "sqlite")]
fn served() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let rows = "create table alias (source text, target text);
        insert into alias values ('sales@a.example', 'office@b.example'), ('info@a.example', 'boss@b.example'),
        ('@a.example', 'office@b.example'), ('own@c.example', 'x@b.example'), ('office@b.example', 'box');";
    run_on_sqlite(&path("db"), rows);
    let query = "select target from alias where source = '%s' union select target from alias where source = '@%d' \
                 union select '%u@b.example' where '%d' = 'renamed.example'";
    fs::write(path("cf"), format!("dbpath = {}\nquery = {query}\n", path("db").display())).unwrap();
    let table = format!("sqlite:{}", path("cf").display());
    (dir, table)
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_server_that_answers_for_every_name() {
    let (dir, table) = served();
    let source = postfix(&[
        ("virtual_alias_domains", "a.example b.example c.example renamed.example"),
        ("virtual_alias_maps", &table),
    ]);
    let run = |sql: &str| run_on_sqlite(&dir.path().join("db"), sql);
    let ambiguous = |name: &str| format!("ambiguous: {table} {name}@a.example");
    let exists = |name: &str| format!("exists: {table} {name}");
    assert_eq!(ask(&source, &["sales@a.example"]).await, ambiguous("sales"));
    assert_eq!(ask(&source, &["nobody@a.example"]).await, ambiguous("nobody"));
    assert_eq!(ask(&source, &["info@a.example"]).await, exists("info@a.example"));
    assert_eq!(ask(&source, &["own@c.example"]).await, exists("own@c.example"));
    assert_eq!(ask(&source, &["nobody@c.example"]).await, "unknown");
    // An alias of a domain is followed, whoever answers.
    let office = format!("exists: {table} for any name > {table} office@b.example");
    let via =
        ask(&source, &["office@renamed.example"]).await.replace(" office@renamed.example", " for any name");
    assert_eq!(via, office);
    assert_eq!(ask(&source, &["nobody@renamed.example"]).await, "unknown");
    // What was found out holds for a while, in which names pass.
    run("delete from alias where source = '@a.example'");
    assert_eq!(ask(&source, &["sales@a.example"]).await, ambiguous("sales"));
    assert_eq!(ask(&source, &["nobody@a.example"]).await, "unknown");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    tokio::time::resume();
    assert_eq!(ask(&source, &["sales@a.example"]).await, exists("sales@a.example"));
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn where_the_two_are_not_told_apart_a_server_is_asked_once() {
    let (_dir, table) = served();
    let source = postfix(&[
        ("virtual_alias_domains", "a.example b.example renamed.example"),
        ("virtual_alias_maps", &table),
    ]);
    let find = async |address: &str| {
        let walk = &source.walk;
        let existence = walk.find(Address::from(&address.parse::<Mailbox>().unwrap()), false).await;
        (existence, walk.hits().misses)
    };
    for address in ["sales@a.example", "nobody@a.example", "info@a.example"] {
        let (existence, asked) = find(address).await;
        assert!(matches!(existence, Existence::Exists(_)) && asked == 0, "{address}: {existence:?}");
    }
    // But an alias of a domain is still one.
    let (existence, asked) = find("nobody@renamed.example").await;
    assert!(matches!(existence, Existence::Unknown(_)) && asked == 1, "{existence:?}");
}

#[tokio::test]
async fn one_table() {
    let dir = tempfile::tempdir().unwrap();
    let virtual_table = dir.path().join("virtual");
    fs::write(
        &virtual_table,
        "info@a.example root\n@alias.example @a.example\n@catch.example root\n@away.example @elsewhere.example\n\
         own@alias.example root\n@mixed.example @a.example, root\n",
    )
    .unwrap();
    let tables = [
        (format!("texthash:{}", virtual_table.display()), "info@a.example", "exists: TABLE info@a.example"),
        (
            format!("texthash:{}", virtual_table.display()),
            "info@alias.example",
            "exists: TABLE @alias.example > TABLE info@a.example",
        ),
        (
            format!("texthash:{}", virtual_table.display()),
            "own@alias.example",
            "exists: TABLE own@alias.example",
        ),
        (format!("texthash:{}", virtual_table.display()), "x@alias.example", "unknown"),
        (
            format!("texthash:{}", virtual_table.display()),
            "x@catch.example",
            "wildcard: TABLE @catch.example",
        ),
        (format!("texthash:{}", virtual_table.display()), "x@away.example", "unknown"),
        (
            format!("texthash:{}", virtual_table.display()),
            "x@mixed.example",
            "wildcard: TABLE @mixed.example",
        ),
        (
            format!("texthash:{}", virtual_table.display()),
            "info@mixed.example",
            "exists: TABLE @mixed.example > TABLE info@a.example",
        ),
        ("static:OK".to_owned(), "x@a.example", "no list: TABLE for any name lets every name pass"),
        ("static:root".to_owned(), "x@a.example", "wildcard: TABLE for any name"),
        ("static:a.example".to_owned(), "x@a.example", "no list: TABLE for any name lets every name pass"),
        (
            "regexp:{ {/^info@a/ root} {/^(.*)@a.example$/ $1@a.example} }".to_owned(),
            "x@a.example",
            "no list: regexp for any name lets every name pass",
        ),
        (
            "inline:{ {@a.example=@a.example} {info@a.example=root} }".to_owned(),
            "x@a.example",
            "no list: inline @a.example lets every name pass",
        ),
        (
            "inline:{ {@a.example=@a.example} {info@a.example=root} }".to_owned(),
            "info@a.example",
            "exists: inline info@a.example",
        ),
        (
            "regexp:{ {/^info@/ OK} {/@catch/ OK} }".to_owned(),
            "info@a.example",
            "exists: regexp info@a.example",
        ),
        (
            "regexp:{ {/^info@/ OK} {/@catch/ OK} }".to_owned(),
            "x@catch.example",
            "no list: regexp for any name lets every name pass",
        ),
        ("regexp:{ {/^info@/ OK} {/@catch/ OK} }".to_owned(), "x@a.example", "unknown"),
        ("fail:x".to_owned(), "x@a.example", "undetermined: table fail:x: it always fails"),
    ];
    for (table, address, expected) in tables {
        let (source, _) =
            super::super::open(&SourceSettings::PostfixMap(table.clone()), 1 << 20).await.unwrap();
        let (found, expected) = (ask(&*source, &[address]).await, expected.replace("TABLE", &table));
        let found = found.split(" and leads to no mailbox").next().unwrap();
        assert_eq!(found, expected, "{table} {address}");
    }
}

#[tokio::test]
async fn a_compiled_table_alone_is_no_source() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("virtual.db"), "x").unwrap();
    let table = SourceSettings::PostfixMap(format!("hash:{}", dir.path().join("virtual").display()));
    let problem = Recipients::open(&[table]).await.unwrap_err()[0].to_string();
    assert!(problem.contains("there is only the compiled form"), "{problem}");
}
