//! The answers, and the one thread that computes them.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Answers younger than this are reused.
const FRESH: Duration = Duration::from_secs(5);
/// How long a request waits for new answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// All answers, computed at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether `/heartbeat` answers 200.
    pub is_alive: bool,
    /// The reasons, in lines.
    pub heartbeat: String,
    /// The metrics for Prometheus.
    pub metrics: String,
    /// The status as JSON.
    pub status: String,
}

/// A snapshot with the time at which its computation began.
type Made = Option<(Instant, Arc<Snapshot>)>;

/// Gives the newest answers, and has them computed when they are old.
#[derive(Clone)]
pub(crate) struct Answers {
    wanted: SyncSender<()>,
    made: watch::Receiver<Made>,
}

impl Answers {
    /// Starts the thread.
    pub(crate) fn start(mut make: impl FnMut() -> Snapshot + Send + 'static) -> std::io::Result<Self> {
        // the channel holds one request, which stands for all that wait
        let (wanted, asked) = sync_channel(1);
        let (publish, made) = watch::channel(None);
        thread::Builder::new().name("answers".to_owned()).spawn(move || {
            while asked.recv().is_ok() {
                let is_fresh =
                    publish.borrow().as_ref().is_some_and(|(begun, _): &(Instant, _)| begun.elapsed() < FRESH);
                if !is_fresh {
                    let begun = Instant::now();
                    let snapshot = Arc::new(make());
                    publish.send_replace(Some((begun, snapshot)));
                }
            }
        })?;
        Ok(Self { wanted, made })
    }

    fn fresh(made: &Made) -> Option<Arc<Snapshot>> {
        made.as_ref().filter(|(begun, _)| begun.elapsed() < FRESH).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// The newest answers; `None` if they are not ready in time.
    pub(crate) async fn get(&self) -> Option<Arc<Snapshot>> {
        let mut made = self.made.clone();
        if let Some(snapshot) = Self::fresh(&made.borrow_and_update()) {
            return Some(snapshot);
        }
        match self.wanted.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => return None,
        }
        let next = tokio::time::timeout(PATIENCE, made.changed()).await;
        next.ok()?.ok()?;
        made.borrow().as_ref().map(|(_, snapshot)| Arc::clone(snapshot))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn many_requests_share_one_computation() {
        let n_made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&n_made);
        let make = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(50));
            Snapshot { is_alive: true, ..Snapshot::default() }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let answers = Answers::start(make).unwrap();
            let asks: Vec<_> = (0..1000).map(|_| answers.clone()).map(|a| async move { a.get().await }).collect();
            let mut n = 0;
            for ask in asks {
                n += usize::from(ask.await.is_some_and(|snapshot| snapshot.is_alive));
            }
            assert_eq!(n, 1000);
        });
        // the machine may be slow, but there is not one computation per request
        assert!(n_made.load(Ordering::Relaxed) < 10);
    }
}
