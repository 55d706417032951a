//! The milter shell under test: a conversation that writes everything down and answers by the recipient's local-part.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockdown_milter::mail::{Edit, Field, Reply};
use lockdown_milter::milter::{
    Address, Answer, Bound, Connect, Conversation, Limits, Mail, Rcpt, Service, Wishes, serve,
};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::frames::{LONG, Mta};

/// What a listener was told, over all its connections.
#[derive(Clone, Default)]
pub(crate) struct Record {
    events: Arc<Mutex<Vec<String>>>,
    news: Arc<Notify>,
}

impl Record {
    fn note(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
        self.news.notify_one();
    }

    /// Waits for an event.
    pub(crate) async fn until(&self, event: &str) {
        let seen = || self.events.lock().unwrap().iter().any(|known| known == event);
        while !seen() {
            timeout(LONG, self.news.notified()).await.expect("it happens in time");
        }
    }

    /// The events so far. They are forgotten.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

/// One connection.
pub(crate) struct Scribe {
    record: Record,
    message: Vec<String>,
}

impl Scribe {
    pub(crate) fn begin(record: &Record, connect: Connect) -> Self {
        let address = connect.address.map_or("nowhere".into(), |address| address.to_string());
        let mut event = format!("connect {} {address} {}", connect.client_name, connect.port);
        add(&mut event, "j", connect.host);
        add(&mut event, "v", connect.software);
        add(&mut event, "daemon", connect.daemon_name);
        record.note(event);
        Self { record: record.clone(), message: Vec::new() }
    }

    fn note(&mut self, event: String) {
        self.message.push(event.clone());
        self.record.note(event);
    }
}

fn add(event: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        event.extend([" ", name, "=", &value]);
    }
}

impl Conversation for Scribe {
    fn helo(&mut self, name: String) {
        self.note(format!("helo {name}"));
    }

    fn mail(&mut self, mail: Mail) {
        self.message.clear();
        let mut event = format!("mail {}", mail.argument);
        for parameter in mail.parameters {
            event.extend([" ", &parameter]);
        }
        add(&mut event, "addr", mail.address);
        add(&mut event, "login", mail.login);
        add(&mut event, "auth", mail.mechanism);
        add(&mut event, "i", mail.queue_id);
        self.note(event);
    }

    async fn begun(&mut self) -> Answer {
        if self.message.iter().any(|event| event.starts_with("mail <blocked@")) {
            return Answer::Reply(Reply::new(421, "4.7.0", "come back later"));
        }
        Answer::Continue
    }

    async fn rcpt(&mut self, rcpt: Rcpt) -> Answer {
        let mut event = format!("rcpt {}", rcpt.argument);
        add(&mut event, "addr", rcpt.address);
        add(&mut event, "host", rcpt.host);
        add(&mut event, "mailer", rcpt.mailer);
        add(&mut event, "i", rcpt.queue_id);
        self.note(event);
        match rcpt.argument.trim_start_matches('<').split('@').next() {
            Some("reject") => Answer::Reply(Reply::new(550, "5.1.1", "no such user; 100% sure")),
            Some("defer") => Answer::Reply(Reply::new(451, "4.4.3", "ask again")),
            Some("hang-up") => Answer::Reply(Reply::new(421, "4.7.0", "come back later")),
            Some("discard") => Answer::Discard,
            Some("panic") => panic!("as the recipient wishes"),
            Some("slow") => {
                sleep(Duration::from_millis(100)).await;
                Answer::Continue
            }
            _ => Answer::Continue,
        }
    }

    fn refused(&mut self, rcpt: Rcpt) {
        self.note(format!("refused {} {}", rcpt.argument, rcpt.host.unwrap_or_default()));
    }

    fn header(&mut self, field: Field) {
        self.note(format!("header {}: {}", field.name, field.value));
    }

    fn body(&mut self, piece: &[u8]) -> bool {
        self.note(format!("body {}", String::from_utf8_lossy(piece)));
        !piece.starts_with(b"enough")
    }

