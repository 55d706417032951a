//! End to end: who guesses names is blocked, by the daemon behind a real, private Postfix and a real, private Sendmail.
#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/host.rs"]
mod host;
#[path = "support/map_server.rs"]
mod map_server;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/network.rs"]
mod network;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/sendmail.rs"]
mod sendmail;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/tls.rs"]
mod tls;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use daemon::Daemon;
use dns::{Dns, Zone};
use map_server::{Answer, MAP, MapServer, Protocol};
use mta::{Mta, Service};
use postfix::Postfix;
use proxy::Proxy;
use sendmail::Sendmail;
use sink::Sink;
use smtp::Client;

/// The client who guesses, and one who does not.
const HARVESTER: &str = "ADDR=192.0.2.66";
const BYSTANDER: &str = "ADDR=192.0.2.200";

/// What a blocked client is told.
const BLOCKED: &str = "421 4.7.0 Too many unknown recipients, try again later (ref ";

/// What stands around an MTA: the next hop, DNS, a server that knows one name, and the daemon's port.
struct Stage {
    sink: Sink,
    dns: Dns,
    names: MapServer,
    milter: u16,
}

impl Stage {
    fn set() -> Self {
        let zone = Zone::new()
            .txt("pass.example", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all")
            .txt("evil.example", "v=spf1 ip4:203.0.113.66 -all")
            .txt("open.example", "v=spf1 mx +all")
            .txt("wide.example", "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all")
            .txt("half.example", "v=spf1 ip4:128.0.0.0/1 -all")
            .txt("forwarder.example", "v=spf1 ip4:192.0.2.20 ip6:2001:db8::20 -all");
        let find =
            |name: &str| if name == "info@local.test" { Answer::Found("yes") } else { Answer::NotFound };
        let names = MapServer::on_port(Protocol::Socketmap, find);
        Self { sink: Sink::start(), dns: Dns::start(zone), names, milter: host::free_port() }
    }

    /// A configuration by which the server is asked which names exist.
    fn config_by_server(&self) -> String {
        let source = format!("socketmap: {{ address: \"{}\", map: {MAP} }}", self.names.socket().written());
        self.config_with("", &format!("{{ recipients: {{ sources: [ {source} ] }} }}"))
    }

    /// A configuration by which info and `user0` to `user99` exist at local.test; `harvest` are settings of that lock.
    fn config(&self, harvest: &str) -> String {
        let names = (0..100).fold("info@local.test".to_owned(), |mut names, number| {
            write!(names, ", user{number}@local.test").unwrap();
            names
        });
        self.config_with(harvest, &format!("{{ recipients: {{ sources: [ list: [{names}] ] }} }}"))
    }

    fn config_with(&self, harvest: &str, defaults: &str) -> String {
        format!(
            "listen: [ {{ inet: 127.0.0.1:{}, role: inbound }} ]
control: {{dir}}/control.sock
authserv_id: mx.local.test
dns: {{ servers: [\"{}\"] }}
harvest: {{ {harvest} }}
defaults: {defaults}
domains: {{ local.test: }}
",
            self.milter,
            self.dns.address()
        )
    }

    /// A Postfix that leaves it to the daemon which names exist.
    fn postfix(&self) -> Postfix {
        self.postfix_before(self.milter).start()
    }

    fn postfix_before(&self, milter: u16) -> postfix::Builder {
        Postfix::builder(self.sink.port())
            .milter(&format!("inet:127.0.0.1:{milter}"))
            .main_cf("inet_protocols = all\nrelay_domains = local.test")
    }
}

/// A session of a client that has said hello, and from where it sends.
fn connect(mta: &dyn Mta, client: &str) -> Client {
    let mut session = mta.connect(Service::Exchange, client);
    session.ehlo("mail.pass.example");
    session
}

/// One mail transaction to one recipient, given up before its message. The reply to RCPT, or to MAIL if that is refused.
fn ask(session: &mut Client, recipient: &str) -> String {
    ask_from(session, "a@pass.example", recipient)
}

/// The same with this reverse-path; the reply to MAIL, where that is refused.
fn ask_from(session: &mut Client, reverse_path: &str, recipient: &str) -> String {
    let reply = session.mail(reverse_path);
    if reply.code() != 250 {
        return reply.to_string();
    }
    let reply = session.rcpt(recipient).to_string();
    if !reply.starts_with("421") {
        assert_eq!(session.command("RSET").code(), 250);
    }
    reply
}

/// A message to all of them, which is accepted.
fn send(session: &mut Client, recipients: impl Iterator<Item = String>) {
    session.mail("a@pass.example");
    for recipient in recipients {
        assert_eq!(session.rcpt(&recipient).code(), 250, "{recipient}");
    }
    let reply = session.data("From: a@pass.example\nSubject: hello\n\nHello.\n");
    assert_eq!(reply.code(), 250, "{reply}");
}

/// The reply to a recipient in a session of its own.
fn ask_once(mta: &dyn Mta, client: &str, recipient: &str) -> String {
    ask(&mut connect(mta, client), recipient)
}

/// Asks for names that do not exist, each in a session of its own.
fn guess(mta: &dyn Mta, client: &str, names: std::ops::Range<u32>) {
    for name in names {
        let reply = ask_once(mta, client, &format!("guess{name}@local.test"));
        assert!(reply.starts_with("550 5.1.1 "), "{client} guess{name}: {reply}");
    }
}

#[track_caller]
fn check_open(mta: &dyn Mta, client: &str) {
    let reply = ask_once(mta, client, "info@local.test");
    assert!(reply.starts_with("250 2.1."), "{client}: {reply}");
}

#[track_caller]
fn check_blocked(mta: &dyn Mta, client: &str) {
    let reply = ask_once(mta, client, "info@local.test");
    assert!(reply.starts_with(BLOCKED), "{client}: {reply}");
}

/// What a command of the program prints, and its exit status.
fn run(daemon: &Daemon, arguments: &[&str]) -> (String, Option<i32>) {
    let output = daemon::run(arguments, &daemon.config_file());
    let printed = [output.stdout, output.stderr].concat();
    (String::from_utf8(printed).unwrap(), output.status.code())
}

/// Twelve names in four sessions, with RSET after each: the tenth is the last that is answered for itself. From then on
/// no session of this client costs a look-up.
fn check_twelve_names(stage: &Stage, mta: &dyn Mta, daemon: &Daemon, addresses: [&str; 4], network: &str) {
    let mut replies = Vec::new();
    for (session, address) in addresses.into_iter().enumerate() {
        let mut client = connect(mta, address);
        for name in 0..3 {
            let reply = ask(&mut client, &format!("guess{session}.{name}@local.test"));
            let is_over = reply.starts_with("421");
            replies.push(reply);
            if is_over {
                assert_eq!(client.reply().lines, [""; 0], "the MTA closes the connection");
                break;
            }
        }
    }
    assert_eq!(replies.len(), 11, "{replies:#?}");
    assert!(replies[..10].iter().all(|reply| reply.starts_with("550 5.1.1 ")), "{replies:#?}");
    assert!(replies[10].starts_with(BLOCKED), "{replies:#?}");
    daemon.wait_for(&[
        "level=warn",
        "harvesting: blocked",
        &format!("network={network}"),
        "names=10",
        "times=1",
    ]);

    // A domain that nobody has been asked about, lest an answer be remembered.
    let domain = format!("{}.example", network.replace(['.', ':', '/'], "-"));
    let ask_as = |client: &str| {
        let mut session = mta.connect(Service::Exchange, client);
        session.ehlo(&format!("mail.{domain}"));
        ask_from(&mut session, &format!("a@{domain}"), "info@local.test")
    };
    stage.names.take_questions();
    let before = stage.dns.total();
    for address in addresses {
        let reply = ask_as(address);
        assert!(reply.starts_with(BLOCKED), "{address}: {reply}");
    }
    let asked = (stage.names.take_questions().len(), stage.dns.total() - before);
    assert_eq!(asked, (0, 0), "neither the source nor DNS is asked about whom is blocked");
    let reply = ask_as(BYSTANDER);
    assert!(reply.starts_with("250 2.1."), "{reply}");
    let asked = (stage.names.take_questions().len(), stage.dns.total() - before);
    assert!(asked.0 > 0 && asked.1 > 0, "as they are about others: {asked:?}");
}

/// That a blocked client is told the same of names that exist, of those that do not, and of postmaster.
fn check_no_oracle(mta: &dyn Mta, client: &str) {
    let replies = ["info", "guess99", "postmaster", "abuse"].map(|name| {
        let mut session = connect(mta, client);
        let reply = session.mail("a@pass.example").to_string();
        assert_eq!(session.reply().lines, [""; 0], "{name}: the MTA closes the connection");
        reply
    });
    assert!(replies.iter().all(|reply| reply.starts_with(BLOCKED)), "{replies:#?}");
}

#[test]
fn twelve_names_are_blocked_at_postfix() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config_by_server());
    check_twelve_names(&stage, &postfix, &daemon, [HARVESTER; 4], "192.0.2.66/32");
    let addresses = [1, 2, 3, 0xffff].map(|host| format!("ADDR=IPv6:2001:db8::{host:x}"));
    check_twelve_names(&stage, &postfix, &daemon, addresses.each_ref().map(String::as_str), "2001:db8::/64");
}

#[test]
fn twelve_names_are_blocked_at_sendmail() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let stage = Stage::set();
        let sendmail = Sendmail::builder(stage.sink.port(), stage.milter, stage.milter)
            .relay_domain("local.test")
            .start();
        let daemon = Daemon::start(&stage.config_by_server());
        check_twelve_names(&stage, &sendmail, &daemon, [HARVESTER; 4], "192.0.2.66/32");
        let addresses = [1, 2, 3, 0xffff].map(|host| format!("ADDR=2001:db8::{host:x}"));
        check_twelve_names(
            &stage,
            &sendmail,
            &daemon,
            addresses.each_ref().map(String::as_str),
            "2001:db8::/64",
        );
    });
}

