//! A table in Markdown: costs, and how the first library's stand to the best of the others.

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
        writeln!(
            f,
            "| | {} | talkback ÷ best other |",
            self.columns.join(" | ")
        )?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.columns.len() + 1))?;
        for (about, costs) in &self.rows {
            let told: Vec<String> = costs
                .iter()
                .map(|cost| cost.map_or("–".into(), number))
                .collect();
            let ratio = ratio(costs).map_or("–".into(), |ratio| format!("{ratio:.2}"));
            writeln!(f, "| {about} | {} | {ratio} |", told.join(" | "))?;
        }
        writeln!(f)
    }
}

/// How the last of our columns stands to the best of the others.
fn ratio(costs: &[Option<f64>]) -> Option<f64> {
    let (ours, others) = costs.split_at_checked(OURS)?;
    let best = others.iter().flatten().copied().reduce(f64::min)?;
    let ours = (*ours.last()?)?;
    (best > 0.0).then_some(ours / best)
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
            vec![Some(1.0), Some(300.0), Some(200.0), Some(400.0)],
        );
        table.push("new", vec![None, None, Some(200.0), None]);
        let told = table.to_string();
        assert!(
            told.contains("| row | 1.0 | 300 | 200 | 400 | 1.50 |\n"),
            "{told}"
        );
        assert!(told.contains("| new | – | – | 200 | – | – |\n"), "{told}");
    }
}
