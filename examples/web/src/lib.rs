//! A page that talks to a WebSocket server: what is typed is sent, what comes is listed.
#![cfg(all(target_family = "wasm", target_os = "unknown"))]

use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Event, HtmlFormElement, HtmlInputElement};

/// Called by the page once this is loaded.
#[wasm_bindgen(start)]
fn start() -> Result<(), JsValue> {
    let window = web_sys::window().ok_or("no window")?;
    let document = window.document().ok_or("no document")?;
    let form: HtmlFormElement = find(&document, "form")?;
    let input: HtmlInputElement = find(&document, "input")?;
    let query = window.location().search()?;
    let send = talk(query.trim_start_matches('?').to_owned(), document);
    let on_submit = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        event.prevent_default();
        send(input.value());
        input.set_value("");
    });
    form.set_onsubmit(Some(on_submit.as_ref().unchecked_ref()));
    // The page keeps it for as long as it is shown.
    on_submit.forget();
    Ok(())
}

/// Opens a channel and lists what comes; returns what sends.
#[cfg(feature = "channel")]
fn talk(url: String, document: Document) -> impl Fn(String) + 'static {
    if url.is_empty() {
        list(
            &document,
            "Put the server into this page's address: index.html?ws://127.0.0.1:9001/",
        );
    }
    #[cfg(feature = "reconnect")]
    let mut channel = talkback::connect(url).reconnect().channel();
    #[cfg(not(feature = "reconnect"))]
    let mut channel = talkback::WebSocketChannel::connect(url);
    let sender = channel.sender();
    let page = document.clone();
    spawn_local(async move {
        list(&document, "connecting");
        if channel.ready().await.is_ok() {
            list(&document, "open");
        }
        loop {
            let line = match channel.recv().await {
                Ok(Some(message)) => format!("received: {message}"),
                Ok(None) => return list(&document, "closed"),
                Err(error) => error.to_string(),
            };
            list(&document, &line);
        }
    });
    move |text: String| match sender.try_send(text.as_str()) {
        Ok(()) => list(&page, &format!("sent: {text}")),
        Err(error) => list(&page, &format!("not sent: {error}")),
    }
}

/// Lists what is typed.
#[cfg(not(feature = "channel"))]
fn talk(url: String, document: Document) -> impl Fn(String) + 'static {
    list(&document, &url);
    move |text| {
        let document = document.clone();
        spawn_local(async move { list(&document, &text) });
    }
}

fn list(document: &Document, line: &str) {
    let add = || {
        let item = document.create_element("li")?;
        item.set_text_content(Some(line));
        find::<web_sys::Element>(document, "ul")?.append_child(&item)
    };
    // A page that has no list shows none.
    let _ = add();
}

fn find<T: JsCast>(document: &Document, name: &str) -> Result<T, JsValue> {
    let found = document.query_selector(name)?.ok_or("not on the page")?;
    Ok(found.dyn_into()?)
}
