//! Records of feeds in JSON.

use std::fmt::Write as _;

use crate::Feed;
use crate::random::Random;
use crate::text::{NAMES, english};

const SYMBOLS: [&str; 12] = [
    "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD", "DOGE-USD", "BTC-EUR", "ETH-EUR",
    "BTC-KRW", "ETH-KRW", "LTC-USD", "DOT-USD",
];
const CHANNELS: [&str; 6] = ["general", "random", "support", "dev", "releases", "ops"];
const SITES: [&str; 5] = ["line-1", "line-2", "press-hall", "cold-store", "roof"];
const REPOSITORIES: [&str; 5] = ["atlas", "harbor", "lantern", "quarry", "tidewater"];
const ACTIONS: [&str; 6] = [
    "opened",
    "closed",
    "reopened",
    "labeled",
    "edited",
    "synchronize",
];
const LABELS: [&str; 7] = [
    "bug",
    "docs",
    "performance",
    "question",
    "good first issue",
    "security",
    "ci",
];

pub(crate) fn ticker(text: &mut String, random: &mut Random, feed: &mut Feed) {
    let symbol = random.pick(&SYMBOLS);
    let base = 40 + symbol.bytes().map(u64::from).sum::<u64>() * 97 % 60_000;
    let price = base * 100 + random.below(400);
    let side = random.pick(&["buy", "sell"]);
    feed.serial += 1 + random.below(3);
    feed.millis += random.below(30);
    let _ = write!(
        text,
        r#"{{"e":"trade","s":"{symbol}","t":{},"p":"{}.{:02}","q":"{}.{:05}","side":"{side}","T":{}}}"#,
        feed.serial,
        price / 100,
        price % 100,
        random.below(4),
        random.below(100_000),
        feed.millis,
    );
}

pub(crate) fn chat_event(text: &mut String, random: &mut Random, feed: &mut Feed) {
    let (channel, name) = (random.pick(&CHANNELS), random.word(&NAMES));
    feed.millis += random.below(4000);
    let (id, millis) = (random.next() >> 4, feed.millis);
    let kind = random.word(&["message", "message", "typing", "reaction", "presence"]);
    let _ = write!(
        text,
        r#"{{"type":"{kind}","ts":{millis},"channel":"{channel}","user":"{name}""#
    );
    match kind {
        "message" => {
            let _ = write!(text, r#","id":"{id:015x}","text":""#);
            english(text, random);
            text.push('"');
        }
        "reaction" => {
            let emoji = random.pick(&["👍", "🎉", "❤️", "👀", "🚀"]);
            let _ = write!(text, r#","to":"{id:015x}","emoji":"{emoji}""#);
        }
        "presence" => {
            let state = random.pick(&["online", "away", "offline"]);
            let _ = write!(text, r#","state":"{state}""#);
        }
        _ => {}
    }
    text.push('}');
}

pub(crate) fn sensor(text: &mut String, random: &mut Random, feed: &mut Feed) {
    feed.serial += 1;
    feed.millis += random.below(100);
    let (site, number) = (random.pick(&SITES), random.below(24));
    let _ = write!(
        text,
        r#"{{"device":"{site}-{number:02}","seq":{},"time":{},"temperature":{}.{:02},"humidity":{}.{},"pressure":{}.{:02},"battery":{},"ok":{}}}"#,
        feed.serial,
        feed.millis,
        18 + random.below(6),
        random.below(100),
        35 + random.below(20),
        random.below(10),
        1008 + random.below(12),
        random.below(100),
        60 + random.below(40),
        random.below(50) != 0,
    );
}

pub(crate) fn webhook(text: &mut String, random: &mut Random, feed: &mut Feed, size: usize) {
    let (name, action) = (random.word(&NAMES), random.pick(&ACTIONS));
    let repository = random.pick(&REPOSITORIES);
    feed.serial += random.below(200);
    feed.millis += random.below(90_000);
    let (number, id) = (
        1 + random.below(4000),
        1_700_000_000 + random.below(900_000_000),
    );
    if size < 200 {
        let _ = write!(
            text,
            r#"{{"action":"{action}","number":{number},"repository":"acme/{repository}","sender":"{name}"}}"#
        );
        return;
    }
    let api = format!("https://api.code.example/repos/acme/{repository}");
    let _ = write!(
        text,
        r#"{{"action":"{action}","number":{number},"issue":{{"id":{id},"node_id":"I_kw{:016X}","url":"{api}/issues/{number}","comments_url":"{api}/issues/{number}/comments","html_url":"https://code.example/acme/{repository}/issues/{number}","title":""#,
        random.next()
    );
    english(text, random);
    let _ = write!(
        text,
        r#"","user":{{"login":"{name}","id":{},"avatar_url":"https://avatars.code.example/u/{}?v=4","type":"User","site_admin":false}},"labels":["{}"],"state":"{}","comments":{},"created_at":{},"sha":"{:016x}{:016x}{:08x}","body":""#,
        number * 7919,
        number * 7919,
        random.pick(&LABELS),
        random.pick(&["open", "closed"]),
        random.below(30),
        feed.millis / 1000,
        random.next(),
        random.next(),
        random.below(1 << 32),
    );
    for _ in 0..2 + random.below(3) {
        english(text, random);
        text.push(' ');
    }
    text.push_str("\"}}");
}
