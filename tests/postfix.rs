//! End to end: SMTP sessions through a real, private Postfix with the daemon as its milter, and a next hop that shows
//! what was delivered. What each session does and must lead to is in `tests/stories`.

#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]
#![allow(clippy::float_cmp, reason = "what is compared are counts, and exact")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/host.rs"]
mod host;
#[path = "support/metrics.rs"]
mod metrics;
#[path = "support/mta.rs"]
mod mta;
#[path = "support/postfix.rs"]
mod postfix;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/story.rs"]
mod story;
#[path = "support/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use daemon::Daemon;
use dns::{Dns, Fault, Zone};
use hickory_proto::op::ResponseCode;
use mta::Mta as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use postfix::Postfix;
use proxy::Proxy;
use sink::Sink;
use smtp::Client;

/// Domains with a policy each: the profile's, a monitored one, and one that refuses more. `unhosted.test` has none.
const POLICY: &str = "
mode: enforce
authserv_id: mx.local.test
profile: standard
domains:
  local.test:
  monitored.test: { spf: { mode: monitor } }
  strict.test: { spf: { helo: { fail: reject }, mail_from: { temperror: defer } } }
";

/// What the senders publish: 192.0.2.10 is the host of all who have one.
fn zone() -> Zone {
    ["pass.example", "mail.pass.example", "other.pass.example"]
        .into_iter()
        .fold(Zone::new(), |zone, name| zone.txt(name, "v=spf1 ip4:192.0.2.10 -all"))
        .txt("elsewhere.example", "v=spf1 ip4:192.0.2.99 -all")
        .txt("softfail.example", "v=spf1 ip4:192.0.2.10 ~all")
        .txt("explained.example", "v=spf1 ip4:192.0.2.10 -all exp=why.explained.example")
        .txt("why.explained.example", "%{r} saw %{i}, which is not one of our hosts")
        .txt("silent.example", "v=spf1 ip4:192.0.2.10 -all exp=why.silent.example")
        .txt("why.silent.example", " ")
        .fault("broken.example", Fault::Code(ResponseCode::ServFail))
        .fault("mail.broken.example", Fault::Code(ResponseCode::ServFail))
}

/// The policy on this listener, with the records of this server.
fn config(listen: &str, dns: &Dns) -> String {
    format!("{POLICY}listen: [{listen}]\ndns: {{ servers: [\"{}\"] }}\n", dns.address())
}

const UNIX: &str = r#"{ unix: "{dir}/milter.sock", permissions: "0666" }"#;

/// Plays the story of this name against a Postfix and a daemon of its own.
fn check_story(name: &str) {
    if !Postfix::is_available() {
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories").join(name).with_extension("story");
    let story = std::fs::read_to_string(file).unwrap();
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let daemon = Daemon::start(&config(UNIX, &dns));
    let postfix = ["monitored.test", "strict.test", "unhosted.test"]
        .into_iter()
        .fold(Postfix::builder(sink.port()), postfix::Builder::relay_domain)
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    story::play(&story, &postfix, daemon, &sink);
}

/// Every place of the daemon is held by connections that say as little as they can; the MTA is answered all the same.
#[test]
fn a_crowd_that_says_nothing_keeps_no_place_from_the_mta() {
    if !Postfix::is_available() {
        return;
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(4096)), hard).unwrap();
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let daemon = Daemon::start(&config(UNIX, &dns));
    let socket = daemon.path("milter.sock");
    let postfix = Postfix::builder(sink.port()).milter(&format!("unix:{}", socket.display())).start();
    let offer = [b"\0\0\0\x0dO\0\0\0\x06".as_slice(), &0x1ff_u32.to_be_bytes(), &0x1f_ffff_u32.to_be_bytes()]
        .concat();
    let half = [&offer[..], b"\0\0\0\x20Cmx"].concat();
    let kinds = [&b""[..], &offer[..7], &offer, &half];
    let crowd: Vec<UnixStream> = (0..1200)
        .map(|number| {
            let mut stream = UnixStream::connect(&socket).unwrap();
            stream.write_all(kinds[number % kinds.len()]).unwrap();
            stream
        })
        .collect();
    // The 1000 places are taken, and some had to give way already.
    daemon.wait_for(&["said nothing; it gives way"]);
    for (sender, code) in [("a@pass.example", 250), ("a@elsewhere.example", 550)] {
        let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.pass.example");
        client.ehlo("mail.pass.example");
        assert_eq!(client.mail(sender).code(), 250);
        assert_eq!(client.rcpt("info@local.test").code(), code, "{sender}");
        if code == 250 {
            assert_eq!(client.data("From: a@pass.example\r\n\r\nHello.\r\n").code(), 250);
            assert!(sink.next().fields()[0].starts_with("Authentication-Results: mx.local.test"));
        }
    }
    drop(crowd);
}

