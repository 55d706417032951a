//! The life of the daemon: start, reload, drain.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::clients::Clients;
use super::conversation::Talk;
use super::harvest::Watch;
use super::log::Log;
use super::metrics::{self, Metrics, Stage};
use super::snapshot::Snapshot;
use super::{Daemon, control};
use crate::check::Mode;
use crate::config::{self, Config, LogLevel, Report};
use crate::lookup::store::OpenError;
use crate::milter::{self, BindError, Bound, Service, Wishes};
use crate::session::Role;

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration has errors.
    #[error("the configuration has errors")]
    Configuration(Report),
    /// Another daemon keeps what this one should.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A listener cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Metrics cannot be served where the configuration says.
    #[error("metrics.listen {address}: {source}; is another program there? Name another port, or none")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses something that every daemon needs.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl From<Report> for RunError {
    fn from(report: Report) -> Self {
        Self::Configuration(report)
    }
}

/// Runs the daemon until SIGTERM or SIGINT. `load` reads the configuration, at the start and for every SIGHUP.
pub async fn run(load: impl Fn() -> Result<(Config, Report), Report>) -> Result<(), RunError> {
    let (config, report) = load()?;
    let harvest = Arc::new(Watch::new(config.harvest.clone()));
    let log = Log::start(config.log.format, io::stderr())?;
    let chosen = Targets::new()
        .with_target("lockdown_milter", level(config.log.level))
        // hickory warns of every spoofed answer, which anybody can send by the thousand.
        .with_target("hickory", LevelFilter::ERROR)
        .with_default(LevelFilter::WARN);
    tracing_subscriber::registry().with(log.clone().with_filter(chosen)).init();
    let (metrics, mut tasks) = (Metrics::new(), JoinSet::new());
    if let Some(address) = config.metrics.listen {
        let bound = metrics::bind(address).await;
        let listener =
            bound.map_err(|source| RunError::Metrics { address, source }).inspect_err(|_| log.flush())?;
        info!(address = %listener.local_addr().unwrap_or(address), "metrics and health");
        tasks.spawn(metrics::serve(listener, Arc::clone(&metrics)));
    }
    // The store has something to say when it is opened, so the log comes first.
    let opened = Snapshot::new(&config, report, Arc::clone(&harvest) as _, &metrics.counts, None).await;
    let (snapshot, warnings) = opened.inspect_err(|_| log.flush())?;
    log_report(&warnings);

    let mut signals = Signals::new()?;
    let traffic = Arc::clone(&metrics.traffic);
    let daemon = Arc::new(Daemon { snapshot: ArcSwap::from_pointee(snapshot), harvest, log, metrics });
    daemon.metrics.watch(&daemon);
    let mut services = Vec::new();
    for listener in &config.listeners {
        let bound = Bound::bind(address(&listener.address), listener.allowed_peers.clone()).await?;
        info!(address = %bound.address(), role = listener.role.as_str(), "listening");
        let (daemon, role) = (Arc::clone(&daemon), listener.role);
        let watched = Arc::clone(&daemon);
        // Negotiation comes before anything is known of the client, and a reload may change the answer.
        let wishes = move || Wishes {
            refused: role != Role::Local && watched.snapshot().policy.defaults.harvest != Mode::Off,
            // Where the outside world comes in, no body says anything that we would believe.
            body: matches!(role, Role::Local | Role::Submission),
            recipients: role != Role::Local && watched.snapshot().policy.changes_recipients(),
        };
        let (name, clients) = (bound.address(), Clients::default());
        let begin = move |connect| {
            let talk = Talk::new(Arc::clone(&daemon), role, connect);
            if clients.note(role, talk.client()) {
                warn!(
                    listener = %name,
                    "all clients have private addresses, so SPF judges none: is there NAT or a proxy before the MTA?"
                );
            }
            talk
        };
        services.push(Service { bound, begin, wishes });
    }
    for config::MainCfLine { text, gain, cost } in config::main_cf(&config) {
        info!(
            main_cf = text,
            shows = gain,
            costs = cost,
            "answers that leave are judged where Postfix shows them"
        );
    }
    if let Some(path) = &config.control {
        let bound = Bound::bind(control_address(path), Vec::new()).await?;
        tasks.spawn(control::serve(bound, Arc::clone(&daemon)));
    }
    let harvest = Arc::clone(&daemon.harvest);
    tasks.spawn(async move { harvest.keep_time().await });
    daemon.metrics.enter(Stage::Serving);
    notify(&[NotifyState::Ready]);
    info!(version = env!("CARGO_PKG_VERSION"), hosted = config.policy.hosted.len(), "ready");

    let shutdown = serve_signals(&mut signals, &daemon, &config, &load);
    milter::serve(services, limits(&config.limits), traffic, shutdown).await;
    if let Some(kept) = &daemon.snapshot().kept {
        kept.close();
    }
    // With its task, the file of the control socket goes.
    tasks.shutdown().await;
    info!("ended");
    daemon.log.flush();
    Ok(())
}

