//! Header fields and paths of strangers: no panic, and what we write reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockdown_milter::mail::address_list::{AddressList, Author};
use lockdown_milter::mail::authres::{self, AuthenticationResults, SpfRecord};
use lockdown_milter::mail::spf::{SpfIdentity, SpfResult};
use lockdown_milter::mail::{ForwardPath, ReversePath, received_spf};

fuzz_target!(|text: &str| {
    if let AddressList::Exact(authors) = AddressList::parse(text) {
        for author in authors {
            if let Author::Mailbox(mailbox) = author {
                let again = AddressList::parse(&format!("<{mailbox}>"));
                assert_eq!(again, AddressList::Exact(vec![Author::Mailbox(mailbox)]));
            }
        }
    }
    let _ = ReversePath::parse(text);
    let _ = ForwardPath::parse(text);
    let _ = authres::claims_to_be(text, "mx.example.org");
    let _ = received_spf::claims_to_be(text, "mx.example.org");
    let _ = AuthenticationResults::parse(text);

    let results = [SpfRecord { identity: SpfIdentity::Helo, examined: text, result: SpfResult::Pass }];
    let ours = authres::write("mx.example.org", &results).value;
    assert!(authres::claims_to_be(&ours, "mx.example.org"));
    let read = AuthenticationResults::parse(&ours).expect("ours follows the grammar");
    assert_eq!(read.results.len(), 1);
});