#[test]
fn a_provider_and_an_obstinate_sender_are_not_blocked() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    // Every session has more good recipients than bad ones, as those of a provider have.
    for session in 0..4 {
        let mut client = connect(&postfix, "ADDR=192.0.2.10");
        send(&mut client, (0..25).map(|number| format!("user{}@local.test", 25 * session + number)));
        for number in 0..3 {
            let reply = ask(&mut client, &format!("typo{session}.{number}@local.test"));
            assert!(reply.starts_with("550 5.1.1 "), "{reply}");
        }
    }
    check_open(&postfix, "ADDR=192.0.2.10");
    let mut client = connect(&postfix, "ADDR=192.0.2.11");
    for number in 0..50 {
        let name = if number % 2 == 0 { "nobody@local.test" } else { "Nobody+tag@LOCAL.test" };
        let reply = ask(&mut client, name);
        assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    }
    check_open(&postfix, "ADDR=192.0.2.11");
    assert_eq!(run(&daemon, &["harvest", "list"]), ("nothing is blocked\n".to_owned(), Some(0)));
}

/// Known names that get nothing, and one that gets everything, do not pay for guesses.
#[test]
fn known_names_buy_no_guesses() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    let mut session = connect(&postfix, HARVESTER);
    for name in 0..9 {
        session.mail("a@pass.example");
        for known in 0..20 {
            assert_eq!(session.rcpt(&format!("user{}@local.test", (20 * name + known) % 100)).code(), 250);
        }
        assert_eq!(session.rcpt(&format!("guess{name}@local.test")).code(), 550);
        session.command("RSET");
    }
    send(&mut session, (0..3).map(|_| "info@local.test".to_owned()));
    assert!(ask(&mut session, "guess9@local.test").starts_with("550 5.1.1 "));
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "names=10"]);
}

