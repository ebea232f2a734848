//! A line to Redis that loses what a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Whether a frame of Redis's protocol passes: by the number of its connection, from 0, and its bytes.
type Rule = dyn FnMut(usize, &[u8]) -> bool + Send;

/// What stands between a hub and its Redis.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    rule: Mutex<Box<Rule>>,
    opened: AtomicUsize,
    /// Whether connections are let through.
    is_open: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let own = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            rule: Mutex::new(Box::new(|_, _| true)),
            opened: AtomicUsize::new(0),
            is_open: watch::Sender::new(true),
        });
        let task = tokio::spawn(serve(listener, port, Arc::clone(&shared)));
        Self {
            port: own,
            shared,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What passes from Redis to the hub from now on.
    pub(crate) fn pass_if(&self, rule: impl FnMut(usize, &[u8]) -> bool + Send + 'static) {
        *self.shared.rule.lock().expect("no rule panics") = Box::new(rule);
    }

    /// Loses what is published with this in it.
    pub(crate) fn lose(&self, text: &'static str) {
        self.pass_if(move |_, frame| {
            let has_it = frame.windows(text.len()).any(|it| it == text.as_bytes());
            !(is_published(frame) && has_it)
        });
    }

    /// How many connections there have been.
    pub(crate) fn opened(&self) -> usize {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Cuts all connections, and those that come.
    pub(crate) fn shut(&self) {
        self.shared.is_open.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.shared.is_open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether it is something published, which is pushed as `message`.
pub(crate) fn is_published(frame: &[u8]) -> bool {
    frame.starts_with(b">3\r\n$7\r\nmessage\r\n")
}

async fn serve(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    // They end with the proxy.
    let mut lines = JoinSet::new();
    while let Ok((hub, _)) = listener.accept().await {
        let number = shared.opened.fetch_add(1, Ordering::SeqCst);
        lines.spawn(line(hub, port, number, Arc::clone(&shared)));
    }
}

async fn line(hub: TcpStream, port: u16, number: usize, shared: Arc<Shared>) {
    let mut is_open = shared.is_open.subscribe();
    let both = async {
        let Ok(redis) = TcpStream::connect(("127.0.0.1", port)).await else {
            return;
        };
        let ((from_hub, to_hub), (from_redis, to_redis)) = (hub.into_split(), redis.into_split());
        tokio::select! {
            () = upwards(from_hub, to_redis) => {}
            () = downwards(from_redis, to_hub, number, &shared) => {}
        }
    };
    tokio::select! {
        () = both => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}

async fn upwards(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Whoever closes ends both directions.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn downwards(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: usize,
    shared: &Shared,
) {
    let (mut read, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(size @ 1..) = from.read(&mut chunk).await {
        read.extend(&chunk[..size]);
        let (mut at, mut passed) = (0, Vec::new());
        while let Some(size) = frame(&read[at..]) {
            let bytes = &read[at..at + size];
            if shared.rule.lock().expect("no rule panics")(number, bytes) {
                passed.extend(bytes);
            }
            at += size;
        }
        read.drain(..at);
        if to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

/// How long the first frame is, if it is all there.
fn frame(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|it| it == b"\r\n")? + 2;
    let text = || str::from_utf8(&bytes[1..end - 2]).ok()?.parse::<i64>().ok();
    let number = |factor: i64| usize::try_from(text().unwrap_or(0) * factor).unwrap_or(0);
    match bytes[0] {
        b'$' | b'=' | b'!' if text() != Some(-1) => {
            let size = end + number(1) + 2;
            (bytes.len() >= size).then_some(size)
        }
        kind @ (b'*' | b'>' | b'~' | b'%') => {
            let parts = number(if kind == b'%' { 2 } else { 1 });
            (0..parts).try_fold(end, |at, _| Some(at + frame(&bytes[at..])?))
        }
        _ => Some(end),
    }
}
