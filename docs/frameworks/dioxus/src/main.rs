//! The recipe's screen in Dioxus.

use dioxus::prelude::*;
use futures_util::StreamExt as _;
use talkback::Snapshot;

#[component]
fn App() -> Element {
    let mut snapshot = use_signal(Snapshot::default);
    let mut field = use_signal(String::new);
    let mut problem = use_signal(String::new);
    // Once; what it holds and spawns goes with the component, and the channel closes.
    let sender = use_hook(|| {
        let channel = talkback::connect("ws://127.0.0.1:9001/")
            .reconnect()
            .channel();
        let sender = channel.sender();
        let mut snapshots = channel.into_snapshots();
        spawn(async move {
            while let Some(latest) = snapshots.next().await {
                snapshot.set(latest); // wakes what reads it
            }
        });
        sender
    });

    let snapshot = snapshot.read();
    rsx! {
        form {
            onsubmit: move |event| {
                event.prevent_default();
                let sent = sender.try_send(field());
                problem.set(sent.map_or_else(|error| error.to_string(), |()| String::new()));
            },
            input {
                aria_label: "Send a message",
                value: "{field}",
                oninput: move |event| field.set(event.value()),
            }
            button { disabled: field.read().is_empty(), "Send message" }
        }
        p { aria_live: "polite", {snapshot.text()} }
        p { role: "alert", "{problem}" }
        p { {status(&snapshot)} }
    }
}

/// How the connection is, unless it is open.
fn status(snapshot: &Snapshot) -> String {
    match (&snapshot.close, &snapshot.error) {
        (Some(info), _) => info.to_string(),
        (None, Some(error)) => format!("reconnecting: {error}"),
        (None, None) => String::new(),
    }
}

fn main() {
    dioxus::launch(App);
}