#[test]
fn spf_fail_is_refused_at_rcpt() {
    check_story("spf_fail");
}

#[test]
fn spf_pass_is_recorded_and_forged_results_are_removed() {
    check_story("spf_pass");
}

#[test]
fn softfail_is_accepted_and_recorded() {
    check_story("softfail");
}

#[test]
fn temperror_is_accepted_by_default_and_deferred_where_set() {
    check_story("temperror");
}

#[test]
fn null_reverse_path_is_judged_by_helo() {
    check_story("null_reverse_path");
}

#[test]
fn nothing_leaks_from_one_message_into_the_next() {
    check_story("two_messages");
}

/// Fields by the thousand that would all have to be deleted: cleanup(8) takes a core for seconds, and then gives up.
#[test]
fn more_forged_fields_than_an_mta_can_bear_are_refused() {
    if !Postfix::is_available() {
        return;
    }
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let daemon = Daemon::start(&config(UNIX, &dns));
    let postfix = Postfix::builder(sink.port())
        .relay_domain("monitored.test")
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    let forged = |count| {
        let field = "Authentication-Results: mx.local.test; dkim=pass header.d=bank.example\n";
        format!("{}From: <a@pass.example>\nSubject: x\n\ntext\n", field.repeat(count))
    };
    let send = |recipient: &str, message: &str| {
        let mut client = postfix
            .connect(mta::Service::Exchange, "ADDR=192.0.2.10 NAME=mail.pass.example LOGIN=[UNAVAILABLE]");
        client.ehlo("mail.pass.example");
        client.mail("a@pass.example");
        client.rcpt(recipient);
        client.data(message).to_string()
    };
    let refused = "550 5.6.0 Too many Authentication-Results or Received-SPF fields";
    for count in [101, 13_000] {
        let reply = send("info@local.test", &forged(count));
        assert!(reply.starts_with(refused), "{count}: {reply}");
        daemon.wait_for(&["verdict=reject", "reason=spf-too-many-fields"]);
    }
    assert!(send("info@local.test", &forged(100)).starts_with("250"));
    let forged_in = |delivered: &sink::Delivered| {
        delivered.fields().iter().filter(|field| field.contains("bank.example")).count()
    };
    assert_eq!(forged_in(&sink.next()), 0);

    // Where nothing is refused, no more than that go, and the topmost do.
    let reply = send("info@monitored.test", &forged(3000));
    assert!(reply.starts_with("250"), "{reply}");
    daemon.wait_for(&["verdict=pass", "would=reject", "spf-too-many-fields"]);
    assert_eq!(forged_in(&sink.next()), 2900);
}

#[test]
fn a_foreign_client_with_port_zero_stays_foreign() {
    check_story("port_zero");
}

#[test]
fn recipients_are_judged_by_the_policy_of_their_own_domain() {
    check_story("mixed_recipients");
}

