//! What a widget draws.

use futures_channel::mpsc;
use futures_util::StreamExt;
use talkback::{Error, Message, Snapshot, SnapshotState, Snapshots};

use super::{close_cleanly, closes, connect, next, open};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

pub(crate) async fn pass_through_none_waiting_active_done(backend: &dyn Backend) -> Outcome {
    let none = Snapshot::default();
    ensure_eq!((none.state, none.text()), (SnapshotState::None, ""));

    let channel = connect(backend, &Behaviour::ECHO);
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();
    let first = snapshots.latest();
    ensure_eq!((first.state, first.text()), (SnapshotState::Waiting, ""));
    ensure!(first.error.is_none() && first.close.is_none(), "{first:?}");

    sender.send("Hello!").await?;
    let active = until(&mut snapshots, |snapshot| snapshot.data.is_some()).await?;
    ensure_eq!(active.state, SnapshotState::Active);
    ensure_eq!(active.text(), "Hello!");

    let info = close_cleanly(&sender).await?;
    let done = snapshots.latest();
    ensure_eq!((done.state, done.text()), (SnapshotState::Done, "Hello!"));
    ensure!(done.error.is_none(), "{done:?}");
    ensure_eq!(done.close, Some(info));
    Ok(())
}

pub(crate) async fn keep_the_data_beside_an_error(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &closes(Some(4000), b"", When::Message)).await?;
    channel.send("last words").await?;
    let done = last_of(channel.into_snapshots()).await;
    ensure_eq!(done.text(), "last words");
    ensure_eq!(done.state, SnapshotState::Done);
    ensure_matches!(done.error, Some(Error::Closed(info)) if info.code == 4000);
    Ok(())
}

pub(crate) async fn have_an_error_without_data(backend: &dyn Backend) -> Outcome {
    let channel = connect(backend, &closes(Some(4001), b"", When::Open));
    let done = last_of(channel.into_snapshots()).await;
    ensure_eq!((done.state, done.data), (SnapshotState::Done, None));
    ensure_matches!(done.error, Some(Error::Closed(info)) if info.code == 4001);
    Ok(())
}

pub(crate) async fn are_done_at_once(backend: &dyn Backend) -> Outcome {
    let channel = connect(backend, &Behaviour::ECHO);
    channel.close();
    let done = last_of(channel.into_snapshots()).await;
    ensure_eq!((done.state, done.data), (SnapshotState::Done, None));
    ensure!(done.error.is_none(), "{:?}", done.error);
    ensure!(done.close.is_some(), "no close_info");
    Ok(())
}

pub(crate) async fn show_a_failed_connect(backend: &dyn Backend) -> Outcome {
    let refuses = Behaviour::Status {
        code: 503,
        body: "busy".to_owned(),
    };
    let done = last_of(connect(backend, &refuses).into_snapshots()).await;
    ensure_eq!((done.state, done.data), (SnapshotState::Done, None));
    ensure_matches!(done.error, Some(Error::Connect(_)));
    Ok(())
}

pub(crate) async fn end_after_done(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &closes(None, b"", When::Open)).await?;
    let mut snapshots = channel.snapshots();
    until(&mut snapshots, |snapshot| {
        snapshot.state == SnapshotState::Done
    })
    .await?;
    for _ in 0..2 {
        let after = snapshots.next().await;
        ensure!(after.is_none(), "{after:?}");
    }
    // One who comes late sees how it ended.
    let late = channel.snapshots().next().await;
    ensure!(
        late.as_ref()
            .is_some_and(|snapshot| snapshot.state == SnapshotState::Done),
        "{late:?}"
    );
    Ok(())
}

pub(crate) async fn take_no_message_from_recv(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &Behaviour::Burst { count: 3 }).await?;
    let mut watch = channel.snapshots();
    until(&mut watch, |snapshot| snapshot.text() == "2").await?;
    for text in ["0", "1", "2"] {
        ensure_eq!(next(&mut channel).await?, Message::from(text));
    }
    Ok(())
}

pub(crate) async fn keep_up_with_a_burst(backend: &dyn Backend) -> Outcome {
    let channel = connect(backend, &Behaviour::Burst { count: 10_000 });
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();
    // The echo comes behind the burst, of which nobody looks at every message.
    sender.send("last").await?;
    until(&mut snapshots, |snapshot| snapshot.text() == "last").await?;
    Ok(())
}

pub(crate) async fn keep_up_with_10_000_echoes(backend: &dyn Backend) -> Outcome {
    let channel = connect(backend, &Behaviour::ECHO);
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();
    for number in 0..10_000 {
        sender.send(number.to_string()).await?;
    }
    until(&mut snapshots, |snapshot| snapshot.text() == "9999").await?;
    close_cleanly(&sender).await?;
    ensure_eq!(snapshots.latest().text(), "9999");
    Ok(())
}

pub(crate) async fn call_on_change_once_for_each_look(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &Behaviour::Burst { count: 10 }).await?;
    let mut witness = channel.snapshots();
    let mut watch = channel.snapshots();
    let (called, mut calls) = mpsc::unbounded();
    watch.on_change(move || drop(called.unbounded_send(())));
    ensure!(calls.next().await.is_some(), "nobody has looked yet");
    // The echo comes behind the burst, of which nobody looks at every message.
    channel.send("first").await?;
    until(&mut witness, |snapshot| snapshot.text() == "first").await?;
    ensure_eq!(watch.latest().text(), "first");
    channel.send("second").await?;
    ensure!(calls.next().await.is_some(), "no call after `latest`");
    ensure!(watch.next().await.is_some(), "no snapshot to look at");
    channel.send("third").await?;
    ensure!(calls.next().await.is_some(), "no call after `next`");
    drop(watch);
    channel.send("fourth").await?;
    until(&mut witness, |snapshot| snapshot.text() == "fourth").await?;
    // Those were all, and the callback is gone.
    ensure_eq!(calls.next().await, None);
    Ok(())
}

/// Waits for a snapshot that is as it should be.
async fn until(
    snapshots: &mut Snapshots,
    is_wanted: impl Fn(&Snapshot) -> bool,
) -> Result<Snapshot, Failure> {
    while let Some(snapshot) = snapshots.next().await {
        if is_wanted(&snapshot) {
            return Ok(snapshot);
        }
    }
    let last = snapshots.latest();
    Err(Failure::new(format!("the snapshots ended with {last:?}")))
}

/// Waits for the end; returns the snapshot that stays.
async fn last_of(mut snapshots: Snapshots) -> Snapshot {
    while snapshots.next().await.is_some() {}
    snapshots.latest()
}
