//! The log: decisions and the daemon's own messages, one line each, to standard error.
//!
//! A thread of its own writes, so that a pipe that nobody reads delays no verdict. When its queue is full, lines are
//! dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::clock;
use crate::config::LogFormat;
use crate::journal::{Record, render};

/// Lines that wait to be written, at most.
const QUEUE: usize = 10_000;

/// How long the end of the daemon waits for the lines that are left.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Where lines go.
#[derive(Clone)]
pub(super) struct Log {
    format: LogFormat,
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
    /// The same, since the start.
    all_dropped: Arc<AtomicU64>,
}

enum Entry {
    Line(String),
    /// Says when everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the writer.
    pub(super) fn start(format: LogFormat, output: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, entries) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_entries(&entries, output, format, &lost))?;
        Ok(Self { format, queue, dropped, all_dropped: Arc::default() })
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

    /// Writes a decision.
    pub(super) fn record(&self, record: &Record) {
        self.line(match self.format {
            LogFormat::Logfmt => render::logfmt(record),
            LogFormat::Json => render::json(record),
        });
    }

    fn line(&self, mut line: String) {
        line.push('\n');
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Entry::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.all_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes until every sender is gone. What cannot be written is lost: there is nowhere to complain.
fn write_entries(entries: &Receiver<Entry>, mut output: impl Write, format: LogFormat, dropped: &AtomicU64) {
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                let _ = output.write_all(line.as_bytes());
            }
            Entry::Flush(written) => {
                let _ = output.flush();
                let _ = written.try_send(());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("{lost} lines were dropped, as nobody read the log fast enough");
            let _ = writeln!(output, "{}", message(format, "warn", vec![("message", text)]));
        }
    }
}

/// One message of the daemon's own.
fn message(format: LogFormat, level: &str, fields: Vec<(&'static str, String)>) -> String {
    let head = [("time", format!("{:.3}", clock::now())), ("level", level.to_owned())];
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
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        self.line(message(self.format, &level, fields.0));
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