/// Postfix as it is usually set up: it knows its recipients, does not like all senders, and puts some mail off.
const CHOOSY: &str = "
relay_recipient_maps = inline:{ {info@local.test=ok}, {postmaster@local.test=ok} }
smtpd_sender_restrictions = check_sender_access inline:{
  { gone@pass.example = 550 5.1.8 No such sender domain }
  { grey@pass.example = 450 4.7.1 Greylisted }
  { spam@pass.example = 554 5.7.1 Go away } }
smtpd_recipient_restrictions = check_recipient_access regexp:{ { /^late/ 450 4.1.1 Not yet } }";

#[test]
fn names_that_postfix_refuses_count() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix_before(stage.milter).main_cf(CHOOSY).start();
    // Nobody but Postfix says which names there are.
    let daemon = Daemon::start(&stage.config_with("", "{}"));
    let refused = [("gone", "550 5.1.8"), ("grey", "450 4.7.1"), ("spam", "554 5.7.1"), ("a", "450 4.1.1")];
    for (host, (sender, code)) in refused.into_iter().enumerate() {
        let client = format!("ADDR=192.0.2.{}", host + 1);
        let mut session = connect(&postfix, &client);
        session.mail(&format!("{sender}@pass.example"));
        for name in 0..12 {
            let reply = session.rcpt(&format!("late{name}@local.test")).to_string();
            assert!(reply.starts_with(code), "{reply}");
        }
        check_open(&postfix, &client);
    }
    // What is refused for its name counts, at hosted domains; and Postfix's own words go out for it.
    let mut session = connect(&postfix, HARVESTER);
    session.mail("a@pass.example");
    for name in 0..9 {
        let reply = session.rcpt(&format!("guess{name}@local.test")).to_string();
        assert!(reply.starts_with("550 5.1.1 ") && reply.contains("in relay recipient table"), "{reply}");
    }
    check_open(&postfix, HARVESTER);
    session.rcpt("guess9@local.test");
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "names=10"]);
    check_no_oracle(&postfix, HARVESTER);
    // Whoever spoke before the block is told one name at most, and can still complain.
    session.command("RSET");
    assert!(ask(&mut session, "postmaster@local.test").starts_with("250 2.1."));
    assert!(ask(&mut session, "guess10@local.test").starts_with("550 5.1.1 "));
    assert!(ask(&mut session, "info@local.test").starts_with(BLOCKED));
    assert_eq!(session.reply().lines, [""; 0], "the MTA closes the connection");
    // The refused ones went by as recipients, but to nobody's judgment.
    let listed = run(&daemon, &["harvest", "list"]).0;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    drop((session, postfix));
    let decisions = daemon.stop();
    assert!(decisions.iter().all(|line| line.field("reason") == Some("harvest-blocked")), "{decisions:?}");
}

