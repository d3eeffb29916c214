//! What things take, beside each other in one run.

use std::time::{Duration, Instant};

use crate::Table;

/// Times by name, in milliseconds, in the order in which the names came.
#[derive(Default)]
pub struct Timings(Vec<(String, Vec<f64>)>);

impl Timings {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does something and notes how long it took.
    pub fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let done = work();
        self.note(name, begin.elapsed());
        done
    }

    /// Notes how long something took.
    pub fn note(&mut self, name: &str, taken: Duration) {
        let taken = taken.as_secs_f64() * 1000.0;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) => times.push(taken),
            None => self.0.push((name.to_owned(), vec![taken])),
        }
    }

    /// The time that a part of all is not above: 0.5 is the median.
    pub fn at(&self, name: &str, part: f64) -> f64 {
        at(self.all(name), part)
    }

    /// The median.
    pub fn median(&self, name: &str) -> f64 {
        self.at(name, 0.5)
    }

    /// All times of this name.
    pub fn all(&self, name: &str) -> &[f64] {
        let (_, times) = self.0.iter().find(|(known, _)| known == name).expect("something of this name was timed");
        times
    }

    /// The median of each name, for a plot.
    pub fn medians(&self) -> Vec<(String, f64)> {
        self.0.iter().map(|(name, _)| (name.clone(), self.median(name))).collect()
    }

    /// A row for each name.
    pub fn table(&self, title: &str) -> Table {
        let rounds = self.0.iter().map(|(_, times)| times.len()).max().unwrap_or_default();
        let mut table = Table::new(&format!("{title} (ms, n = {rounds})"), &["median", "p5", "p95"]);
        for (name, _) in &self.0 {
            table.row(name, &[self.median(name), self.at(name, 0.05), self.at(name, 0.95)]);
        }
        table
    }
}

/// The value that a part of all is not above.
pub fn at(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    at(values, 0.5)
}
