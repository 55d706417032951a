//! Sources of grants: a file that changes, and Postfix's own tables and aliases in a configuration of a real Postfix.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;
#[path = "support/postfix_dir.rs"]
mod postfix_dir;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lockdown_milter::facts::{Grant, GrantQuestion};
use lockdown_milter::session::Login;
use lockdown_milter::sources::identities::{Identities, SourceSettings};
use postfix_dir::PostfixDir;
use tokio::runtime::Builder;

/// What a login that names no domain belongs to.
const LOGIN_DOMAIN: &str = "example.org";

async fn open(settings: &[SourceSettings]) -> Result<Identities, Vec<String>> {
    let domain = LOGIN_DOMAIN.parse().unwrap();
    let shown = |problem: lockdown_milter::clients::files::problem::Problem| problem.to_string();
    Identities::open(settings, Some(&domain))
        .await
        .map_err(|problems| problems.into_iter().map(shown).collect())
}

async fn ask(identities: &Identities, login: &str, mailbox: &str) -> String {
    let question = GrantQuestion {
        login: Login(login.to_owned()),
        mailbox: mailbox.parse().unwrap(),
        subdomains: false,
    };
    match identities.find(&question, tokio::time::Instant::now() + std::time::Duration::from_mins(1)).await {
        Grant::Granted(by) => by,
        Grant::NotGranted(asked) => format!("no: {}", asked.join(", ")),
        Grant::Undetermined(why) => format!("cannot tell: {why}"),
    }
}

/// Holds what a source of a Postfix configuration says: `login mailbox: answer`, `DIR` being the configuration.
#[track_caller]
fn check(dir: &PostfixDir, source: &SourceSettings, cases: &[(&str, &str, &str)]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let identities = runtime.block_on(open(std::slice::from_ref(source))).unwrap();
    for (login, mailbox, expected) in cases {
        let found = runtime.block_on(ask(&identities, login, mailbox));
        let expected =
            if expected.is_empty() { format!("no: {}", source.name()) } else { dir.fill(expected) };
        assert_eq!(found, expected, "{login} as {mailbox}");
    }
}

fn sender_login_maps(dir: &PostfixDir) -> SourceSettings {
    SourceSettings::PostfixSenderLoginMaps { config_dir: Some(dir.path().to_owned()) }
}

fn aliases(dir: &PostfixDir) -> SourceSettings {
    SourceSettings::PostfixAliases { config_dir: Some(dir.path().to_owned()) }
}

#[test]
fn owners_in_the_order_of_postfix() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new(
        "smtpd_sender_login_maps = hash:DIR/senders, regexp:{ {/^r.*@/ erin} }, pcre:DIR/patterns\n\
         mydestination = localhost, DIR/local, !other.example, hash:DIR/destinations\n\
         recipient_delimiter = +-\n",
        &[
            (
                "senders",
                "alice@example.org alice, Bob@example.org\n\
                 alice+exact@example.org carol\n\
                 postmaster@example.org dave\n\
                 @example.net alice dave\n\
                 local erin\n\
                 @bücher.example frank\n\
                 \"the boss\"@example.org gina\n\
                 reg@example.org gina\n",
            ),
            ("local", "# names\nlocal.example, !example.com\n"),
            ("destinations", "table.example x\n"),
            ("patterns", "/^(p.*)@example\\.org$/ $$1,henry\n/^(q.*)@example\\.org$/ $1\n"),
        ],
    );
    let by = |key: &str| format!("{key} (smtpd_sender_login_maps)");
    check(
        &dir,
        &sender_login_maps(&dir),
        &[
            ("alice", "alice@example.org", &by("alice@example.org")),
            ("ALICE", "alice@example.org", &by("alice@example.org")),
            ("bob@example.org", "alice@example.org", &by("alice@example.org")),
            // Logins without a domain are of example.org here, in a table as elsewhere.
            ("bob", "alice@example.org", &by("alice@example.org")),
            ("alice@example.org", "alice@example.org", &by("alice@example.org")),
            ("alice@example.net", "alice@example.org", ""),
            ("", "alice@example.org", ""),
            // The most specific key decides, even where it is another's.
            ("alice", "alice+tag@example.org", &by("alice@example.org")),
            ("alice", "alice-tag@example.org", &by("alice@example.org")),
            ("alice", "alice+exact@example.org", ""),
            ("carol", "alice+exact@example.org", &by("alice+exact@example.org")),
            ("dave", "anybody@example.net", &by("@example.net")),
            ("alice", "anybody@sub.example.net", ""),
            // A local-part alone counts for domains that are local, and for $myorigin.
            ("erin", "local@localhost", &by("local")),
            ("erin", "local+x@local.example", &by("local")),
            ("erin", "local@table.example", &by("local")),
            ("erin", "local@example.org", &by("local")),
            ("erin", "local@example.com", ""),
            ("erin", "local@other.example", ""),
            ("frank", "anybody@xn--bcher-kva.example", &by("@bücher.example")),
            ("gina", "\"the boss\"@example.org", &by("\"the boss\"@example.org")),
            // Patterns are asked in their turn, and never for a part of an address.
            ("gina", "reg@example.org", &by("reg@example.org")),
            ("erin", "reg@example.org", ""),
            ("erin", "roger@example.org", &by("roger@example.org")),
            ("henry", "paul@example.org", &by("paul@example.org")),
            ("$1", "paul@example.org", &by("paul@example.org")),
            ("quentin", "quentin@example.org", &by("quentin@example.org")),
            ("paul", "quentin@example.org", ""),
        ],
    );
}