/// What we refuse is not told to us again as something that was refused, and what Postfix refuses is no part of the
/// message.
#[test]
fn no_recipient_comes_twice() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let proxy = Proxy::start(stage.milter);
    let postfix = stage
        .postfix_before(proxy.port())
        .main_cf("relay_recipient_maps = inline:{ info@local.test=ok, old@local.test=ok }")
        .start();
    let _daemon = Daemon::start(&stage.config(""));
    let mut session = connect(&postfix, "ADDR=192.0.2.10");
    session.mail("a@pass.example");
    for (name, code) in [("nobody", 550), ("info", 250), ("old", 550)] {
        assert_eq!(session.rcpt(&format!("{name}@local.test")).code(), code, "{name}");
    }
    let reply = session.data("From: a@pass.example\nSubject: hello\n\nHello.\n");
    assert_eq!(reply.code(), 250, "{reply}");
    assert_eq!(stage.sink.next().rcpt_to, ["info@local.test"]);
    session.command("QUIT");
    let trace = proxy.trace('E');
    let recipients = trace.since('M').iter().filter(|frame| frame.command == 'R').count();
    assert_eq!(recipients, 3, "{trace:#?}");
}

#[test]
fn a_network_is_blocked_for_three_hosts_and_not_for_one() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config("network_threshold: 24"));
    guess(&postfix, "ADDR=192.0.2.1", 0..10);
    check_blocked(&postfix, "ADDR=192.0.2.1");
    guess(&postfix, "ADDR=192.0.2.2", 10..19);
    check_open(&postfix, "ADDR=192.0.2.2");
    check_open(&postfix, BYSTANDER);
    guess(&postfix, "ADDR=192.0.2.3", 20..25);
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.0/24", "names=24"]);
    check_blocked(&postfix, BYSTANDER);
    check_open(&postfix, "ADDR=198.51.100.1");
    // To release one address is to release what it is blocked by.
    let (said, status) = run(&daemon, &["harvest", "release", "192.0.2.200"]);
    assert!(said.starts_with("released 192.0.2.0/24, which was blocked until 20"), "{said}");
    assert_eq!((said.lines().count(), status), (1, Some(0)));
    check_open(&postfix, BYSTANDER);
    check_blocked(&postfix, "ADDR=192.0.2.1");
}

/// A host that bounces what others forged in our name, and carries its users' own mail.
#[test]
fn bounces_to_forged_names_block_bounces_only() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    let bounce = |recipient: &str| ask_from(&mut connect(&postfix, HARVESTER), "", recipient);
    for name in 0..10 {
        let reply = bounce(&format!("forged{name}@local.test"));
        assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    }
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "names=10", "null_sender=true"]);
    let reply = bounce("info@local.test");
    assert!(reply.starts_with(BLOCKED), "{reply}");
    let reply = bounce("forged10@local.test");
    assert!(reply.starts_with(BLOCKED), "it is no oracle: {reply}");
    check_open(&postfix, HARVESTER);
    let listed = run(&daemon, &["harvest", "list"]).0;
    assert!(listed.contains("192.0.2.66 <>  20"), "{listed}");
    // Other mail of the same host has its own account, and a block for it concerns bounces as well.
    guess(&postfix, HARVESTER, 0..10);
    check_blocked(&postfix, HARVESTER);
    let (said, _) = run(&daemon, &["harvest", "release", "192.0.2.66"]);
    assert_eq!(said.matches("released 192.0.2.66").count(), 2, "{said}");
    assert!(bounce("info@local.test").starts_with("250 2.1."));
}

