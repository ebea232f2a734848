//! The plots of a report, as SVG within a page.

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use crate::bench::report::{Bar, Report};

const SIZE: (u32, u32) = (860, 300);

/// Colours that people with weak sight for red and green can tell apart.
const BLUE: RGBColor = RGBColor(0, 90, 181);
const ORANGE: RGBColor = RGBColor(220, 120, 0);
const GREY: RGBColor = RGBColor(130, 130, 130);

/// Where nothing can be drawn there is no plot.
type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Answers a second over time.
pub(crate) fn throughput(report: &Report) -> String {
    svg(|area| {
        let points = &report.points;
        let end = points.last().map_or(1.0, |point| point.at);
        let top = points
            .iter()
            .map(|point| point.per_second)
            .fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(50)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(0.0..end, 0.0..top * 1.1)?;
        mesh(&mut chart, "seconds", "answers a second", &|at| {
            format!("{at}")
        })?;
        let line = points.iter().map(|point| (point.at, point.per_second));
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        Ok(())
    })
}

/// Latencies over time.
pub(crate) fn latency(report: &Report) -> String {
    svg(|area| {
        let points: Vec<_> = report
            .points
            .iter()
            .filter(|point| point.max > 0.0)
            .collect();
        let end = report.points.last().map_or(1.0, |point| point.at);
        let least = points
            .iter()
            .map(|point| point.p50)
            .fold(f64::MAX, f64::min);
        let most = points.iter().map(|point| point.max).fold(0.0, f64::max);
        let (bottom, top) = whole_decades(least, most);
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(50)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(0.0..end, (bottom..top).log_scale())?;
        mesh(&mut chart, "seconds", "latency (ms)", &|at| format!("{at}"))?;
        for (name, colour, value) in [("max", GREY, 0), ("p99", ORANGE, 1), ("p50", BLUE, 2)] {
            let line = points.iter().map(|point| {
                let values = [point.max, point.p99, point.p50];
                (point.at, values[value].max(bottom))
            });
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font(("sans-serif", 15))
            .background_style(WHITE)
            .border_style(GREY)
            .draw()?;
        Ok(())
    })
}

/// Latencies by the share of messages that took no longer.
pub(crate) fn quantiles(report: &Report) -> String {
    svg(|area| {
        let latency = &report.latency;
        let (bottom, top) = whole_decades(latency.min, latency.max);
        // On this axis each 9 more is as far as the one before it.
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(50)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d((0.999..1.001e5).log_scale(), (bottom..top).log_scale())?;
        mesh(
            &mut chart,
            "share of the messages",
            "latency (ms)",
            &|nines: &f64| format!("{} %", 100.0 - 100.0 / nines),
        )?;
        let named = latency.named();
        let line = named.iter().filter(|(_, rest, _)| *rest > 0.0);
        let line = line.map(|(_, rest, value)| (1.0 / rest, value.max(bottom)));
        let line = std::iter::once((1.0, latency.min.max(bottom)))
            .chain(line)
            .chain([(1e5, latency.max)]);
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        Ok(())
    })
}

/// How many messages had which latency.
pub(crate) fn histogram(report: &Report) -> String {
    svg(|area| {
        let bars = &report.histogram;
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            return Ok(());
        };
        let top = bars.iter().map(|bar| bar.count).max().unwrap_or(1);
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(50)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d((first.from..last.to).log_scale(), 0.0..top as f64 * 1.1)?;
        mesh(&mut chart, "latency (ms)", "messages", &|at| {
            format!("{at}")
        })?;
        let bar = |bar: &Bar| {
            let corners = [(bar.from, 0.0), (bar.to, bar.count as f64)];
            Rectangle::new(corners, BLUE.filled())
        };
        chart.draw_series(bars.iter().map(bar))?;
        Ok(())
    })
}

/// The axes, with their names.
fn mesh<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    x_name: &str,
    y_name: &str,
    x_label: &dyn Fn(&f64) -> String,
) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GREY.mix(0.3))
        .x_desc(x_name)
        .y_desc(y_name)
        .x_label_formatter(x_label)
        .label_style(("sans-serif", 15))
        .draw()?;
    Ok(())
}

/// Powers of ten around both, and a little more, so that their lines are drawn.
fn whole_decades(least: f64, most: f64) -> (f64, f64) {
    let most = most.max(0.001);
    let least = least.clamp(0.0001, most);
    let (bottom, top) = (least.log10().floor(), most.log10().ceil());
    let top = top.max(bottom + 1.0);
    (10_f64.powf(bottom) * 0.999, 10_f64.powf(top) * 1.001)
}

fn svg(draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        if draw(&area).and_then(|()| Ok(area.present()?)).is_err() {
            return String::new();
        }
    }
    // Within a page it needs no name of its language.
    text.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "")
}
