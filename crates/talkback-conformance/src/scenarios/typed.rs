//! Values of the program's own in place of messages.

use serde::{Deserialize, Serialize};
use talkback::{ChannelEvent, Endpoint, Message, RecvError, SendErrorKind};

use super::reconnecting::goes_away;
use super::{InTurn, connect, had_connections};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

#[derive(Clone, Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "type", content = "data")]
enum Said {
    Text(String),
    Numbers { all: Vec<u64> },
}

/// What an echo is to both of its ends.
const ECHO: Endpoint<Said, Said> = Endpoint::new("/echo");

fn said() -> [Said; 2] {
    [
        Said::Text("안녕 \"😀\"\n".to_owned()),
        Said::Numbers {
            all: (0..10_000).collect(),
        },
    ]
}

pub(crate) async fn ts1_values_come_back(backend: &dyn Backend) -> Outcome {
    let mut channel = ECHO.client(connect(backend, &Behaviour::ECHO));
    for said in said() {
        channel.send(&said).await?;
        ensure_eq!(channel.recv().await?, Some(said));
    }
    ensure!(channel.close().await?.clean, "{:?}", channel.close_info());
    ensure_eq!(channel.recv().await?, None);
    Ok(())
}

pub(crate) async fn ts5_goes_on_behind_what_is_no_value(backend: &dyn Backend) -> Outcome {
    let channel = connect(backend, &Behaviour::ECHO).json::<Said, Said>();
    let (sender, mut receiver) = channel.split();
    let bad = Message::from(r#"{"type": "Numbers", "data": {"all": [1, "two"]}}"#);
    let [text, numbers] = said();
    sender.send(&text).await?;
    (*sender).send(&bad).await?;
    sender.send(&numbers).await?;
    ensure_eq!(receiver.recv().await?, Some(text));
    match receiver.recv().await {
        Err(RecvError::Message { error, message }) => {
            ensure_eq!(message, bad);
            let told = "data.all[1]: expected u64, found a string (line 1, column 45)";
            ensure_eq!(error.to_string(), told);
        }
        other => return Err(Failure::new(format!("expected an error, saw {other:?}"))),
    }
    ensure_eq!(receiver.recv().await?, Some(numbers));
    Ok(())
}

pub(crate) async fn ts7_values_go_on_over_the_next_connection(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Message), Behaviour::ECHO])?;
    let mut channel = server.soon(backend).channel().json::<u32, u32>();
    channel.send(&1).await?;
    had_connections(backend, &channel.sender(), 2).await;
    channel.send(&2).await?;
    let mut words = Vec::new();
    while words.len() < 5 {
        words.push(match channel.recv_event().await? {
            Some(ChannelEvent::Opened(opened)) => format!("opened {}", opened.connection()),
            Some(ChannelEvent::Lost(lost)) => format!("lost {}", lost.connection()),
            Some(ChannelEvent::Message(number)) => number.to_string(),
            other => format!("{other:?}"),
        });
    }
    ensure_eq!(words, ["opened 1", "1", "lost 1", "opened 2", "2"]);
    Ok(())
}

pub(crate) async fn ts8_what_is_no_json_is_not_sent(backend: &dyn Backend) -> Outcome {
    type Bad = std::collections::BTreeMap<(u8, u8), u8>;
    let mut channel = connect(backend, &Behaviour::ECHO).json::<Bad, Bad>();
    let Err(refused) = channel.send(&Bad::from([((1, 2), 3)])).await else {
        return Err(Failure::new("a value that was sent"));
    };
    ensure_eq!(refused.kind(), SendErrorKind::Invalid);
    channel.send(&Bad::new()).await?;
    ensure_eq!(channel.recv().await?, Some(Bad::new()));
    Ok(())
}
