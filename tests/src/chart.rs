//! The benches' plots.

use std::path::Path;

use plotters::prelude::*;

/// A line of a plot: its name, and its points.
pub type Line = (String, Vec<(f64, f64)>);

/// What goes to the right.
#[derive(Clone, Copy)]
pub enum Axis {
    /// The same step adds as much everywhere.
    Linear(&'static str),
    /// The same step is as many times as much everywhere.
    Logarithmic(&'static str),
}

const WIDTH: u32 = 760;
const ROW: i32 = 26;
/// Where the bars begin: names are left of it.
const LEFT: i32 = 260;
/// What is right of the longest bar: its figure.
const RIGHT: i32 = 90;
const FONT: &str = "sans-serif";

/// A bar for each name. Pontoon's own have a colour.
pub(crate) fn bars(path: &Path, title: &str, unit: &str, bars: &[(String, f64)]) {
    let longest = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let root = SVGBackend::new(path, (WIDTH, (bars.len() as i32 * ROW + 50) as u32)).into_drawing_area();
    let text = |size: i32| (FONT, size).into_font().color(&BLACK);
    let drawn = root.fill(&WHITE).and_then(|()| root.draw(&Text::new(title.to_owned(), (10, 12), text(16))));
    let drawn = bars.iter().enumerate().fold(drawn, |drawn, (row, (name, value))| {
        let top = row as i32 * ROW + 42;
        let end = LEFT + (f64::from(WIDTH as i32 - LEFT - RIGHT) * value / longest) as i32;
        let colour = if name.starts_with("Pontoon") { RGBColor(0x1f, 0x6f, 0xb4) } else { RGBColor(0x99, 0x99, 0x99) };
        drawn
            .and_then(|()| root.draw(&Text::new(name.clone(), (10, top), text(13))))
            .and_then(|()| root.draw(&Rectangle::new([(LEFT, top), (end, top + ROW - 10)], colour.filled())))
            .and_then(|()| root.draw(&Text::new(format!("{value:.1} {unit}"), (end + 6, top), text(13))))
    });
    drawn.and_then(|()| root.present()).expect("the plot can be written");
}

/// Lines from zero up.
pub(crate) fn lines(path: &Path, title: &str, x: Axis, y: &str, lines: &[Line]) {
    let root = SVGBackend::new(path, (WIDTH, 380)).into_drawing_area();
    let points = || lines.iter().flat_map(|(_, points)| points);
    let largest = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
    let first = points().map(|point| point.0).fold(f64::MAX, f64::min);
    let (last, top) = (largest(|point| point.0), 1.1 * largest(|point| point.1));
    // Logarithms are drawn on a plain axis, and its marks are what they are the logarithms of.
    let (name, is_logarithmic) = match x {
        Axis::Linear(name) => (name, false),
        Axis::Logarithmic(name) => (name, true),
    };
    let placed = |x: f64| if is_logarithmic { x.log10() } else { x };
    let mark = |x: &f64| format!("{:.0}", if is_logarithmic { 10_f64.powf(*x) } else { *x });
    let drawn = root.fill(&WHITE).and_then(|()| {
        let mut chart = ChartBuilder::on(&root)
            .caption(title, (FONT, 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(placed(first)..placed(last), 0.0..top)?;
        chart.configure_mesh().x_desc(name).y_desc(y).x_label_formatter(&mark).draw()?;
        for (at, (name, points)) in lines.iter().enumerate() {
            let colour = Palette99::pick(at).mix(1.0);
            let placed = points.iter().map(|(x, y)| (placed(*x), *y));
            let drawn = chart.draw_series(LineSeries::new(placed, colour.stroke_width(2)))?;
            drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).border_style(BLACK).draw()
    });
    drawn.and_then(|()| root.present()).expect("the plot can be written");
}
