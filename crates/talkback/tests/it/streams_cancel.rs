//! V52 for messages as streams: every future dropped at every poll gives the same bytes.

use talkback::{DeflateParameters, MessageKind};
use talkback_proto::Opcode;

use crate::support::dropping::{Cut, Runner, run};
use crate::support::{Fin, Script, masked, server, written};

fn input() -> Vec<u8> {
    [
        masked(Fin::More, Opcode::Text, "안녕".as_bytes()),
        masked(Fin::Last, Opcode::Ping, b"?"),
        masked(Fin::Last, Opcode::Continuation, "하세요".as_bytes()),
        masked(Fin::Last, Opcode::Binary, &[2; 100_000]),
        masked(Fin::Last, Opcode::Binary, &[3; 70_000]),
        masked(Fin::Last, Opcode::Text, b"last"),
    ]
    .concat()
}

/// Streams every message back; what was received, what was written, and how many polls it took.
fn echo(cut: Cut, is_compressed: bool) -> (Vec<Vec<u8>>, Vec<u8>, usize) {
    let script = Script::trickle(&input(), 3_000).write_max(2_000);
    let (socket, log) = server(script);
    let parameters = is_compressed.then(DeflateParameters::default);
    let mut socket = socket.with_deflate(parameters.as_ref());
    let mut runner = Runner::new(cut);
    let mut messages = Vec::new();
    for _ in 0..4 {
        let (mut message, kind) = (Vec::new(), MessageKind::Binary);
        // The future lends the socket to what it returns, so it is tried once more by hand.
        loop {
            let Some(reader) = runner.try_run(socket.recv_stream()) else {
                continue;
            };
            let mut reader = reader.unwrap().unwrap();
            while let Some(piece) = run!(runner, reader.read()).unwrap() {
                message.extend_from_slice(&piece);
            }
            break;
        }
        let mut writer = socket.send_stream(kind).unwrap();
        // A dropped write has queued nothing, as it waited: so it is made again.
        for piece in message.chunks(9_000) {
            run!(runner, writer.write(piece.to_vec())).unwrap();
        }
        run!(runner, writer.flush()).unwrap();
        run!(runner, writer.finish()).unwrap();
        drop(writer);
        messages.push(message);
    }
    (messages, written(&log), runner.polls)
}

#[tokio::test(start_paused = true)]
async fn v52_streams_dropped_at_every_poll() {
    for is_compressed in [false, true] {
        let (messages, bytes, polls) = echo(Cut::Never, is_compressed);
        assert_eq!(messages[0], "안녕하세요".as_bytes());
        assert_eq!(messages[1], [2; 100_000]);
        assert_eq!(messages[2], [3; 70_000]);
        assert_eq!(messages[3], b"last");
        assert!(polls > 100, "the script is meant to be slow: {polls} polls");
        for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
            let (others, other_bytes, _) = echo(cut, is_compressed);
            assert!(others == messages, "{cut:?}: received");
            assert!(other_bytes == bytes, "{cut:?}: written");
        }
    }
}
