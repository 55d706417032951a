//! What the MTA does with a command that no lock sees, beside what the daemon says of the same command.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use lockdown_milter::mail::{Domain, visible};

use crate::generator::{address, mark};
use crate::sink::Sink;
use crate::smtp::Client;

/// Commands of one session, and messages that are under way at a time.
const SESSION: usize = 400;

/// How long the next message may be on its way before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// A stranger, to a service that no lock guards.
    Unguarded,
    /// A stranger.
    Stranger,
    /// alice@example.org, logged in.
    Alice,
}

/// An MTA with the daemon beside it.
pub(crate) struct World<'w> {
    /// A new session, greeted and introduced.
    pub(crate) connect: &'w dyn Fn(Speaker) -> Client,
    /// Where all that is delivered arrives.
    pub(crate) sink: &'w Sink,
    /// A recipient that every lock allows.
    pub(crate) recipient: &'w str,
}

/// What came of how many commands; each kind of disagreement with some that show it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kinds: BTreeMap<&'static str, usize>,
    pub(crate) shown: BTreeMap<&'static str, Vec<String>>,
}

impl Tally {
    fn count(&mut self, kind: &'static str, show: impl FnOnce() -> String) {
        *self.kinds.entry(kind).or_default() += 1;
        let shown = self.shown.entry(kind).or_default();
        if shown.len() < 12 {
            shown.push(show());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (kind, shown) in other.shown {
            self.shown.entry(kind).or_default().extend(shown);
        }
    }

    /// All commands.
    pub(crate) fn total(&self) -> usize {
        self.kinds.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.kinds {
            writeln!(f, "{count:7} {kind}")?;
        }
        Ok(())
    }
}

/// Domains with a policy; those of the second line have a list of recipients, on which no generated name is.
const HOSTED: [&str; 5] =
    ["example.org", "second.example", "virtual.example", "relay.example", "xn--bcher-kva.example"];
const LISTED: [&str; 1] = ["example.org"];

/// The names of the host, at which the defaults judge.
const HOST: [&str; 3] = ["mx.local.test", "localhost", "localhost.local.test"];

/// The domain of a path; of what Sendmail delivers as local, the one that the name tells.
fn domain_of(path: &str) -> Option<Domain> {
    let (local_part, domain) = path.rsplit_once('@')?;
    match local_part.rsplit_once("--") {
        Some((_, told)) if domain == "inner.test" => told.trim_end_matches('"').parse().ok(),
        // A reader undoes quotes and backslashes (RFC 5322, 4.4).
        _ => domain.replace(['"', '\\'], "").parse().ok(),
    }
}

/// A text without what may stand between the parts of an address, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !" \\\"()<>:,;\u{ad}".contains(*c)).collect::<String>().to_lowercase()
}

/// Whether the refusal names a station of the route, or the host by which a station is completed or to which a literal leads.
fn leads_through(command: &str, reply: &str) -> bool {
    let named = reply.split("send as ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let plain = plain(command);
    let mut stations = plain.split(['@', '%', '!']).map(|station| station.trim_matches('.'));
    stations.any(|station| station == named || (named == HOST[0] && station == "mx"))
}

/// Whether no `@` stands outside of quotes and comments, a source route apart.
fn is_without_domain(command: &str) -> bool {
    let (mut is_quoted, mut depth) = (false, 0_usize);
    let address = if command.starts_with('@') {
        command.split_once(':').map_or(command, |(_, address)| address)
    } else {
        command
    };
    let mut characters = address.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            '"' if depth == 0 => is_quoted = !is_quoted,
            '@' if depth == 0 && !is_quoted => return false,
            _ => {}
        }
    }
    true
}

fn is_hosted(domain: Option<&Domain>) -> bool {
    domain.is_some_and(|domain| HOSTED.contains(&domain.as_str()))
}

/// Whether a domain is hosted, or the MTA's own name. By localhost, strangers may send that do not know their own.
fn is_ours(domain: Option<&Domain>) -> bool {
    is_hosted(domain) || domain.is_some_and(|domain| domain.as_str() == HOST[0])
}

/// Whether the text names a domain of ours anywhere.
fn names_ours(text: &str) -> bool {
    [text, &plain(text)].into_iter().flat_map(visible::named).any(|domain| is_ours(Some(&domain)))
}

