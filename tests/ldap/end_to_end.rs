//! The daemon in front of a real Postfix, with a directory that says which recipients there are.

use crate::daemon::Daemon;
use crate::postfix::Postfix;
use crate::sink::Sink;
use crate::slapd::Slapd;
use crate::smtp::Client;

const PEOPLE: &str = "\
dn: uid=info,dc=example,dc=org
objectClass: inetOrgPerson
uid: info
cn: Info
sn: I
mail: info@local.test
";

#[test]
fn recipients_of_a_directory_that_goes_and_comes_back() {
    if !Postfix::is_available() || !Slapd::is_available() {
        return;
    }
    let mut slapd = Slapd::start(PEOPLE);
    let daemon = Daemon::start(&format!(
        "mode: enforce\n\
         listen: [{{ unix: \"{{dir}}/milter.sock\", permissions: \"0666\" }}]\n\
         defaults:\n\
         \x20 spf: {{ mode: off }}\n\
         \x20 recipients:\n\
         \x20   sources: [ldap: {{ url: \"{}\", base: \"dc=example,dc=org\" }}]\n\
         domains: {{ local.test: }}\n",
        slapd.url()
    ));
    let sink = Sink::start();
    let socket = daemon.path("milter.sock");
    let postfix = Postfix::builder(sink.port()).milter(&format!("unix:{}", socket.display())).start();

    let mut client = Client::connect_as(postfix.port(), "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    let mut check = |recipient: &str, expected: &str| {
        let mail = client.mail("someone@pass.example");
        assert_eq!(mail.code(), 250, "{mail}");
        let reply = client.rcpt(recipient).to_string();
        assert!(reply.starts_with(expected), "{recipient}: {reply}");
        client.command("RSET");
    };
    check("info@local.test", "250 2.1.5");
    check("nobody@local.test", "550 5.1.1");
    check("\"*\"@local.test", "550 5.1.1");
    slapd.stop();
    check("info@local.test", "451 4.4.3");
    check("nobody@local.test", "451 4.4.3");
    check("postmaster@local.test", "250 2.1.5");
    slapd.run();
    check("info@local.test", "250 2.1.5");
    check("nobody@local.test", "550 5.1.1");
    slapd.pause();
    check("info@local.test", "451 4.4.3");
    slapd.resume();
    check("info@local.test", "250 2.1.5");
    drop(client);

    let reasons: Vec<String> = daemon
        .stop()
        .iter()
        .map(|line| format!("{} {}", line.field("verdict").unwrap_or(""), line.field("reason").unwrap_or("")))
        .collect();
    let unknown = reasons.iter().filter(|reason| *reason == "reject recipient-unknown").count();
    let undetermined = reasons.iter().filter(|reason| reason.starts_with("defer recipient-")).count();
    assert_eq!((unknown, undetermined), (3, 3), "{reasons:?}");
}
