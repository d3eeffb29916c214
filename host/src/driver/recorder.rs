//! The recorded calls of a driver that are kept: of those that trapped always some, of the others while somebody asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use operation::recording::{End, Recording};

/// Recordings of one driver that are kept.
const KEPT: usize = 64;

/// Among them, those of calls that trapped, which are kept when others go.
const TRAPPED: usize = 8;

/// Bytes of them together, as JSON.
const BYTES: usize = 16 << 20;

/// For so long after somebody asked last, calls are recorded that go well.
const WANTED: Duration = Duration::from_secs(60);

/// The recordings of the drivers of one name.
#[derive(Default)]
pub struct Recorder {
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    last: u64,
    bytes: usize,
    recordings: VecDeque<(usize, Arc<Recording>)>,
    wanted: Option<Instant>,
}

impl Recorder {
    /// Whether somebody asked a moment ago.
    pub fn is_wanted(&self) -> bool {
        self.lock().wanted.is_some_and(|asked| asked.elapsed() < WANTED)
    }

    /// Keeps a recording, which gets its number here.
    pub fn keep(&self, mut recording: Recording) {
        let mut kept = self.lock();
        kept.last += 1;
        recording.number = kept.last;
        let size = serde_json::to_vec(&recording).map_or(BYTES, |text| text.len());
        kept.bytes += size;
        kept.recordings.push_back((size, Arc::new(recording)));
        kept.shrink();
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Those after a number, in their order; waits for one, but no longer than this. From now on, all calls are recorded.
    pub async fn after(&self, number: u64, wait: Duration) -> Vec<Arc<Recording>> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let found = self.newer(number);
            if !found.is_empty() || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return found;
            }
        }
    }

    fn newer(&self, number: u64) -> Vec<Arc<Recording>> {
        let mut kept = self.lock();
        kept.wanted = Some(Instant::now());
        // Another daemon gave this number: here they have begun anew.
        let number = if number > kept.last { 0 } else { number };
        kept.recordings.iter().map(|(_, recording)| recording).filter(|r| r.number > number).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn shrink(&mut self) {
        let trapped = |(_, recording): &(usize, Arc<Recording>)| matches!(recording.end, End::Trapped(_));
        while self.recordings.len() > KEPT || self.bytes > BYTES {
            let many = self.recordings.iter().filter(|r| trapped(r)).count() > TRAPPED;
            let goes = self.recordings.iter().position(|r| many || !trapped(r)).unwrap_or(0);
            let Some((size, _)) = self.recordings.remove(goes) else { return };
            self.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::recording::Trap;

    fn recording(end: End, filling: usize) -> Recording {
        Recording {
            number: 0,
            driver: words::Name::new("d").unwrap(),
            component: String::new(),
            interface: String::new(),
            function: "join".into(),
            arguments: ask::Arguments::Leave { network: "x".repeat(filling), endpoint: String::new() },
            network: None,
            endpoint: None,
            host_calls: Vec::new(),
            cut: false,
            end,
            undone: None,
            micros: 0,
        }
    }

    fn trapped() -> End {
        End::Trapped(Trap { message: "m".into(), backtrace: Vec::new() })
    }

    fn numbers(recorder: &Recorder) -> Vec<u64> {
        recorder.newer(0).iter().map(|r| r.number).collect()
    }

    #[test]
    fn so_many_are_kept_and_some_that_trapped_stay() {
        let recorder = Recorder::default();
        recorder.keep(recording(trapped(), 0));
        for _ in 0..100 {
            recorder.keep(recording(End::Returned(ask::Returned::Join(())), 0));
        }
        let kept = numbers(&recorder);
        assert_eq!((kept.len(), kept[0], kept[1], kept[63]), (64, 1, 39, 101));
        for _ in 0..100 {
            recorder.keep(recording(trapped(), 0));
        }
        assert_eq!(numbers(&recorder), (138..=201).collect::<Vec<_>>());
    }

    #[test]
    fn so_many_bytes_are_kept() {
        let recorder = Recorder::default();
        for _ in 0..20 {
            recorder.keep(recording(End::Returned(ask::Returned::Join(())), 1 << 20));
        }
        assert_eq!(numbers(&recorder), (6..=20).collect::<Vec<_>>());
        recorder.keep(recording(trapped(), BYTES));
        assert_eq!(numbers(&recorder), [] as [u64; 0]);
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_next_one() {
        let recorder = Arc::new(Recorder::default());
        assert!(!recorder.is_wanted());
        assert!(recorder.after(0, Duration::ZERO).await.is_empty());
        assert!(recorder.is_wanted());
        let waiting = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.after(0, Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        recorder.keep(recording(End::Returned(ask::Returned::Join(())), 0));
        assert_eq!(waiting.await.unwrap()[0].number, 1);
        assert!(recorder.after(1, Duration::ZERO).await.is_empty());
        assert_eq!(recorder.after(70, Duration::ZERO).await.len(), 1, "its number is another daemon's");
    }
}
