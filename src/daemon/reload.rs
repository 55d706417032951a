//! Another configuration while mail flows: everything new is there before it replaces the old in one step.

use std::sync::Arc;

use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload::Handle;

use super::Daemon;
use super::notify::Notifier;
use super::run::{RunError, limits, log_report};
use super::snapshot::Snapshot;
use crate::config::{Config, LogLevel, Report};

/// How a configuration is read, at the start and for every reload.
pub(super) type Load = Arc<dyn Fn() -> Result<(Config, Report), Report> + Send + Sync>;

/// Which messages of the daemon's own are written.
pub(super) type Filter = Handle<Targets, Registry>;

/// What reloads need besides the daemon.
pub(super) struct Reloader {
    pub(super) load: Load,
    pub(super) filter: Filter,
    /// What the daemon was started with, some of which stays.
    pub(super) started_with: Config,
    pub(super) notifier: Notifier,
}

impl Reloader {
    /// Puts a new configuration into force, if it is good. Transactions that have begun keep the old one. Dropped at any
    /// moment, it has changed nothing.
    pub(super) async fn reload(&self, daemon: &Daemon) {
        daemon.log.settle();
        let (config, (snapshot, warnings)) = match self.open(daemon).await {
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
        daemon.log.apply(config.log);
        if let Err(error) = self.filter.reload(chosen(config.log.level)) {
            warn!(%error, "`log.level` stays as it is");
        }
        let fixed = fixed(&config, &self.started_with);
        if !fixed.is_empty() {
            warn!("a restart is needed for the new {}", fixed.join(", "));
        }
        info!(hosted = config.policy.hosted.len(), "the new configuration is in force");
    }

    /// Reads the configuration and opens what it names.
    async fn open(&self, daemon: &Daemon) -> Result<(Config, (Snapshot, Report)), RunError> {
        let load = Arc::clone(&self.load);
        // postconf(1) may be asked, and take its time.
        let (config, report) =
            tokio::task::spawn_blocking(move || load()).await.map_err(std::io::Error::other)??;
        let (earlier, harvest) = (daemon.snapshot(), Arc::clone(&daemon.harvest) as _);
        let counts = &daemon.metrics.counts;
        let opened = Snapshot::new(&config, report, harvest, counts, earlier.kept.as_ref()).await?;
        Ok((config, opened))
    }
}

/// The settings that have changed and that hold from the start of the daemon to its end.
fn fixed(new: &Config, old: &Config) -> Vec<&'static str> {
    let (new_limits, old_limits) = (limits(&new.limits), limits(&old.limits));
    let changed = [
        ("`listen`", new.listeners != old.listeners),
        ("`control`", new.control != old.control),
        ("`metrics`", new.metrics != old.metrics),
        ("`log.target`", new.log.target != old.log.target),
        ("`limits.connections`", new_limits.connections != old_limits.connections),
        ("`limits.connections_per_peer`", new_limits.connections_per_peer != old_limits.connections_per_peer),
        ("`limits.idle_time`", new_limits.idle_time != old_limits.idle_time),
        ("`limits.frame_time`", new_limits.frame_time != old_limits.frame_time),
        ("`limits.drain_time`", new_limits.drain_time != old_limits.drain_time),
    ];
    changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}

/// The messages that a level lets through.
pub(super) fn chosen(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_target("lockdown_milter", ours)
        // hickory warns of odd answers, which anybody can cause by the thousand.
        .with_target("hickory", LevelFilter::ERROR)
        .with_default(LevelFilter::WARN)
}
