//! The life of the daemon: start, signals, drain.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::clients::Clients;
use super::conversation::Talk;
use super::harvest::Watch;
use super::log::Log;
use super::metrics::{self, Metrics, Stage};
use super::notify::{Notice, Notifier};
use super::reload::Reloader;
use super::snapshot::Snapshot;
use super::{Activation, Daemon, control, descriptors, reload};
use crate::check::Mode;
use crate::config::{self, Config, Report};
use crate::memory::store::OpenError;
use crate::milter::{self, BindError, Bound, Connect, Service, Wishes};
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

/// Runs the daemon until SIGTERM or SIGINT. `load` reads the configuration, at the start and for every SIGHUP;
/// `activation` has the sockets that were made for it.
pub async fn run(
    load: impl Fn() -> Result<(Config, Report), Report> + Send + Sync + 'static,
    activation: Activation,
) -> Result<(), RunError> {
    let loaded = load()?;
    let (log, no_journal) = Log::start(loaded.0.log)?;
    let ended = run_with(load, loaded, activation, log.clone(), no_journal).await;
    // However it ended, why is in the log.
    log.flush();
    ended
}

/// The same with its first configuration and its log; `no_journal` is why that is not journald, though it should be.
async fn run_with(
    load: impl Fn() -> Result<(Config, Report), Report> + Send + Sync + 'static,
    (config, report): (Config, Report),
    mut activation: Activation,
    log: Log,
    no_journal: Option<io::Error>,
) -> Result<(), RunError> {
    let descriptors = descriptors::raise();
    let harvest = Arc::new(Watch::new(config.harvest.clone()));
    let (filter, handle) = tracing_subscriber::reload::Layer::new(reload::chosen(config.log.level));
    tracing_subscriber::registry().with(log.clone().with_filter(filter)).init();
    if let Some(error) = no_journal {
        warn!(%error, "there is no journald; the log goes to standard error");
    }
    let (metrics, mut tasks) = (Metrics::new(), JoinSet::new());
    if let Some(address) = config.metrics.listen {
        let bound = metrics::bind(address).await;
        let listener = bound.map_err(|source| RunError::Metrics { address, source })?;
        info!(address = %listener.local_addr().unwrap_or(address), "metrics and health");
        tasks.spawn(metrics::serve(listener, Arc::clone(&metrics)));
    }
    // The store has something to say when it is opened, so the log comes first.
    let opened = Snapshot::new(&config, report, Arc::clone(&harvest) as _, &metrics.counts, None).await;
    let (snapshot, warnings) = opened?;
    log_report(&warnings);

    let mut signals = Signals::new()?;
    let traffic = Arc::clone(&metrics.traffic);
    let daemon = Arc::new(Daemon { snapshot: ArcSwap::from_pointee(snapshot), harvest, log, metrics });
    daemon.metrics.watch(&daemon);
    let mut services = Vec::new();
    for listener in &config.listeners {
        let bound = activation.listen(address(&listener.address), listener.allowed_peers.clone()).await?;
        services.push(service(&daemon, bound, listener.role));
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
        let bound = activation.listen(control_address(path), Vec::new()).await?;
        tasks.spawn(control::serve(bound, Arc::clone(&daemon)));
    }
    activation.finish();
    let harvest = Arc::clone(&daemon.harvest);
    tasks.spawn(async move { harvest.keep_time().await });
    let notifier = Notifier::start()?;
    daemon.metrics.enter(Stage::Serving);
    notifier.tell(Notice::Ready);
    info!(version = env!("CARGO_PKG_VERSION"), hosted = config.policy.hosted.len(), "ready");

    let connections = descriptors::connections(config.limits.connections, descriptors);
    let limits = milter::Limits { connections, ..limits(&config.limits) };
    let reloader = Reloader { load: Arc::new(load), filter: handle, started_with: config, notifier };
    milter::serve(services, limits, traffic, serve_signals(&mut signals, &daemon, &reloader)).await;
    if let Some(kept) = &daemon.snapshot().kept {
        kept.close();
    }
    // With its task, the file of the control socket goes.
    tasks.shutdown().await;
    info!("ended");
    Ok(())
}

/// What serves the MTAs that come to a listener.
fn service(
    daemon: &Arc<Daemon>,
    bound: Bound,
    role: Role,
) -> Service<impl Fn(Connect) -> Talk + Send + Sync + 'static, impl Fn() -> Wishes + Send + Sync + 'static> {
    info!(address = %bound.address(), role = role.as_str(), "listening");
    let (daemon, watched) = (Arc::clone(daemon), Arc::clone(daemon));
    // Negotiation comes before anything is known of the client, and a reload may change the answer.
    let wishes = move || Wishes {
        refused: role != Role::Local && watched.snapshot().policy.defaults.harvest != Mode::Off,
        // Where the outside world comes in, no body says anything that we would believe.
        body: matches!(role, Role::Local | Role::Submission),
        // Whoever comes while nobody is blocked pays nothing for blocks.
        mail: role != Role::Local
            && watched.harvest.blocks_anybody()
            && watched.snapshot().policy.defaults.harvest == Mode::Enforce,
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
    Service { bound, begin, wishes }
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
async fn serve_signals(signals: &mut Signals, daemon: &Arc<Daemon>, reloader: &Reloader) {
    let Signals { hangup, interrupt, terminate } = signals;
    let ended = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    // A signal that comes during a reload leads to one more, however often it comes.
    let reloads = async {
        while hangup.recv().await.is_some() {
            reloader.notifier.tell(Notice::Reloading);
            reloader.reload(daemon).await;
            reloader.notifier.tell(Notice::Ready);
        }
        std::future::pending::<()>().await;
    };
    // A reload that takes its time is given up.
    tokio::select! { () = ended => {}, () = reloads => {} }
    daemon.metrics.enter(Stage::Draining);
    reloader.notifier.tell(Notice::Stopping);
    let drain_time = reloader.started_with.limits.drain_time;
    info!(?drain_time, "no new connections; open ones are served to their end");
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

/// One line of the log for each problem.
pub(super) fn log_report(report: &Report) {
    for problem in &report.problems {
        match problem.severity {
            config::Severity::Error => error!("{}", problem),
            config::Severity::Warning => warn!("{}", problem),
            config::Severity::Note => info!("{}", problem),
        }
    }
}

/// The limits of the milter shell.
pub(super) fn limits(limits: &config::Limits) -> milter::Limits {
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
