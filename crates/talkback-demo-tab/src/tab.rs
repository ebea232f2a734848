//! The tab's content: it draws what the [`Page`] says, and hands in what a person does.
//!
//! Nothing is polled by the clock. A task takes what comes, also while the tab is hidden, and asks
//! for a frame; the frame draws, so that a flood of messages is drawn once for each. While seconds are counted down to the
//! next try, and only then, a frame asks for the next one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use talkback_demo::state::{Direction, Entry, Page, Role};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Element, Event, KeyboardEvent, Window};

use crate::elements::{Elements, listen, set_text};

/// What `keyCode` says of a key that goes to the input method. Safari tells of
/// the Enter that ends a composition by nothing else.
const COMPOSING: u32 = 229;

struct Tab {
    page: RefCell<Page>,
    elements: Elements,
    document: Document,
    window: Window,
    /// Wakes the task that takes what comes.
    waker: RefCell<Waker>,
    /// How many messages the list has been given.
    listed: Cell<u64>,
}

/// Shows this page for as long as the tab is open.
pub(crate) fn show(page: Page, window: Window, document: &Document) -> Result<(), JsValue> {
    let elements = Elements::find(document)?;
    set_text(&elements.title, page.title());
    elements.url.set_value(&page.url);
    let tab = Rc::new(Tab {
        page: RefCell::new(page),
        elements,
        document: document.clone(),
        window,
        waker: RefCell::new(Waker::noop().clone()),
        listed: Cell::new(0),
    });
    tab.clone().listen()?;
    tab.run();
    Ok(())
}

impl Tab {
    fn listen(self: Rc<Self>) -> Result<(), JsValue> {
        let elements = &self.elements;
        // The key that ends a syllable does not send.
        listen(&elements.field, "keydown", |event: KeyboardEvent| {
            let is_composing = event.is_composing() || event.key_code() == COMPOSING;
            if event.key() == "Enter" && is_composing {
                event.prevent_default();
            }
        })?;
        let tab = Rc::clone(&self);
        listen(&elements.sending, "submit", move |event: Event| {
            event.prevent_default();
            tab.send();
        })?;
        let tab = Rc::clone(&self);
        listen(&elements.connecting, "submit", move |event: Event| {
            event.prevent_default();
            tab.connect();
        })?;
        let tab = Rc::clone(&self);
        listen(&elements.disconnect, "click", move |_: Event| {
            tab.page.borrow_mut().disconnect();
            tab.wake();
        })
    }

    /// Sends; the text stays, selected, and the next key replaces it.
    fn send(&self) {
        let field = &self.elements.field;
        let now = self.now();
        let mut page = self.page.borrow_mut();
        page.field = field.value();
        page.send(now);
        field.select();
        // Without the focus a selection is not seen.
        let _ = field.focus();
        self.wake();
    }

    fn connect(&self) {
        let mut page = self.page.borrow_mut();
        if page.can_connect() {
            page.url = self.elements.url.value();
            page.connect();
            self.wake();
        }
    }

