//! What a bench finds: tables that it prints, goals that it meets or misses, plots. All of it is kept as data, with the machine that it is of.

use std::fs::{create_dir_all, read_to_string, write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::chart::{self, Axis, Line};

/// `PONTOON_BENCH=short` shows in a few minutes that each bench works. Its figures say nothing, and are kept elsewhere.
pub fn is_short() -> bool {
    std::env::var("PONTOON_BENCH").is_ok_and(|form| form == "short")
}

/// How often something is done: in the short form a tenth, at least twice.
pub fn rounds(number: usize) -> usize {
    if is_short() { (number / 10).max(2) } else { number }
}

/// Does the same with each of several things in each round, and begins with another one each time: what comes after which costs, too.
pub fn interleaved<T>(rounds: usize, things: &mut [T], mut work: impl FnMut(&mut T)) {
    for _ in 0..rounds {
        things.iter_mut().for_each(&mut work);
        things.rotate_left(1);
    }
}

/// Does something with each of these numbers, so many at a time.
pub fn at_once(workers: usize, numbers: Range<usize>, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| numbers.contains(n)) {
                    work(number);
                }
            });
        }
    });
}

/// Figures with names on both sides.
#[derive(Serialize, Deserialize)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// One without rows.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, name: &str, figures: &[f64]) {
        self.rows.push((name.to_owned(), figures.to_vec()));
    }

    /// For a terminal.
    pub fn print(&self) {
        let widths: Vec<_> = self.columns.iter().map(|column| column.len().max(9)).collect();
        let heads: String =
            self.columns.iter().zip(&widths).map(|(column, width)| format!("  {column:>width$}")).collect();
        println!("\n{}\n{:40}{heads}", self.title, "");
        for (name, figures) in &self.rows {
            let cells: String =
                figures.iter().zip(&widths).map(|(figure, width)| format!("  {:>width$}", shown(*figure))).collect();
            println!("{name:40}{cells}");
        }
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head = [std::slice::from_ref(&self.title), &self.columns].concat();
        let rule = head.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "--:" }.to_owned());
        let rows = self.rows.iter().map(|(name, figures)| {
            let cells = figures.iter().map(|figure| shown(*figure));
            line(&std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>())
        });
        [line(&head), line(&rule.collect::<Vec<_>>())].into_iter().chain(rows).collect()
    }
}

/// Three digits are enough.
fn shown(figure: f64) -> String {
    match figure.abs() {
        f if f >= 100.0 => format!("{figure:.0}"),
        f if f >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// A figure, and what it has to be.
#[derive(Clone, Serialize, Deserialize)]
pub struct Goal {
    what: String,
    figure: f64,
    limit: f64,
    is_most: bool,
}

impl Goal {
    /// Met, or missed by how much.
    fn verdict(&self) -> String {
        let over = if self.is_most { self.figure / self.limit } else { self.limit / self.figure };
        match over <= 1.0 {
            true => "met".to_owned(),
            false => format!("missed: {over:.2} times"),
        }
    }

    /// What it is, what is wanted, what there is, and whether that is enough.
    pub fn cells(&self) -> [String; 4] {
        let limit = format!("{} {}", if self.is_most { "at most" } else { "at least" }, shown(self.limit));
        [self.what.clone(), limit, shown(self.figure), self.verdict()]
    }

    /// For a terminal.
    pub fn print(&self) {
        let [what, limit, figure, verdict] = self.cells();
        println!("{what:78} {limit:14} {figure:>7}  {verdict}");
    }
}

/// What one bench found.
#[derive(Serialize, Deserialize)]
pub struct Report {
    name: String,
    /// What it was measured on.
    pub machine: Machine,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Its goals.
    pub goals: Vec<Goal>,
    /// Names of its plots' files.
    pub plots: Vec<String>,
}

impl Report {
    /// Nothing yet, of the bench of this name.
    pub fn of(name: &str) -> Self {
        let (machine, tables, goals, plots) = (Machine::here(), Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), machine, tables, goals, plots }
    }

    /// What that bench has kept, if it has run.
    pub fn read(name: &str) -> Option<Self> {
        let text = read_to_string(file(&format!("{name}.json"))).ok()?;
        Some(serde_json::from_str(&text).expect("a report of this version: run `make bench` again"))
    }

    /// Prints a table and keeps it.
    pub fn table(&mut self, table: Table) {
        table.print();
        self.tables.push(table);
    }

    /// A goal: the figure has to be at most this.
    pub fn at_most(&mut self, what: &str, figure: f64, limit: f64) {
        self.goals.push(Goal { what: what.to_owned(), figure, limit, is_most: true });
    }

    /// A goal: the figure has to be at least this.
    pub fn at_least(&mut self, what: &str, figure: f64, limit: f64) {
        self.goals.push(Goal { what: what.to_owned(), figure, limit, is_most: false });
    }

    /// A plot with a bar for each name.
    pub fn bars(&mut self, name: &str, title: &str, unit: &str, bars: &[(String, f64)]) {
        let plot = format!("{name}.svg");
        chart::bars(&file(&plot), title, unit, bars);
        self.plots.push(plot);
    }

    /// A plot with lines.
    pub fn lines(&mut self, name: &str, title: &str, x: Axis, y: &str, lines: &[Line]) {
        let plot = format!("{name}.svg");
        chart::lines(&file(&plot), title, x, y, lines);
        self.plots.push(plot);
    }

    /// Prints the goals and keeps all of it beside the benches.
    pub fn save(self) {
        println!();
        self.goals.iter().for_each(Goal::print);
        let text = serde_json::to_string_pretty(&self).expect("figures have a form in JSON");
        write(file(&format!("{}.json", self.name)), text + "\n").expect("the folder can be written");
    }
}

/// Where the benches keep what they find.
pub fn file(name: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = tests.join(if is_short() { "../target/bench-short" } else { "bench/results" });
    create_dir_all(&folder).expect("the folder can be made");
    folder.join(name)
}

/// What the figures are of.
#[derive(Serialize, Deserialize)]
pub struct Machine {
    processor: String,
    processors: usize,
    /// KiB.
    memory: u64,
    kernel: String,
    pontoon: String,
}

impl Machine {
    fn here() -> Self {
        let field = |file: &str, name: &str| {
            let text = read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
            line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory: field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default(),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            pontoon: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        let Self { processor, processors, memory, kernel, pontoon } = self;
        format!(
            "Pontoon {pontoon} on {processors} processors ({processor}), {} GiB of memory, Linux {kernel}.",
            memory >> 20
        )
    }
}
