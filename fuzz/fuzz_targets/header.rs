//! Header fields and paths of strangers: no panic, what we write reads back, and nothing hides a domain.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockdown_milter::check::addresses::Addresses;
use lockdown_milter::mail::address_list::{AddressList, Author};
use lockdown_milter::mail::authres::{self, AuthenticationResults, SpfRecord};
use lockdown_milter::mail::media_type::MediaType;
use lockdown_milter::mail::received::Handover;
use lockdown_milter::mail::report::Reader;
use lockdown_milter::mail::spf::{SpfIdentity, SpfResult};
use lockdown_milter::mail::{ForwardPath, OwnName, ReversePath, message_id, received_spf, tagged, visible};

fuzz_target!(|text: &str| {
    let visible = visible::domains(text);
    if let AddressList::Exact(authors) = AddressList::parse(text) {
        for author in authors {
            if let Author::Mailbox(mailbox) = author {
                assert!(visible.contains(mailbox.domain()));
                let again = AddressList::parse(&format!("<{mailbox}>"));
                assert_eq!(again, AddressList::Exact(vec![Author::Mailbox(mailbox)]));
            }
        }
    }
    let path = ReversePath::parse(text);
    if let ReversePath::Mailbox(mailbox) = &path {
        assert_eq!(ReversePath::parse(&mailbox.to_string()), path);
        assert_eq!(ReversePath::settle(text, &mailbox.to_string()), path);
        let rules = Addresses { subaddress_delimiters: "+-".to_owned(), case_sensitive: false };
        let canonical = rules.canonical(mailbox);
        assert_eq!(rules.canonical(&canonical), canonical);
        let _ = (rules.without_subaddress(&canonical), tagged::without_batv(mailbox));
    }
    let _ = ForwardPath::parse(text);
    let own = OwnName::new("mx.example.org");
    let _ =
        (authres::claims_to_be(text, &own), received_spf::misleads(text, &own, &path), Handover::parse(text));
    let _ = AuthenticationResults::parse(text);

    // A report says the same in however many pieces it comes, and its parts are those that the text begins with.
    let content_type = text.lines().next().unwrap_or_default();
    let _ = (MediaType::parse(text), message_id::parse(text, 3));
    if let Some(mut whole) = Reader::new(content_type) {
        let mut pieces = whole.clone();
        whole.feed(text.as_bytes());
        for piece in text.as_bytes().chunks(7) {
            pieces.feed(piece);
        }
        assert_eq!(whole.report(), pieces.report());
    }

    let results = [SpfRecord { identity: SpfIdentity::Helo, domain: text, result: SpfResult::Pass }];
    let ours = authres::write("mx.example.org", &results).value;
    assert!(authres::claims_to_be(&ours, &own));
    let read = AuthenticationResults::parse(&ours).expect("ours follows the grammar");
    assert_eq!(read.results.len(), 1);
});