/// `explain`, given the facts of a real refusal, comes to the same reason and the same reply (without the reference).
#[test]
fn explain_agrees_with_the_refusal() {
    if !Postfix::is_available() {
        return;
    }
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let daemon = Daemon::start(&config(UNIX, &dns));
    let postfix = Postfix::builder(sink.port())
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.66 NAME=dialup.forger.example");
    client.ehlo("dialup.forger.example");
    client.mail("boss@pass.example");
    let reply = client.rcpt("info@local.test").to_string();
    let refusal = daemon.next_decision();

    let facts = "explain --client 192.0.2.66 --client-name dialup.forger.example --helo dialup.forger.example \
                 --mail-from boss@pass.example --rcpt-to info@local.test";
    let explained = daemon::run(&facts.split(' ').collect::<Vec<_>>(), &daemon.config_file());
    let text = String::from_utf8_lossy(&explained.stdout);

    assert_eq!(explained.status.code(), Some(1), "refused: {text}");
    let (reply, _) = reply.split_once(" (ref ").expect("the reply carries a reference");
    for part in [reply, refusal.field("reason").unwrap(), refusal.field("verdict").unwrap()] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

/// What the metrics count is what the log tells, of all that these stories tell.
#[test]
fn the_metrics_agree_with_the_log() {
    if !Postfix::is_available() {
        return;
    }
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let port = host::free_port();
    // One more domain, whose recipients are known, for refusals of other kinds.
    let listed = "domains:\n  listed.test: { recipients: { sources: [list: [info@listed.test]] } }\n";
    let config = config(UNIX, &dns).replace("domains:\n", listed);
    let daemon = Daemon::start(&format!("{config}metrics: {{ listen: \"127.0.0.1:{port}\" }}\n"));
    let postfix = ["monitored.test", "strict.test", "unhosted.test", "listed.test"]
        .into_iter()
        .fold(Postfix::builder(sink.port()), postfix::Builder::relay_domain)
        .milter(&format!("unix:{}", daemon.path("milter.sock").display()))
        .start();
    for (_, story) in story::all_in("") {
        story::act(&story, &postfix, &daemon, &sink);
    }
    let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    for (sender, recipient, code) in [
        ("alice@pass.example", "nobody@listed.test", 550),
        ("alice@pass.example", "ghost@listed.test", 550),
        ("alice@pass.example", "info@listed.test", 250),
        ("boss@local.test", "info@local.test", 530),
        ("boss@monitored.test", "info@monitored.test", 530),
    ] {
        client.mail(sender);
        assert_eq!(client.rcpt(recipient).code(), code, "{sender} {recipient}");
        if code != 250 {
            daemon.next_decision();
        }
        client.command("RSET");
    }
    drop(client);
    postfix.wait_until_idle();

    let series = metrics::series(port);
    let lines = daemon.decisions();
    let mut told: BTreeMap<String, f64> = BTreeMap::new();
    for line in &lines {
        let field = |name| line.field(name).unwrap_or_default();
        let verdict = field("verdict");
        let would = line.field("would").unwrap_or(verdict);
        let labels = [
            ("event", field("event")),
            ("check", field("check")),
            ("verdict", verdict),
            ("would", would),
            ("mode", field("mode")),
            ("reason", field("reason")),
        ];
        let labels = labels.map(|(name, value)| format!("{name}=\"{value}\"")).join(",");
        *told.entry(format!("lockdown_milter_decisions_total{{{labels}}}")).or_default() += 1.0;
    }
    let of = |name: &str| -> BTreeMap<String, f64> {
        let family = series.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        family.map(|(series, count)| (series.clone(), *count)).collect()
    };
    assert!(told.len() >= 8, "{told:#?}");
    assert_eq!(of("lockdown_milter_decisions_total"), told);

    let sum = |name: &str| of(name).values().sum::<f64>();
    let all = sum("lockdown_milter_verdicts_total");
    assert_eq!(all, told.values().sum::<f64>() + sum("lockdown_milter_quiet_passes_total"));
    assert_eq!(all, sum("lockdown_milter_decision_seconds_count"));
    println!("{} lines in {} kinds, {all} decisions", lines.len(), told.len());
}

/// A message with one recipient costs at most two awaited replies after HELO, and the last one leaves together with the
/// changes to the message: were it a segment of its own, Nagle's algorithm and the delayed acknowledgement of the MTA
/// would hold it back for 40 ms.
#[test]
fn one_message_costs_two_awaited_replies() {
    if !Postfix::is_available() {
        return;
    }
    let dns = Dns::start(zone());
    let sink = Sink::start();
    let port = host::free_port();
    let daemon = Daemon::start(&config(&format!("{{ inet: 127.0.0.1:{port} }}"), &dns));
    let proxy = Proxy::start(port);
    let postfix = Postfix::builder(sink.port()).milter(&format!("inet:127.0.0.1:{}", proxy.port())).start();

    let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    client.mail("alice@pass.example");
    client.rcpt("info@local.test");
    let forged = "Authentication-Results: mx.local.test; spf=pass smtp.mailfrom=forged.example";
    let reply =
        client.data(&format!("{forged}\n{forged}\nFrom: alice@pass.example\nSubject: hello\n\nHello.\n"));
    assert_eq!(reply.code(), 250, "{reply}");
    client.command("QUIT");
    sink.next();
    drop(daemon);

    let trace = proxy.trace('E');
    let replies = trace.replies_since('H');
    assert!(replies.len() <= 2, "{replies:#?}");

    let at_end = trace.answers_since('E');
    let commands: String = at_end.iter().map(|frame| frame.command).collect();
    let changes = commands.strip_suffix('c').expect("the verdict comes last");
    assert_eq!([changes.matches('m').count(), changes.matches('i').count()], [2, 1], "changes: {changes}");
    assert!(at_end.iter().all(|frame| frame.read == at_end[0].read), "in one segment: {at_end:#?}");

    let asked = trace.since('E')[0].at;
    assert!(at_end[0].at - asked < Duration::from_millis(40), "{at_end:#?}");
}
