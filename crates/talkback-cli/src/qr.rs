//! A QR code in a terminal.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Black on white in 256 colours, whatever the terminal's own are: some readers take no code of light on dark.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const NO_COLOURS: &str = "\x1b[0m";

/// The code of a text, two modules to a character; `None` if it is too long for one.
pub(crate) fn code(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let drawn = code.render::<Dense1x2>().build();
    let lines: Vec<String> = drawn
        .lines()
        .map(|line| format!("{COLOURS}{line}{NO_COLOURS}"))
        .collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the module at this place is dark, out of what a terminal shows.
    fn is_dark(rows: &[Vec<char>], x: usize, y: usize) -> bool {
        match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            ' ' => false,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_terminal_shows_is_read_as_the_text() {
        let text = "http://192.0.2.7:9001/";
        let drawn = code(text).unwrap();
        let rows: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| {
                let line = line.strip_prefix(COLOURS).unwrap();
                line.strip_suffix(NO_COLOURS).unwrap().chars().collect()
            })
            .collect();
        // Modules of three pixels.
        let (width, height) = (rows[0].len() * 3, rows.len() * 2 * 3);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            match is_dark(&rows, x / 3, y / 3) {
                true => 0,
                false => 255,
            }
        });
        let found = image.detect_grids();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].decode().unwrap().1, text);
        assert_eq!(code(&"x".repeat(5000)), None);
    }
}
