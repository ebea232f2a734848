//! The HTTP of a hub: publishing, events, its metrics and its page.

use std::convert::Infallible;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use talkback::Refusal;
use talkback::bytes::Bytes;
use talkback::http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_TYPE, HeaderMap, ORIGIN, VARY,
};
use talkback::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use talkback::server::HttpConnection;
use talkback_topics::Start;
use tracing::info;

use super::asked;
use super::events::Events;
use super::keys::Rights;
use super::page;
use super::posting;
use super::stalling::Stalling;
use super::state::{Hub, Kill};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;
type Draining = Box<dyn Future<Output = ()> + Send + Unpin>;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The exit code of a process that was killed, as shells tell it.
const KILLED: i32 = 137;

/// Serves the one request of a connection: a client that speaks often has a WebSocket.
pub(super) async fn serve(hub: Arc<Hub>, connection: HttpConnection) {
    let (id, client) = (connection.id(), connection.client_ip());
    let draining: Draining = Box::new(connection.draining());
    let draining = Mutex::new(Some(draining));
    let is_unread = Arc::<AtomicBool>::default();
    let connection = Stalling::new(connection, Arc::clone(&is_unread));
    let service = service_fn(move |request: Request<Incoming>| {
        let draining = draining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (hub, is_unread) = (Arc::clone(&hub), Arc::clone(&is_unread));
        async move {
            let has_content = !request.body().is_end_stream();
            let answer = answer(&hub, request, draining).await;
            // What is refused may not have been read.
            let is_refused = !answer.status().is_success();
            is_unread.store(has_content && is_refused, Ordering::Relaxed);
            info!(target: "hub", id, %client, status = answer.status().as_u16(), "answered");
            Ok::<_, Infallible>(answer)
        }
    });
    let serving = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service);
    // Whoever is gone is not told.
    let _ = serving.await;
}

async fn answer(hub: &Hub, request: Request<Incoming>, draining: Option<Draining>) -> Answer {
    let origin = request.headers().get(ORIGIN).cloned();
    let rights = match hub.check(&request) {
        Ok(rights) => rights,
        Err(refusal) => return refused(refusal),
    };
    let routed = route(hub, request, rights, draining).await;
    let mut answer = routed.unwrap_or_else(refused);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        // A page that may come may read what it is told.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    answer
}

async fn route(
    hub: &Hub,
    request: Request<Incoming>,
    rights: Rights,
    draining: Option<Draining>,
) -> Result<Answer, Refusal> {
    let method = request.method().clone();
    if method == Method::OPTIONS {
        return Ok(preflight());
    }
    if let Some(name) = asked::topic(request.uri())? {
        return match method {
            Method::POST => publish(hub, &name, request, rights).await,
            Method::GET => events(hub, &name, &request, rights, draining).await,
            _ => Err(not_allowed("GET, POST")),
        };
    }
    let path = request.uri().path();
    if path == "/kill" && hub.kill == Kill::Allowed {
        if method != Method::POST {
            return Err(not_allowed("POST"));
        }
        rights.publish?;
        process::exit(KILLED);
    }
    let found = match path {
        "/metrics" => Some(with_content(page::TEXT, (hub.metrics)().into())),
        path => page::find(path).map(with_file),
    };
    match found {
        Some(found) if [Method::GET, Method::HEAD].contains(&method) => Ok(found),
        Some(_) => Err(not_allowed("GET, HEAD")),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is nothing here: topics lie at /t/TOPIC, and / is a page",
        )),
    }
}

async fn publish(
    hub: &Hub,
    name: &str,
    request: Request<Incoming>,
    rights: Rights,
) -> Result<Answer, Refusal> {
    rights.publish?;
    let topic = hub.topic(name)?;
    let published = posting::publish(&topic, request, hub.size_max).await?;
    let text = serde_json::to_string(&published).expect("it has names and numbers alone");
    let kind = "application/json";
    Ok(with_content(kind, format!("{text}\n").into()))
}

async fn events(
    hub: &Hub,
    name: &str,
    request: &Request<Incoming>,
    rights: Rights,
    draining: Option<Draining>,
) -> Result<Answer, Refusal> {
    if !accepts_events(request.headers()) {
        return Err(Refusal::new(
            StatusCode::NOT_ACCEPTABLE,
            "a topic is read by a WebSocket, or with `Accept: text/event-stream`",
        ));
    }
    rights.subscribe?;
    let mut start = asked::reading(request.uri())?.start;
    // A browser that comes back asks for the same URL.
    let last = asked::header(request.headers(), &LAST_EVENT_ID)?;
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        start = Start::After(asked::position(last)?);
    }
    let topic = hub.topic(name)?;
    let draining = draining.unwrap_or_else(|| Box::new(std::future::pending()));
    let events = Events::begin(&topic, start, hub.slow, draining).await?;
    let mut answer = Response::new(events.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    // nginx would gather events else.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    Ok(answer)
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter();
    let mut kinds = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    kinds.any(|kind| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii()
            .eq_ignore_ascii_case(EVENT_STREAM.as_bytes())
    })
}

/// What a browser asks before a page of an allowed origin may send a key or JSON.
fn preflight() -> Answer {
    let mut answer = Response::new(content(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, idempotency-key, last-event-id",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn not_allowed(methods: &'static str) -> Refusal {
    let what = format!("use one of these methods: {methods}");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, what);
    refusal.with_header(ALLOW, HeaderValue::from_static(methods))
}

fn refused(refusal: Refusal) -> Answer {
    let response = refusal.response();
    response.map(|text| content(text.into()))
}

fn with_file(file: page::File) -> Answer {
    let mut answer = with_content(file.kind, Bytes::from_static(file.content.as_bytes()));
    for (name, value) in page::HEADERS {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn with_content(kind: &'static str, bytes: Bytes) -> Answer {
    let size = bytes.len();
    let mut answer = Response::new(content(bytes));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, size.into());
    answer
}

fn content(bytes: Bytes) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes).boxed_unsync()
}
