//! The report as one page, which needs no other file.

use crate::bench::plots;
use crate::bench::report::Report;
use crate::bench::text::{figures, load, number};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:900px;margin:2em auto;padding:0 1em}
h1{font-size:1.6em;margin:0}h2{font-size:1.15em;margin:1.6em 0 .4em}
table{border-collapse:collapse}th{text-align:left;font-weight:600;vertical-align:top}
th,td{padding:.2em 1.2em .2em 0;border-bottom:1px solid #ddd}td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.error{color:#a40000}svg{max-width:100%;height:auto}p{margin:.3em 0}";

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let title = escaped(&report.title);
    let mut rows = vec![
        row("server", &report.url),
        row("load", &load(report)),
        row("ended", &report.time),
    ];
    rows.extend(figures(report).iter().map(|(name, value)| row(name, value)));
    let latencies = report
        .latency
        .named()
        .map(|(name, _, value)| row(name, &format!("{value:.3} ms")));
    let plots = match report.histogram.is_empty() {
        true => "<p>No message was answered.</p>".to_owned(),
        false => [
            plot(
                "Latency, by the share of messages that took no longer",
                &plots::quantiles(report),
            ),
            plot("Latency, by number of messages", &plots::histogram(report)),
            plot("Latency over time", &plots::latency(report)),
            plot("Answers over time", &plots::throughput(report)),
        ]
        .concat(),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <table>{}</table>\n{}\n<h2>Latency</h2>\n<p>{}</p>\n<table>{}</table>\n{plots}\n</body>\n</html>\n",
        rows.concat(),
        errors(report),
        from(report),
        latencies.concat(),
    )
}

fn from(report: &Report) -> &'static str {
    match report.is_corrected {
        true => "From when a message was due, also where the server held up those before it.",
        false => "From when a message was sent: what the server holds up is not sent meanwhile.",
    }
}

fn errors(report: &Report) -> String {
    if report.errors.is_empty() {
        return "<p>No errors: every message was answered, and rightly.</p>".to_owned();
    }
    let rows: Vec<String> = report
        .errors
        .iter()
        .map(|error| row(&number(error.count), &error.cause))
        .collect();
    format!(
        "<h2>Errors</h2>\n<table class=\"error\">{}</table>",
        rows.concat()
    )
}

fn row(name: &str, value: &str) -> String {
    format!(
        "<tr><th>{}</th><td>{}</td></tr>\n",
        escaped(name),
        escaped(value)
    )
}

fn plot(name: &str, svg: &str) -> String {
    format!(
        "<figure style=\"margin:0\" role=\"img\" aria-label=\"{name}\"><h2>{name}</h2>\n{svg}</figure>\n"
    )
}

/// A text that is no markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