#[test]
fn aliases_that_deliver_to_the_login() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new(
        "virtual_alias_maps = hash:DIR/virtual\n\
         alias_maps = hash:DIR/aliases, texthash:DIR/more\n\
         mydestination = host.example.org, localhost\n\
         myorigin = host.example.org\n\
         recipient_delimiter = +\n\
         append_dot_mydomain = yes\n",
        &[
            (
                "virtual",
                "sales@example.org alice@example.org, bob@example.org\n\
                 info@example.org sales@example.org\n\
                 chief@example.org \"Carol C.\" <carol@example.org> dora@example.org\n\
                 @alias.example @example.org\n\
                 @catch.example erin@example.org\n\
                 self@example.org self@example.org, alice@example.org\n\
                 one@example.org two@example.org\n\
                 two@example.org one@example.org, frank@example.org\n\
                 team@example.org team\n\
                 user@example.org gina\n\
                 short@example.org henry@host\n\
                 wide@example.org wide@example.org wider@example.org\n\
                 @xn--bcher-kva.example ignored@example.org\n\
                 leser@bücher.example alice@example.org\n",
            ),
            (
                "aliases",
                "postmaster: root\n\
                 root: gina, |/bin/x, /var/y, :include:DIR/list\n\
                 team: ivan, \"|/bin/x judy, judy\", alice@example.org,\n  members\n\
                 members: kate\n\
                 gina: \\gina, sales@example.org\n\
                 loop: pool\n\
                 pool: loop\n",
            ),
            ("more", "lisa mike\n"),
            ("list", "alice\n"),
        ],
    );
    let by = |path: &str| format!("alias {path} (postfix_aliases)");
    check(
        &dir,
        &aliases(&dir),
        &[
            ("alice@example.org", "sales@example.org", &by("sales@example.org")),
            ("Alice@Example.ORG", "sales@example.org", &by("sales@example.org")),
            ("alice", "sales@example.org", &by("sales@example.org")),
            ("carol", "sales@example.org", ""),
            ("alice", "info@example.org", &by("info@example.org > sales@example.org")),
            ("alice", "info@alias.example", &by("@alias.example > info@example.org > sales@example.org")),
            // Of a catch-all too: its mail goes there.
            ("erin", "anything@catch.example", &by("@catch.example")),
            ("erin", "anything@alias.example", ""),
            ("carol", "chief@example.org", &by("chief@example.org")),
            ("dora", "chief@example.org", &by("chief@example.org")),
            // The name in front of an address is none.
            ("Carol", "chief@example.org", &by("chief@example.org")),
            ("C.", "chief@example.org", ""),
            // An address that is its own target, and addresses in a circle.
            ("alice", "self@example.org", &by("self@example.org")),
            ("frank", "one@example.org", &by("one@example.org > two@example.org")),
            ("nobody", "one@example.org", ""),
            ("nobody", "loop@host.example.org", ""),
            ("pool", "loop@host.example.org", &by("loop")),
            // Users of this host, by their names or the login's domain.
            ("ivan", "team@example.org", &by("team@example.org > team")),
            ("kate", "team@example.org", &by("team@example.org > team > members")),
            ("kate@host.example.org", "team@example.org", &by("team@example.org > team > members")),
            ("kate@elsewhere.example", "team@example.org", ""),
            ("judy", "team@example.org", ""),
            ("alice", "team@example.org", &by("team@example.org > team")),
            ("gina", "user@example.org", &by("user@example.org")),
            ("gina", "postmaster@localhost", &by("postmaster > root")),
            ("root", "postmaster@localhost", &by("postmaster")),
            ("root", "root@localhost", "its own mailbox (postfix_aliases)"),
            ("alice", "user@example.org", &by("user@example.org > gina > sales@example.org")),
            ("gina", "gina@localhost", "its own mailbox (postfix_aliases)"),
            ("henry", "short@example.org", &by("short@example.org")),
            ("mike", "lisa@localhost", &by("lisa")),
            // Extensions: of the claim they fall away, of a target they do not.
            ("alice", "info+tag@example.org", ""),
            ("gina", "root+tag@localhost", &by("root")),
            ("alice", "leser@xn--bcher-kva.example", &by("leser@bücher.example")),
            ("alice", "stranger@elsewhere.example", ""),
        ],
    );
}

