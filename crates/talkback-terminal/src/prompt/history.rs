//! The lines that were entered, kept from one run to the next.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How many lines are kept.
const LINES_MAX: usize = 1000;

/// How many bytes all that is kept has at most.
const SIZE_MAX: usize = 1 << 20;

/// The longest line that is kept, in bytes.
const LINE_MAX: usize = 64 << 10;

/// Earlier lines, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<String>,
    /// How many bytes they are.
    size: usize,
    file: Option<Kept>,
}

/// Where lines are kept: each in a line, with line feeds and backslashes escaped.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
}

impl History {
    /// What a file keeps; it is made if it is not there, and nobody else may read it.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut history = Self::default();
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let mut kept = Kept {
            path: path.to_owned(),
            file: open(path, File::options().create(true))?,
        };
        kept.cut()?;
        for line in kept.read()?.lines() {
            history.remember(unescaped(line));
        }
        history.file = Some(kept);
        Ok(history)
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn line(&self, position: usize) -> Option<&str> {
        self.lines.get(position).map(|line| &**line)
    }

    /// The latest line before `position` that has a text in it.
    pub(crate) fn find_before(&self, position: usize, text: &str) -> Option<usize> {
        let before = self.lines.iter().take(position);
        let found = before.rev().position(|line| line.contains(text))?;
        Some(position.min(self.lines.len()) - 1 - found)
    }

    /// Keeps a line, unless it begins with a blank, as one that holds a secret may, is the last one again, or
    /// is very long.
    pub(crate) fn push(&mut self, line: &str) {
        let is_hidden = line.is_empty() || line.starts_with(char::is_whitespace);
        let is_last = self.lines.back().is_some_and(|last| last == line);
        if is_hidden || is_last || line.len() > LINE_MAX {
            return;
        }
        self.remember(line.to_owned());
        if let Some(kept) = &mut self.file
            && kept.append(line).is_err()
        {
            // A full disk must not end the conversation: from now on it is kept in memory alone.
            self.file = None;
        }
    }

    fn remember(&mut self, line: String) {
        self.size += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.size > SIZE_MAX {
            let oldest = self.lines.pop_front();
            self.size -= oldest.map_or(0, |line| line.len());
        }
    }
}

impl Kept {
    /// Appends a line in one piece, as another program may do so at the same time.
    fn append(&mut self, line: &str) -> io::Result<()> {
        self.file
            .write_all(format!("{}\n", escaped(line)).as_bytes())?;
        self.cut()
    }

    /// The end of the file, from the beginning of a line on.
    fn read(&mut self) -> io::Result<String> {
        let size = self.file.metadata()?.len();
        let start = size.saturating_sub(SIZE_MAX as u64);
        self.file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        let limit = SIZE_MAX as u64;
        (&self.file).take(limit).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match (start, text.split_once('\n')) {
            (0, _) | (_, None) => text,
            (_, Some((_, rest))) => rest.to_owned(),
        })
    }

    /// Makes the file shorter once it is twice as long as what is kept of it.
    fn cut(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() <= 2 * SIZE_MAX as u64 {
            return Ok(());
        }
        let text = self.read()?;
        // Whoever reads it meanwhile reads the one or the other.
        let new = self.path.with_extension(std::process::id().to_string());
        // One of a run that died; what is opened to append cannot be cut on Windows.
        let _ = fs::remove_file(&new);
        let mut file = open(&new, File::options().create_new(true))?;
        file.write_all(text.as_bytes())?;
        // The other is closed first, as Windows may keep what is open.
        self.file = file;
        fs::rename(&new, &self.path)
    }
}

/// Opens a file to read and append, which nobody else may read.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        // A device must not get another mode, and a pipe would be waited for.
        return Err(io::Error::other("it is not a file"));
    }
    options.read(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file = options.mode(0o600).open(path)?;
        // It may be an older one.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn escaped(line: &str) -> String {
    let line = line.replace('\\', r"\\");
    line.replace('\n', r"\n").replace('\r', r"\r")
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                other => text.extend(other),
            },
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound_and_nothing_hidden() {
        let mut history = History::default();
        for line in [
            "",
            " secret",
            "\tsecret",
            "a",
            "a",
            &"x".repeat(LINE_MAX + 1),
        ] {
            history.push(line);
        }
        assert_eq!(history.lines, ["a"]);
        for number in 0..2 * LINES_MAX {
            history.push(&number.to_string());
        }
        assert_eq!(history.len(), LINES_MAX);
        for number in 0..100 {
            history.push(&format!("{number}{}", "y".repeat(LINE_MAX - 9)));
        }
        assert!(history.size <= SIZE_MAX && history.len() == SIZE_MAX / LINE_MAX);
    }

    #[test]
    fn lines_are_escaped_and_are_themselves_again() {
        for line in ["a", r"C:\new", "{\n\t\"a\\n\": 1\r\n}", "안녕"] {
            assert!(!escaped(line).contains('\n'));
            assert_eq!(unescaped(&escaped(line)), line);
        }
    }

    #[test]
    fn the_latest_before_is_found() {
        let mut history = History::default();
        for line in ["ab", "b", "ab c"] {
            history.push(line);
        }
        let found = [3, 2, 0].map(|position| history.find_before(position, "ab"));
        assert_eq!(found, [Some(2), Some(0), None]);
        assert_eq!(history.find_before(9, "ab"), Some(2));
    }

    #[test]
    fn a_device_is_no_history() {
        let error = History::open(&std::env::temp_dir()).unwrap_err();
        assert_eq!(error.to_string(), "it is not a file");
    }

    #[test]
    fn a_file_keeps_lines_within_bounds_for_the_next_run() {
        let folder = std::env::temp_dir().join(format!("talkback-history-{}", std::process::id()));
        let path = folder.join("state").join("history");
        let mut history = History::open(&path).unwrap();
        // Another prompt may shorten it at the same time.
        let others = path.with_extension("new");
        fs::write(&others, "another's").unwrap();
        for number in 0..150 {
            history.push(&format!("{number}\n{}", "z".repeat(LINE_MAX - 9)));
        }
        // Each is written, and then what is too much is taken away.
        let size = fs::metadata(&path).unwrap().len();
        assert!(size <= 2 * SIZE_MAX as u64, "{size}");
        assert_eq!(fs::read_to_string(&others).unwrap(), "another's");
        let again = History::open(&path).unwrap();
        assert!(again.line(again.len() - 1).unwrap().starts_with("149\nz"));
        assert!(again.len() >= SIZE_MAX / LINE_MAX - 1, "{}", again.len());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // A folder with open files stays on Windows.
        drop((history, again));
        fs::remove_dir_all(folder).unwrap();
    }
}
