//! How much a driver may log over time. What a call may log is no limit on a driver that is called again and again.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limit::{LOG_BURST, LOG_BYTES_PER_SECOND};

/// One driver's: a bucket that fills by the second.
#[derive(Debug, Default)]
pub struct LogRate(Mutex<Option<Bucket>>);

#[derive(Debug)]
struct Bucket {
    left: usize,
    filled: Instant,
    dropped: u64,
}

impl LogRate {
    /// Asks for a line of so many bytes. None: it is dropped; else how many lines were dropped since the last one that was not.
    pub fn take(&self, bytes: usize, now: Instant) -> Option<u64> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = bucket.get_or_insert(Bucket { left: LOG_BURST, filled: now, dropped: 0 });
        let millis = usize::try_from(now.saturating_duration_since(bucket.filled).as_millis()).unwrap_or(usize::MAX);
        let new = millis.saturating_mul(LOG_BYTES_PER_SECOND) / 1000;
        // Not for each part of a byte, or many lines within a millisecond would never fill it.
        if new > 0 {
            bucket.left = bucket.left.saturating_add(new).min(LOG_BURST);
            bucket.filled = now;
        }
        match bucket.left.checked_sub(bytes) {
            Some(left) => {
                bucket.left = left;
                Some(std::mem::take(&mut bucket.dropped))
            }
            None => {
                bucket.dropped += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_kept_and_then_what_the_seconds_bring() {
        let (rate, begin) = (LogRate::default(), Instant::now());
        let kept = |seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            (0..100_000).filter(|_| rate.take(100, now).is_some()).count()
        };
        assert_eq!(kept(0), LOG_BURST / 100);
        assert_eq!(kept(0), 0);
        // What is left of a line is not lost.
        assert!((LOG_BYTES_PER_SECOND / 100..=LOG_BYTES_PER_SECOND / 100 + 1).contains(&kept(1)));
        assert_eq!(kept(3600), LOG_BURST / 100, "a bucket has a bottom and a brim");
    }

    #[test]
    fn what_was_dropped_is_told() {
        let (rate, now) = (LogRate::default(), Instant::now());
        assert_eq!(rate.take(LOG_BURST, now), Some(0));
        assert_eq!([rate.take(1, now), rate.take(1, now)], [None, None]);
        let later = now + Duration::from_secs(1);
        assert_eq!([rate.take(1, later), rate.take(1, later)], [Some(2), Some(0)]);
    }
}
