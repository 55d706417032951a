//! Answers of DNS: whatever they hold, they take no more memory than the caches may.

use super::hostile_dns::{A, AAAA, Answers, HostileDns, MX, PTR, TXT, text};
use super::*;

/// Envelopes of the first kind and of each other one, and how many come at a time.
const ENVELOPES: usize = 60;
const FEWER: usize = 12;
const AT_ONCE: usize = 20;

/// MiB that all kinds one after another may take beyond the daemon at rest: the DNS half of the caches, and what the
/// answers on their way take.
const MOST: usize = 32 + 32;

/// A kind of attack: its name, the family of the clients, and the zone.
type Kind = (&'static str, char, Answers);

/// A long name below the domain at hand.
fn below(first: usize) -> String {
    let label = "x".repeat(60);
    format!("{first}.{label}.{label}.%{{d}}")
}

fn terms(mechanism: &str, count: usize) -> String {
    let terms: Vec<String> = (0..count).map(|number| format!("{mechanism}:{}", below(number))).collect();
    format!("v=spf1 {} -all", terms.join(" "))
}

fn kinds() -> Vec<Kind> {
    let none = |_| Vec::new();
    let octets = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    let address = |number: usize| [&[10, 1][..], &octets(number)].concat();
    let long_address = |number: usize| [&[0xfd; 14][..], &octets(number)].concat();
    // A label before the name of the question.
    let name = |number: usize| [&[5][..], format!("{number:05}").as_bytes(), &[0xc0, 12]].concat();
    let policy = |text_of: &str| Answers::default().with(TXT, &[text(text_of)], none);
    let chain = "v=spf1 include:i.%{d} -all";
    let many_terms = format!("v=spf1 include:i.%{{d}} {}", "ip6::: ".repeat(8000));
    let macros = format!("v=spf1 include:i.%{{d}} exists:{}", "%%".repeat(30_000));
    vec![
        ("addresses", '4', policy(&terms("a", 10)).with(A, &[], address)),
        ("long addresses", '6', policy(&terms("a", 10)).with(AAAA, &[], long_address)),
        ("empty strings", '4', Answers::default().with(TXT, &[text(chain), vec![0; 60_000]], none)),
        ("records without strings", '4', Answers::default().with(TXT, &[text(chain)], |_| vec![0])),
        ("short strings", '4', Answers::default().with(TXT, &[text(chain), [1, b'x'].repeat(30_000)], none)),
        (
            "exchangers",
            '4',
            policy(&terms("mx", 10)).with(MX, &[], |number| [&[0, 1][..], &name(number)].concat()).with(
                A,
                &[],
                address,
            ),
        ),
        ("names of clients", '4', policy("v=spf1 ptr -all").with(PTR, &[], name).with(A, &[], address)),
        ("many terms", '4', Answers::default().with(TXT, &[text(&many_terms)], none)),
        ("macros", '4', Answers::default().with(TXT, &[text(&macros)], none)),
    ]
}

fn strangers(kind: usize, family: char, count: usize) -> impl Iterator<Item = Stranger> {
    (0..count).map(move |number| Stranger {
        family,
        client: if family == '4' { format!("192.0.2.{number}") } else { format!("2001:db8:{number:x}::1") },
        mail: format!("a@{number}.{kind}.hostile.example"),
        to: "<info@ours.test>",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_weighed_as_they_lie_in_memory() {
    let dns = HostileDns::start().await;
    let config = format!(
        "mode: enforce\nharvest: {{ mode: off }}\ndns: {{ servers: [\"{}\"] }}\ndomains: {{ ours.test: {{}} }}\n\
         listen: [{{ unix: '{{dir}}/milter.sock' }}]\n",
        dns.address()
    );
    let daemon = tokio::task::block_in_place(|| Daemon::start(&config));
    let address = address(&daemon);
    // Memory that is used once is kept by its threads; at rest is a daemon that has been at work.
    dns.serve(Answers::default().with(TXT, &[text("v=spf1 -all")], |_| Vec::new()));
    envelopes(&address, AT_ONCE, strangers(99, '4', ENVELOPES)).await;
    let rest = Memory::of(&daemon);
    for (number, (name, family, answers)) in kinds().into_iter().enumerate() {
        dns.serve(answers);
        dns.sent();
        let count = if number == 0 { ENVELOPES } else { FEWER };
        let said = envelopes(&address, AT_ONCE, strangers(number, family, count)).await;
        let (memory, (asked, octets)) = (Memory::of(&daemon), dns.sent());
        eprintln!(
            "{name:24} {asked:4} answers, {:5} KiB; memory {:6} KiB, peak {:6} KiB, at rest {:6} KiB; {said:?}",
            octets >> 10,
            memory.now,
            memory.peak,
            rest.now
        );
        assert!(asked >= count, "{name}: {asked} answers were asked for");
        assert!(memory.peak < rest.now + MOST * 1024, "{name}: {memory:?}, at rest {rest:?}");
    }
}
