//! Every family of metrics, in the order in which they are shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::super::{Daemon, Snapshot};
use super::{Metrics, process, readiness};
use crate::clients::Hits;
use crate::clients::counts::{Histogram, Outcome};
use crate::journal::Event;
use crate::memory::store::{Queue, Writing};

/// What a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What only grows, from 0 at the start of the daemon.
    Counter,
    /// What is the case at the moment.
    Gauge,
    /// Durations by their range.
    Histogram,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Metrics of one name.
#[derive(Debug)]
pub struct Family {
    /// The name, which ends with its unit, if it has one; that of a counter with `_total`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The names of its labels. All their values are words of ours.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
    read: fn(&Sight<'_>, &mut Samples),
}

/// One value with its labels: of a type that nothing fits into that a stranger said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Vec<&'static str>,
    pub(super) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Gauge(f64),
    Histogram(Histogram),
}

type Samples = Vec<Sample>;

/// What metrics are read from.
pub(super) struct Sight<'a> {
    metrics: &'a Metrics,
    daemon: Option<Arc<Daemon>>,
    snapshot: Option<Arc<Snapshot>>,
}

impl<'a> Sight<'a> {
    /// What there is at this moment.
    pub(super) fn new(metrics: &'a Metrics) -> Self {
        let daemon = metrics.daemon();
        let snapshot = daemon.as_ref().map(|daemon| daemon.snapshot());
        Self { metrics, daemon, snapshot }
    }

    fn store(&self) -> Option<&Queue> {
        self.snapshot.as_ref()?.kept.as_ref().map(|kept| kept.queue())
    }

    /// Something that the writer of the ledger counts.
    fn writing<T>(&self, read: impl Fn(&Writing) -> T) -> Option<T> {
        self.store().map(|queue| read(queue.writing()))
    }
}

impl Family {
    /// What it has to say.
    pub(super) fn samples(&self, sight: &Sight<'_>) -> Vec<Sample> {
        let mut samples = Vec::new();
        (self.read)(sight, &mut samples);
        samples
    }

    /// The name without its suffix and its unit, and the unit.
    pub(super) fn stem(&self) -> (&'static str, Option<&'static str>) {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        let units = ["seconds", "bytes"];
        let with = |unit| Some((name.strip_suffix(unit)?.strip_suffix('_')?, Some(unit)));
        units.into_iter().find_map(with).unwrap_or((name, None))
    }
}

