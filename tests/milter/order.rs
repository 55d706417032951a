//! Commands in any order: the conversation sees messages one after the other, each with its own login and recipients.

use lockdown_milter::milter::Limits;
use proptest::prelude::*;

use crate::frames::*;
use crate::shell::Shell;

/// A command, with the number of its place in the session in whatever it carries.
fn command(number: usize, choice: u8) -> Vec<u8> {
    let address = format!("<n{number}@example.com>");
    let login = macros('M', &[("{mail_addr}", &address), ("{auth_authen}", &format!("n{number}"))]);
    match choice {
        0 => helo(&format!("n{number}")),
        1 => [login, mail(&[&address])].concat(),
        2 => mail(&[&address]),
        3 => login,
        4 => rcpt(&address),
        5 => header("Subject", &address),
        6 => end_of_message(),
        7 => abort(),
        8 => connect(&format!("n{number}"), '4', 25, "192.0.2.1"),
        9 => frame(b'T', b""),
        10 => frame(b'N', b""),
        11 => frame(b'B', b"body"),
        12 => frame(b'K', b""),
        _ => macros('R', &[("{rcpt_addr}", &address)]),
    }
}

/// The rules of a conversation.
fn check_events(events: &[String]) {
    let (mut open, mut connected) = (false, false);
    for event in events {
        let (kind, rest) = event.split_once(' ').unwrap_or((event, ""));
        match kind {
            "connect" => assert!(!std::mem::replace(&mut connected, true)),
            "helo" => assert!(connected && !open),
            "mail" => {
                assert!(connected && !std::mem::replace(&mut open, true));
                // A login comes in the same breath as its MAIL or not at all.
                let argument = rest.split(' ').next().unwrap();
                let number = argument.trim_start_matches('<').split('@').next().unwrap();
                if let Some((_, login)) = rest.split_once(" login=") {
                    let latest = |text: &str| text[1..].parse::<usize>().unwrap();
                    assert!(latest(number) - latest(login) <= 1, "{event}");
                }
            }
            "rcpt" | "header" => assert!(open),
            "end" | "abort" => assert!(std::mem::take(&mut open)),
            "closed" => {
                assert!(std::mem::take(&mut connected));
                open = false;
            }
            _ => unreachable!("{event}"),
        }
    }
    assert!(!connected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_commands_mixes_messages(choices in prop::collection::vec(0u8..14, 0..40), poor: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let events = runtime.block_on(async {
            let shell = Shell::start(Limits::default()).await;
            let mut mta = shell.connect().await;
            let offer = if poor { offer(2, 0x3f, 0x7f) } else { full_offer() };
            let mut session = [offer, connect("client.example", '4', 25, "192.0.2.1")].concat();
            session.extend(choices.iter().enumerate().flat_map(|(number, &choice)| command(number, choice)));
            session.extend(quit());
            mta.send(&session).await.unwrap();
            mta.until_closed().await;
            let record = shell.record.clone();
            shell.stopped().await;
            record.take()
        });
        prop_assert!(!events.is_empty());
        check_events(&events);
    }
}
