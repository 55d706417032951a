//! Questions to the system's own directories (getpwnam(3) and the like), which may ask a server and wait for it.

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// Questions at a time. One that hangs keeps its thread after nobody waits for the answer any more; with all threads
/// gone, files and the ledger could not be read either.
static ROOM: Semaphore = Semaphore::const_new(8);

/// Asks where no session waits for the answer but the one that wants it.
pub(crate) async fn ask<T: Send + 'static>(
    find: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let room = ROOM.acquire().await.ok();
    spawn_blocking(move || {
        let found = find();
        drop(room);
        found
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Condvar, Mutex, PoisonError};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn those_that_hang_leave_threads_for_others() {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let hang = |gate: Arc<(Mutex<bool>, Condvar)>| {
            ask(move || {
                let open = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
                drop(gate.1.wait_while(open, |open| !*open));
            })
        };
        let asked: Vec<_> = (0..20).map(|_| tokio::spawn(hang(Arc::clone(&gate)))).collect();
        while ROOM.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(timeout(Duration::from_millis(50), ask(|| ())).await.is_err(), "all room is taken");
        spawn_blocking(|| ()).await.unwrap();
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        for one in asked {
            one.await.unwrap().unwrap();
        }
        ask(|| ()).await.unwrap();
    }
}
