//! What things take, beside each other in one run.

use std::time::{Duration, Instant};

/// Times by name, in milliseconds.
pub struct Timings(Vec<(&'static str, Vec<f64>)>);

impl Timings {
    /// None yet of these.
    pub fn of(names: &[&'static str]) -> Self {
        Self(names.iter().map(|name| (*name, Vec::new())).collect())
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
        let (_, times) = self.0.iter_mut().find(|(known, _)| *known == name).expect("a name that it was made with");
        times.push(taken.as_secs_f64() * 1000.0);
    }

    /// The time that a part of all is not above: 0.5 is the median.
    pub fn at(&self, name: &str, part: f64) -> f64 {
        let (_, times) = self.0.iter().find(|(known, _)| *known == name).expect("a name that it was made with");
        let mut times = times.clone();
        times.sort_by(f64::total_cmp);
        times[((times.len() - 1) as f64 * part).round() as usize]
    }

    /// The median.
    pub fn median(&self, name: &str) -> f64 {
        self.at(name, 0.5)
    }

    /// What there is, with all its times.
    pub fn all(&self) -> &[(&'static str, Vec<f64>)] {
        &self.0
    }

    /// Prints a table.
    pub fn print(&self) {
        let rounds = self.0.first().map_or(0, |(_, times)| times.len());
        println!("{:28} {:>9} {:>9} {:>9}   milliseconds, n = {rounds}", "", "median", "p5", "p95");
        for (name, _) in &self.0 {
            println!("{name:28} {:9.2} {:9.2} {:9.2}", self.median(name), self.at(name, 0.05), self.at(name, 0.95));
        }
    }
}
