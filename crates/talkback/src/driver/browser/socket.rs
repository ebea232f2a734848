//! The browser's WebSocket and its callbacks, freed together.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, JsString, Uint8Array};
use talkback_proto::Message;
use talkback_proto::handshake::WsUrl;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, EventTarget, MessageEvent, WebSocket};

use crate::driver::browser::events::{Closed, Events, Page, Phase};
use crate::error::{ConnectError, said_by_browser};

/// What a browser forbids when it throws a `SecurityError`.
const FORBIDDEN: &str = "A page that came over https may only use wss://";

type Callback<E> = Closure<dyn FnMut(E)>;

/// A socket of the browser's; dropping it closes it and frees its callbacks.
pub(super) struct BrowserSocket {
    socket: WebSocket,
    events: Rc<RefCell<Events>>,
    on_page_hide: Callback<Event>,
    // The browser calls these while the socket lives.
    _on_open: Callback<Event>,
    _on_message: Callback<MessageEvent>,
    _on_error: Callback<Event>,
    _on_close: Callback<CloseEvent>,
}

impl BrowserSocket {
    /// Asks the browser for a connection.
    pub(super) fn open(
        server: &WsUrl,
        subprotocols: &[String],
        on_page_left: impl Fn() + 'static,
    ) -> Result<Self, ConnectError> {
        let protocols = Array::new();
        for name in subprotocols {
            protocols.push(&JsValue::from_str(name));
        }
        let scheme = if server.is_secure() { "wss" } else { "ws" };
        let (host, target) = (server.host_header(), server.request_target());
        let url = format!("{scheme}://{host}{target}");
        let socket = WebSocket::new_with_str_sequence(&url, &protocols).map_err(|error| {
            let advice = match error.dyn_ref::<js_sys::Error>() {
                Some(error) if error.name() == "SecurityError" => FORBIDDEN,
                _ => "Check the URL and the subprotocols",
            };
            ConnectError::BrowserRefused {
                url: server.to_string(),
                error: said_by_browser(&text_of(&error), &url, subprotocols),
                advice,
            }
        })?;
        // A Blob would have to be read asynchronously, and would be overtaken by what comes later.
        socket.set_binary_type(BinaryType::Arraybuffer);
        let events = Rc::<RefCell<Events>>::default();
        let on_open = callback(&events, |events, _: Event| events.was_open = true);
        let on_message = callback(&events, |events, event: MessageEvent| {
            events.push(message(&event.data()));
        });
        let on_error = callback(&events, |events, _: Event| events.phase = Phase::Failed);
        let on_close = callback(&events, |events, event: CloseEvent| {
            events.phase = Phase::Closed(Closed {
                code: event.code(),
                reason: event.reason(),
                was_clean: event.was_clean(),
                is_failed: matches!(events.phase, Phase::Failed),
            });
        });
        let on_page_hide = {
            let events = Rc::clone(&events);
            Closure::new(move |_: Event| {
                change_and_wake(&events, |events| events.page = Page::Left);
                on_page_left();
            })
        };
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        let page: EventTarget = js_sys::global().unchecked_into();
        // Those that capture are called first, and tasks run before the next is: what is queued has left when the
        // loop of a channel that reconnects hears of it, and closes. A worker has no such event; it ends with its
        // page.
        let _ = page.add_event_listener_with_callback_and_bool(
            "pagehide",
            on_page_hide.as_ref().unchecked_ref(),
            true,
        );
        Ok(Self {
            socket,
            events,
            on_page_hide,
            _on_open: on_open,
            _on_message: on_message,
            _on_error: on_error,
            _on_close: on_close,
        })
    }

    pub(super) fn set_waker(&self, cx: &Context<'_>) {
        self.events.borrow_mut().waker = Some(cx.waker().clone());
    }

    pub(super) fn was_open(&self) -> bool {
        self.events.borrow().was_open
    }

    /// Whether the closing handshake has begun, by either end, or the connection is gone.
    pub(super) fn is_ending(&self) -> bool {
        self.socket.ready_state() >= WebSocket::CLOSING
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        match &self.events.borrow().phase {
            Phase::Closed(closed) => Some(closed.clone()),
            _ => None,
        }
    }

    pub(super) fn is_page_left(&self) -> bool {
        self.events.borrow().page == Page::Left
    }

    pub(super) fn next_message(&self) -> Option<Message> {
        self.events.borrow_mut().pop()
    }

    pub(super) fn unread_bytes(&self) -> usize {
        self.events.borrow().bytes()
    }

    pub(super) fn discard_messages(&self) {
        self.events.borrow_mut().clear();
    }

    /// The subprotocol that the server chose.
    pub(super) fn protocol(&self) -> Option<String> {
        Some(self.socket.protocol()).filter(|protocol| !protocol.is_empty())
    }

    /// Whether nobody sees the page, which makes its timers slow. A worker has none.
    pub(super) fn is_page_hidden(&self) -> bool {
        let property =
            |object: &JsValue, name| js_sys::Reflect::get(object, &JsValue::from_str(name));
        property(&js_sys::global(), "document")
            .and_then(|document| property(&document, "hidden"))
            .is_ok_and(|hidden| hidden.is_truthy())
    }

    /// How many bytes the browser has not written yet.
    pub(super) fn buffered(&self) -> usize {
        self.socket.buffered_amount() as usize
    }

    pub(super) fn send(&self, message: &Message) -> Result<(), JsValue> {
        match message {
            Message::Text(text) => self.socket.send_with_str(text),
            Message::Binary(bytes) => self.socket.send_with_u8_array(bytes),
        }
    }

    /// Begins the closing handshake. The code and reason were checked before.
    pub(super) fn close(&self, frame: Option<(u16, &str)>) {
        let _ = match frame {
            Some((code, reason)) => self.socket.close_with_code_and_reason(code, reason),
            None => self.socket.close(),
        };
    }
}

impl Drop for BrowserSocket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onerror(None);
        self.socket.set_onclose(None);
        let page: EventTarget = js_sys::global().unchecked_into();
        let callback = self.on_page_hide.as_ref().unchecked_ref();
        let _ = page.remove_event_listener_with_callback_and_bool("pagehide", callback, true);
        // One that is closed stays so.
        let _ = self.socket.close();
    }
}

/// A callback that leaves something and wakes the driver.
fn callback<E: wasm_bindgen::convert::FromWasmAbi + 'static>(
    events: &Rc<RefCell<Events>>,
    mut change: impl FnMut(&mut Events, E) + 'static,
) -> Callback<E> {
    let events = Rc::clone(events);
    Closure::new(move |event| change_and_wake(&events, |events| change(events, event)))
}

fn change_and_wake(events: &RefCell<Events>, change: impl FnOnce(&mut Events)) {
    let waker = {
        let mut events = events.borrow_mut();
        change(&mut events);
        events.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A message event's data: a string or, as asked for, an ArrayBuffer.
fn message(data: &JsValue) -> Message {
    match data.dyn_ref::<JsString>() {
        Some(text) => String::from(text).into(),
        None => {
            let buffer = data.unchecked_ref::<ArrayBuffer>();
            Bytes::from(Uint8Array::new(buffer).to_vec()).into()
        }
    }
}

/// What the browser threw, for a person.
fn text_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