/// Forwarders by network and by SPF.
const FORWARDERS: &str = "trusted_forwarders: [192.0.2.10, { spf: forwarder.example }]\n";

#[test]
fn forwarders_are_not_blocked() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&(FORWARDERS.to_owned() + &stage.config("network_threshold: 28")));
    for (client, names) in
        [("ADDR=192.0.2.10", 0..12), ("ADDR=192.0.2.20", 20..32), (FORWARDER_OF_64, 40..52)]
    {
        guess(&postfix, client, names);
        check_open(&postfix, client);
    }
    assert_eq!(run(&daemon, &["harvest", "list"]), ("nothing is blocked\n".to_owned(), Some(0)));
    // Three others of the network ask for 28 names; what the forwarders asked for does not count with that.
    for host in 1..=2 {
        guess(&postfix, &format!("ADDR=192.0.2.{host}"), 100 * host..100 * host + 9);
    }
    check_open(&postfix, BYSTANDER);
    // Whoever is none is blocked as ever, once that is known.
    guess(&postfix, HARVESTER, 0..10);
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "names=10"]);
    check_blocked(&postfix, HARVESTER);
    // So is the whole network, but for the forwarders in it.
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.0/24", "names=28"]);
    check_blocked(&postfix, BYSTANDER);
    check_open(&postfix, "ADDR=192.0.2.10");
    check_open(&postfix, "ADDR=192.0.2.20");
}

/// What a customer of a provider guesses blocks neither its hosts nor their network, if our users write to that provider.
#[test]
fn a_provider_that_our_users_write_to_is_not_blocked() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let relaying = "smtpd_relay_restrictions = check_sender_access inline:{ user1@local.test=OK }, \
                    reject_unauth_destination";
    let postfix = stage.postfix_before(stage.milter).main_cf(relaying).start();
    let daemon = Daemon::start(&stage.config(""));
    let mut session = connect(&postfix, "ADDR=203.0.113.7 LOGIN=user1@local.test");
    let mut submit = |to: &str, more: &str| {
        session.mail("user1@local.test");
        assert_eq!(session.rcpt(to).code(), 250);
        let reply = session.data(&format!("From: user1@local.test\nSubject: hello\n{more}\nHello.\n"));
        assert_eq!(reply.code(), 250, "{reply}");
    };
    submit("friend@pass.example", "");
    // What a program answers says nothing of whom our users write to.
    submit("stranger@evil.example", "Auto-Submitted: auto-replied\n");
    let guess_as = |domain: &str, client: &str, names: std::ops::Range<u32>| {
        let mut replies = Vec::new();
        for name in names {
            let mut session = connect(&postfix, client);
            replies.push(ask_from(&mut session, &format!("a@{domain}"), &format!("guess{name}@local.test")));
        }
        replies
    };
    // One host, and seven others of its network: nobody is blocked.
    guess_as("pass.example", HARVESTER, 0..15);
    for host in 1..=7 {
        guess_as("pass.example", &format!("ADDR=192.0.2.{host}"), 100 * host..100 * host + 9);
    }
    check_open(&postfix, HARVESTER);
    check_open(&postfix, BYSTANDER);
    assert_eq!(run(&daemon, &["harvest", "list"]), ("nothing is blocked\n".to_owned(), Some(0)));
    // To say that one is of the provider is not enough, nor is it to get an answer from a program.
    guess_as("pass.example", "ADDR=198.51.100.66", 0..10);
    daemon.wait_for(&["harvesting: blocked", "network=198.51.100.66/32", "names=10"]);
    guess_as("evil.example", "ADDR=203.0.113.66", 0..10);
    daemon.wait_for(&["harvesting: blocked", "network=203.0.113.66/32", "names=10"]);
    // Nor that they write to domains that authorise everybody, whom no domain says anything about.
    for (host, domain) in ["open.example", "wide.example", "half.example"].into_iter().enumerate() {
        submit(&format!("friend@{domain}"), "");
        let client = format!("ADDR=203.0.113.{}", 70 + host);
        guess_as(domain, &client, 0..10);
        daemon.wait_for(&["harvesting: blocked", &format!("network=203.0.113.{}/32", 70 + host), "names=10"]);
        let reply = ask_from(&mut connect(&postfix, &client), &format!("a@{domain}"), "info@local.test");
        assert!(reply.starts_with(BLOCKED), "{reply}");
    }
    // A host of the provider that was blocked before our users wrote there.
    submit("friend@evil.example", "");
    let reply = ask_from(&mut connect(&postfix, "ADDR=203.0.113.66"), "a@evil.example", "info@local.test");
    assert!(reply.starts_with("250 2.1."), "{reply}");
}

