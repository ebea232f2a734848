//! What happens to the page of a channel that reconnects.

use std::time::Duration;

use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, EventTarget};

use crate::channel::link::Wish;

/// `online` comes too early, and a whole office has it at once.
const ONLINE_WITHIN: Duration = Duration::from_secs(1);

/// A person looks at the page, and waits.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);

/// The listeners of one channel; dropping it takes them away.
pub(crate) struct PageEvents {
    listeners: Vec<(EventTarget, &'static str, Closure<dyn FnMut(Event)>)>,
}

impl PageEvents {
    /// Has `wish` told what the events ask for. A worker has `online` and `offline` alone.
    pub(crate) fn listen(wish: impl Fn(Wish) + Clone + 'static) -> Self {
        let global: JsValue = js_sys::global().into();
        let document = js_sys::Reflect::get(&global, &JsValue::from_str("document"));
        let document = document.ok().filter(JsValue::is_object);
        let mut events = Self {
            listeners: Vec::new(),
        };
        for (name, asked) in [
            ("online", Wish::Hasten(ONLINE_WITHIN)),
            ("offline", Wish::Stretch),
            ("pagehide", Wish::LeavePage),
            ("pageshow", Wish::ShowPage),
        ] {
            let wish = wish.clone();
            events.add(&global, name, move || wish(asked));
        }
        if let Some(document) = document {
            let page = document.clone();
            let shown = wish.clone();
            events.add(&document, "visibilitychange", move || {
                let hidden = js_sys::Reflect::get(&page, &JsValue::from_str("hidden"));
                if hidden.is_ok_and(|hidden| hidden.is_falsy()) {
                    shown(Wish::Hasten(SHOWN_WITHIN));
                }
            });
            // It was frozen, and its timers with it.
            events.add(&document, "resume", move || {
                wish(Wish::Hasten(SHOWN_WITHIN))
            });
        }
        events
    }

    fn add(&mut self, target: &JsValue, name: &'static str, mut listener: impl FnMut() + 'static) {
        let target: EventTarget = target.clone().unchecked_into();
        let listener = Closure::<dyn FnMut(Event)>::new(move |_| listener());
        let function = listener.as_ref().unchecked_ref();
        let _ = target.add_event_listener_with_callback(name, function);
        self.listeners.push((target, name, listener));
    }
}

impl Drop for PageEvents {
    fn drop(&mut self) {
        for (target, name, listener) in &self.listeners {
            let function = listener.as_ref().unchecked_ref();
            let _ = target.remove_event_listener_with_callback(name, function);
        }
    }
}
