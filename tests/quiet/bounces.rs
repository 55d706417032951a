//! Bounces.

use crate::daemon::Daemon;
use crate::dovecot::Dovecot;
use crate::host;
use crate::mta::{Mta, Service};
use crate::postfix::Postfix;
use crate::stage::{Stage, at, judged, table};

/// Every sender writes to a recipient whom the next hop refuses, and Postfix has been told who is to hear of it.
#[test]
fn bounces_are_prevented_at_their_source() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.relay().start();
    let story = table(
        "Nobody",
        |sender, _, answered| {
            if answered { format!("delivered  -> {sender}\n") } else { String::new() }
        },
    );
    let config = stage.config("bounces: { at_source: notify_never }");
    stage.play(&story, &postfix, &config);
    stage.play_all("at_source", &postfix, &config);
}

/// The client's own name for a recipient (RFC 3461, 4.2) goes on with the message.
#[test]
fn original_recipients_are_passed_on() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.relay().start();
    let daemon = Daemon::start(&stage.config("bounces: { at_source: notify_never }"));
    let mut client = postfix.connect(Service::Exchange, "ADDR=192.0.2.10 NAME=mail.pass.example");
    client.ehlo("mail.pass.example");
    client.mail("alice@fail.example");
    let original = "ORCPT=rfc822;Old+2BInfo@pass.example";
    let reply = client.command(&format!("RCPT TO:<Info@strict.test> NOTIFY=SUCCESS,FAILURE {original}"));
    assert_eq!(reply.code(), 250, "{reply}");
    let reply = client.data("From: alice@fail.example\n\nHello.\n");
    assert_eq!(reply.code(), 250, "{reply}");
    let delivered = stage.sink.next();
    assert_eq!(delivered.rcpt_to, ["Info@strict.test"]);
    for parameter in [original, "NOTIFY=NEVER"] {
        assert!(delivered.parameters.iter().any(|one| one == parameter), "{delivered:?}");
    }
    postfix.wait_until_idle();
    assert_eq!(stage.sink.surplus(), None);
    drop(daemon);
}

/// While the daemon is away, bounces leave unjudged, and none waits for it.
#[test]
fn nothing_waits_for_a_daemon_that_is_away() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.relay().local_milter("unix:/nonexistent/local.sock").start();
    let story = "client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
mail alice@fail.example -> nobody@strict.test
message
    From: alice@fail.example

    Hello.
< 250 2.0.0 *
log event=message verdict=pass
delivered  -> alice@fail.example
sendmail -f shop@strict.test customer@none.example
    From: shop@strict.test

    Hello.
delivered shop@strict.test -> customer@none.example
";
    stage.play(story, &postfix, &stage.config(""));
}

/// Every sender writes to a recipient whom the next hop refuses. Bounces are made, and judged then, on a listener with this
/// role.
fn bounces_by_the_ledger(main_cf: &str, role: &str) {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let postfix = stage.relay().local_milter(&at(stage.local)).main_cf(main_cf).start();
    let story = table("nobody", |sender, _, answered| judged("bounces", "bounce", sender, answered));
    stage.play(&story, &postfix, &stage.config("").replace("role: local", &format!("role: {role}")));
}

#[test]
fn bounces_are_judged_by_the_ledger() {
    bounces_by_the_ledger("", "local");
}

/// Postfix names what it returns in the header, too.
#[test]
fn bounces_are_judged_by_their_header_alone() {
    bounces_by_the_ledger("", "auto");
}

#[test]
fn bounces_of_headers_only_are_judged_by_the_ledger() {
    bounces_by_the_ledger("bounce_size_limit = 10", "local");
}

#[test]
fn bounces_of_long_queue_ids_are_judged_by_the_ledger() {
    bounces_by_the_ledger("enable_long_queue_ids = yes", "local");
}

/// Behind a content filter a message has another queue id, and only its own identifier ties the bounce to what came in.
#[test]
fn bounces_from_behind_a_content_filter_are_judged_by_the_ledger() {
    if !Postfix::is_available() {
        return;
    }
    let stage = Stage::set();
    let port = host::free_port();
    let postfix = stage
        .relay()
        .local_milter(&at(stage.local))
        .main_cf(&format!("content_filter = smtp:[127.0.0.1]:{port}"))
        .behind_a_filter(port)
        .start();
    let story = table("nobody", |sender, _, answered| judged("bounces", "bounce", sender, answered));
    stage.play(&story, &postfix, &stage.config(""));
}

#[test]
fn bounces_in_stories() {
    if !Postfix::is_available() || !Dovecot::is_available() {
        return;
    }
    let stage = Stage::set();
    let dovecot = Dovecot::start(&["ann@disabled.test"]);
    let postfix = stage.relay()
        .sasl(&dovecot.socket())
        .submission_milter(&at(stage.programs))
        .local_milter(&at(stage.local))
        .virtual_alias("sales@strict.test", "nobody@outside.test")
        .virtual_alias("team@allow.test", "team@outside.test")
        // What cannot be delivered at once is tried again at once, and its sender is told.
        .main_cf("delay_warning_time = 1s\nqueue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s")
        .start();
    stage.play_all("bounces", &postfix, &stage.config(""));
}
