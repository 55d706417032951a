//! Postfix's tables as we read them, against postmap(1) of the installed Postfix: one answer for every key.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

#[path = "support/host.rs"]
mod host;
#[path = "support/postfix_dir.rs"]
mod postfix_dir;

use lockdown_milter::mta::postfix::main_cf::MainCf;
use lockdown_milter::mta::postfix::maps::{Key, Maps};
use lockdown_milter::mta::postfix::tables::Usage;
use postfix_dir::PostfixDir;

/// Where the tables under test are.
const PARAMETER: &str = "smtpd_sender_login_maps";

/// Local-parts, domains and more, of which keys are made.
const NAMES: [&str; 24] = [
    "alice",
    "Alice",
    "ALICE",
    "bob",
    "bob+tag",
    "\"the boss\"",
    "the boss",
    "o'neil",
    "x",
    "aa",
    "ab",
    "abcd",
    "abab",
    "élodie",
    "ÉLODIE",
    "straße",
    "STRASSE",
    "root",
    "Daemon",
    "a.b",
    "a\\.b",
    "\"q\\\"q\"",
    "2024-01-31",
    "info-request",
];
const DOMAINS: [&str; 10] = [
    "@example.org",
    "@Example.ORG",
    "@sub.example.org",
    "@example.net",
    "@bücher.example",
    "@xn--bcher-kva.example",
    "",
    "@",
    "@example.org.",
    "@localhost",
];

/// Every name at every domain, every domain, and some hundred texts drawn from the characters of both.
fn keys() -> Vec<String> {
    let mut keys: Vec<String> =
        NAMES.iter().flat_map(|name| DOMAINS.iter().map(move |domain| format!("{name}{domain}"))).collect();
    keys.extend(DOMAINS.iter().map(|domain| (*domain).to_owned()));
    let mut random = fastrand::Rng::with_seed(0x10c4_d0e4);
    let letters: Vec<char> = "abcdABC@.+-_ 019\"\\é$^*(){}[]".chars().collect();
    for _ in 0..400 {
        let length = random.usize(1..12);
        let key: String = (0..length).map(|_| random.choice(&letters).unwrap()).collect();
        keys.push(key);
    }
    // postmap(1) reads one key a line, and does not look up an empty one.
    keys.retain(|key| !key.trim().is_empty() && !key.starts_with(char::is_whitespace));
    keys
}

/// Our answers.
async fn ask(dir: &PostfixDir, usage: Usage, keys: &[String]) -> Vec<Option<String>> {
    let main_cf = MainCf::read(Some(dir.path()), &[PARAMETER]).await.unwrap();
    let (maps, _) = Maps::open(&main_cf, PARAMETER, usage).unwrap();
    let mut answers = Vec::new();
    for key in keys {
        answers.push(maps.find(key, Key::Whole).await.unwrap_or_else(|error| panic!("{key}: {error}")));
    }
    answers
}

/// Holds that we answer as postmap(1) does.
#[track_caller]
fn check(table: &str, files: &[(&str, &str)]) {
    check_keys(table, files, &keys());
}

#[track_caller]
fn check_keys(table: &str, files: &[(&str, &str)], keys: &[String]) {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let dir = PostfixDir::new(&format!("{PARAMETER} = {}\n", table.replace('$', "$$")), files);
    // A proxy answers for the table behind it, and would have to run.
    let direct = table.trim_start_matches("proxy:");
    if direct.starts_with("hash:") || direct.starts_with("btree:") {
        dir.compile("postmap", direct);
    }
    compare(&dir, (table, Usage::Maps), direct, keys);
}

