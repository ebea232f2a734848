//! The echo server's answers to ordinary HTTP requests.

use ::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;

use crate::metrics::Metrics;
use crate::page;
use crate::web::{WebFile, WebFiles};

/// The page to try the server with loads its own files only, and speaks to WebSocket servers.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     connect-src ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What is served at `/demo/` loads its own files only, and speaks to WebSocket servers.
const DEMO_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);
const DEMO_PATH: &str = "/demo/";

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The text format of Prometheus.
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const METRICS_PATH: &str = "/metrics";

/// Answers a request that does not ask for a WebSocket; `web` is what lies at `/demo/`, `metrics` what does at `/metrics`.
pub(crate) fn answer(
    request: &Request<()>,
    web: Option<&WebFiles>,
    metrics: Option<&Metrics>,
) -> Response<Bytes> {
    let path = request.uri().path();
    let of_demo = || web?.find(path.strip_prefix(DEMO_PATH)?).cloned();
    let mut response = if let Some(file) = page::find(path) {
        with_policy(file, PAGE_POLICY)
    } else if let Some(file) = of_demo() {
        with_policy(file, DEMO_POLICY)
    } else if path == METRICS_PATH
        && let Some(Metrics(render)) = metrics
    {
        with_body(StatusCode::OK, METRICS, render().into())
    } else {
        match path {
            // The names in the page are relative to the folder.
            "/demo" if web.is_some() => to_demo(),
            _ => nothing(),
        }
    };
    let is_readable = [Method::GET, Method::HEAD].contains(request.method());
    if !is_readable && response.status() == StatusCode::OK {
        response = text(StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD.\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
    }
    if request.method() == Method::HEAD {
        let size = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, size);
        *response.body_mut() = Bytes::new();
    }
    response
}

fn with_policy(file: WebFile, policy: HeaderValue) -> Response<Bytes> {
    let kind = HeaderValue::from_static(file.kind);
    let mut response = with_body(StatusCode::OK, kind, file.content);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn to_demo() -> Response<Bytes> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "It is at /demo/.\n");
    let place = HeaderValue::from_static(DEMO_PATH);
    response.headers_mut().insert(LOCATION, place);
    response
}

fn nothing() -> Response<Bytes> {
    text(
        StatusCode::NOT_FOUND,
        "There is no page here: open / for the test page. A WebSocket may have any path.\n",
    )
}

fn text(status: StatusCode, body: &'static str) -> Response<Bytes> {
    with_body(status, TEXT, body.into())
}

fn with_body(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn answer_to(method: Method, path: &str) -> Response<Bytes> {
        let request = Request::builder().method(method).uri(path);
        let metrics = Metrics(Arc::new(|| "up 1\n".to_owned()));
        answer(&request.body(()).unwrap(), None, Some(&metrics))
    }

    #[test]
    fn each_path_and_method_has_its_status() {
        let statuses = [
            (Method::GET, "/", 200),
            (Method::GET, "/?from=phone", 200),
            (Method::HEAD, "/", 200),
            (Method::GET, "/nothing", 404),
            (Method::POST, "/nothing", 404),
            (Method::POST, "/", 405),
            (Method::DELETE, "/", 405),
            (Method::HEAD, "/metrics", 200),
            (Method::POST, "/metrics", 405),
            (Method::GET, "/metrics/", 404),
        ];
        for (method, path, status) in statuses {
            let response = answer_to(method.clone(), path);
            assert_eq!(response.status(), status, "{method} {path}");
        }
    }

    #[test]
    fn metrics_are_there_only_if_they_are_given() {
        let given = answer_to(Method::GET, "/metrics?from=prometheus");
        assert_eq!(given.headers()[CONTENT_TYPE], METRICS);
        assert_eq!(given.into_body(), "up 1\n");
        let request = Request::get("/metrics").body(()).unwrap();
        assert_eq!(answer(&request, None, None).status(), 404);
    }

    #[test]
    fn head_tells_the_size_and_sends_nothing() {
        let response = answer_to(Method::HEAD, "/");
        assert!(response.body().is_empty());
        let size = response.headers()[CONTENT_LENGTH].to_str().unwrap();
        let page = answer_to(Method::GET, "/").into_body();
        assert_eq!(size, page.len().to_string());
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        assert_eq!(answer_to(Method::PUT, "/").headers()[ALLOW], "GET, HEAD");
    }
}
