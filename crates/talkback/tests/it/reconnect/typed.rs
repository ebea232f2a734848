//! Values on a channel that reconnects.

use super::*;

use talkback::{ChannelEvent, Error, RecvError};

#[tokio::test(start_paused = true)]
async fn ts7_values_go_on_over_the_next_connection_and_the_end_is_told() {
    let (mut server, channel, mut peer) = open().await;
    let mut channel = channel.json::<u32, u32>();
    channel.send(&1).await.unwrap();
    assert_eq!(peer.recv().await.unwrap().unwrap().as_text(), Some("1"));
    for text in ["2", "two", "3"] {
        peer.send(text).await.unwrap();
    }
    settle().await;
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    channel.send(&4).await.unwrap();
    let mut peer = accepted(&mut server).await;
    assert_eq!(peer.recv().await.unwrap().unwrap().as_text(), Some("4"));
    peer.send("5").await.unwrap();
    settle().await;
    let mut words = Vec::new();
    for number in 0..7 {
        let next = match number % 2 {
            0 => channel.recv_event().await,
            _ => channel.try_recv_event(),
        };
        words.push(match next {
            Ok(Some(ChannelEvent::Opened(opened))) => format!("opened {}", opened.connection()),
            Ok(Some(ChannelEvent::Message(number))) => number.to_string(),
            Ok(Some(ChannelEvent::Lost(lost))) => format!("lost {}", lost.connection()),
            Err(RecvError::Message { message, .. }) => format!("{message}?"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(
        words,
        ["opened 1", "2", "two?", "3", "lost 1", "opened 2", "5"]
    );
    assert_eq!(channel.connection(), 2);

    peer.close_with(4000, "no more").await.unwrap();
    let end = channel.recv().await.unwrap_err();
    assert!(
        matches!(&end, RecvError::Ended(Error::Closed(info)) if info.code == 4000),
        "{end}"
    );
    assert!(channel.recv().await.unwrap().is_none());
}
