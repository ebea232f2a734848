//! The report for a terminal.

use std::fmt::Write as _;

use talkback_terminal::show::escaped;

use crate::bench::report::Report;

/// How wide the longest bar is.
const BAR_WIDTH: f64 = 40.0;

/// The report in lines, without the last one's end.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // A text takes all that is written.
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("server", report.url.clone());
    line("load", load(report));
    for (name, value) in figures(report) {
        line(name, value);
    }
    for error in &report.errors {
        let cause = escaped(&error.cause);
        line("error", format!("{} times: {cause}", number(error.count)));
    }
    if report.histogram.is_empty() {
        text.truncate(text.trim_end().len());
        return text;
    }
    let from = match report.is_corrected {
        true => "from when a message was due",
        false => "from when a message was sent; --rate counts from when it was due",
    };
    let _ = write!(text, "latency     in ms, {from}");
    for (name, _, value) in report.latency.named() {
        let _ = write!(text, "\n  {name:<8}{value:>12.3}");
    }
    let highest = report.histogram.iter().map(|bar| bar.count).max();
    for bar in &report.histogram {
        let share = bar.count as f64 / highest.unwrap_or(1).max(1) as f64;
        let width = (share * BAR_WIDTH).ceil() as usize;
        let (bar, count) = (bar.to, number(bar.count));
        let space = if width > 0 { " " } else { "" };
        let _ = write!(
            text,
            "\n  < {bar:<11.3} {}{space}{count}",
            "#".repeat(width)
        );
    }
    text
}

/// What was asked for, in words.
pub(crate) fn load(report: &Report) -> String {
    let load = &report.load;
    let rate = match load.rate {
        Some(rate) => format!("{rate} messages a second"),
        None => "each message after the answer to the last".to_owned(),
    };
    let sizes = match (load.sizes.iter().min(), load.sizes.iter().max()) {
        (Some(min), Some(max)) if min < max => format!("{min} to {max}"),
        (size, _) => size.map_or(0, |size| *size).to_string(),
    };
    let pipeline = match load.pipeline {
        1 => String::new(),
        number => format!(", up to {number} at once on each connection"),
    };
    let compression = match load.is_compressed {
        _ if report.opened == 0 => "compression —",
        true => "compression agreed on",
        false => "no compression",
    };
    format!(
        "{} connections, {} of {sizes} bytes, {rate}{pipeline}, {compression}",
        number(u64::from(load.connections)),
        load.kind
    )
}

/// The figures, with their names.
pub(crate) fn figures(report: &Report) -> Vec<(&'static str, String)> {
    let times = match report.opened {
        0 => String::new(),
        _ => format!(
            "; p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            report.opening.p50, report.opening.p99, report.opening.max
        ),
    };
    let mut figures = vec![
        (
            "opened",
            format!(
                "{} connections in {:.2} s{times}",
                number(report.opened),
                report.opened_after_seconds
            ),
        ),
        (
            "sent",
            format!("{} in {:.2} s", number(report.sent), report.seconds),
        ),
        (
            "answered",
            format!(
                "{}, {} a second, {:.2} MiB/s",
                number(report.answered),
                number(report.answers_per_second.round() as u64),
                report.bytes_per_second / f64::from(1 << 20),
            ),
        ),
    ];
    if report.unsent > 0 {
        let text = format!(
            "{} that were due: answers came too late for them, or the connections were too few",
            number(report.unsent)
        );
        figures.push(("not sent", text));
    }
    if let Some((each, processors)) = report.processor_us_each.zip(report.processors) {
        figures.push((
            "own CPU",
            format!("{each:.2} µs a message, {processors:.2} processors busy"),
        ));
    }
    figures
}

/// A number with commas.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
    }
}
