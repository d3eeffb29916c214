//! What calls have made that is not committed yet, by driver: several calls at the same time have no more of anything than one.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{Store, hold};
use grant::Limit;
use words::Name;

pub(super) type Claims = Mutex<HashMap<(Name, Limit), u64>>;

impl Store {
    /// Lets a call of a driver count for `now` of something, where it has counted for `before`. Answers what all of the driver's calls
    /// count for.
    pub fn claim(&self, driver: &Name, limit: Limit, before: u64, now: u64) -> u64 {
        let mut claims = hold(&self.claims);
        let claimed = claims.entry((driver.clone(), limit)).or_default();
        *claimed = claimed.saturating_sub(before).saturating_add(now);
        let all = *claimed;
        if all == 0 {
            claims.remove(&(driver.clone(), limit));
        }
        all
    }
}
