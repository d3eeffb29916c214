//! The goals beside what was found: the table that `make bench` ends with, and the page that has all tables and plots.

use std::fmt::Write;

use pontoon_tests::{Report, file};

use crate::BENCHES;

pub fn run() {
    let reports: Vec<Report> = BENCHES.iter().filter_map(|(name, _)| Report::read(name)).collect();
    let Some(first) = reports.first() else { return println!("no bench has run yet: `make bench`") };
    let mut page =
        "# What the benches found\n\nMade by `make bench`. Each figure is to be read beside those of the same table: \
                    they are of one run, in turn. [Why goals are missed](../README.md).\n\n"
            .to_owned();
    writeln!(page, "{}\n\n## Goals\n\n| | goal | found | |\n| --- | --: | --: | --- |", first.machine.sentence())
        .unwrap();
    for goal in reports.iter().flat_map(|report| &report.goals) {
        goal.print();
        writeln!(page, "| {} |", goal.cells().join(" | ")).unwrap();
    }
    page += "\n## Figures\n";
    for table in reports.iter().flat_map(|report| &report.tables) {
        write!(page, "\n{}", table.markdown()).unwrap();
    }
    page += "\n## Plots\n\n";
    for plot in reports.iter().flat_map(|report| &report.plots) {
        writeln!(page, "![{}]({plot})\n", plot.trim_end_matches(".svg")).unwrap();
    }
    std::fs::write(file("README.md"), page.trim_end().to_owned() + "\n").unwrap();
}
