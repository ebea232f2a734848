//! A channel that stays connected: when it tries again, and what the program does at each try. The numbers are
//! those of the rules.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use talkback::{ChannelState, CloseCode, Error, HookError, Initiator, LostCause, Message, Verdict};

use super::{
    HOUR, InTurn, LONG_ENOUGH, Observed, close_cleanly, closes, exchange, expect_end,
    had_connections, in_state, next, soon,
};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

/// A server that cannot be used for a while; a page does not learn more than that.
pub(super) fn refuses() -> Behaviour {
    Behaviour::Status {
        code: 503,
        body: String::new(),
    }
}

/// A server that goes away.
pub(super) fn goes_away(when: When) -> Behaviour {
    closes(Some(1001), b"restart", when)
}

pub(crate) async fn re1_a_first_try_that_fails_is_made_again(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([refuses(), Behaviour::ECHO])?;
    let mut channel = server.when_told(backend).channel();
    ensure_eq!(channel.state(), ChannelState::Connecting);
    let ready = channel.ready();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let link = channel.link();
    ensure_eq!((link.tries(), link.connection()), (1, 0));
    ensure_matches!(
        link.lost().map(|lost| lost.cause().clone()),
        Some(LostCause::Connect(_))
    );
    ensure!(channel.reconnect_now(), "{link:?}");
    ready.await?;
    ensure_eq!(channel.state(), ChannelState::Open);
    exchange(&mut channel, "open").await
}

pub(crate) async fn re24_the_loss_tells_of_the_peers_close_frame(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Open)])?;
    let channel = server.when_told(backend).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let link = channel.link();
    let lost = link.lost().ok_or_else(|| Failure::new("no loss"))?;
    ensure_eq!((lost.connection(), lost.unknown()), (1, 0));
    ensure!(lost.lasted().is_some(), "{lost:?}");
    let info = lost
        .close_info()
        .ok_or_else(|| Failure::new(lost.to_string()))?;
    ensure_eq!(
        (info.code, &*info.reason),
        (CloseCode::GOING_AWAY, "restart")
    );
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Remote));
    // The channel has not ended.
    ensure_eq!(channel.close_info(), None);
    Ok(())
}

pub(crate) async fn re25_a_close_without_a_code_is_tried_again(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([closes(None, b"", When::Open), Behaviour::ECHO])?;
    let codes = Arc::<Mutex<Vec<CloseCode>>>::default();
    let told = Arc::clone(&codes);
    let reconnecting = server.soon(backend).decide(move |lost, verdict| {
        let code = lost.close_info().map(|info| info.code);
        told.lock().expect("nobody panics").extend(code);
        verdict
    });
    let mut channel = reconnecting.channel();
    had_connections(backend, &channel.sender(), 2).await;
    exchange(&mut channel, "open again").await?;
    ensure_eq!(*codes.lock()?, [CloseCode::NO_CODE]);
    Ok(())
}

pub(crate) async fn re26_a_server_that_is_done_ends_it(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([closes(Some(1000), b"", When::Open)])?;
    let mut channel = server.soon(backend).channel();
    expect_end(&mut channel).await?;
    let info = channel.closed().await?;
    ensure_eq!(
        (info.code, info.initiator),
        (CloseCode::NORMAL, Initiator::Remote)
    );
    backend.sleep(LONG_ENOUGH).await;
    server.see(backend, 1, 0).await
}

pub(crate) async fn re27_each_code_has_its_verdict(backend: &dyn Backend) -> Outcome {
    use Verdict::{Retry, RetryFew, Stop};
    for (code, expected) in [
        (1001, Retry),
        (1002, RetryFew),
        (1003, Stop),
        (1007, RetryFew),
        (1008, Stop),
        (1009, Stop),
        (1010, Stop),
        (1011, Retry),
        (1012, Retry),
        (1013, Retry),
        (1014, Retry),
        (3000, Stop),
        (3008, Retry),
        (3999, Stop),
        (4000, Stop),
        (4999, Stop),
    ] {
        let server = InTurn::new([closes(Some(code), b"why", When::Open)])?;
        let asked = Arc::<Mutex<Vec<Verdict>>>::default();
        let answers = Arc::clone(&asked);
        let reconnecting = server.soon(backend).decide(move |_, verdict| {
            answers.lock().expect("nobody panics").push(verdict);
            Stop
        });
        let channel = reconnecting.channel();
        let info = channel.closed().await?;
        ensure_eq!(info.code.number(), code);
        let asked = asked.lock()?.clone();
        ensure!(asked == [expected], "{asked:?} for {code}");
    }
    Ok(())
}

pub(crate) async fn re30_the_program_decides_and_is_asked_once(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([
        closes(Some(1000), b"", When::Open),
        closes(Some(4000), b"", When::Open),
        Behaviour::Disconnect { when: When::Open },
    ])?;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let decide = move |lost: &talkback::Lost, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        match lost.close_info().map(|info| info.code.number()) {
            Some(1000) => Verdict::Retry,
            Some(4000) => Verdict::RetryAfter(HOUR),
            _ => Verdict::Stop,
        }
    };
    let mut channel = server.soon(backend).decide(decide.clone()).channel();
    had_connections(backend, &channel.sender(), 2).await;
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let wait = channel.link().next_try_in();
    ensure!(wait > Some(HOUR - Duration::from_secs(60)), "{wait:?}");
    channel.reconnect_now();
    ensure!(channel.recv().await.is_err(), "no error");
    expect_end(&mut channel).await?;
    ensure_eq!(asked.load(Ordering::Relaxed), 3);
    // What the program does itself it has decided already.
    let echo = InTurn::new([Behaviour::ECHO])?;
    let channel = echo.soon(backend).decide(decide).channel();
    channel.ready().await?;
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(asked.load(Ordering::Relaxed), 3);
    Ok(())
}

