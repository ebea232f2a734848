//! Sends one message after another through a codec, so that the instructions can be counted.
//!
//! `codec list` prints the rows and the columns of the table, `codec ROW COLUMN COUNT` runs COUNT
//! messages. The cost of a message is the difference between two runs, divided by the difference
//! of their counts: what is done once cancels out.

mod case;
mod columns;
mod transport;

use std::process::ExitCode;

use crate::case::CASES;
use crate::columns::COLUMNS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => list(),
        [row, column, count] => return run(row, column, count),
        _ => {
            eprintln!("codec: either `list`, or a row, a column and a count");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// A line for each row: its name, how many messages make a good count, the columns that have it,
/// and what it is.
fn list() {
    for case in CASES {
        let columns: Vec<&str> = COLUMNS
            .iter()
            .filter(|column| (column.has)(case))
            .map(|column| column.name)
            .collect();
        let columns = columns.join(",");
        println!("{}\t{}\t{columns}\t{}", case.name, case.count, case.about);
    }
}

fn run(row: &str, column: &str, count: &str) -> ExitCode {
    let case = CASES.iter().find(|case| case.name == row);
    let column = COLUMNS.iter().find(|known| known.name == column);
    let (Some(case), Some(column), Ok(count)) = (case, column, count.parse()) else {
        eprintln!("codec: no such row, column or count; `codec list` tells what there is");
        return ExitCode::from(2);
    };
    column.run(case, count);
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_passes_what_it_says_it_has() {
        for case in CASES {
            for column in COLUMNS {
                if (column.has)(case) {
                    column.run(case, case.batch * 2);
                }
            }
        }
    }
}
