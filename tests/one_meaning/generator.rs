//! Addresses as clients might write them: routes by percent sign, bang and several `@`, source routes, quotes, comments,
//! literals, case, dots, letters beyond ASCII, and what damage makes of those. One seed makes the same ones always.

use fastrand::Rng;

/// Domains that occur. What each is to the MTA is up to the test.
const DOMAINS: [&str; 14] = [
    "example.org",
    "second.example",
    "virtual.example",
    "relay.example",
    "b\u{fc}cher.example",
    "xn--bcher-kva.example",
    "mx.local.test",
    "nospf.example",
    "spoof.example",
    "sub.example.org",
    "[127.0.0.1]",
    "[192.0.2.99]",
    "mx",
    "localhost",
];

/// The characters that mean something to an MTA.
const SYNTAX: [char; 16] = ['@', '%', '!', '"', '\\', '(', ')', '<', '>', ',', ';', ':', '.', '[', ']', ' '];

/// The mark that the address with this number carries all the way.
pub(crate) fn mark(number: usize) -> String {
    format!("u{number}x")
}

/// The address with this number, without angle brackets.
pub(crate) fn address(rng: &mut Rng, number: usize) -> String {
    let user = user(rng, number);
    let mut address = match rng.u8(..20) {
        // Nothing but a name and a domain, as in honest mail.
        0..=3 => format!("{user}@{}", domain(rng)),
        4..=5 => user,
        _ => {
            let routed = (0..rng.usize(1..4)).fold(user, |address, _| step(rng, &address));
            if rng.u8(..10) < 8 { format!("{routed}@{}", domain(rng)) } else { routed }
        }
    };
    if rng.u8(..12) == 0 {
        let route: Vec<String> = (0..rng.usize(1..3)).map(|_| format!("@{}", domain(rng))).collect();
        address = format!("{}:{address}", route.join(","));
    }
    if rng.u8(..8) == 0 {
        address = damaged(rng, &address);
    }
    address
}

fn user(rng: &mut Rng, number: usize) -> String {
    let mark = mark(number);
    match rng.u8(..16) {
        0 => format!("\"{mark}\""),
        1 => format!("\"{mark} y\""),
        2 => format!("{mark}+tag"),
        3 => format!("owner-{mark}"),
        4 => format!("{mark}(comment)"),
        5 => mark.to_uppercase(),
        6 => format!("bounce-{mark}=example.org"),
        7 => format!("first.{mark}"),
        8 => format!("\u{f6}{mark}"),
        9 => format!("SRS0=HHH=TT=example.org={mark}"),
        _ => mark,
    }
}

/// One more station on the way.
fn step(rng: &mut Rng, address: &str) -> String {
    let domain = domain(rng);
    match rng.u8(..12) {
        0..=4 => format!("{address}%{domain}"),
        5..=7 => format!("{domain}!{address}"),
        8 => format!("{address}@{domain}"),
        9 => format!("\"{}\"", format!("{address}@{domain}").replace(['"', '\\'], "")),
        10 => format!("\"{}\"", format!("{address}%{domain}").replace(['"', '\\'], "")),
        _ => format!("\"{}\"", format!("{domain}!{address}").replace(['"', '\\'], "")),
    }
}

fn domain(rng: &mut Rng) -> String {
    let domain = DOMAINS[rng.usize(..DOMAINS.len())];
    match rng.u8(..24) {
        0 => domain.to_uppercase(),
        1 => format!("{domain}."),
        2 => format!("{domain}.."),
        3 => format!("(x){domain}"),
        4 => format!("{domain}(x@nospf.example)"),
        5 => format!("\"{domain}\""),
        6 => domain.replace('.', "\u{3002}"),
        7 => domain.replace('e', "\u{ff45}"),
        8 => domain.replacen('.', " . ", 1),
        9 => domain.replacen('.', "\\.", 1),
        10 => domain.replacen('x', "\u{ad}x", 1),
        _ => domain.to_owned(),
    }
}

/// One character of syntax too many, or one character too few.
fn damaged(rng: &mut Rng, address: &str) -> String {
    let mut characters: Vec<char> = address.chars().collect();
    let at = rng.usize(..characters.len());
    if rng.bool() {
        characters.insert(at, SYNTAX[rng.usize(..SYNTAX.len())]);
    } else {
        characters.remove(at);
    }
    characters.into_iter().collect()
}
