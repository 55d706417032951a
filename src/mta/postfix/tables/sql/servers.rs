//! Several servers that hold the same: one is asked, and the next one when it fails.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::TableError;
use crate::clients::sql::{Database, Row};

/// How long one that failed is asked only when all others fail, too.
const ASIDE: Duration = Duration::from_mins(1);

/// The servers.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<Server>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Server {
    database: Database,
    /// Whether it is on this host, so that it is asked before others.
    is_near: bool,
}

#[derive(Debug, Default)]
struct State {
    /// The one that answered last.
    active: Option<usize>,
    /// Which have failed, and when.
    failed: Vec<(usize, Instant)>,
}

impl Servers {
    /// These servers, each with whether it is reached by a Unix socket.
    pub(super) fn new(databases: impl IntoIterator<Item = (Database, bool)>) -> Self {
        let servers = databases.into_iter().map(|(database, is_near)| Server { database, is_near });
        Self { servers: servers.collect(), state: Mutex::default() }
    }

    /// The rows for a query from the first server that answers; none where it gives none by its nature.
    pub(super) async fn ask(&self, sql: &str) -> Result<Option<Vec<Row>>, TableError> {
        let mut errors: Vec<String> = Vec::new();
        for number in self.order() {
            match self.servers[number].database.ask_text(sql).await {
                Ok(rows) => {
                    let mut state = self.state();
                    state.active = Some(number);
                    state.failed.retain(|(failed, _)| *failed != number);
                    return Ok(rows);
                }
                Err(error) => {
                    errors.push(error.to_string());
                    let mut state = self.state();
                    state.active.take_if(|active| *active == number);
                    state.failed.retain(|(failed, _)| *failed != number);
                    state.failed.push((number, Instant::now()));
                }
            }
        }
        Err(TableError(errors.join("; ")))
    }

    /// The servers in the order of asking: the one that answered last, then those on this host, then the others by
    /// chance, at last those that failed a moment ago.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        fastrand::shuffle(&mut order);
        let state = self.state();
        order.sort_by_key(|number| {
            let is_aside =
                state.failed.iter().any(|(failed, since)| failed == number && since.elapsed() < ASIDE);
            (state.active != Some(*number), is_aside, !self.servers[*number].is_near)
        });
        order
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
