//! `talkback echo --web`: a page of one's own at `/demo/`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::support::{LIMIT, echo, run};

/// A folder with a page, beside a file that is nobody's business.
fn folder(name: &str) -> PathBuf {
    let outer = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let inner = outer.join("page");
    std::fs::create_dir_all(inner.join("deeper")).unwrap();
    for (file, content) in [
        ("page/index.html", "<!doctype html><title>own</title>"),
        ("page/app.js", "export {};"),
        ("page/app.css", "body {}"),
        ("page/app_bg.wasm", "\0asm"),
        ("page/notes.txt", "secret"),
        ("page/deeper/index.html", "secret"),
        ("secret.html", "secret"),
    ] {
        std::fs::write(outer.join(file), content).unwrap();
    }
    inner
}

/// The whole answer, in small letters.
fn get(url: &str, path: &str) -> String {
    let host = url.trim_start_matches("ws://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

#[test]
fn each_file_has_its_type_and_the_policy() {
    let folder = folder("types");
    let (server, url) = echo(&["--web", folder.to_str().unwrap()]);
    for (path, kind, content) in [
        ("/demo/", "text/html; charset=utf-8", "<title>own"),
        (
            "/demo/?ws://127.0.0.1:1/",
            "text/html; charset=utf-8",
            "<title>own",
        ),
        ("/demo/index.html", "text/html; charset=utf-8", "<title>own"),
        ("/demo/app.js", "text/javascript; charset=utf-8", "export"),
        ("/demo/app.css", "text/css; charset=utf-8", "body"),
        ("/demo/app_bg.wasm", "application/wasm", "\0asm"),
    ] {
        let answer = get(&url, path);
        assert!(answer.starts_with("http/1.1 200 "), "{path}: {answer}");
        for header in [
            &*format!("content-type: {kind}\r\n"),
            "x-content-type-options: nosniff\r\n",
            "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
            content,
        ] {
            assert!(answer.contains(header), "{path}: {header}: {answer}");
        }
    }
    let demo = format!("(demo: {}demo/)", url.replace("ws://", "http://"));
    assert!(server.stdout().contains(&demo), "{}", server.stdout());
    let moved = get(&url, "/demo");
    assert!(moved.starts_with("http/1.1 308 ") && moved.contains("location: /demo/\r\n"));
    assert!(get(&url, "/").contains("talkback echo"));
}

#[test]
fn nothing_outside_of_the_folder_is_served() {
    let folder = folder("traversal");
    let (_server, url) = echo(&["--web", folder.to_str().unwrap()]);
    for path in [
        "/demo/../secret.html",
        "/demo/..%2fsecret.html",
        "/demo/%2e%2e/secret.html",
        "/demo/..\\secret.html",
        "/demo//secret.html",
        "/demo/deeper/index.html",
        "/demo/deeper",
        "/demo/notes.txt",
        "/demo/.",
        "/index.html",
        "/demonstration",
    ] {
        let answer = get(&url, path);
        let is_refused = ["404", "400"]
            .iter()
            .any(|status| answer[9..].starts_with(status));
        assert!(is_refused && !answer.contains("secret"), "{path}: {answer}");
    }
}

#[test]
fn without_the_option_there_is_no_demo_but_that_of_a_package() {
    let (server, url) = echo(&[]);
    // Unless the command was built as a package of it is.
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("share/demo/index.html");
    let status = if index.exists() { "200" } else { "404" };
    let answer = get(&url, "/demo/");
    assert_eq!(&answer[..12], format!("http/1.1 {status}"), "{answer}");
    assert_eq!(server.stdout().contains("demo: http://"), index.exists());
}

#[test]
fn a_folder_without_a_page_takes_one_line() {
    let folder = folder("empty").join("deeper");
    std::fs::remove_file(folder.join("index.html")).unwrap();
    for folder in [folder.clone(), folder.join("missing")] {
        let folder = folder.to_str().unwrap();
        let finished = run(&["echo", "--listen", "127.0.0.1:0", "--web", folder], "");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains("--web") && finished.stderr.contains("cargo xtask web"));
    }
}
