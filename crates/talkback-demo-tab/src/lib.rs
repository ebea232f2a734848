//! The demo in a browser tab: the recipe's screen, in plain DOM.
//!
//! What is shown and done is the `Page`'s; `tab.rs` shows it. What does not change stands in
//! `page/index.html`, with its style beside it.
#![cfg(all(target_family = "wasm", target_os = "unknown"))]

mod elements;
mod tab;

use talkback_demo::state::{Page, TITLE, channel};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::Location;

/// Called by the page once this is loaded.
#[wasm_bindgen(start)]
fn start() -> Result<(), JsValue> {
    let window = web_sys::window().ok_or("no window")?;
    let document = window.document().ok_or("no document")?;
    let url = server(&window.location())?;
    let page = Page::new(TITLE, url.as_str(), channel(&url));
    document.set_title(page.title());
    tab::show(page, window, &document)
}

/// The server: that of the address, `index.html?ws://127.0.0.1:9001/`, or where the page is from.
fn server(location: &Location) -> Result<String, JsValue> {
    if let Some(url) = location.search()?.strip_prefix('?') {
        return Ok(url.to_owned());
    }
    let host = location.host()?;
    Ok(match &*location.protocol()? {
        "https:" => format!("wss://{host}/"),
        "http:" => format!("ws://{host}/"),
        _ => "ws://127.0.0.1:9001/".to_owned(),
    })
}
