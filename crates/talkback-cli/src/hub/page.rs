//! The page at `/`: plain HTML, style and script, as they lie in the folder `page`.

use talkback::http::header::{CONTENT_SECURITY_POLICY, HeaderName, X_CONTENT_TYPE_OPTIONS};

pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// It loads its own files only, and speaks to hubs.
pub(super) const HEADERS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src ws: wss: http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// A file of the page.
#[derive(Clone, Copy)]
pub(super) struct File {
    path: &'static str,
    pub(super) kind: &'static str,
    pub(super) content: &'static str,
}

const FILES: [File; 4] = [
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        content: include_str!("page/index.html"),
    },
    File {
        path: "/page/page.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("page/page.css"),
    },
    File {
        path: "/page/page.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("page/page.js"),
    },
    File {
        path: "/page/hub.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("page/hub.js"),
    },
];

/// What lies at this path.
pub(super) fn find(path: &str) -> Option<File> {
    FILES.into_iter().find(|file| file.path == path)
}