/// The signals that steer the daemon.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }
}

/// Reloads at SIGHUP; returns at SIGTERM or SIGINT, after which a second one ends the process at once.
async fn serve_signals(
    signals: &mut Signals,
    daemon: &Arc<Daemon>,
    started_with: &Config,
    load: impl Fn() -> Result<(Config, Report), Report>,
) {
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => {
                notify_reloading();
                reload(daemon, started_with, load()).await;
                notify(&[NotifyState::Ready]);
            }
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    daemon.metrics.enter(Stage::Draining);
    notify(&[NotifyState::Stopping]);
    info!(drain_time = ?started_with.limits.drain_time, "no new connections; open ones are served to their end");
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        // The streams of the first signal stay registered, so this one is not lost.
        if let Ok(Signals { mut interrupt, mut terminate, .. }) = Signals::new() {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            warn!("a second signal: ending at once");
            daemon.log.flush();
            std::process::exit(0);
        }
    });
}

/// Puts a new configuration into force, if it is good. Transactions that have begun keep the old one.
async fn reload(daemon: &Daemon, started_with: &Config, loaded: Result<(Config, Report), Report>) {
    let opened = match loaded {
        Ok((config, report)) => {
            let (earlier, harvest) = (daemon.snapshot(), Arc::clone(&daemon.harvest) as _);
            let counts = &daemon.metrics.counts;
            let opened = Snapshot::new(&config, report, harvest, counts, earlier.kept.as_ref()).await;
            opened.map(|opened| (config, opened))
        }
        Err(problems) => Err(problems.into()),
    };
    let (config, (snapshot, warnings)) = match opened {
        Ok(opened) => opened,
        Err(failed) => {
            match failed {
                RunError::Configuration(problems) => log_report(&problems),
                other => error!("{other}"),
            }
            daemon.metrics.note_reload(false);
            error!("the new configuration has errors; the old one stays in force");
            return;
        }
    };
    log_report(&warnings);
    daemon.snapshot.store(Arc::new(snapshot));
    daemon.harvest.apply(&config.harvest);
    daemon.metrics.note_reload(true);
    let fixed = config.listeners != started_with.listeners
        || config.control != started_with.control
        || limits(&config.limits) != limits(&started_with.limits)
        || config.metrics != started_with.metrics
        || config.log != started_with.log;
    if fixed {
        warn!("changes of `listen`, `control`, `metrics`, `log` and connection limits take a restart");
    }
    info!(hosted = config.policy.hosted.len(), "the new configuration is in force");
}

/// One line of the log for each problem.
fn log_report(report: &Report) {
    for problem in &report.problems {
        match problem.severity {
            config::Severity::Error => error!("{}", problem),
            config::Severity::Warning => warn!("{}", problem),
            config::Severity::Note => info!("{}", problem),
        }
    }
}

/// Tells systemd that a reload has begun, which it wants to be timed.
fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "systemd cannot be told"),
    }
}

/// Tells systemd, where it started us.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be told");
    }
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn limits(limits: &config::Limits) -> milter::Limits {
    milter::Limits {
        connections: limits.connections,
        connections_per_peer: limits.connections_per_peer,
        idle_time: limits.idle_time,
        frame_time: limits.frame_time,
        drain_time: limits.drain_time,
    }
}

fn control_address(path: &Path) -> milter::Address {
    milter::Address::Unix { path: path.to_owned(), permissions: control::PERMISSIONS, group: None }
}

fn address(address: &config::Address) -> milter::Address {
    match address {
        config::Address::Inet(address) => milter::Address::Inet(*address),
        config::Address::Unix { path, permissions, group } => {
            milter::Address::Unix { path: path.clone(), permissions: *permissions, group: group.clone() }
        }
    }
}