/// MAIL FROM: who is taken for the sender, and who it is to the next host.
pub(crate) fn of_mail(world: &World<'_>, rng: &mut fastrand::Rng, count: usize) -> Tally {
    let mut tally = Tally::default();
    for start in (0..count).step_by(SESSION) {
        let commands: Vec<String> =
            (start..count.min(start + SESSION)).map(|number| address(rng, number)).collect();
        let kept = keep(world, &commands, start);
        let stranger = judged(world, Speaker::Stranger, &commands);
        let alice = judged(world, Speaker::Alice, &commands);
        for (at, command) in commands.iter().enumerate() {
            let Some(kept) = &kept[at] else {
                tally.count("refused by the MTA, or lost", || command.clone());
                continue;
            };
            let show = |reply: &String| format!("{command} is {kept}: {reply}");
            tally.count(of_stranger(command, kept, &stranger[at]), || show(&stranger[at]));
            tally.count(of_alice(command, kept, &alice[at]), || show(&alice[at]));
        }
    }
    tally
}

fn of_stranger(command: &str, kept: &str, reply: &str) -> &'static str {
    let domain = domain_of(kept);
    let is_spoofed = domain.as_ref().is_some_and(|domain| domain.as_str() == "spoof.example");
    let ends_at_loopback = command.to_lowercase().contains("localhost");
    match (is_ours(domain.as_ref()), accepted(reply)) {
        (true, true) if !is_hosted(domain.as_ref()) && (ends_at_loopback || command.contains('[')) => {
            "argued: a name alone that resolves to localhost or to an address literal"
        }
        (true, true) => "WRONG: a stranger sends as a hosted domain",
        (true, false) => "a stranger is refused a hosted domain",
        (false, true) if is_spoofed => "WRONG: a sender that fails SPF is accepted",
        (false, true) => "a stranger sends as another domain",
        (false, false) if is_spoofed => "a sender that fails SPF is refused",
        (false, false) if names_ours(command) || ends_at_loopback => {
            "argued: a hosted domain is on the way of the sender"
        }
        (false, false) if plain(command).contains("spoof") => "argued: a sender on whose way SPF fails",
        (false, false) if leads_through(command, reply) => {
            "argued: the route of the sender leads through the host"
        }
        (false, false) if is_without_domain(command) => "argued: a sender without an @ of its own",
        (false, false) => "WRONG: a stranger is refused a domain that is not ours",
    }
}

fn of_alice(command: &str, kept: &str, reply: &str) -> &'static str {
    let is_own = domain_of(kept).is_some_and(|domain| domain.as_str() == "example.org");
    let is_plain = command.chars().all(|c| c.is_alphanumeric() || "@.+-=_".contains(c))
        && command.matches('@').count() == 1;
    match (is_own, accepted(reply)) {
        (true, true) => "a login sends as its domain",
        (false, true) if kept.is_empty() => "a login sends without a reverse-path",
        (false, true) => "WRONG: a login sends as another domain",
        (false, false) => "a login is refused another domain",
        (true, false) if is_plain => "WRONG: a login is refused its own domain",
        (true, false) => "argued: a login is refused an address of two forms",
    }
}

/// RCPT TO: whose locks a recipient passes, and where it is delivered.
pub(crate) fn of_rcpt(world: &World<'_>, rng: &mut fastrand::Rng, count: usize) -> Tally {
    let mut tally = Tally::default();
    // Bounces to the senders of before may still arrive.
    for start in (count..2 * count).step_by(SESSION) {
        let commands: Vec<String> =
            (start..(2 * count).min(start + SESSION)).map(|number| address(rng, number)).collect();
        let delivered = deliver(world, &commands, start);
        let failing = allowed(world, "bob@spoof.example", &commands);
        let passing = allowed(world, "bob@nospf.example", &commands);
        for (at, command) in commands.iter().enumerate() {
            let Some(delivered) = &delivered[at] else {
                tally.count("refused by the MTA, or lost", || command.clone());
                continue;
            };
            let show = |reply: &String| format!("{command} is {delivered}: {reply}");
            tally.count(of_failing(command, delivered, &failing[at]), || show(&failing[at]));
            tally.count(of_unknown(command, delivered, &passing[at]), || show(&passing[at]));
        }
    }
    tally
}

fn of_failing(command: &str, delivered: &str, reply: &str) -> &'static str {
    let domain = domain_of(delivered);
    let is_of_host = domain.as_ref().is_some_and(|domain| HOST.contains(&domain.as_str()));
    let is_ours = is_hosted(domain.as_ref())
        || is_of_host
        || delivered.ends_with("[127.0.0.1]")
        || delivered.ends_with("--127.0.0.1@inner.test");
    match (is_ours, accepted(reply)) {
        (true, true) => "WRONG: mail that fails SPF reaches a hosted domain",
        (true, false) => "mail that fails SPF is refused",
        (false, true) => "mail that fails SPF reaches a domain that is not ours",
        (false, false)
            if HOST.iter().chain(&["127.0.0.1"]).any(|name| plain(command).contains(name))
                || names_ours(command) =>
        {
            "argued: a hosted domain is on the way of the recipient"
        }
        (false, false) if reply.starts_with("553 5.1.3") => "argued: a recipient that is not an address",
        (false, false) => "WRONG: a recipient is refused that is not ours",
    }
}