#[test]
fn too_many_targets_are_no_answer() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let crowd: Vec<String> = (0..30).map(|number| format!("t{number}@example.org")).collect();
    let chain: String = (0..30)
        .map(|number| format!("c{number}@x.example c{}@x.example\n", number + 1))
        .collect::<Vec<_>>()
        .concat();
    let dir = PostfixDir::new(
        "virtual_alias_maps = texthash:DIR/virtual\n\
         virtual_alias_expansion_limit = 20\nvirtual_alias_recursion_limit = 10\n",
        &[("virtual", &format!("all@example.org {}\n{chain}", crowd.join(",")))],
    );
    check(
        &dir,
        &aliases(&dir),
        &[
            ("t29", "all@example.org", "cannot tell: virtual aliases lead to more than 20 addresses"),
            (
                "c9@x.example",
                "c0@x.example",
                &format!(
                    "alias {} (postfix_aliases)",
                    (0..9).map(|number| format!("c{number}@x.example")).collect::<Vec<_>>().join(" > ")
                ),
            ),
            ("c30@x.example", "c0@x.example", "cannot tell: aliases are nested more than 10 deep"),
        ],
    );
}

#[test]
fn a_table_that_fails_is_no_answer() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let pattern = "/^(a+)+$/ x";
    let dir = PostfixDir::new(
        "smtpd_sender_login_maps = inline:{ known@example.org=alice }, pcre:DIR/slow, fail:always\n",
        &[("slow", pattern)],
    );
    let runaway = format!("{}!@example.org", "a".repeat(40));
    check(
        &dir,
        &sender_login_maps(&dir),
        &[
            ("alice", "known@example.org", "known@example.org (smtpd_sender_login_maps)"),
            ("bob", "known@example.org", ""),
            ("alice", "b@example.org", "cannot tell: smtpd_sender_login_maps fail:always: it always fails"),
            (
                "alice",
                &runaway,
                "cannot tell: smtpd_sender_login_maps pcre:DIR/slow: DIR/slow: line 1: PCRE2: error matching: match limit \
             exceeded",
            ),
        ],
    );
}

/// What is wrong, with the name of the configuration left out.
#[track_caller]
fn check_problems(main_cf: &str, files: &[(&str, &str)], expected: &[&str]) {
    let dir = PostfixDir::new(main_cf, files);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let problems = runtime.block_on(open(&[sender_login_maps(&dir)])).unwrap_err();
    let shown: Vec<String> =
        problems.iter().map(|problem| problem.replace(dir.path().to_str().unwrap(), "DIR")).collect();
    assert_eq!(shown, expected);
}

