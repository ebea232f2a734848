//! The line of JSON.

use std::fmt::{Display, Write as _};

use crate::options::Options;
use crate::server::Spending;

pub(crate) struct Report(String);

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let mut report = Self(format!("{{\"row\": \"{}\"", options.row.name));
        report.add("connections", options.connections);
        report
    }

    pub(crate) fn add(&mut self, name: &str, number: impl Display) {
        let _ = write!(self.0, ", \"{name}\": {number}");
    }

    /// Adds what so many messages took, and what the server spent on them.
    pub(crate) fn add_spent(&mut self, options: &Options, spending: &Spending) {
        let &Spending {
            messages,
            before,
            now,
        } = spending;
        self.add("messages", messages);
        self.add("wall_ns", (now.at - before.at).as_nanos());
        self.add("generator_cpu_ns", now.own_cpu_ns - before.own_cpu_ns);
        if options.pid.is_some() {
            let cpu_ns = now.cpu_ns - before.cpu_ns;
            self.add("cpu_ns", cpu_ns);
            self.add(
                "cpu_ns_each",
                format_args!("{:.2}", cpu_ns as f64 / messages.max(1) as f64),
            );
            self.add("minor_faults", now.minor_faults - before.minor_faults);
            self.add("rss_before", before.rss_bytes);
            self.add("rss_after", now.rss_bytes);
        }
    }

    pub(crate) fn end(self) -> String {
        self.0 + "}"
    }
}
