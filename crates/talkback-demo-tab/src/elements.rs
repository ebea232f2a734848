//! The elements of `index.html` that change, and listening to them.

use wasm_bindgen::closure::Closure;
use wasm_bindgen::convert::FromWasmAbi;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, EventTarget, HtmlButtonElement, HtmlInputElement};

/// What changes, or is listened to, by its `id`.
#[derive(Debug)]
pub(crate) struct Elements {
    pub(crate) title: Element,
    pub(crate) sending: Element,
    pub(crate) field: HtmlInputElement,
    pub(crate) problem: Element,
    pub(crate) reconnecting: Element,
    pub(crate) answer: Element,
    pub(crate) connecting: Element,
    pub(crate) url: HtmlInputElement,
    pub(crate) connect: HtmlButtonElement,
    pub(crate) disconnect: HtmlButtonElement,
    pub(crate) state: Element,
    pub(crate) ending: Element,
    pub(crate) log: Element,
}

impl Elements {
    pub(crate) fn find(document: &Document) -> Result<Self, JsValue> {
        Ok(Self {
            title: find(document, "title")?,
            sending: find(document, "sending")?,
            field: find(document, "field")?,
            problem: find(document, "problem")?,
            reconnecting: find(document, "reconnecting")?,
            answer: find(document, "answer")?,
            connecting: find(document, "connecting")?,
            url: find(document, "url")?,
            connect: find(document, "connect")?,
            disconnect: find(document, "disconnect")?,
            state: find(document, "state")?,
            ending: find(document, "ending")?,
            log: find(document, "log")?,
        })
    }
}

fn find<T: JsCast>(document: &Document, id: &str) -> Result<T, JsValue> {
    let found = document.get_element_by_id(id);
    let found = found.ok_or_else(|| format!("the page has no element {id}"))?;
    Ok(found.dyn_into()?)
}

/// Shows a text. One that is there already is left alone: it may be selected, or being read out.
pub(crate) fn set_text(element: &Element, text: &str) {
    if element.text_content().as_deref() != Some(text) {
        element.set_text_content(Some(text));
    }
}

/// Calls `react` whenever this happens, for as long as the page is shown.
pub(crate) fn listen<E: FromWasmAbi + 'static>(
    target: &EventTarget,
    event: &str,
    react: impl FnMut(E) + 'static,
) -> Result<(), JsValue> {
    let react = Closure::<dyn FnMut(E)>::new(react);
    target.add_event_listener_with_callback(event, react.as_ref().unchecked_ref())?;
    react.forget();
    Ok(())
}
