//! What is kept from one day to the next: the store, and what is known by it. It outlives reloads.

use std::sync::Arc;

use super::clock;
use crate::config::Config;
use crate::memory::catch_all::CatchAll;
use crate::memory::ledger::Ledger;
use crate::memory::partners::Partners;
use crate::memory::senders::Senders;
use crate::memory::store::{OpenError, Queue, Resident, Store};

/// The open store with what lives in it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) catch_all: Arc<CatchAll>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) senders: Arc<Senders>,
    pub(super) partners: Arc<Partners>,
    store: Store,
}

impl Kept {
    /// What a configuration wants to be kept, if it wants anything. What an earlier one kept in the same file goes on.
    ///
    /// # Errors
    ///
    /// Another daemon is at work on the file.
    pub(super) async fn open(
        config: &Config,
        earlier: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, OpenError> {
        if !config.policy.learns() && !config.policy.records() {
            return Ok(None);
        }
        let ledger = config.ledger.clone();
        if let Some(kept) = earlier.filter(|kept| kept.store.path() == ledger.path) {
            kept.store.set_commit_interval(ledger.commit_interval);
            kept.catch_all.set_retention(ledger.retention);
            kept.ledger.set_retention(ledger.retention);
            kept.senders.set_retention(ledger.retention);
            return Ok(Some(Arc::clone(kept)));
        }
        let path = ledger.path.clone();
        // A large file takes a while to examine.
        let opened = tokio::task::spawn_blocking(move || {
            let queue = Arc::new(Queue::default());
            let catch_all = Arc::new(CatchAll::new(Arc::clone(&queue), ledger.retention));
            let messages = Arc::new(Ledger::new(Arc::clone(&queue), ledger.retention, clock::now));
            let senders = Arc::new(Senders::new(Arc::clone(&queue), ledger.retention));
            let partners = Arc::new(Partners::new(Arc::clone(&queue)));
            let residents: Vec<Arc<dyn Resident>> = vec![
                Arc::<CatchAll>::clone(&catch_all),
                Arc::<Ledger>::clone(&messages),
                Arc::<Senders>::clone(&senders),
                Arc::<Partners>::clone(&partners),
            ];
            let store = Store::open(ledger.path, ledger.commit_interval, queue, residents, clock::now)?;
            messages.read_from(store.reader());
            Ok(Arc::new(Self { catch_all, ledger: messages, senders, partners, store }))
        });
        let broken = |error| OpenError::Io(path, std::io::Error::other(error));
        opened.await.map_err(broken)?.map(Some)
    }

    /// What waits to be written, and how writing goes.
    pub(super) fn queue(&self) -> &Queue {
        self.store.queue()
    }

    /// Writes what is still to be written.
    pub(super) fn close(&self) {
        self.store.close();
    }
}