/// Every family.
pub static FAMILIES: [Family; 35] = [
    Family {
        name: "lockdown_milter_decisions_total",
        kind: Kind::Counter,
        labels: &["event", "check", "verdict", "would", "mode", "reason"],
        help: "Decisions with a line in the log, by its fields; would is verdict where the log has no such field",
        read: |sight, samples| {
            for (labels, count) in sight.metrics.decisions.logged() {
                push(samples, &labels, count);
            }
        },
    },
    Family {
        name: "lockdown_milter_quiet_passes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Recipients that passed without an event, and so without a line in the log",
        read: |sight, samples| push(samples, &[], sight.metrics.decisions.quiet()),
    },
    Family {
        name: "lockdown_milter_verdicts_total",
        kind: Kind::Counter,
        labels: &["event", "verdict", "would"],
        help: "All decisions: the verdict that was given, and the one if every lock were enforced",
        read: |sight, samples| {
            for (labels, count) in sight.metrics.decisions.verdicts() {
                push(samples, &labels, count);
            }
        },
    },
    Family {
        name: "lockdown_milter_decision_seconds",
        kind: Kind::Histogram,
        labels: &["event"],
        help: "How long decisions take",
        read: |sight, samples| {
            for (event, took) in [
                (Event::Recipient, &sight.metrics.recipient_took),
                (Event::Message, &sight.metrics.message_took),
            ] {
                samples.push(Sample { labels: vec![event.as_str()], value: Value::Histogram(took.read()) });
            }
        },
    },
    Family {
        name: "lockdown_milter_decision_limit_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How long a decision may take (limits.decision_time)",
        read: |sight, samples| {
            let limit = sight.snapshot.as_ref().map(|snapshot| snapshot.decision_time);
            set(samples, limit.map(seconds));
        },
    },
    Family {
        name: "lockdown_milter_spf_results_total",
        kind: Kind::Counter,
        labels: &["identity", "result"],
        help: "SPF results of messages that came to their end",
        read: |sight, samples| {
            for (labels, count) in sight.metrics.decisions.spf() {
                push(samples, &labels, count);
            }
        },
    },
    Family {
        name: "lockdown_milter_lookups_total",
        kind: Kind::Counter,
        labels: &["kind", "source", "outcome"],
        help: "Look-ups by what was looked up, in what kind of source: found, none, or failed",
        read: |sight, samples| {
            for ((kind, source), tally) in sight.metrics.counts.tallies() {
                for outcome in Outcome::ALL {
                    push(samples, &[kind, source, outcome.as_str()], tally.count(outcome));
                }
            }
        },
    },
    Family {
        name: "lockdown_milter_lookup_seconds",
        kind: Kind::Histogram,
        labels: &["kind", "source"],
        help: "How long look-ups take",
        read: |sight, samples| {
            for ((kind, source), tally) in sight.metrics.counts.tallies() {
                let value = Value::Histogram(tally.took());
                samples.push(Sample { labels: vec![kind, source], value });
            }
        },
    },
    Family {
        name: "lockdown_milter_silent_sources",
        kind: Kind::Gauge,
        labels: &["kind"],
        help: "Sources that do not answer and for which mail has to wait",
        read: |sight, samples| {
            let silent = sight.snapshot.as_deref().map(readiness::silent).unwrap_or_default();
            for kind in ["recipient", "grant"] {
                let count = silent.iter().filter(|source| source.kind.0 == kind).count();
                samples.push(Sample { labels: vec![kind], value: Value::Gauge(whole(count as u64)) });
            }
        },
    },
    Family {
        name: "lockdown_milter_dns_queries_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "DNS questions that were asked upstream and are decided: found, none, or failed",
        read: |sight, samples| {
            for outcome in Outcome::ALL {
                push(samples, &[outcome.as_str()], sight.metrics.counts.dns.asked().count(outcome));
            }
        },
    },
    Family {
        name: "lockdown_milter_dns_query_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "How long those who asked upstream waited for DNS",
        read: |sight, samples| {
            let value = Value::Histogram(sight.metrics.counts.dns.asked().took());
            samples.push(Sample { labels: Vec::new(), value });
        },
    },
    Family {
        name: "lockdown_milter_dns_late_answers_total",
        kind: Kind::Counter,
        labels: &[],
        help: "DNS answers that came when nobody waited any more",
        read: |sight, samples| push(samples, &[], sight.metrics.counts.dns.counts().late),
    },
    Family {
        name: "lockdown_milter_cache_lookups_total",
        kind: Kind::Counter,
        labels: &["cache", "result"],
        help: "Whether what was asked was remembered: hit or miss, by DNS and by what recipient sources said",
        read: |sight, samples| {
            let dns = sight.metrics.counts.dns.counts();
            let dns = Hits { hits: dns.cached, misses: dns.upstream };
            let recipients = sight.snapshot.as_ref().map(|snapshot| snapshot.sources.recipients().hits());
            for (cache, Hits { hits, misses }) in
                [("dns", dns), ("recipients", recipients.unwrap_or_default())]
            {
                push(samples, &[cache, "hit"], hits);
                push(samples, &[cache, "miss"], misses);
            }
        },
    },
    Family {
        name: "lockdown_milter_ledger_open",
        kind: Kind::Gauge,
        labels: &[],
        help: "1 if the ledger can be used, 0 if not; absent where nothing is recorded",
        read: |sight, samples| {
            let is_open = sight.writing(|writing| load_flag(&writing.is_open));
            set(samples, is_open.map(flag));
        },
    },
    Family {
        name: "lockdown_milter_ledger_waiting_rows",
        kind: Kind::Gauge,
        labels: &[],
        help: "Rows of the ledger on their way to the disk",
        read: |sight, samples| {
            let waiting = sight.store().map_or(0, Queue::waiting);
            set(samples, Some(whole(waiting as u64)));
        },
    },
    Family {
        name: "lockdown_milter_ledger_written_rows_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Rows of the ledger that are on the disk",
        read: |sight, samples| {
            push(samples, &[], sight.writing(|writing| load(&writing.rows)).unwrap_or(0));
        },
    },
    Family {
        name: "lockdown_milter_ledger_dropped_changes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Changes of the ledger that were lost, as the disk could not keep up",
        read: |sight, samples| push(samples, &[], sight.store().map_or(0, Queue::dropped)),
    },
    Family {
        name: "lockdown_milter_ledger_commit_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "How long commits to the ledger take",
        read: |sight, samples| {
            let commits = sight.writing(|writing| writing.commits.read()).unwrap_or_default();
            samples.push(Sample { labels: Vec::new(), value: Value::Histogram(commits) });
        },
    },
    Family {
        name: "lockdown_milter_ledger_failures_total",
        kind: Kind::Counter,
        labels: &["action"],
        help: "What went wrong with the ledger: to open the file, to commit, to record or find a message",
        read: |sight, samples| {
            let open = sight.writing(|writing| load(&writing.failed_openings));
            let commit = sight.writing(|writing| load(&writing.failed_commits));
            let kept = sight.snapshot.as_ref().and_then(|snapshot| snapshot.kept.as_ref());
            let message = kept.map(|kept| kept.ledger.troubles());
            for (action, count) in [("open", open), ("commit", commit), ("message", message)] {
                push(samples, &[action], count.unwrap_or(0));
            }
        },
    },
    Family {
        name: "lockdown_milter_harvest_blocked_networks",
        kind: Kind::Gauge,
        labels: &[],
        help: "Networks that are blocked, or would be, for guessing names",
        read: |sight, samples| {
            let blocked = sight.daemon.as_ref().map_or(0, |daemon| daemon.harvest.blocks().1);
            set(samples, Some(whole(blocked)));
        },
    },
    Family {
        name: "lockdown_milter_harvest_blocks_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Blocks of networks for guessing names that have begun",
        read: |sight, samples| {
            push(samples, &[], sight.daemon.as_ref().map_or(0, |daemon| daemon.harvest.blocks().0));
        },
    },
    Family {
        name: "lockdown_milter_connections_open",
        kind: Kind::Gauge,
        labels: &[],
        help: "Connections of MTAs that are open",
        read: |sight, samples| set(samples, Some(whole(sight.metrics.traffic.open()))),
    },
    Family {
        name: "lockdown_milter_connections_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Connections of MTAs that were accepted",
        read: |sight, samples| push(samples, &[], sight.metrics.traffic.opened()),
    },
    Family {
        name: "lockdown_milter_connection_troubles_total",
        kind: Kind::Counter,
        labels: &["trouble"],
        help: "Troubles: accept (the system had no connection), stranger and peer_limit (refused), limit (kept waiting), \
               displaced (closed for another one), malformed, slow, deaf and mute (closed)",
        read: |sight, samples| {
            for (trouble, count) in sight.metrics.traffic.troubles() {
                push(samples, &[trouble], count);
            }
        },
    },
    Family {
        name: "lockdown_milter_log_lines_dropped_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Lines that are missing in the log, as nobody read it fast enough",
        read: |sight, samples| {
            push(samples, &[], sight.daemon.as_ref().map_or(0, |daemon| daemon.log.dropped()));
        },
    },
    Family {
        name: "lockdown_milter_ready",
        kind: Kind::Gauge,
        labels: &[],
        help: "1 if mail should be sent here, 0 if not; /readyz says why",
        read: |sight, samples| set(samples, Some(flag(sight.metrics.readiness().is_ready))),
    },
    Family {
        name: "lockdown_milter_reloads_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Reloads: good, or failed, after which the old configuration stays in force",
        read: |sight, samples| {
            push(samples, &["good"], load(&sight.metrics.reloads.good));
            push(samples, &["failed"], load(&sight.metrics.reloads.failed));
        },
    },
    Family {
        name: "lockdown_milter_config_good",
        kind: Kind::Gauge,
        labels: &[],
        help: "1 if the configuration file was good when it was last read, 0 if an old one is in force instead",
        read: |sight, samples| set(samples, Some(flag(!load_flag(&sight.metrics.reloads.last_failed)))),
    },
    Family {
        name: "lockdown_milter_config_loaded_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the configuration in force came into force, since 1970",
        read: |sight, samples| {
            let at = sight.metrics.reloads.last_good.load(Ordering::Relaxed);
            set(samples, Some(whole(at.try_into().unwrap_or_default())));
        },
    },
    Family {
        name: "lockdown_milter_hosted_domains",
        kind: Kind::Gauge,
        labels: &[],
        help: "Hosted domains",
        read: |sight, samples| {
            set(samples, sight.snapshot.as_ref().map(|snapshot| whole(snapshot.policy.hosted.len() as u64)));
        },
    },
    Family {
        name: "lockdown_milter_build_info",
        kind: Kind::Gauge,
        labels: &["version"],
        help: "1, for the version that runs",
        read: |_, samples| {
            samples.push(Sample { labels: vec![env!("CARGO_PKG_VERSION")], value: Value::Gauge(1.0) });
        },
    },
    Family {
        name: "process_open_fds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Descriptors that are open",
        read: |_, samples| set(samples, process::open_descriptors().map(whole)),
    },
    Family {
        name: "process_max_fds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Descriptors that may be open",
        read: |_, samples| set(samples, process::most_descriptors().map(whole)),
    },
    Family {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory that is in use",
        read: |_, samples| set(samples, process::resident_memory().map(whole)),
    },
    Family {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the daemon was started, since 1970",
        read: |sight, samples| {
            let begun = sight.metrics.begun.as_second();
            set(samples, Some(whole(begun.try_into().unwrap_or_default())));
        },
    },
];

/// One more count.
fn push(samples: &mut Samples, labels: &[&'static str], count: u64) {
    samples.push(Sample { labels: labels.to_vec(), value: Value::Count(count) });
}

/// The gauge, if it is known.
fn set(samples: &mut Samples, gauge: Option<f64>) {
    samples.extend(gauge.map(|gauge| Sample { labels: Vec::new(), value: Value::Gauge(gauge) }));
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn load_flag(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

fn flag(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers, exact up to 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}
