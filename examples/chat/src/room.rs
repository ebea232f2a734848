//! Who is there, and what all of them are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use talkback::server::ServerConnection;
use talkback::{CloseCode, Error, Json, Prepared, Sender, Upgraded, WebSocketChannel};

/// In letters.
const NAME_LENGTH_MAX: usize = 24;

/// A room; a clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Guests>>);

/// Those who are there, by the numbers of their connections.
type Guests = BTreeMap<u64, Guest>;

struct Guest {
    name: String,
    sender: Sender,
}

/// What a page is told, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a> {
    There(Vec<&'a str>),
    Line { name: &'a str, text: &'a str },
}

/// Somebody's place; who drops it has left.
#[must_use]
struct Seat<'a> {
    room: &'a Room,
    id: u64,
}

/// Lets a client talk, whose first message is a name, and every other a line.
pub(crate) async fn talk(room: Room, connection: ServerConnection<Upgraded>) {
    let id = connection.id();
    // How it ended is for its page to tell.
    let _ = listen(&room, id, connection.into()).await;
}

async fn listen(room: &Room, id: u64, mut channel: WebSocketChannel) -> Result<(), Error> {
    let Some(first) = channel.recv().await? else {
        return Ok(());
    };
    let Some(name) = first.as_text().and_then(shown) else {
        let _ = channel.close_with(CloseCode::POLICY_VIOLATION, "the first message is a name");
        return Ok(());
    };
    let _seat = room.enter(id, &name, channel.sender());
    while let Some(message) = channel.recv().await? {
        if let Some(text) = message.as_text() {
            tell_all(&room.guests(), &Told::Line { name: &name, text });
        }
    }
    Ok(())
}

/// What all are shown of a name.
fn shown(name: &str) -> Option<String> {
    let letters = name.trim().chars().filter(|letter| !letter.is_control());
    let name: String = letters.take(NAME_LENGTH_MAX).collect();
    (!name.is_empty()).then_some(name)
}

impl Room {
    fn enter(&self, id: u64, name: &str, sender: Sender) -> Seat<'_> {
        let name = name.to_owned();
        let mut guests = self.guests();
        guests.insert(id, Guest { name, sender });
        tell_who_is_there(&guests);
        Seat { room: self, id }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut guests = self.room.guests();
        guests.remove(&self.id);
        tell_who_is_there(&guests);
    }
}

fn tell_who_is_there(guests: &Guests) {
    let names = guests.values().map(|guest| &*guest.name);
    tell_all(guests, &Told::There(names.collect()));
}

/// Tells all of them, and waits for none.
fn tell_all(guests: &Guests, told: &Told<'_>) {
    let prepared = Prepared::new(Json.encode(told).expect("it is strings"));
    for guest in guests.values() {
        if guest.sender.try_send(&prepared).is_err() {
            guest.sender.close(); // it is too slow, or has gone
        }
    }
}

#[cfg(test)]
mod tests {
    use talkback::ChannelState;

    use super::*;

    /// A guest's end of a connection to the room.
    async fn enters(room: &Room, id: u64, name: &str) -> WebSocketChannel {
        let (guest, channel) = talkback::pair();
        let room = room.clone();
        tokio::spawn(async move { listen(&room, id, channel).await });
        guest.send(name).await.unwrap();
        guest
    }

    async fn hears(guest: &mut WebSocketChannel) -> String {
        let message = guest.recv().await.unwrap().expect("the room is open");
        message.as_text().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn all_hear_each_line_and_who_is_there() {
        let room = Room::default();
        let mut one = enters(&room, 1, " 수진\n").await;
        assert_eq!(hears(&mut one).await, r#"{"there":["수진"]}"#);
        let mut two = enters(&room, 2, "민준").await;
        for guest in [&mut one, &mut two] {
            assert_eq!(hears(guest).await, r#"{"there":["수진","민준"]}"#);
        }
        two.send("안녕하세요").await.unwrap();
        for guest in [&mut one, &mut two] {
            let line = r#"{"line":{"name":"민준","text":"안녕하세요"}}"#;
            assert_eq!(hears(guest).await, line);
        }
        drop(one);
        assert_eq!(hears(&mut two).await, r#"{"there":["민준"]}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_nothing_is_closed_and_holds_up_nobody() {
        let room = Room::default();
        let mut one = enters(&room, 1, "a").await;
        hears(&mut one).await;
        let silent = enters(&room, 2, "b").await;
        hears(&mut one).await;
        let mut lines = 0;
        while room.guests()[&2].sender.state() == ChannelState::Open {
            one.send("x".repeat(1000)).await.unwrap();
            assert!(hears(&mut one).await.contains("xxx"));
            lines += 1;
            assert!(lines < 10_000, "it is never too slow");
        }
        assert_eq!(hears(&mut one).await, r#"{"there":["a"]}"#);
        drop(silent);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_no_name_is_told_so() {
        for first in ["", " \n ", "\u{7}"] {
            let mut guest = enters(&Room::default(), 1, first).await;
            let error = guest.recv().await.unwrap_err().to_string();
            assert!(error.contains("the first message is a name"), "{error}");
        }
        assert_eq!(shown(&"가".repeat(25)), Some("가".repeat(24)));
    }
}
