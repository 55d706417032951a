//! Text of Postfix's tables and of files of grants: no panic, and answers in bounded time. The first line chooses the
//! keys that are asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockdown_milter::facts::GrantQuestion;
use lockdown_milter::sources::identities::grants::Grants;
use lockdown_milter::mta::postfix::tables::read_text;
use lockdown_milter::session::Login;

fuzz_target!(|octets: &[u8]| {
    let end = octets.iter().position(|octet| *octet == b'\n').unwrap_or(0);
    let (first, table) = octets.split_at(end);
    let first = String::from_utf8_lossy(first);
    let keys: Vec<&str> = first.split(' ').take(3).collect();
    for kind in ["regexp", "pcre", "hash", "texthash", "aliases"] {
        read_text(kind, table, &keys);
    }
    if let (Ok(grants), Some(Ok(mailbox))) = (Grants::parse(table, None), keys.first().map(|key| key.parse())) {
        let login = Login((*keys.last().expect("there is a first")).to_owned());
        grants.find(&GrantQuestion { login, mailbox, subdomains: true });
    }
});