#[test]
fn what_cannot_be_honoured_is_said_at_once() {
    const SOURCE: &str = "postfix_sender_login_maps: ";
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let main_cf = |table: &str| format!("smtpd_sender_login_maps = {table}\n");
    check_problems(
        &main_cf("memcache:/x, hash:DIR/none"),
        &[],
        &[
            &format!("DIR/main.cf: {SOURCE}memcache:/x: tables of type ‘memcache’ are not in this version"),
            &format!("DIR/none: {SOURCE}hash:DIR/none: cannot be read: No such file or directory"),
        ],
    );
    check_problems(
        &main_cf("hash:DIR/map"),
        &[("map.db", "")],
        &[&format!(
            "DIR/map: {SOURCE}hash:DIR/map: there is only the compiled form DIR/map.db; \
         put the text beside it: compiled tables are not read"
        )],
    );
    check_problems(
        &main_cf("regexp:DIR/map"),
        &[("map", "/a/ b\n/(a)\\1/ c\n\n/[[.a.]]/ d\n/x/x e")],
        &[
            &format!("DIR/map:2: {SOURCE}regexp:DIR/map: back-references cannot be honoured"),
            &format!("DIR/map:4: {SOURCE}regexp:DIR/map: collating elements cannot be honoured"),
            &format!(
                "DIR/map:5: {SOURCE}regexp:DIR/map: basic regular expressions (flag x) cannot be honoured"
            ),
        ],
    );
    check_problems(
        &main_cf("texthash:DIR/map"),
        &[("map", "a b\nc d\nA e\n")],
        &[&format!(
            "DIR/map:3: {SOURCE}texthash:DIR/map: the key ‘a’ is there already; \
         Postfix does not use a table with a key twice"
        )],
    );
    check_problems(
        &main_cf("unionmap:{static:x, memcache:y}"),
        &[],
        &[&format!(
            "DIR/main.cf: {SOURCE}unionmap:{{static:x, memcache:y}}: tables of type ‘memcache’ are not in this version"
        )],
    );
    check_problems(
        &format!("{}mydestination = /none/x\n", main_cf("static:x")),
        &[],
        &[&format!(
            "DIR/main.cf: {SOURCE}mydestination: ‘/none/x’ cannot be used: No such file or directory (os error 2)"
        )],
    );
}

#[test]
fn a_text_that_is_newer_than_what_postfix_uses_is_doubtful() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new(
        "smtpd_sender_login_maps = hash:DIR/map\n",
        &[("map", "a@example.org alice\n\"unclosed x\n")],
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let warnings = || {
        let identities = runtime.block_on(open(&[sender_login_maps(&dir)])).unwrap();
        identities.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let begin = dir.fill("DIR/map: postfix_sender_login_maps: hash:DIR/map: Postfix");
    let line = dir.fill(
        "DIR/map:2: postfix_sender_login_maps: hash:DIR/map: the quotes do not match; Postfix ignores this line, and so \
         do we",
    );
    let hint = dir.fill("run `postmap hash:DIR/map`");
    let missing = format!("{begin} cannot use this table, as its compiled form is missing; {hint}");
    assert_eq!(warnings(), [line.clone(), missing]);
    dir.compile("postmap", "hash:DIR/map");
    assert_eq!(warnings(), std::slice::from_ref(&line));
    let compiled = fs::File::options().write(true).open(dir.file("map.db")).unwrap();
    compiled.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(warnings(), [line, format!("{begin} still uses the compiled form of an older text; {hint}")]);
}

#[test]
fn a_directory_without_a_configuration() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let settings = SourceSettings::PostfixAliases { config_dir: Some(dir.path().to_owned()) };
    let problems = tokio::runtime::Runtime::new().unwrap().block_on(open(&[settings])).unwrap_err();
    assert!(problems[0].contains("postconf failed: ‘postconf: fatal: open"), "{problems:?}");
}

#[test]
fn a_file_of_grants_and_its_versions() {
    // With one thread for them, what blocks ends in the order in which it began.
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(versions_of_a_file());
}

async fn versions_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identities");
    fs::write(&path, "alice: sales@example.org\n").unwrap();
    let identities = open(&[SourceSettings::File(path.clone())]).await.unwrap();
    let by = |grant: &str, line: usize| format!("{grant} ({}:{line})", path.display());
    let no = format!("no: file {}", path.display());
    assert_eq!(ask(&identities, "alice", "sales@example.org").await, by("sales@example.org", 1));
    assert_eq!(ask(&identities, "alice", "info@example.org").await, no);
    for (text, granted) in [
        ("\n\nalice: info@example.org\n", true),
        ("alice: nonsense\n", true),
        ("", true),
        ("bob: info@example.org\n", false),
    ] {
        replace(&path, text);
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(2)).await;
            ask(&identities, "alice", "info@example.org").await;
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        let expected = if granted { by("info@example.org", 3) } else { no.clone() };
        assert_eq!(ask(&identities, "alice", "info@example.org").await, expected, "{text:?}");
    }
}

/// Puts a new version in place in one step.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn every_problem_of_every_source_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identities");
    fs::write(&path, "alice: x\nbob\n").unwrap();
    let settings = [SourceSettings::File(path.clone()), SourceSettings::File(dir.path().join("none"))];
    let problems = open(&settings).await.unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with(&format!("{}:1:8: file: ", path.display())), "{problems:?}");
    fs::write(&path, "# nobody yet\n").unwrap();
    let identities = open(&settings[..1]).await.unwrap();
    assert_eq!(identities.warnings().len(), 1);
}