/// Holds that we answer as postmap(1) does where everything is compiled that the table asks.
#[track_caller]
fn compare(dir: &PostfixDir, (table, usage): (&str, Usage), direct: &str, keys: &[String]) {
    let mut expected = dir.ask(direct, keys);
    let mut found = tokio::runtime::Runtime::new().unwrap().block_on(ask(dir, usage, keys));
    // postalias(1) writes the targets anew, with one space between them.
    if direct.contains("aliases") {
        for value in found.iter_mut().chain(&mut expected).flatten() {
            *value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    let pairs = keys.iter().zip(expected.iter().zip(&found));
    let wrong: Vec<_> = pairs.filter(|(_, (expected, found))| expected != found).collect();
    assert!(wrong.is_empty(), "{table} {usage:?}: {wrong:#?}");
    let hits = expected.iter().flatten().count();
    assert!(hits > 0, "{table}: no key is found, which shows nothing");
}

const MAP: &str = "\
# comment
alice@example.org alice, ceo
  # a comment inside
  cfo
Bob+Tag@example.org\tbob
@example.net   everybody   \n\
\"the boss\"@example.org boss
the\\ boss@example.org other boss
bücher@x v
@BÜCHER.example books
Élodie@example.org élodie
STRASSE@example.org street
straße@example.org late
alice@example.org again
x
\"unclosed@example.org y
info-request: colon
a\\.b@example.org dot

   \n abcd late
aa@example.org v#1 # no comment
\"q\\\"q\"@example.org q
localhost
";

#[test]
fn texts_for_postmap() {
    let files = [("map", MAP)];
    check("hash:DIR/map", &files);
    check("btree:DIR/map", &files);
    check("proxy:hash:DIR/map", &files);
}

/// A file of aliases in which some lines are for postmap(1).
const ALIASES: &str = "\
# aliases
root: alice@example.org,
  bob
Daemon:root
\"the boss\": carol, \"the other boss\"@example.org
x: :include:/etc/list
aa : \"|/bin/x y\" # z
ab: /dev/null
a.b:   bob
info-request: root
Élodie: élodie
postmaster   root
alice@example.org alice
bob@example.org: bob
\"q\\\"q\": q
o'neil: a
root: again
abcd
abab:
: nobody
 bob+tag: late
";

/// One text, read as the program reads it that compiled it; by itself and in other tables, whatever it is used for.
#[test]
fn texts_for_postalias_and_for_postmap() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let more =
        ["root:", "daemon:", "postmaster", "aa :", "\"the boss\":", "o'neil:", "bob@example.org:", "list"];
    let mut keys: Vec<String> = keys().into_iter().chain(more.map(str::to_owned)).collect();
    // The signature of postalias(1), which no recipient asks for; and names in quotes, which are keys with them in newer
    // versions of Postfix, and without them in older ones.
    keys.retain(|key| key != "@" && !(key.starts_with('"') && key.ends_with('"')));
    for kind in ["hash", "btree"] {
        for (program, usage) in [
            ("postalias", Usage::Maps),
            ("postalias", Usage::Aliases),
            ("postmap", Usage::Maps),
            ("postmap", Usage::Aliases),
        ] {
            let table = format!("{kind}:DIR/aliases");
            let within = [
                table.clone(),
                format!("unionmap:{{inline:{{root=first}}, {table}}}"),
                format!("pipemap:{{{table}, inline:{{root=r}}}}"),
            ];
            for outer in within {
                let dir = PostfixDir::new(&format!("{PARAMETER} = {outer}\n"), &[("aliases", ALIASES)]);
                dir.compile(program, &table);
                if outer.starts_with("pipemap") && program == "postmap" {
                    continue;
                }
                compare(&dir, (&outer, usage), &outer, &keys);
            }
        }
    }
}

/// Without a compiled form nobody can tell what Postfix would find: the parameters say what the file is for.
#[test]
fn aliases_that_are_not_compiled() {
    if !host::is_possible(PostfixDir::obstacle()) {
        return;
    }
    let found = |more: &str, key: &str| {
        let main_cf = format!("{PARAMETER} = unionmap:{{ hash:DIR/aliases }}\n{more}");
        let dir = PostfixDir::new(&main_cf, &[("aliases", ALIASES)]);
        let keys = [key.to_owned()];
        tokio::runtime::Runtime::new().unwrap().block_on(ask(&dir, Usage::Maps, &keys)).remove(0)
    };
    assert_eq!(found("alias_database = hash:DIR/aliases\n", "ab").as_deref(), Some("/dev/null"));
    assert_eq!(found("alias_maps = proxy:hash:DIR/aliases\n", "ab").as_deref(), Some("/dev/null"));
    assert_eq!(found("alias_database =\n", "ab"), None);
    assert_eq!(found("alias_database =\n", "ab:").as_deref(), Some("/dev/null"));
}

#[test]
fn texts_that_postfix_reads_itself() {
    let once = MAP.replace("alice@example.org again\n", "").replace("straße@example.org late\n", "");
    check("texthash:DIR/map", &[("map", &once)]);
}

const REGEXP: &str = r"
# comment
/^alice@example\.org$/ alice
/^ALICE$/i upper
/^(bob)\+([a-z]+)@(.*)$/ $1 by ${2} at $(3) for $$1
!/@/ no at sign
if /@example\.org$/
/^(a|ab)(c|bcd)?(d*)@/ [$1] [$2] [$3]
  continued
if !/^x@/
/^((a)|b|(c))*@/ ($1)($2)($3)
/^(a*)(ab)*(b*)@/ <$1|$2|$3>
endif
/^x/ x of example.org
endif
/^([^@]+)@(sub)\.example/ $2/$1
/^[[:alpha:]]{2,3}@example.net/!/^aa/ two or three
|^[0-9]{4}-([0-9]{2})-([0-9]{2})@.*b\./|x| basic, skipped in neither
/unknown flag/z skipped
/unclosed skipped
/(/ skipped
/$1/ skipped: $x
/a/ skipped: $7
!/a/ skipped: $1
nonsense
endif
/\<boss\>/ word
/^\w+\.b@localhost$/ dotted
/^[]a-c$+-]+$/ brackets
/^.{3}$/ three octets
/(^|@)(b.*)?r/ [$1][$2]
/^é/ accent
/(x*)*(y?)+$/ ($1)($2)
if /never closed/
/./ unreachable
";

#[test]
fn regular_expressions() {
    // What we refuse to read at all is another test's.
    let table = REGEXP.replace("|^[0-9]{4}-([0-9]{2})-([0-9]{2})@.*b\\./|x| basic, skipped in neither\n", "");
    check("regexp:DIR/map", &[("map", &table)]);
    check("regexp:DIR/map", &[("map", "/^(.*)@(.*)\\.org$/m $2 $1\n/^B/i b\n/[^a-z]b/im c\n")]);
    check("regexp:{ {/^(a.*)@/ $1}, { !/[a-z]/ none } }", &[]);
}

/// Expressions with several groups, whose texts must be those that the C library finds.
#[test]
fn groups_of_regular_expressions() {
    // Groups that cut a character in two are errors, at which postmap(1) ends.
    let keys: Vec<String> = keys().into_iter().filter(|key| key.is_ascii()).collect();
    for pattern in [
        "^(a*)(a|b)*(.*)$",
        "^(a|ab|abc)(b|bc|bcd)?(.*)@",
        "(a|b)+(b?)(@.*)?",
        "^((a+)|(b+)|(c+))+",
        "^(([a-z])|(.))*@",
        "^(.?)(.?)(.?)(.?)@",
        "([a-z]*)(\\.|@)([a-z]*)",
        "(o|ob|b)(o|b)*",
        "^((a)(b)?)*(.*)",
        "(l|li|lic)(ice|ce|e)?",
        "^(a{1,2})(a{0,2})(b{0,3})",
        "^(()|a)+(.*)",
        "((x|y)?(a|b)?)*@",
        "([^@]*)@(([a-z]+)\\.)*([a-z]+)$",
        "(^a|b$|c)(.*)",
        "\\b(.)(.*)(.)\\b",
    ] {
        let groups = pattern.matches('(').count() - pattern.matches("\\(").count();
        let result = (1..=groups).map(|number| format!("<${number}>")).collect::<Vec<_>>().concat();
        check_keys("regexp:DIR/map", &[("map", &format!("/{pattern}/ found {result}\n"))], &keys);
    }
}

const PCRE: &str = r"
/^alice@example\.org$/ alice
/^ALICE$/i upper
/^(?<name>bob)\+(\w+?)@(.*)$/ $1 by ${2} at $(3)
!/@/ no at sign
if /@example\.org$/
/^(a|ab)(c|bcd)?(d*)@/ [$1] [$2] [$3]
if !/^x@/
/^(?=a)(?!ab)(.)/ look $1
endif
endif
/^[[:alpha:]]{2,3}+@example.net/ two or three
/ bob   # who
 /x bob of anywhere
/b@/A skipped where not at the beginning
/x #
/Ax ex
/^(.+)e/U least $1
/(a)(?1)/ twice
/unclosed skipped
/(/ skipped
/a/ skipped: $7
/^é/ accent
/É/ other accent
/\d$/E digit
/the.boss/s boss
/x/X ex again
/^(.*)\.(.*)$/m $2 $1
";

#[test]
fn perl_compatible_expressions() {
    check("pcre:DIR/map", &[("map", PCRE)]);
    check("pcre:{ {/^(a.*)@/ $1}, {/x/ y} }", &[]);
}

#[test]
fn tables_that_are_no_files() {
    check(
        "inline:{ alice@example.org=a, { bob+tag@example.org = b, c }, Élodie@example.org=e, x=1, x=2 }",
        &[],
    );
    check("unix:passwd.byname", &[]);
    check("unionmap:{inline:{x=1 alice@example.org=2},regexp:DIR/map}", &[("map", "/^a/ a\n/^x$/ x\n")]);
    check("unionmap:{ regexp:DIR/map, inline:{x=1} }", &[("map", "/^a/ a\n")]);
    check(
        "pipemap:{regexp:DIR/map, inline:{ {alice = a b} bob=c }}",
        &[("map", "/^(alice|bob)/ $1\n/é/ ÉLODIE\n")],
    );
    check("pipemap:{inline:{x=bob}, static:{ all of them }}", &[]);
}