    /// Takes what comes, whenever something does.
    fn run(self: Rc<Self>) {
        let frame = Frame::new(&self);
        spawn_local(poll_fn(move |cx: &mut Context<'_>| {
            self.waker.borrow_mut().clone_from(cx.waker());
            self.page.borrow_mut().poll(cx, self.now());
            frame.ask(&self.window);
            Poll::Pending
        }));
    }

    /// Has the page polled and drawn.
    fn wake(&self) {
        self.waker.borrow().wake_by_ref();
    }

    /// The time since the page was opened.
    fn now(&self) -> Duration {
        let millis = self.window.performance().map_or(0.0, |clock| clock.now());
        Duration::from_secs_f64(millis / 1000.0)
    }

    fn draw(&self) -> Result<(), JsValue> {
        let (page, elements) = (self.page.borrow(), &self.elements);
        set_text(&elements.answer, page.answer());
        let problem = page.problem();
        set_text(&elements.problem, problem.as_deref().unwrap_or_default());
        let is_wrong = problem.is_some().to_string();
        elements.field.set_attribute("aria-invalid", &is_wrong)?;
        let reconnecting = page.reconnecting();
        set_text(
            &elements.reconnecting,
            reconnecting.as_deref().unwrap_or_default(),
        );

        elements.connect.set_disabled(!page.can_connect());
        elements.disconnect.set_disabled(!page.can_disconnect());
        let (word, role) = page.status();
        set_text(&elements.state, word);
        elements.state.set_attribute("data-role", name(role))?;
        set_text(&elements.ending, &page.ending().unwrap_or_default());
        self.draw_log(&page)
    }

    /// Adds what is new and removes what is old, so that the rest can stay selected. A list that is
    /// at its end stays there.
    fn draw_log(&self, page: &Page) -> Result<(), JsValue> {
        let (log, entries) = (&self.elements.log, page.log().iter());
        let is_at_end = log.scroll_height() - log.scroll_top() - log.client_height() < 40;
        let new = page.log().count() - self.listed.replace(page.log().count());
        let old = (entries.len() as u64).saturating_sub(new);
        for entry in entries.skip(old as usize) {
            log.append_child(&*self.line(entry)?)?;
        }
        while log.child_element_count() as usize > page.log().iter().len() {
            log.first_element_child().ok_or("no line")?.remove();
        }
        if is_at_end {
            log.set_scroll_top(log.scroll_height());
        }
        Ok(())
    }

    fn line(&self, entry: &Entry) -> Result<Element, JsValue> {
        let arrow = match entry.direction {
            Direction::Sent => "↑",
            Direction::Received => "↓",
        };
        let line = self.document.create_element("li")?;
        line.set_text_content(Some(&entry.text));
        let heading = self.document.create_element("small")?;
        heading.set_text_content(Some(&format!("{arrow} {}", entry.heading())));
        line.prepend_with_node_1(&heading)?;
        Ok(line)
    }
}

/// The name of a role in the style.
fn name(role: Role) -> &'static str {
    match role {
        Role::Busy => "busy",
        Role::Good => "good",
        Role::Neutral => "neutral",
        Role::Bad => "bad",
    }
}

/// Draws before the browser paints next, at most once.
struct Frame {
    draw: Closure<dyn FnMut()>,
    is_asked: Rc<Cell<bool>>,
}

impl Frame {
    fn new(tab: &Rc<Tab>) -> Self {
        let is_asked = Rc::new(Cell::new(false));
        let mut tick = Tick::new(tab);
        let (tab, asked) = (Rc::clone(tab), Rc::clone(&is_asked));
        let draw = Closure::new(move || {
            asked.set(false);
            // A page that somebody has taken apart is not drawn.
            let _ = tab.draw();
            tick.set(&tab.window, tab.page.borrow().next_tick_in());
        });
        Self { draw, is_asked }
    }

    fn ask(&self, window: &Window) {
        if !self.is_asked.replace(true) {
            let draw = self.draw.as_ref().unchecked_ref();
            let is_coming = window.request_animation_frame(draw).is_ok();
            self.is_asked.set(is_coming);
        }
    }
}

/// Has the tab drawn after a time, once.
struct Tick {
    wake: Closure<dyn Fn()>,
    timeout: Option<i32>,
}

impl Tick {
    fn new(tab: &Rc<Tab>) -> Self {
        let tab = Rc::clone(tab);
        let wake = Closure::new(move || tab.wake());
        let timeout = None;
        Self { wake, timeout }
    }

    /// What was set before does not come any more.
    fn set(&mut self, window: &Window, time: Option<Duration>) {
        if let Some(before) = self.timeout.take() {
            window.clear_timeout_with_handle(before);
        }
        let Some(time) = time else {
            return;
        };
        let wake = self.wake.as_ref().unchecked_ref();
        // It is less than two seconds.
        let millis = time.as_millis() as i32;
        let set = window.set_timeout_with_callback_and_timeout_and_arguments_0(wake, millis);
        self.timeout = set.ok();
    }
}