pub(crate) async fn re40_a_greeting_goes_before_what_is_queued(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([observed.behaviour()])?;
    let reconnecting = server
        .soon(backend)
        .on_connected(|mut connected| async move {
            connected.send("login").await?;
            Ok(())
        });
    let channel = reconnecting.channel();
    channel.try_send("a")?;
    channel.try_send("b")?;
    channel.ready().await?;
    close_cleanly(&channel.sender()).await?;
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, ["login", "a", "b"].map(Message::from));
    Ok(())
}

pub(crate) async fn re44_a_hook_that_fails_closes_and_one_that_stops_ends(
    backend: &dyn Backend,
) -> Outcome {
    let (first, second) = (Observed::new()?, Observed::new()?);
    let server = InTurn::new([first.behaviour(), second.behaviour()])?;
    let calls = AtomicU32::new(0);
    let reconnecting = server.soon(backend).on_connected(move |_connected| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => Err("not now".into()),
                _ => Err(HookError::stop("logged out")),
            }
        }
    });
    let channel = reconnecting.channel();
    channel.try_send("never sent")?;
    let refused = channel.ready().await;
    ensure_matches!(refused, Err(Error::Lost(lost))
        if lost.to_string().contains("logged out") && lost.connection() == 0);
    for observed in [first, second] {
        let seen = observed.seen(backend).await?;
        ensure_eq!((seen.messages.len(), &*seen.end), (0, "close 1005"));
    }
    Ok(())
}

pub(crate) async fn re45_each_try_has_its_own_token(backend: &dyn Backend) -> Outcome {
    let choice = Some("feed".to_owned());
    let feed = Behaviour::Subprotocol { choice };
    let server = InTurn::new([refuses(), refuses(), feed])?;
    let connect = server.connect(backend).subprotocol("feed");
    let reconnecting = soon(connect).before_try(|connect, tried| async move {
        // A page has no headers of its own.
        Ok(connect.subprotocol(format!("token.{}", tried.number())))
    });
    let mut channel = reconnecting.channel();
    ensure_eq!(next(&mut channel).await?, Message::from("feed, token.3"));
    Ok(())
}

pub(crate) async fn re49_a_before_try_that_fails_is_a_failed_try(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([Behaviour::ECHO])?;
    let reconnecting = server
        .soon(backend)
        .before_try(|connect, tried| async move {
            match tried.number() {
                3 => Ok(connect),
                _ => Err("no token yet".into()),
            }
        });
    let mut channel = reconnecting.channel();
    channel.ready().await?;
    exchange(&mut channel, "open").await?;
    ensure_eq!(server.connections(backend).await?, (1, 1));
    Ok(())
}

pub(crate) async fn re50_one_that_hangs_is_dropped(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([Behaviour::ECHO])?;
    let reconnecting = server
        .soon(backend)
        .before_try(|_, _| std::future::pending());
    let reconnecting = reconnecting.hook_timeout(Duration::from_millis(50));
    let channel = reconnecting.tries_max(2).channel();
    let error = channel.ready().await;
    ensure_matches!(error, Err(Error::GaveUp { tries: 2, last: Some(lost), .. })
        if matches!(lost.cause(), LostCause::BeforeTry(_)) && lost.to_string().contains("50ms"));
    ensure_eq!(server.connections(backend).await?, (0, 0));
    Ok(())
}

pub(crate) async fn re79_tries_that_are_asked_for_begin_a_second_apart(
    backend: &dyn Backend,
) -> Outcome {
    let server = InTurn::new([refuses()])?;
    let channel = server.when_told(backend).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    for _ in 0..10 {
        ensure!(channel.reconnect_now(), "{:?}", channel.link());
    }
    server.see(backend, 2, 0).await?;
    backend.sleep(LONG_ENOUGH).await;
    server.see(backend, 2, 0).await?;
    ensure_eq!(channel.link().tries(), 2);
    Ok(())
}

pub(crate) async fn re99_the_states_through_a_whole_life(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Message), Behaviour::ECHO])?;
    let channel = server.when_told(backend).channel();
    ensure_eq!(channel.state(), ChannelState::Connecting);
    channel.ready().await?;
    ensure_eq!(channel.state(), ChannelState::Open);
    channel.try_send("go")?;
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let (first, link) = (channel.link().next_try_in(), channel.link());
    ensure_eq!(
        (link.state(), link.connection()),
        (ChannelState::Retrying, 1)
    );
    backend.sleep(Duration::from_millis(50)).await;
    let later = channel.link().next_try_in();
    ensure!(later.is_some() && later < first, "{later:?}, {first:?}");
    channel.reconnect_now();
    channel.ready().await?;
    let link = channel.link();
    ensure_eq!((link.state(), link.connection()), (ChannelState::Open, 2));
    ensure_eq!((link.tries(), link.next_try_in()), (0, None));
    let closing = channel.close();
    ensure_eq!(channel.state(), ChannelState::Closing);
    ensure!(closing.await?.clean, "{:?}", channel.close_info());
    ensure_eq!(channel.state(), ChannelState::Closed);
    ensure_eq!(channel.link().state(), ChannelState::Closed);
    Ok(())
}
