//! The log: decisions and the daemon's own messages, one line each, to standard error or to journald.
//!
//! A thread of its own writes, so that a pipe that nobody reads delays no verdict. When its queue is full, lines are
//! dropped and counted. Where lines go is in `output` and `journald`; what is said once instead of a thousand times, in
//! `repeats`.

mod journald;
mod output;
mod repeats;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::clock;
use crate::config::{self, LogFormat, LogTarget};
use crate::journal::{Record, render};
use journald::Journal;
use output::{Line, Output, Priority, Stream};
use repeats::{Complaint, Repeats};

/// Lines that wait to be written, at most.
const QUEUE: usize = 10_000;

/// Octets of the decisions among them, at most: strangers choose how long a line is.
const QUEUE_OCTETS: usize = 32 << 20;

/// How long the end of the daemon waits for the lines that are left.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// How often the writer looks whether a sum is due when there is nothing to write.
const LOOK: Duration = Duration::from_secs(5);

/// Where lines go.
#[derive(Clone)]
pub(super) struct Log {
    settings: Arc<ArcSwap<config::Log>>,
    queue: SyncSender<Entry>,
    /// Octets that wait to be written.
    queued: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    /// The same, since the start.
    all_dropped: Arc<AtomicU64>,
}

enum Entry {
    Line(Line),
    /// A message of the daemon's own.
    Message(Complaint),
    /// What was said before is news again.
    Settle,
    /// Says when everything before it is written.
    Flush(SyncSender<()>),
}

impl Entry {
    /// How much room it takes while it waits. Messages of the daemon's own are short.
    fn octets(&self) -> usize {
        match self {
            Self::Line(line) => {
                let fields = line.fields.iter().map(|(name, value)| name.len() + value.len());
                line.text.len() + fields.sum::<usize>()
            }
            Self::Message(_) | Self::Settle | Self::Flush(_) => 0,
        }
    }
}

impl Log {
    /// Starts the writer. Where there is no journald, lines go to standard error, as mail is more than its log; the
    /// second value is why.
    pub(super) fn start(settings: config::Log) -> io::Result<(Self, Option<io::Error>)> {
        let journal = match settings.target {
            LogTarget::Stderr => Ok(None),
            LogTarget::Journald => Journal::open(Path::new(journald::SOCKET)).map(Some),
        };
        match journal {
            Ok(Some(journal)) => Ok((Self::start_with(settings, journal)?, None)),
            Ok(None) => Ok((Self::start_with(settings, Stream(io::stderr()))?, None)),
            Err(error) => {
                let settings = config::Log { target: LogTarget::Stderr, ..settings };
                Ok((Self::start_with(settings, Stream(io::stderr()))?, Some(error)))
            }
        }
    }

    /// A log that a test reads.
    #[cfg(test)]
    pub(super) fn start_to(
        settings: config::Log,
        output: impl io::Write + Send + 'static,
    ) -> io::Result<Self> {
        Self::start_with(settings, Stream(output))
    }

