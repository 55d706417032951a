//! Whether mail should be sent here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::Snapshot;
use super::{Metrics, Stage};
use crate::check::auth_match::Axis;
use crate::check::{Locks, Mode};
use crate::clients::counts::Meter;

/// How long a source that failed counts as silent if nobody asks it again. A host that gets no mail because it is not
/// ready asks nothing, and so would never become ready by itself.
const RECENT: Duration = Duration::from_mins(1);

/// Whether the daemon is ready, with what there is to say about it, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) is_ready: bool,
    pub(super) remarks: Vec<String>,
}

/// A source that does not answer.
pub(super) struct Silent {
    /// What is looked up there, and what kind of source it is.
    pub(super) kind: (&'static str, &'static str),
    /// Its place in the list of its kind, from 1.
    place: usize,
    since: Duration,
}

impl Metrics {
    /// How ready the daemon is.
    pub(super) fn readiness(&self) -> Readiness {
        let mut remarks = Vec::new();
        match self.stage() {
            Stage::Starting => remarks.push("starting".to_owned()),
            Stage::Draining => remarks.push("draining: open sessions are served to their end".to_owned()),
            Stage::Serving => {}
        }
        let silent = self.daemon().map(|daemon| silent(&daemon.snapshot())).unwrap_or_default();
        remarks.extend(silent.iter().map(Silent::remark));
        let is_ready = remarks.is_empty();
        if self.reloads.last_failed.load(Ordering::Relaxed) {
            remarks.push("configuration: the last reload failed, the old one is in force".to_owned());
        }
        Readiness { is_ready, remarks }
    }
}

impl Silent {
    fn remark(&self) -> String {
        let what = match self.kind.0 {
            "grant" => "identity",
            what => what,
        };
        // Whoever can read this page is no friend: which server it is, and as whom it is asked, stands in the log.
        format!("{what} source {} ({}): no answer since {} s", self.place, self.kind.1, self.since.as_secs())
    }
}

/// The sources that do not answer and for which mail has to wait.
pub(super) fn silent(snapshot: &Snapshot) -> Vec<Silent> {
    let Snapshot { policy, sources, .. } = snapshot;
    let locks = || policy.hosted.values().chain([&policy.defaults]).map(AsRef::as_ref);
    let recipients = sources.recipients().meters().enumerate();
    let deferring = recipients.filter(|(number, _)| {
        !sources.recipients().answered(*number) && locks().any(|locks| defers_for(locks, *number))
    });
    let grants = sources.identities().meters().enumerate().filter(|_| locks().any(matches_logins));
    let silent = |what, number, (kind, _, meter): (&'static str, &str, &Meter)| {
        let since = meter.silent_for(RECENT)?;
        Some(Silent { kind: (what, kind), place: number + 1, since })
    };
    let deferring = deferring.filter_map(|(number, source)| silent("recipient", number, source));
    deferring.chain(grants.filter_map(|(number, source)| silent("grant", number, source))).collect()
}

/// Whether recipients wait while this source cannot tell.
fn defers_for(locks: &Locks, number: usize) -> bool {
    let recipients = &locks.recipients;
    recipients.mode == Mode::Enforce
        && !recipients.settings.accept_on_error
        && recipients.settings.sources.iter().any(|source| source.number == number)
}

/// Whether logins are held to their grants.
fn matches_logins(locks: &Locks) -> bool {
    let settings = &locks.auth_match.settings;
    let axes = [settings.mail_from, settings.header_from, settings.sender];
    locks.auth_match.mode == Mode::Enforce && axes.iter().any(|axis| *axis != Axis::None)
}