const FORWARDER_OF_64: &str = "ADDR=IPv6:2001:db8::20";

#[test]
fn a_forwarder_that_was_blocked_before_it_was_named_is_released() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    for client in ["ADDR=192.0.2.10", "ADDR=192.0.2.20"] {
        guess(&postfix, client, 0..10);
        check_blocked(&postfix, client);
    }
    let lines = daemon.reload(&(FORWARDERS.to_owned() + &stage.config("")));
    let released =
        "harvesting: no longer blocked\" network=192.0.2.10/32 times=1 reason=\"exempt from now on\"";
    assert!(lines.iter().any(|line| line.contains(released)), "{lines:#?}");
    check_open(&postfix, "ADDR=192.0.2.10");
    check_open(&postfix, "ADDR=192.0.2.20");
    daemon.wait_for(&["harvesting: no longer blocked", "network=192.0.2.20/32", "exempt"]);
}

#[test]
fn each_block_is_longer_than_the_last() {
    if !Postfix::is_available() || !Daemon::has_clock() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start_with_clock(&stage.config("block: 15m"));
    guess(&postfix, HARVESTER, 0..10);
    check_blocked(&postfix, HARVESTER);
    daemon.shift_clock("+14m");
    check_blocked(&postfix, HARVESTER);
    // The end is noticed though nobody asks.
    daemon.shift_clock("+16m");
    daemon.wait_for(&["harvesting: no longer blocked", "network=192.0.2.66/32", "its time is over"]);
    check_open(&postfix, HARVESTER);
    guess(&postfix, HARVESTER, 0..10);
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "times=2"]);
    daemon.shift_clock("+45m");
    check_blocked(&postfix, HARVESTER);
    daemon.shift_clock("+47m");
    check_open(&postfix, HARVESTER);
    // After a clean day, the next is a first one.
    daemon.shift_clock("+25h");
    guess(&postfix, HARVESTER, 0..10);
    daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "times=1"]);
}

#[test]
fn logins_are_never_blocked() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let _daemon = Daemon::start(&stage.config(""));
    let login = format!("{HARVESTER} LOGIN=user1@local.test");
    let mut session = connect(&postfix, &login);
    let mut ask = |recipient: &str| {
        session.mail("user1@local.test");
        let reply = session.rcpt(recipient).to_string();
        session.command("RSET");
        reply
    };
    // A login that mistypes is no harvester, nor is its host.
    for name in 0..12 {
        let reply = ask(&format!("typo{name}@local.test"));
        assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    }
    check_open(&postfix, HARVESTER);
    guess(&postfix, HARVESTER, 0..10);
    check_blocked(&postfix, HARVESTER);
    let reply = ask("info@local.test");
    assert!(reply.starts_with("250 2.1."), "{reply}");
    // In a session that began after the block as well.
    let mut session = connect(&postfix, &login);
    assert_eq!(session.mail("user1@local.test").code(), 250);
    assert_eq!(session.rcpt("info@local.test").code(), 250);
}

/// Under a name of the host that nobody hosts, the MTA knows the same users.
#[test]
fn names_count_at_every_domain_of_the_mta() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage
        .postfix_before(stage.milter)
        .main_cf("relay_domains =\nmydestination = local.test, localhost\nlocal_recipient_maps = inline:{ info=x }")
        .start();
    let _daemon = Daemon::start(&stage.config(""));
    let forms = [
        "NAME@localhost",
        "NAME%local.test@localhost",
        "local.test!NAME@localhost",
        "NAME@local.test@localhost",
        "\"NAME@local.test\"@localhost",
    ];
    for (host, form) in forms.iter().enumerate() {
        let client = format!("ADDR=192.0.2.{}", 30 + host);
        for guess in 0..10 {
            let reply = ask_once(&postfix, &client, &form.replace("NAME", &format!("guess{host}.{guess}")));
            assert!(reply.starts_with("550 5.1.1 "), "{form}: {reply}");
        }
        check_no_oracle(&postfix, &client);
    }
}

