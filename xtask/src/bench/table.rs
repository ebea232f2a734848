//! A table in Markdown: costs, and how ours stand to the best of the others.

use std::fmt;

/// How many columns are ours.
const OURS: usize = 2;

pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    pub(crate) fn new(columns: &[String]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn push(&mut self, about: &str, costs: Vec<Option<f64>>) {
        self.rows.push((about.into(), costs));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratios: Vec<String> = self.columns.iter().take(OURS).map(compared).collect();
        writeln!(
            f,
            "| | {} | {} |",
            self.columns.join(" | "),
            ratios.join(" | ")
        )?;
        let count = self.columns.len() + ratios.len();
        writeln!(f, "| --- |{}", " ---: |".repeat(count))?;
        for (about, costs) in &self.rows {
            let costs_told = costs.iter().map(|cost| told(*cost, number));
            let ratios_told = ratios_of(costs).map(|ratio| told(ratio, |r| format!("{r:.2}")));
            let cells: Vec<String> = costs_told.chain(ratios_told).collect();
            writeln!(f, "| {about} | {} |", cells.join(" | "))?;
        }
        writeln!(f)
    }
}

fn compared(column: &String) -> String {
    format!("{column} ÷ best other")
}

fn told(figure: Option<f64>, how: impl Fn(f64) -> String) -> String {
    figure.map_or("–".into(), how)
}

/// How each of our columns stands to the best of the others.
fn ratios_of(costs: &[Option<f64>]) -> impl Iterator<Item = Option<f64>> {
    let (ours, others) = costs.split_at(OURS.min(costs.len()));
    let best = others.iter().flatten().copied().reduce(f64::min);
    let best = best.filter(|best| *best > 0.0);
    ours.iter().map(move |cost| Some((*cost)? / best?))
}

/// A count with a comma before each three digits; a small one with its tenths.
fn number(cost: f64) -> String {
    if cost < 20.0 {
        return format!("{cost:.1}");
    }
    let digits = format!("{cost:.0}");
    let mut told = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(number(1.25), "1.2");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_row_compares_ours_with_the_best_of_the_others() {
        let columns = ["engine", "ours", "a", "b"].map(String::from);
        let mut table = Table::new(&columns);
        table.push(
            "row",
            vec![Some(50.0), Some(300.0), Some(200.0), Some(400.0)],
        );
        table.push("new", vec![None, None, Some(200.0), None]);
        let told = table.to_string();
        assert!(
            told.contains("| row | 50 | 300 | 200 | 400 | 0.25 | 1.50 |\n"),
            "{told}"
        );
        assert!(told.starts_with(
            "| | engine | ours | a | b | engine ÷ best other | ours ÷ best other |\n"
        ));
        assert!(
            told.contains("| new | – | – | 200 | – | – | – |\n"),
            "{told}"
        );
    }
}