    fn start_with(settings: config::Log, output: impl Output + Send + 'static) -> io::Result<Self> {
        let (queue, entries) = sync_channel(QUEUE);
        let (dropped, all_dropped, queued) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicUsize>)>::default();
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let writer = Writer {
            output,
            settings: Arc::clone(&settings),
            dropped: Arc::clone(&dropped),
            all_dropped: Arc::clone(&all_dropped),
            queued: Arc::clone(&queued),
            repeats: Repeats::default(),
        };
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write(&entries))?;
        Ok(Self { settings, queue, queued, dropped, all_dropped })
    }

    /// Other settings from now on. The target stays.
    pub(super) fn apply(&self, mut settings: config::Log) {
        settings.target = self.settings.load().target;
        self.settings.store(Arc::new(settings));
    }

    /// What was said before is news again: what an administrator has just asked for is answered in full.
    pub(super) fn settle(&self) {
        self.send(Entry::Settle);
    }

    /// Waits until the lines so far are written, but not for a pipe that nobody reads.
    pub(super) fn flush(&self) {
        let (written, wait) = sync_channel(1);
        if self.queue.try_send(Entry::Flush(written)).is_ok() {
            // Whether it was written or not, the daemon ends.
            let _ = wait.recv_timeout(FLUSH_TIME);
        }
    }

    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.all_dropped.load(Ordering::Relaxed)
    }

    /// Whether a line says what its decision was judged on.
    pub(super) fn tells_evidence(&self) -> bool {
        self.settings.load().format == LogFormat::Json
    }

    /// Writes a decision.
    pub(super) fn record(&self, record: &Record) {
        let settings = self.settings.load();
        let text = match settings.format {
            LogFormat::Logfmt => render::logfmt(record),
            LogFormat::Json => render::json(record),
        };
        let fields = match settings.target {
            LogTarget::Stderr => Vec::new(),
            LogTarget::Journald => journald::fields(record),
        };
        self.send(Entry::Line(Line { text, priority: Priority::of(record), fields }));
    }

    fn send(&self, entry: Entry) {
        let octets = entry.octets();
        let waiting = self.queued.fetch_add(octets, Ordering::Relaxed);
        if waiting.saturating_add(octets) <= QUEUE_OCTETS && self.queue.try_send(entry).is_ok() {
            return;
        }
        self.queued.fetch_sub(octets, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.all_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// The end of the queue where lines are written.
struct Writer<O> {
    output: O,
    settings: Arc<ArcSwap<config::Log>>,
    dropped: Arc<AtomicU64>,
    all_dropped: Arc<AtomicU64>,
    queued: Arc<AtomicUsize>,
    repeats: Repeats,
}

impl<O: Output> Writer<O> {
    /// Writes until every sender is gone.
    fn write(mut self, entries: &Receiver<Entry>) {
        loop {
            let entry = entries.recv_timeout(LOOK);
            if let Ok(entry) = &entry {
                self.queued.fetch_sub(entry.octets(), Ordering::Relaxed);
            }
            match entry {
                Ok(Entry::Line(line)) => self.put(&line),
                Ok(Entry::Message(message)) => {
                    if self.repeats.is_news(&message, clock::now()) {
                        self.put_message(message.level, message.fields);
                    }
                }
                Ok(Entry::Settle) => self.settle(),
                Ok(Entry::Flush(written)) => {
                    self.settle();
                    let _ = written.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for (complaint, times) in self.repeats.due(clock::now()) {
                self.sum_up(complaint, times);
            }
            let lost = self.dropped.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let text = format!("{lost} lines were dropped, as nobody read the log fast enough");
                self.put_message(Level::WARN, vec![("message", text)]);
            }
        }
    }

    fn settle(&mut self) {
        for (complaint, times) in self.repeats.settle() {
            self.sum_up(complaint, times);
        }
    }

    fn sum_up(&mut self, complaint: Complaint, times: u64) {
        let Complaint { level, mut fields } = complaint;
        match fields.iter_mut().find(|(name, _)| *name == "message") {
            Some((_, text)) => *text = format!("message repeated {times} times: {text}"),
            None => fields.insert(0, ("message", format!("message repeated {times} times"))),
        }
        self.put_message(level, fields);
    }

    fn put_message(&mut self, level: Level, fields: Vec<(&'static str, String)>) {
        let text = message(self.settings.load().format, level, fields);
        self.put(&Line { text, priority: Priority::of_level(level), fields: Vec::new() });
    }

    /// What cannot be written is lost and counted: there is nowhere to complain.
    fn put(&mut self, line: &Line) {
        if self.output.put(line).is_err() {
            self.all_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One message of the daemon's own.
fn message(format: LogFormat, level: Level, fields: Vec<(&'static str, String)>) -> String {
    let head = [("time", format!("{:.3}", clock::now())), ("level", level.as_str().to_ascii_lowercase())];
    let fields = head.into_iter().chain(fields);
    match format {
        LogFormat::Json => {
            let object: Map<String, Value> = fields.map(|(k, v)| (k.to_owned(), v.into())).collect();
            Value::Object(object).to_string()
        }
        LogFormat::Logfmt => {
            let mut line = String::new();
            for (name, value) in fields {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(name);
                line.push('=');
                render::push_value(&mut line, &value);
            }
            line
        }
    }
}

/// The messages that `tracing` brings go the same way.
impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        self.send(Entry::Message(Complaint { level: *event.metadata().level(), fields: fields.0 }));
    }
}

struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