/// An exception may hold for a recipient, of whom nobody knows at MAIL.
#[test]
fn an_exception_for_a_recipient_outlasts_a_block() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    // Without a network an exception lifts no block: anybody could go on for the sake of that recipient.
    let exceptions = "exceptions: [ { recipient: info@local.test, network: 192.0.2.66, lock: harvest }, \
                      { recipient: user1@local.test }, { sender: pass.example, lock: harvest } ]";
    let recipients = "recipients: { sources: [ list: [info@local.test, user1@local.test] ] }";
    let daemon = Daemon::start(&stage.config_with("", &format!("{{ {recipients}, {exceptions} }}")));
    for client in [HARVESTER, "ADDR=192.0.2.67"] {
        guess(&postfix, client, 0..10);
    }
    check_open(&postfix, HARVESTER);
    assert!(ask_once(&postfix, HARVESTER, "user1@local.test").starts_with(BLOCKED));
    check_no_oracle(&postfix, "ADDR=192.0.2.67");
    // It stands in the log as a message that was put off.
    daemon.wait_for(&["event=message", "verdict=defer", "reason=harvest-blocked", "client=192.0.2.67"]);
}

#[test]
fn blocks_are_listed_released_and_explained() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    guess(&postfix, HARVESTER, 0..10);
    check_blocked(&postfix, HARVESTER);

    let (listed, _) = run(&daemon, &["harvest", "list"]);
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["network", "since", "until", "names", "times"], "{listed}");
    assert_eq!((rows.len(), rows[1][0], &rows[1][5..]), (2, "192.0.2.66", &["10", "1"][..]), "{listed}");
    let json = schema::check("harvest-list", run(&daemon, &["harvest", "list", "--json"]).0);
    assert_eq!(json["blocked"]["networks"][0]["network"], "192.0.2.66/32", "{json}");
    assert_eq!(json["blocked"]["enforced"], true, "{json}");

    let explain = [
        "explain",
        "--client",
        "192.0.2.66",
        "--mail-from",
        "a@pass.example",
        "--rcpt-to",
        "info@local.test",
    ];
    let (explained, status) = run(&daemon, &explain);
    assert!(explained.contains("harvest of local.test: defer, harvest-blocked"), "{explained}");
    assert!(
        explained.contains("192.0.2.66/32 asked for 10 unknown names and is blocked until 20"),
        "{explained}"
    );
    assert_eq!(status, Some(1));

    let (said, status) = run(&daemon, &["harvest", "release", "198.51.100.0/24"]);
    assert_eq!((said.as_str(), status), ("nothing is blocked in 198.51.100.0/24 or around it\n", Some(1)));
    check_blocked(&postfix, HARVESTER);
    let (said, status) = run(&daemon, &["harvest", "release", "192.0.2.66"]);
    assert!(said.starts_with("released 192.0.2.66, which was blocked until 20"), "{said}");
    assert_eq!(status, Some(0));
    check_open(&postfix, HARVESTER);
    daemon.wait_for(&[
        "harvesting: no longer blocked",
        "network=192.0.2.66/32",
        "released by the administrator",
    ]);

    guess(&postfix, HARVESTER, 0..10);
    check_blocked(&postfix, HARVESTER);
    assert_eq!(run(&daemon, &["harvest", "release", "--all"]).1, Some(0));
    check_open(&postfix, HARVESTER);
    assert_eq!(run(&daemon, &["harvest", "release"]).1, Some(64));
    assert_eq!(run(&daemon, &["harvest", "release", "mail.example"]).1, Some(64));
}

#[test]
fn a_reload_that_exempts_a_network_releases_it() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config(""));
    guess(&postfix, HARVESTER, 0..10);
    guess(&postfix, "ADDR=198.51.100.1", 0..10);
    // Blocks survive a reload that has nothing to do with them.
    daemon.reload(&stage.config("threshold: 5"));
    check_blocked(&postfix, HARVESTER);
    let lines = daemon.reload(&stage.config("exempt_networks: [192.0.2.0/24]"));
    let released = "message=\"harvesting: no longer blocked\" network=192.0.2.66/32 times=1 reason=\"exempt from now on\"";
    assert!(lines.iter().any(|line| line.contains(released)), "{lines:#?}");
    check_open(&postfix, HARVESTER);
    guess(&postfix, HARVESTER, 0..12);
    check_open(&postfix, HARVESTER);
    check_blocked(&postfix, "ADDR=198.51.100.1");
}

#[test]
fn a_monitored_block_is_only_spoken_of() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.postfix();
    let daemon = Daemon::start(&stage.config("mode: monitor"));
    guess(&postfix, HARVESTER, 0..12);
    daemon.wait_for(&["harvesting: would be blocked", "network=192.0.2.66/32"]);
    check_open(&postfix, HARVESTER);
    daemon.wait_for(&["verdict=pass", "would=defer", "check=harvest", "reason=harvest-blocked"]);
    let (listed, _) = run(&daemon, &["harvest", "list"]);
    assert!(listed.starts_with("`harvest.mode` is monitor: nothing of this is refused\n"), "{listed}");
    // A block that was only spoken of is not enforced later.
    daemon.reload(&stage.config(""));
    check_open(&postfix, HARVESTER);
}

