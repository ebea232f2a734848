//! The recipe's screen in Leptos.

use futures_util::StreamExt as _;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use talkback::Snapshot;

#[component]
fn App() -> impl IntoView {
    let channel = talkback::connect("ws://127.0.0.1:9001/")
        .reconnect()
        .channel();
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();

    let snapshot = RwSignal::new(Snapshot::default());
    spawn_local(async move {
        while let Some(latest) = snapshots.next().await {
            snapshot.set(latest); // wakes what reads it
        }
    });
    // The task would hold the channel for as long as the page is there.
    let leaving = sender.clone();
    on_cleanup(move || drop(leaving.close()));

    let field = RwSignal::new(String::new());
    let problem = RwSignal::new(String::new());
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        let sent = sender.try_send(field.get());
        problem.set(sent.map_or_else(|error| error.to_string(), |()| String::new()));
    };
    view! {
        <form on:submit=send>
            <input aria-label="Send a message" bind:value=field />
            <button disabled=move || field.read().is_empty()>"Send message"</button>
        </form>
        <p aria-live="polite">{move || snapshot.read().text().to_owned()}</p>
        <p role="alert">{problem}</p>
        <p>{move || status(&snapshot.read())}</p>
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
    leptos::mount::mount_to_body(App);
}
