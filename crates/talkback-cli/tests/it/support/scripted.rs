//! `talkback connect` against a server that plays bytes.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::wire::{
    CLOSE, End, Frame, NORMAL, TEXT, plain, prepare, read_head, read_to_end, reset, write,
};
use super::{Finished, LIMIT, connect};

/// What the client is given to send: it must not leave before the connection is open.
pub(crate) const INPUT: &str = "early\n";

/// The extensions that the client offers, as a header line with its end.
pub(crate) const OFFER: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// A right response, without these headers and with these lines more. `{accept}` stands for the
/// answer to the client's key.
pub(crate) fn response(without: &[&str], with: &[&str]) -> String {
    let right = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: {accept}",
    ];
    let is_kept = |line: &&str| !without.contains(&line.split(':').next().unwrap());
    let lines = right
        .into_iter()
        .filter(is_kept)
        .chain(with.iter().copied());
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n")
}

/// The frames behind the response that a client must not lose: a message and a close frame.
pub(crate) fn frames() -> Vec<u8> {
    [plain(TEXT, b"Hello!"), plain(CLOSE, &NORMAL)].concat()
}

/// What one client did.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) finished: Finished,
    pub(crate) url: String,
    pub(crate) request: String,
    /// What the client sent behind its request.
    pub(crate) behind: Vec<u8>,
}

impl Played {
    /// The values of a header in the request, in order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.request.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(line_name, _)| line_name.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

/// How a server answers: with pieces of bytes, each in a write of its own, and an end.
pub(crate) struct ScriptedResponse {
    pub(crate) bytes: Vec<u8>,
    /// Where one write ends and the next begins.
    pub(crate) splits: Vec<usize>,
    pub(crate) end: End,
}

impl ScriptedResponse {
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            splits: Vec::new(),
            end: End::Fin,
        }
    }
}

/// Runs `talkback connect` against a server that answers with `head` and the frames behind it.
pub(crate) fn play(arguments: &[&str], head: &str) -> Played {
    play_with(arguments, |accept| {
        let head = head.replace("{accept}", accept);
        ScriptedResponse::whole([head.as_bytes(), &frames()].concat())
    })
}

/// Runs `talkback connect` against a server that gives this answer, made with the right
/// `Sec-WebSocket-Accept`.
pub(crate) fn play_with(
    arguments: &[&str],
    answer: impl FnOnce(&str) -> ScriptedResponse + Send,
) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    play_at(&listener, &url, arguments, answer)
}

/// As [`play_with`], at a listener and a URL of the test's own.
pub(crate) fn play_at(
    listener: &TcpListener,
    url: &str,
    arguments: &[&str],
    answer: impl FnOnce(&str) -> ScriptedResponse + Send,
) -> Played {
    let serve = || {
        let mut stream = accept(listener);
        let request = String::from_utf8(read_head(&mut stream)).unwrap();
        let key = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let answer = answer(&talkback::accept_key(key.unwrap()));
        (request, give(stream, &answer))
    };
    thread::scope(|scope| {
        let serving = scope.spawn(serve);
        let first = ["--timeout", "60", "--send", INPUT.trim_end()];
        let finished = connect(&[&[url], arguments, &first].concat(), "");
        let (request, behind) = serving.join().unwrap();
        // Whatever a server answers, there is one connection and no second try.
        assert_nobody_came(listener);
        Played {
            finished,
            url: url.to_owned(),
            request,
            behind,
        }
    })
}

/// Gives the answer; returns what the client sent.
fn give(mut stream: TcpStream, answer: &ScriptedResponse) -> Vec<u8> {
    let ends = answer.splits.iter().copied();
    let mut begin = 0;
    for end in ends.chain([answer.bytes.len()]) {
        if begin > 0 {
            // So that the client reads the piece before; nothing depends on it.
            thread::sleep(Duration::from_micros(200));
        }
        write(&mut stream, &answer.bytes[begin..end]);
        begin = end;
    }
    match answer.end {
        End::Fin => {
            // A client that has seen enough may have gone.
            let _ = stream.shutdown(Shutdown::Write);
            read_to_end(&mut stream)
        }
        End::Reset => {
            reset(stream);
            Vec::new()
        }
    }
}

/// The next client, waited for with a limit.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begin = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                prepare(&stream);
                return stream;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(begin.elapsed() < LIMIT, "nobody came");
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Holds that no connection waits to be accepted.
#[track_caller]
pub(crate) fn assert_nobody_came(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let outcome = listener.accept();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// The client takes the response: it prints the message, answers the close frame, and is content.
#[track_caller]
pub(crate) fn passes(arguments: &[&str], head: &str) {
    assert_passed(&play(arguments, head), head);
}

#[track_caller]
pub(crate) fn assert_passed(played: &Played, what: &str) {
    let Finished { code, stdout, .. } = &played.finished;
    assert_eq!(
        (*code, &**stdout),
        (Some(0), "Hello!\n"),
        "{what:?}: {played:?}"
    );
    let frames = Frame::all(&played.behind);
    let last = frames.last().unwrap();
    assert_eq!(last.content(), (CLOSE, &NORMAL[..]), "{what:?}");
}

/// The client refuses the response: exit code 6, one line that has these words and says where, no
/// message printed, and no frame sent (C16).
#[track_caller]
pub(crate) fn fails(arguments: &[&str], head: &str, words: &[&str]) {
    assert_failed(&play(arguments, head), head, words);
}

#[track_caller]
pub(crate) fn assert_failed(played: &Played, what: &str, words: &[&str]) {
    let Finished {
        code,
        stdout,
        stderr,
    } = &played.finished;
    assert_eq!((*code, &**stdout), (Some(6), ""), "{what:?}: {played:?}");
    assert_eq!(stderr.lines().count(), 1, "{what:?}: {stderr}");
    assert!(stderr.starts_with("error: "), "{what:?}: {stderr}");
    for word in [&[&*played.url], words].concat() {
        assert!(stderr.contains(word), "{word}: {what:?}: {stderr}");
    }
    assert_eq!(played.behind, b"", "{what:?}: a frame before it was open");
}