    async fn end_of_message(&mut self, queue_id: Option<String>) -> (Vec<Edit>, Answer) {
        let count = |prefix: &str| self.message.iter().filter(|event| event.starts_with(prefix)).count();
        let summary = format!("{} rcpt, {} header", count("rcpt"), count("header"));
        self.note(format!("end {}", queue_id.as_deref().unwrap_or("-")));
        let has = |event: &str| self.message.iter().any(|known| known == event);
        let delete = |occurrence| Edit::Delete { name: "Received-SPF".into(), occurrence };
        let insert = Edit::InsertAtTop(Field::new("Authentication-Results", format!("mx; {summary}")));
        let edits = vec![delete(2), delete(1), insert];
        if has("header Subject: reject") {
            return (edits, Answer::Reply(Reply::new(550, "5.7.1", "not this one")));
        }
        if has("header Subject: large") {
            return (vec![Edit::InsertAtTop(Field::new("X", "x".repeat(500_000)))], Answer::Continue);
        }
        if has("header Subject: discard") {
            return (edits, Answer::Discard);
        }
        (edits, Answer::Continue)
    }

    fn abort(&mut self) {
        self.message.clear();
        self.record.note("abort");
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.record.note("closed");
    }
}

/// A running shell.
pub(crate) struct Shell {
    pub(crate) addresses: Vec<Address>,
    pub(crate) record: Record,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Shell {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::serve(vec![on_loopback().await], limits)
    }

    /// One that wants to be told of recipients that the MTA refuses, and of bodies.
    pub(crate) async fn start_curious(limits: Limits) -> Self {
        let wishes = Wishes { refused: true, body: true, ..Wishes::default() };
        Self::serve_as(vec![on_loopback().await], limits, wishes)
    }

    /// One that wants a say at MAIL.
    pub(crate) async fn start_asked_at_mail(limits: Limits) -> Self {
        let wishes = Wishes { mail: true, ..Wishes::default() };
        Self::serve_as(vec![on_loopback().await], limits, wishes)
    }

    pub(crate) fn serve(sockets: Vec<Bound>, limits: Limits) -> Self {
        Self::serve_as(sockets, limits, Wishes::default())
    }

    fn serve_as(sockets: Vec<Bound>, limits: Limits, wishes: Wishes) -> Self {
        let addresses = sockets.iter().map(Bound::address).collect();
        let record = Record::default();
        let (stop, stopped) = oneshot::channel();
        let services = sockets
            .into_iter()
            .map(|bound| {
                let record = record.clone();
                let begin = move |connect| Scribe::begin(&record, connect);
                Service { bound, begin, wishes: move || wishes }
            })
            .collect();
        let served = tokio::spawn(serve(services, limits, Arc::default(), async {
            let _ = stopped.await;
        }));
        Self { addresses, record, stop, served }
    }

    pub(crate) async fn connect(&self) -> Mta {
        Mta::connect(&self.addresses[0]).await.unwrap()
    }

    /// Sends what an MTA sends up to the first message, and takes the answer.
    pub(crate) async fn greet(&self) -> Mta {
        use crate::frames::{connect, full_offer, helo};
        let mut mta = self.connect().await;
        assert_eq!(mta.ask(&[full_offer()]).await, "negotiated");
        let greeting = [connect("client.example", '4', 25, "192.0.2.1"), helo("client.example")];
        mta.send(&greeting.concat()).await.unwrap();
        mta
    }

    /// Asks it to shut down.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.served
    }

    /// Asks it to shut down, and waits until it has.
    pub(crate) async fn stopped(self) {
        timeout(LONG, self.stop()).await.expect("it stops in time").unwrap();
    }
}

pub(crate) async fn on_loopback() -> Bound {
    let address = Address::Inet("127.0.0.1:0".parse().unwrap());
    Bound::bind(address, vec!["127.0.0.0/8".parse().unwrap()]).await.unwrap()
}

/// What is logged while this exists, on this thread.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Lines(Arc::clone(&writer)))
            .finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines say so.
    pub(crate) fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.lines.lock().unwrap())
            .lines()
            .filter(|line| line.contains(text))
            .count()
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
