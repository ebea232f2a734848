//! A running program under attack, and what the attack costs it.
//!
//! A server is held to four bounds: memory, descriptors, the processor's time afterwards, and a client
//! that is served all the while. A client program ends with its one connection: what it held is gone
//! with it, and it serves nobody, so that memory and the way it ends are all there is to hold.

pub(crate) mod by_hand;
mod bystander;
mod descriptors;
mod peer;
mod usage;

use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use talkback::WebSocketChannel;

use crate::support::{LIMIT, Running};

use bystander::{Bystander, say};

pub(crate) use descriptors::raise_descriptors;
pub(crate) use peer::{
    Attacker, Peer, REQUEST, accept_head, frame, header, plain, plain_header, read_head, with_line,
};
pub(crate) use usage::Usage;

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;

/// The bits and opcodes of a frame's first byte (RFC 6455 §5.2).
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
/// The message limit of server and client by default.
pub(crate) const MESSAGE_SIZE_MAX: u64 = 16 * MIB;

/// What a process may gain in memory for reasons of its own: pages of its code, stacks, the
/// allocator's arenas.
pub(crate) const CONSTANT: u64 = 6 * MIB;

/// How many ticks of 10 ms an idle process may take in [`PAUSE`]; one that spins takes all of them.
const IDLE_TICKS: u64 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// How long a well-behaved client may ever wait: less than the timeouts that end an attack, by far
/// more than a slow machine takes.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// `talkback echo`, warmed up: what it held before the attack is known. A well-behaved client talks to
/// it all the while.
pub(crate) struct Target {
    pub(crate) server: Running,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) usage: Usage,
    descriptors: usize,
    peak: u64,
    bystander: Mutex<Option<Bystander>>,
}

impl Target {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (server, url) = crate::support::echo(arguments);
        Self::of(server, url)
    }

    /// With at most so many descriptors.
    #[cfg(unix)]
    pub(crate) fn with_descriptors(count: usize) -> Self {
        let mut command = std::process::Command::new("sh");
        let limited = format!("ulimit -n {count} && exec \"$0\" echo --listen 127.0.0.1:0");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_talkback")]);
        let server = Running::spawn(command.env_remove("RUST_LOG"));
        let url = crate::support::url_of(&server);
        Self::of(server, url)
    }

    fn of(server: Running, url: String) -> Self {
        let address = url.split('/').nth(2).unwrap().parse().unwrap();
        let usage = Usage::of(server.id());
        let mut target = Self {
            server,
            url,
            address,
            usage,
            descriptors: 0,
            peak: 0,
            bystander: Mutex::new(None),
        };
        // One connection before counting: what is made once and kept is no cost of the attack.
        let descriptors = target.usage.descriptors();
        target.serves();
        until("the first connection is gone", || {
            target.usage.descriptors() <= descriptors
        });
        *target.bystander.get_mut().unwrap() = Some(Bystander::on(target.opened()));
        target.descriptors = target.usage.descriptors();
        target.peak = target.usage.peak();
        target
    }

    /// A well-behaved client is served.
    #[track_caller]
    pub(crate) fn serves(&self) {
        let asked = Instant::now();
        let channel = self.opened();
        let waited = asked.elapsed();
        assert!(waited < WAIT_MAX, "a client was held up: {waited:?}");
        // On a thread of its own, as the caller may be in a runtime.
        let closing = thread::spawn(move || channel.close().wait());
        assert!(closing.join().unwrap().unwrap().clean);
    }

    /// A well-behaved client, which has been served once.
    #[track_caller]
    fn opened(&self) -> WebSocketChannel {
        // Those that speak TLS have made their certificates themselves.
        let connecting = talkback::connect(&*self.url).danger_accept_any_certificate();
        let (done, served) = mpsc::channel();
        thread::spawn(move || {
            let mut channel = connecting.channel();
            let said = say(&mut channel);
            let _ = done.send(said.map(|()| channel));
        });
        served.recv_timeout(LIMIT).unwrap().unwrap()
    }

    /// How many descriptors more than before the attack.
    pub(crate) fn descriptors(&self) -> usize {
        self.usage.descriptors().saturating_sub(self.descriptors)
    }

    /// By how many bytes its memory has been larger than before the attack, at its largest.
    pub(crate) fn growth(&self) -> u64 {
        self.usage.peak().saturating_sub(self.peak)
    }

    /// The memory of the attack is bounded.
    #[track_caller]
    pub(crate) fn grew_at_most(&self, bytes: u64) {
        let growth = self.growth();
        println!("memory grew by {} KiB", growth / KIB);
        assert!(growth <= bytes, "{growth} bytes, {bytes} are allowed");
    }

    /// All is as before the attack: descriptors are closed, nothing runs, clients are served, and one
    /// was all the while.
    #[track_caller]
    pub(crate) fn recovers(&self) {
        until("all descriptors are closed", || self.descriptors() == 0);
        self.usage.is_idle(PAUSE, IDLE_TICKS);
        if let Some(bystander) = self.bystander.lock().unwrap().take() {
            let talk = bystander.leave().unwrap();
            println!("{} echoes, {:?} at most", talk.echoes, talk.longest);
            assert!(talk.echoes > 0 && talk.info.clean, "{talk:?}");
            assert!(talk.longest < WAIT_MAX, "it was held up: {talk:?}");
        }
        self.serves();
        assert_calm(&self.server);
    }
}

/// No task and no thread has panicked.
#[track_caller]
pub(crate) fn assert_calm(program: &Running) {
    let log = program.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

/// Waits until it is so, at most for the limit.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LIMIT, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Holds that work grows in proportion: two inputs of the same size, one in small parts and one in
/// large parts, cost about the same. The margin is wide, as other programs share the processor.
#[track_caller]
pub(crate) fn assert_linear(what: &str, small_parts: u64, large_parts: u64) {
    println!("{what}: {small_parts} ticks in small parts, {large_parts} in large ones");
    assert!(
        large_parts <= 4 * small_parts + 20,
        "{what}: {small_parts} ticks, then {large_parts}"
    );
}
