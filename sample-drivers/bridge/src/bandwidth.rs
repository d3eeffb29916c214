//! How fast a container may send and receive, of an endpoint's labels: in the words of the CNI plugin `bandwidth` and of tc.

use pontoon_sdk::links::Link;
use pontoon_sdk::shaping::{Rate, add_ifb, redirect, set_rate};
use pontoon_sdk::{Error, Result, TextMap};

/// What the container receives, and its burst; then what it sends.
const INGRESS: [&str; 2] = ["pontoon.bandwidth.ingress", "pontoon.bandwidth.ingress-burst"];
const EGRESS: [&str; 2] = ["pontoon.bandwidth.egress", "pontoon.bandwidth.egress-burst"];

/// Units of a rate, with the bits a second of each, and of a burst with its bytes: tc's, whose letters for bytes are powers of 1,024.
const RATES: [(&str, u64); 4] = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];
const BURSTS: [(&str, u64); 3] = [("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)];
/// Room for the largest packet that a link can have, and more than a millisecond of most rates.
const USUAL_BURST: u64 = 65_536 + 64;

/// What there is to limit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bandwidth {
    /// What the container receives.
    pub ingress: Option<Rate>,
    /// What it sends.
    pub egress: Option<Rate>,
}

impl Bandwidth {
    /// Reads the labels.
    pub(crate) fn read(labels: &TextMap) -> Result<Self> {
        Ok(Self { ingress: rate(labels, INGRESS)?, egress: rate(labels, EGRESS)? })
    }

    /// Limits a container by the other end of its link. What it sends, that one receives, through a link of this name.
    pub(crate) fn limit(&self, host_end: &Link, ifb: &str) -> Result<()> {
        if self.ingress.is_some() {
            set_rate(host_end, self.ingress)?;
        }
        if self.egress.is_some() {
            let through = add_ifb(None, ifb)?;
            set_rate(&through, self.egress)?;
            redirect(host_end, Some(&through))?;
        }
        Ok(())
    }
}

fn rate(labels: &TextMap, [rate, burst]: [&str; 2]) -> Result<Option<Rate>> {
    let Some(bits) = number(labels, rate, &RATES)? else {
        return match labels.get(burst).filter(|value| !value.is_empty()) {
            Some(value) => Err(Error::invalid_argument(format!("{burst}=\"{value}\" without {rate}"))),
            None => Ok(None),
        };
    };
    let bytes_per_second = bits / 8;
    let usual = USUAL_BURST.max(bytes_per_second / 100);
    let bytes = number(labels, burst, &BURSTS)?.unwrap_or(usual);
    match u32::try_from(bytes) {
        Ok(burst) => Ok(Some(Rate { bytes_per_second, burst })),
        Err(_) => Err(Error::invalid_argument(format!("{burst}: {bytes} bytes; at most {}", u32::MAX))),
    }
}

/// A number with one of these units, or of the last one without.
fn number(labels: &TextMap, key: &str, units: &[(&str, u64)]) -> Result<Option<u64>> {
    let Some(value) = labels.get(key).filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = value.to_ascii_lowercase();
    let found = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (digits, factor) = found.unwrap_or((text.as_str(), 1));
    let number = digits.parse().ok().and_then(|number: u64| number.checked_mul(factor)).filter(|number| *number > 0);
    let names: Vec<_> = units.iter().map(|(unit, _)| *unit).collect();
    let wrong = || Error::invalid_argument(format!("{key}=\"{value}\": a number and one of {}", names.join(", ")));
    number.map(Some).ok_or_else(wrong)
}