#[test]
fn names_that_sendmail_refuses_count() {
    if !Sendmail::is_available() {
        return;
    }
    network::isolated(mta::HOST_NAME, || {
        let stage = Stage::set();
        let sendmail = Sendmail::builder(stage.sink.port(), stage.milter, stage.milter)
            .local_domain("local.test")
            .alias("info", "carol@inner.test")
            .start();
        let daemon = Daemon::start(&stage.config_with("", "{}"));
        let mut session = connect(&sendmail, HARVESTER);
        session.mail("a@pass.example");
        for name in 0..10 {
            let reply = session.rcpt(&format!("guess{name}@local.test")).to_string();
            assert!(reply.starts_with("550 5.1.1 ") && reply.contains("User unknown"), "{reply}");
        }
        daemon.wait_for(&["harvesting: blocked", "network=192.0.2.66/32", "names=10"]);
        check_no_oracle(&sendmail, HARVESTER);
        check_open(&sendmail, BYSTANDER);
    });
}

/// The answer to what somebody says to the control socket.
fn tell(daemon: &Daemon, octets: &[u8]) -> String {
    let mut stream = UnixStream::connect(daemon.path("control.sock")).unwrap();
    // Whoever has heard enough closes, whatever is still to come.
    let _ = stream.write_all(octets).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn whatever_the_control_socket_is_told_it_goes_on_answering() {
    let stage = Stage::set();
    let daemon = Daemon::start(&stage.config(""));
    let good = "{\"blocked\":{\"enforced\":true,\"networks\":[]}}\n";
    assert_eq!(tell(&daemon, b"{\"command\":\"harvest-list\"}\n"), good);
    for odd in [
        &b""[..],
        b"\n",
        b"\xff\xff\n",
        b"{\"command\":\"shut-down\"}\n",
        b"{\"command\":\"harvest-release\",\"network\":\"everything\"}\n",
        &b"[".repeat(100_000),
    ] {
        let answer = tell(&daemon, odd);
        assert!(answer.is_empty() || answer.starts_with("{\"error\":\"this is no request: "), "{answer}");
    }
    // Those who say nothing leave room for those who do.
    let _silent: Vec<UnixStream> =
        (0..7).map(|_| UnixStream::connect(daemon.path("control.sock")).unwrap()).collect();
    assert_eq!(tell(&daemon, b"{\"command\":\"harvest-list\"}\n"), good);
}

/// The error of a command about a control socket.
#[track_caller]
fn check_control(config: &Path, socket: Option<&Path>, said: &str, status: i32) {
    let socket = socket.map(|socket| socket.display().to_string());
    let mut arguments = vec!["harvest", "list"];
    if let Some(socket) = &socket {
        arguments.extend(["--control", socket]);
    }
    let output = daemon::run(&arguments, config);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(said), "{error}");
    assert_eq!(output.status.code(), Some(status), "{error}");
}

#[test]
fn whoever_cannot_be_asked_is_named() {
    let stage = Stage::set();
    let daemon = Daemon::start(&stage.config(""));
    let socket = daemon.path("control.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let nowhere = daemon.path("nowhere.sock");
    check_control(
        &daemon.config_file(),
        Some(&nowhere),
        "there is no such socket: the daemon does not run",
        1,
    );
    // A socket on which nobody listens.
    let dead = daemon.path("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    check_control(&daemon.config_file(), Some(&dead), "nobody answers: the daemon does not run", 1);
    // Somebody who is neither root nor the daemon.
    let mut stranger = daemon::program::lockdown_milter();
    stranger.args(["harvest", "list", "--control"]).arg(&socket).uid(65534);
    match stranger.output() {
        Ok(output) => {
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(error.contains("permission denied: it is for root and the daemon's own user"), "{error}");
        }
        Err(error) => eprintln!("SKIPPED: nobody else can be played here: {error}"),
    }
    // A configuration without one.
    let other = daemon.path("other.yaml");
    fs::write(&other, "listen: ['inet:127.0.0.1:8891']\ndomains: { local.test: }\n").unwrap();
    check_control(&other, None, "the configuration names no control socket; add `control: ", 78);
    let explain =
        ["explain", "--all", "--client", "192.0.2.66", "--mail-from", "a@x", "--rcpt-to", "b@local.test"];
    let output = daemon::run(&explain, &other);
    assert!(String::from_utf8(output.stdout).unwrap().contains("harvest-not-counted"));
    // The daemon takes its socket with it.
    daemon.stop();
    assert!(!socket.exists());
}
