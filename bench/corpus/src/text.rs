//! Chat in two languages, pieces of pages, lines of logs.

use std::fmt::Write as _;

use crate::Feed;
use crate::random::Random;

pub(crate) const NAMES: [&str; 16] = [
    "mina", "jonas", "amara", "seojun", "lucia", "tomasz", "haruka", "ines", "kofi", "anouk",
    "dmitri", "yuna", "pavel", "leila", "bjorn", "carmen",
];

/// The commonest ones first.
const ENGLISH: [&str; 208] = [
    "the", "to", "a", "I", "it", "and", "of", "is", "that", "in", "we", "you", "for", "on", "this",
    "with", "have", "be", "not", "but", "so", "can", "if", "was", "just", "at", "do", "they", "what",
    "as", "are", "will", "there", "all", "like", "from", "or", "about", "now", "when", "out", "get",
    "up", "one", "think", "me", "know", "then", "time", "your", "some", "would", "no", "how", "my",
    "see", "go", "been", "an", "good", "had", "more", "them", "right", "still", "really", "need",
    "work", "by", "back", "today", "here", "should", "yes", "thanks", "only", "after", "could",
    "make", "why", "let", "who", "also", "before", "something", "its", "again", "which", "morning",
    "people", "maybe", "later", "first", "new", "over", "want", "looks", "same", "sure", "other",
    "next", "were", "build", "even", "two", "server", "week", "day", "test", "try", "meeting",
    "never", "little", "message", "around", "great", "because", "tomorrow", "problem", "branch",
    "wait", "fine", "customer", "release", "down", "always", "long", "sent", "question", "change",
    "table", "open", "review", "minutes", "thing", "coffee", "reading", "connection", "anyone",
    "running", "lunch", "broken", "update", "nothing", "version", "office", "between", "train",
    "client", "screen", "weather", "station", "fixed", "number", "waiting", "weekend", "password",
    "evening", "log", "deploy", "answer", "window", "friday", "timeout", "picture", "budget",
    "paper", "calendar", "strange", "invoice", "rollback", "keyboard", "garden", "slower", "memory",
    "umbrella", "headline", "thirty", "certificate", "holiday", "bicycle", "kitchen", "orange",
    "schedule", "database", "mountain", "reboot", "dinner", "upstairs", "quarter", "noisy",
    "translation", "elevator", "library", "midnight", "signature", "blanket", "harbour", "violin",
    "postpone", "yesterday", "delivery", "parcel", "bridge", "summary", "printer", "puzzle", "cable",
];

const KOREAN: [&str; 120] = [
    "네", "그", "저는", "오늘", "안", "좀", "그럼", "잘", "다시", "이제", "제가", "지금", "그래서", "혹시",
    "아니요", "정말", "같이", "먼저", "그런데", "내일", "확인해", "주세요", "감사합니다", "좋아요", "괜찮아요",
    "회의", "시간이", "있어요", "없어요", "합니다", "했어요", "해야", "할", "것", "같아요", "어제", "아직", "서버가",
    "메시지를", "보냈어요", "받았습니다", "너무", "조금", "많이", "빨리", "천천히", "점심", "먹었어요", "먹고",
    "커피", "한잔", "어때요", "사람들이", "기다리고", "있습니다", "문제가", "생겼어요", "고쳤습니다", "배포는",
    "오후에", "아침에", "저녁에", "주말에", "날씨가", "추워요", "더워요", "비가", "와요", "버스가", "늦어서",
    "죄송합니다", "조금만", "기다려", "사진을", "올렸어요", "파일을", "열어", "보세요", "링크는", "여기에",
    "질문이", "하나", "있는데요", "답장이", "늦었네요", "알겠습니다", "그렇게", "하겠습니다", "수고하셨습니다",
    "새로운", "버전을", "테스트", "중이에요", "연결이", "끊겼어요", "로그를", "보니까", "이상해요", "고객이",
    "물어봤어요", "일정을", "바꿔야", "다음", "주", "월요일까지", "보고서를", "끝내고", "퇴근할게요", "지하철에서",
    "만나요", "도서관", "앞에서", "책을", "읽고", "음악을", "들으면서", "산책했어요", "강아지가", "귀여워요", "생일",
];

const PATHS: [&str; 8] = [
    "/", "/api/v2/orders", "/api/v2/orders/search", "/api/v2/users/me", "/static/app.js", "/health",
    "/api/v2/sessions", "/feed",
];

pub(crate) fn english(text: &mut String, random: &mut Random) {
    sentence(text, random, &ENGLISH, &[".", "?", "!", ".", ""]);
}

pub(crate) fn korean(text: &mut String, random: &mut Random) {
    sentence(text, random, &KOREAN, &[".", "?", "!", "~", " ㅎㅎ", ".."]);
}

fn sentence(text: &mut String, random: &mut Random, words: &[&str], ends: &[&str]) {
    for place in 0..4 + random.below(11) {
        if place > 0 {
            text.push_str(if random.below(12) == 0 { ", " } else { " " });
        }
        text.push_str(random.word(words));
    }
    text.push_str(random.pick(ends));
}

pub(crate) fn html(text: &mut String, random: &mut Random, feed: &mut Feed) {
    feed.serial += 1;
    let (id, name) = (feed.serial, random.word(&NAMES));
    match random.below(3) {
        0 => {
            let state = random.pick(&["new", "done", "late"]);
            let _ = write!(
                text,
                r#"<tr id="order-{id}" class="row row-{state}"><td class="name">{name}</td><td class="num">{}.{:02}</td></tr>"#,
                random.below(900),
                random.below(100)
            );
        }
        1 => {
            let _ = write!(text, r#"<li class="item" data-id="{id}"><a href="/users/{name}">{name}</a> "#);
            english(text, random);
            text.push_str("</li>");
        }
        _ => {
            let percent = random.below(101);
            let _ = write!(
                text,
                r#"<div class="bar" id="job-{id}" role="progressbar" aria-valuenow="{percent}" style="width: {percent}%"><span class="label">{name}</span></div>"#
            );
        }
    }
}

pub(crate) fn log_line(text: &mut String, random: &mut Random, feed: &mut Feed) {
    feed.millis += random.below(700);
    let seconds = feed.millis / 1000;
    let level = random.word(&["INFO", "INFO", "DEBUG", "WARN", "ERROR"]);
    let _ = write!(
        text,
        "2026-11-29T{:02}:{:02}:{:02}.{:03}Z {level} ",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        feed.millis % 1000
    );
    let (path, trace) = (random.word(&PATHS), random.next() >> 32);
    let _ = match random.below(3) {
        0 => write!(
            text,
            "http: request{{method={} path={path} trace={trace:08x}}}: status={} latency={}ms",
            random.word(&["GET", "POST", "PUT", "DELETE"]),
            random.word(&["200", "200", "304", "404", "500"]),
            random.below(400)
        ),
        1 => write!(
            text,
            "pool: took connection {} of 32 for {} after {} µs",
            random.below(32),
            random.word(&NAMES),
            random.below(9000)
        ),
        _ => write!(text, "worker-{}: job {trace:08x} finished, {} left", random.below(8), random.below(300)),
    };
}
