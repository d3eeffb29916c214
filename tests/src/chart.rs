//! What a bench leaves for the README: its figures as data, with the machine that they are of, and plots.

use std::fs::{create_dir_all, read_to_string, write};
use std::path::PathBuf;

use plotters::prelude::*;
use serde_json::{Value, json};

use crate::Timings;

/// A line of a plot: its name, and its points.
pub type Line = (&'static str, Vec<(f64, f64)>);

const WIDTH: u32 = 760;
const ROW: i32 = 26;
/// Where the bars begin: names are left of it.
const LEFT: i32 = 260;
/// What is right of the longest bar: its figure.
const RIGHT: i32 = 90;
const FONT: &str = "sans-serif";

/// Keeps the figures of a bench beside the bench itself.
pub fn save(name: &str, figures: Value) {
    let data = json!({"machine": machine(), "figures": figures});
    write(file(name, "json"), format!("{data:#}\n")).expect("the folder can be written");
}

/// A bar for each measure's median.
pub fn bars(name: &str, title: &str, timings: &Timings, names: &[&'static str]) {
    let longest = names.iter().map(|name| timings.median(name)).fold(0.0, f64::max);
    let path = file(name, "svg");
    let root = SVGBackend::new(&path, (WIDTH, (names.len() as i32 * ROW + 50) as u32)).into_drawing_area();
    let text = |size: i32| (FONT, size).into_font().color(&BLACK);
    let drawn = root.fill(&WHITE).and_then(|()| root.draw(&Text::new(title.to_owned(), (10, 12), text(16))));
    let drawn = names.iter().enumerate().fold(drawn, |drawn, (row, name)| {
        let (top, median) = (row as i32 * ROW + 42, timings.median(name));
        let end = LEFT + ((WIDTH as i32 - LEFT - RIGHT) as f64 * median / longest) as i32;
        let colour = if name.starts_with("Pontoon") { RGBColor(0x1f, 0x6f, 0xb4) } else { RGBColor(0x99, 0x99, 0x99) };
        drawn
            .and_then(|()| root.draw(&Text::new((*name).to_owned(), (10, top), text(13))))
            .and_then(|()| root.draw(&Rectangle::new([(LEFT, top), (end, top + ROW - 10)], colour.filled())))
            .and_then(|()| root.draw(&Text::new(format!("{median:.1} ms"), (end + 6, top), text(13))))
    });
    drawn.and_then(|()| root.present()).expect("the plot can be written");
}

/// Lines over a logarithmic axis.
pub fn lines(name: &str, title: &str, axes: (&str, &str), lines: &[Line]) {
    let path = file(name, "svg");
    let root = SVGBackend::new(&path, (WIDTH, 380)).into_drawing_area();
    let points = || lines.iter().flat_map(|(_, points)| points);
    let largest = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
    let first = points().map(|point| point.0).fold(f64::MAX, f64::min);
    let (last, top) = (largest(|point| point.0), 1.1 * largest(|point| point.1));
    let drawn = root.fill(&WHITE).and_then(|()| {
        let mut chart = ChartBuilder::on(&root)
            .caption(title, (FONT, 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d((first..last).log_scale(), 0.0..top)?;
        chart.configure_mesh().x_desc(axes.0).y_desc(axes.1).x_label_formatter(&|x| format!("{x:.0}")).draw()?;
        for (at, (name, points)) in lines.iter().enumerate() {
            let colour = Palette99::pick(at).mix(1.0);
            let drawn = chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
            drawn.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).border_style(BLACK).draw()
    });
    drawn.and_then(|()| root.present()).expect("the plot can be written");
}

fn file(name: &str, kind: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/results");
    create_dir_all(&folder).expect("the folder can be made");
    folder.join(format!("{name}.{kind}"))
}

/// What the figures are of.
fn machine() -> Value {
    let field = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": kernel.trim(),
        "pontoon": env!("CARGO_PKG_VERSION"),
    })
}