fn of_unknown(command: &str, delivered: &str, reply: &str) -> &'static str {
    let is_listed = domain_of(delivered).is_some_and(|domain| LISTED.contains(&domain.as_str()));
    match (is_listed, accepted(reply)) {
        (true, true) => "WRONG: an unknown name is reached",
        (true, false) => "an unknown name is refused",
        (false, true) => "a name that nobody lists is reached",
        (false, false) if LISTED.iter().any(|domain| names(command, domain)) => {
            "argued: a domain that knows no such name is on the way"
        }
        (false, false) if reply.starts_with("553 5.1.3") => "argued: a recipient that is not an address",
        (false, false) => "WRONG: a recipient is refused that nobody lists",
    }
}

fn names(text: &str, domain: &str) -> bool {
    [text, &plain(text)].into_iter().flat_map(visible::named).any(|name| name.as_str() == domain)
}

fn accepted(reply: &str) -> bool {
    assert!(reply.starts_with('2') || reply.contains("(ref "), "the daemon says neither yes nor no: {reply}");
    reply.starts_with('2')
}

/// The reply to a recipient of each command as reverse-path.
fn judged(world: &World<'_>, speaker: Speaker, commands: &[String]) -> Vec<String> {
    let mut client = (world.connect)(speaker);
    let mut judge = |command: &String| {
        let lines = format!("MAIL FROM:<{command}>\r\nRCPT TO:<{}>\r\nRSET\r\n", world.recipient);
        client.send(lines.as_bytes());
        let [_, reply, _] = [client.reply(), client.reply(), client.reply()];
        reply.to_string()
    };
    commands.iter().map(&mut judge).collect()
}

/// The reply to each command as forward-path.
fn allowed(world: &World<'_>, sender: &str, commands: &[String]) -> Vec<String> {
    let mut client = (world.connect)(Speaker::Stranger);
    client.mail(sender);
    commands.iter().map(|command| client.rcpt(command).to_string()).collect()
}

/// The reverse-path that each command has become at the next hop; none where the MTA refuses it.
fn keep(world: &World<'_>, commands: &[String], start: usize) -> Vec<Option<String>> {
    let mut client = (world.connect)(Speaker::Unguarded);
    let mut waiting = 0;
    for (number, command) in (start..).zip(commands) {
        client.send(format!("MAIL FROM:<{command}>\r\nRCPT TO:<{}>\r\n", world.recipient).as_bytes());
        let is_taken = [client.reply(), client.reply()].iter().all(|reply| reply.code() == 250);
        let reply = is_taken.then(|| client.data(&format!("Subject: {}\n\n.\n", mark(number))));
        match reply.map(|reply| reply.code()) {
            Some(250) => waiting += 1,
            _ => drop(client.command("RSET")),
        }
    }
    let mut kept = HashMap::new();
    while waiting > 0
        && let Some(message) = world.sink.next_within(PATIENCE)
    {
        let subject =
            message.fields().into_iter().find_map(|field| field.strip_prefix("Subject: ").map(str::to_owned));
        if let Some(mark) = subject.filter(|subject| subject.starts_with('u')) {
            kept.insert(mark, message.mail_from);
            waiting -= 1;
        }
    }
    (start..).zip(commands).map(|(number, _)| kept.remove(&mark(number))).collect()
}

/// The forward-path that each command has become at the next hop.
fn deliver(world: &World<'_>, commands: &[String], start: usize) -> Vec<Option<String>> {
    let mut client = (world.connect)(Speaker::Unguarded);
    client.mail("bob@nospf.example");
    let taken: Vec<bool> = commands.iter().map(|command| client.rcpt(command).code() == 250).collect();
    let mut waiting = taken.iter().filter(|taken| **taken).count();
    client.data("Subject: x\n\n.\n");
    let mut delivered: HashMap<String, String> = HashMap::new();
    while waiting > 0
        && let Some(message) = world.sink.next_within(PATIENCE)
    {
        for recipient in message.rcpt_to {
            let folded = recipient.to_lowercase();
            let found =
                (start..).zip(commands).map(|(number, _)| mark(number)).find(|mark| folded.contains(mark));
            if let Some(mark) = found {
                delivered.insert(mark, recipient);
                waiting -= 1;
            }
        }
    }
    let all = (start..).zip(&taken);
    all.map(|(number, taken)| delivered.remove(&mark(number)).filter(|_| *taken)).collect()
}
