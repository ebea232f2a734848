//! One connection: what it sends, and what it makes of the answers.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use talkback::{Message, Transport, WebSocket};
use talkback_terminal::explain;
use tokio::sync::Notify;

use crate::bench::crew::Crew;
use crate::bench::tally::{Cause, Tally};
use crate::exit;
use crate::show;

/// How many bytes may wait to be written before one more message is sent: fewer than a socket waits for.
const BUFFERED_MAX: usize = 16 << 10;

/// An open connection.
pub(crate) struct Peer {
    socket: WebSocket<Transport>,
    crew: Arc<Crew>,
    tally: Arc<Tally>,
    /// Which of the exchanges is the next one to be sent.
    next: usize,
    /// From when the latencies of the messages count that wait for their answers.
    awaited: VecDeque<Instant>,
}

impl Peer {
    /// Opens a connection.
    pub(crate) async fn open(
        crew: Arc<Crew>,
        tally: Arc<Tally>,
        number: u32,
    ) -> Result<Self, Cause> {
        let begin = Instant::now();
        let socket = crew.connecting(number).await.map_err(|error| {
            let failure = show::failed(&error);
            Cause {
                text: failure.message,
                code: failure.code,
            }
        })?;
        let headers = socket.response().headers();
        let is_compressed = headers.contains_key("sec-websocket-extensions");
        tally.recent().handle_open(begin.elapsed(), is_compressed);
        let next = number as usize % crew.plan.exchanges.len();
        let awaited = VecDeque::with_capacity(crew.plan.pipeline.min(64));
        Ok(Self {
            socket,
            crew,
            tally,
            next,
            awaited,
        })
    }

    /// Sends the next message once the last one is answered, until the end of the run.
    pub(crate) async fn run_closed(&mut self) -> Result<(), Cause> {
        let mut now = Instant::now();
        loop {
            let is_over = self.crew.is_over();
            while !is_over && self.has_capacity() {
                self.send(now).await?;
            }
            if !self.awaited.is_empty() {
                let message = self.socket.recv().await;
                now = self.handle_message(message)?;
            } else if is_over {
                return Ok(());
            } else {
                // The answer came before all of its message was written.
                if let Some(message) = self.recv_or_flush().await {
                    self.handle_message(message)?;
                }
                now = Instant::now();
            }
        }
    }

    /// The next message, or `None` if all is written before one comes.
    async fn recv_or_flush(&mut self) -> Option<Result<Option<Message>, talkback::Error>> {
        poll_fn(|cx| {
            if let Poll::Ready(message) = pin!(self.socket.recv()).poll(cx) {
                return Poll::Ready(Some(message));
            }
            // What cannot be written shows as the end of the connection.
            pin!(self.socket.flush()).poll(cx).map(|_| None)
        })
        .await
    }

    /// Sends a message whenever one is due, until the end of the run: it is woken when that is.
    pub(crate) async fn run_paced(
        &mut self,
        wake: &Notify,
        mut due: Instant,
        period: Duration,
    ) -> Result<(), Cause> {
        loop {
            let is_over = self.crew.is_over();
            while !is_over && self.has_capacity() && due <= Instant::now() {
                self.send(due).await?;
                due += period;
            }
            if is_over && self.awaited.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                message = self.socket.recv() => {
                    self.handle_message(message)?;
                }
                () = wake.notified() => {}
            }
        }
    }

    /// Whether one more message may wait for its answer. One that waits to be written is not waited for: two
    /// ends that only write would wait for each other for ever.
    fn has_capacity(&self) -> bool {
        self.awaited.len() < self.crew.plan.pipeline
            && self.socket.buffered_amount() <= BUFFERED_MAX
    }

    pub(crate) async fn close(&mut self) {
        self.socket.close().await;
    }

    /// Sends the next message, whose latency counts from then. It is written before an answer is waited for.
    async fn send(&mut self, from: Instant) -> Result<(), Cause> {
        let exchanges = &self.crew.plan.exchanges;
        if self
            .socket
            .feed(&exchanges[self.next].message)
            .await
            .is_err()
        {
            // What was received before the end says why.
            while let Ok(Some(_)) = self.socket.recv().await {}
            return Err(self.ended());
        }
        self.next = (self.next + 1) % exchanges.len();
        self.awaited.push_back(from);
        self.tally.handle_sent();
        Ok(())
    }

    /// Counts what came; returns when that was.
    fn handle_message(
        &mut self,
        message: Result<Option<Message>, talkback::Error>,
    ) -> Result<Instant, Cause> {
        let Ok(Some(message)) = message else {
            return Err(self.ended());
        };
        let now = Instant::now();
        let exchanges = &self.crew.plan.exchanges;
        let behind = self.awaited.len() % exchanges.len();
        let exchange = &exchanges[(self.next + exchanges.len() - behind) % exchanges.len()];
        let Some(from) = self.awaited.pop_front() else {
            let text = "a message came before any was sent, or after all were answered".to_owned();
            let code = exit::OTHER;
            self.tally.recent().handle_error(Cause { text, code }, 1);
            return Ok(now);
        };
        let expected = exchange.answer.as_ref();
        let is_right = expected.is_none_or(|expected| *expected == message);
        let mut counts = self.tally.recent();
        counts.handle_answer(message.len(), is_right.then(|| now - from));
        if !is_right {
            let text = "an answer was not what was expected".to_owned();
            let code = exit::OTHER;
            counts.handle_error(Cause { text, code }, 1);
        }
        Ok(now)
    }

    /// Counts what is lost with the connection; returns why that has ended, which it was not to.
    fn ended(&self) -> Cause {
        self.tally.recent().lost += self.awaited.len() as u64;
        let Some(info) = self.socket.close_info() else {
            let text = "the connection was lost".to_owned();
            return Cause {
                text,
                code: exit::LOST,
            };
        };
        Cause {
            text: explain::end(info, "raise `--max-message`, or "),
            // A normal close is one too early.
            code: match exit::of_close(info) {
                exit::NORMAL => exit::CLOSED_WITH_ERROR,
                code => code,
            },
        }
    }
}
