//! What is seen of a host, before it is judged.

mod domains;
mod files;
mod postfix;
mod responders;
mod sendmail;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::{Instant, timeout};

use super::Arguments;
use crate::audit::host::{Host, Mta};
use crate::config::{Config, Report, Severity};
use crate::daemon;
use crate::memory::harvest::Uncounted;
use crate::sources::Sources;

/// How long opening all tables and sources may take.
const OPENING: Duration = Duration::from_mins(1);

/// Looks at the host.
pub(super) async fn gather(arguments: &Arguments) -> Host {
    let (configuration, sources, warnings) = configuration(arguments).await;
    let mta = mta(arguments).await;
    let config_file = arguments.source.config.clone();
    let config = configuration.as_ref().ok();
    let deadline = Instant::now() + domains::PATIENCE;
    let (hosted, unlisted, omitted) = domains::domains(&mta, config, sources.as_ref(), deadline).await;
    let asked = match (config, &sources) {
        (Some(config), Some(sources)) => domains::sources(config, sources, deadline).await,
        _ => Vec::new(),
    };
    Host {
        secrets: files::secrets(&config_file, config, &mta),
        sockets: config.map(files::sockets).unwrap_or_default(),
        mta,
        configuration,
        config_file,
        warnings,
        accepted: arguments.accept.clone(),
        today: TimeZone::UTC.to_datetime(daemon::now()).date(),
        domains: hosted,
        omitted,
        unlisted,
        sources: asked,
    }
}

/// Our configuration with its sources opened, or why there is none; and what is doubtful about it.
async fn configuration(arguments: &Arguments) -> (Result<Config, String>, Option<Arc<Sources>>, Vec<String>) {
    let first = |report: &Report| {
        let error = report.problems.iter().find(|problem| problem.severity == Severity::Error);
        error.map_or_else(
            || "it cannot be used".to_owned(),
            |problem| format!("{}; see `check`", problem.message),
        )
    };
    let (config, report) = match arguments.source.load() {
        Ok(loaded) => loaded,
        Err(report) => return (Err(first(&report)), None, Vec::new()),
    };
    let opening = daemon::open(&config, report, Arc::new(Uncounted("an audit has no clients")));
    match timeout(OPENING, opening).await {
        Ok(Ok((sources, report))) => {
            let warnings = report.problems.iter().filter(|problem| problem.severity == Severity::Warning);
            let warnings = warnings.map(ToString::to_string).collect();
            (Ok(config), Some(sources), warnings)
        }
        Ok(Err(report)) => (Err(first(&report)), None, Vec::new()),
        Err(_) => (Ok(config), None, vec![format!("the sources could not be opened within {OPENING:?}")]),
    }
}

/// The mail server that the arguments name, or that is here.
async fn mta(arguments: &Arguments) -> Mta {
    if let Some(file) = &arguments.sendmail_cf {
        return sendmail::sendmail(file);
    }
    let own = (Path::new("/etc/postfix"), Path::new("/etc/mail/sendmail.cf"));
    match &arguments.postfix_dir {
        None if !own.0.join("main.cf").exists() && own.1.exists() => sendmail::sendmail(own.1),
        None if !own.0.join("main.cf").exists() => {
            let why = "neither /etc/postfix/main.cf nor /etc/mail/sendmail.cf is here; see --postfix-dir, --sendmail-cf";
            Mta::Unknown(why.to_owned())
        }
        dir => {
            let dir: PathBuf = dir.clone().unwrap_or_else(|| own.0.to_owned());
            let read = tokio::task::spawn_blocking(move || postfix::postfix(&dir)).await;
            read.unwrap_or_else(|error| Mta::Unknown(error.to_string()))
        }
    }
}
