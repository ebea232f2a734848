//! Messages arrive as they were sent.

use futures_util::future::join;
use futures_util::{StreamExt, TryStreamExt};
use talkback::{Message, Prepared};

use super::{close_cleanly, connect, exchange, expect_end, next, open};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::Outcome;

pub(crate) async fn empty_text(backend: &dyn Backend) -> Outcome {
    comes_back(backend, "").await
}

pub(crate) async fn empty_binary(backend: &dyn Backend) -> Outcome {
    comes_back(backend, Vec::new()).await
}

pub(crate) async fn text(backend: &dyn Backend) -> Outcome {
    comes_back(backend, "Hello World!").await
}

pub(crate) async fn binary(backend: &dyn Backend) -> Outcome {
    comes_back(backend, (0..=255).collect::<Vec<u8>>()).await
}

pub(crate) async fn text_of_120_kb(backend: &dyn Backend) -> Outcome {
    comes_back(backend, "Some text. ".repeat(11_000)).await
}

pub(crate) async fn binary_of_1_mb(backend: &dyn Backend) -> Outcome {
    comes_back(backend, bytes(1_000_000)).await
}

/// The largest message of the default limits.
pub(crate) async fn binary_of_16_mib(backend: &dyn Backend) -> Outcome {
    comes_back(backend, bytes(16 * 1024 * 1024)).await
}

pub(crate) async fn emoji(backend: &dyn Backend) -> Outcome {
    comes_back(backend, "😀 👩🏽‍🚀 🏳️‍🌈 🇰🇷").await
}

pub(crate) async fn korean(backend: &dyn Backend) -> Outcome {
    // The second as letters, which a normalisation on the way would put together.
    comes_back(backend, "안녕하세요 \u{1112}\u{1161}\u{11AB}").await
}

pub(crate) async fn text_and_binary_keep_their_order(backend: &dyn Backend) -> Outcome {
    const COUNT: usize = 1000;
    let (sender, receiver) = connect(backend, &Behaviour::ECHO).split();
    let message = |number: usize| match number % 2 {
        0 => Message::from(number.to_string()),
        _ => Message::from(number.to_be_bytes().to_vec()),
    };
    let sending = async {
        for number in 0..COUNT {
            sender.send(message(number)).await?;
        }
        Outcome::Ok(())
    };
    let receiving = receiver.take(COUNT).try_collect::<Vec<_>>();
    let (sent, received) = join(sending, receiving).await;
    sent?;
    let expected: Vec<_> = (0..COUNT).map(message).collect();
    ensure!(received? == expected, "another order, or other messages");
    Ok(())
}

pub(crate) async fn pr14_what_was_prepared_comes_as_any_message(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    let messages = [
        Message::from("to all"),
        Message::from("안녕하세요 ".repeat(100)),
        Message::from(bytes(100_000)),
    ];
    for message in messages {
        let prepared = Prepared::new(message.clone());
        channel.send(&prepared).await?;
        channel.try_send(&prepared)?;
        ensure_eq!(next(&mut channel).await?, message);
        ensure_eq!(next(&mut channel).await?, message);
    }
    Ok(())
}

pub(crate) async fn fragments_become_one_message(backend: &dyn Backend) -> Outcome {
    // A character cut in two, a ping between, an empty fragment, and a message behind.
    let fragments = [
        &[0x01, 2, b'a', 0xED][..],
        &[0x89, 1, b'p'],
        &[0x00, 2, 0x95, 0x9C],
        &[0x80, 0],
        &[0x82, 1, 7],
    ];
    let server = Behaviour::Raw {
        bytes: fragments.concat(),
        when: When::Open,
    };
    let mut channel = open(backend, &server).await?;
    ensure_eq!(next(&mut channel).await?, Message::from("a한"));
    ensure_eq!(next(&mut channel).await?, Message::from(vec![7]));
    Ok(())
}

async fn comes_back(backend: &dyn Backend, message: impl Into<Message>) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    exchange(&mut channel, message).await?;
    close_cleanly(&channel.sender()).await?;
    expect_end(&mut channel).await
}

/// Bytes that do not repeat at a power of two.
fn bytes(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}
