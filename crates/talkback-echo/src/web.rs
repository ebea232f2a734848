//! The files that an echo server shows at `/demo/`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use bytes::Bytes;

/// The file that a folder is opened by.
const INDEX: &str = "index.html";

/// The kinds of files that are served, by the ends of their names.
const TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("wasm", "application/wasm"),
];

/// A folder with a page, read as a whole: no request reaches the file system.
#[derive(Clone, Debug)]
pub struct WebFiles(Arc<BTreeMap<String, WebFile>>);

/// A file, and what its content is.
#[derive(Clone)]
pub(crate) struct WebFile {
    pub(crate) kind: &'static str,
    pub(crate) content: Bytes,
}

/// Shows the size: the content is megabytes.
impl fmt::Debug for WebFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebFile")
            .field("kind", &self.kind)
            .field("size", &self.content.len())
            .finish()
    }
}

impl WebFiles {
    /// Reads the files of a page: `.html`, `.css`, `.js`, `.wasm`, `.svg` and `.png`. Folders in the
    /// folder, and files of other kinds, are left out.
    ///
    /// # Errors
    /// The operating system's, if the folder or one of its files cannot be read or there is no
    /// `index.html`.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name
                && let Some(kind) = kind(name)
                && path.is_file()
            {
                let content = fs::read(&path)?.into();
                files.insert(name.to_owned(), WebFile { kind, content });
            }
        }
        if !files.contains_key(INDEX) {
            let what = "there is no index.html in it";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(Self(Arc::new(files)))
    }

    /// The files of a page that a program holds, by their names; of other kinds than [`read`](Self::read) names
    /// none is served.
    pub fn from_static(files: &[(&str, &'static [u8])]) -> Self {
        let files = files.iter().filter_map(|(name, content)| {
            let kind = kind(name)?;
            let content = Bytes::from_static(content);
            Some(((*name).to_owned(), WebFile { kind, content }))
        });
        Self(Arc::new(files.collect()))
    }

    /// The file of this name; that of the empty name is `index.html`.
    pub(crate) fn find(&self, name: &str) -> Option<&WebFile> {
        self.0.get(if name.is_empty() { INDEX } else { name })
    }
}

/// The kind of a file of this name, if such files are served.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let found = TYPES.iter().find(|(known, _)| *known == end);
    found.map(|(_, kind)| *kind)
}
