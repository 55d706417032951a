//! Whatever a server sends, each protocol makes an answer or a trouble of it, at once.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use super::dovecot::Userdb;
use super::smtp::{CallAhead, Dialect};
use super::socketmap::Socketmap;
use super::tcp_table::TcpTable;
use super::{Endpoint, Trouble};

/// Asks a server that says `answer` to everybody and hangs up.
async fn ask(answer: Vec<u8>) -> Result<(), Trouble> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Who asks may hang up before all is said.
            let _ = stream.write_all(&answer).await;
        }
    });
    let endpoint = || Endpoint::Unix(path.clone());
    let key = "alice@example.org";
    let hangs = |trouble: Trouble| if matches!(trouble, Trouble::Late(_)) { Err(trouble) } else { Ok(()) };
    Socketmap::new(endpoint(), "map").find(key).await.map(drop).or_else(hangs)?;
    TcpTable::new(endpoint()).find(key).await.map(drop).or_else(hangs)?;
    Userdb::new(endpoint()).find(key).await.map(drop).or_else(hangs)?;
    let mailbox = key.parse().unwrap();
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let server = CallAhead::new(dialect, endpoint(), "mx.example.org", None);
        server.find(&mailbox).await.map(drop).or_else(hangs)?;
    }
    serving.abort();
    Ok(())
}

/// What servers say, well or badly.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let words: [&[u8]; 26] = [
        b"5:OK ab,",
        b"9:NOTFOUND ,",
        b"4:PERM,",
        b"0:,",
        b"00:,",
        b"99999999:",
        b":",
        b"200 a%20b",
        b"400 x",
        b"500 ",
        b"%",
        b"\n",
        b"\r\n",
        b"VERSION\t1\t1\n",
        b"VERSION\t2\t0\n",
        b"SPID\t1\n",
        b"USER\t1\ta\tuid=1\n",
        b"NOTFOUND\t1\n",
        b"FAIL\t1\treason=\x01",
        b"CUID\t1\n",
        b"220 ",
        b"250-",
        b"250 2.1.5 SMTPUTF8",
        b"550 5.1.6 <a@b",
        b"551 <c@d.example>",
        b"\xff\0",
    ];
    let word = prop_oneof![
        6 => prop::sample::select(words.map(<[u8]>::to_vec).to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_answer_is_survived(answer in answer()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        prop_assert!(runtime.block_on(ask(answer)).is_ok());
    }
}
