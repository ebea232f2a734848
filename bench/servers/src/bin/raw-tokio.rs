//! The floor on tokio: what `raw-epoll` does, with a task for each connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use servers::{Echo, Options, Outcome, RESERVE, Server, Stream, run, space};
use tokio::io::{AsyncWriteExt, ReadBuf};

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(space());
}

#[derive(Clone, Copy)]
struct RawTokio;

impl Server for RawTokio {
    async fn serve<S: Stream>(self, mut stream: S, _: Options) -> Outcome {
        let mut echo = Echo::default();
        while !echo.is_closed {
            let unsent = echo_once(&mut stream, &mut echo).await?;
            if !unsent.is_empty() {
                stream.write_all(&unsent).await?;
            }
            stream.flush().await?;
        }
        Ok(())
    }
}

/// Reads once and sends back what came; returns what was not taken at once.
async fn echo_once(stream: &mut impl Stream, echo: &mut Echo) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(&mut buffer[RESERVE..]);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            let size = read.filled().len();
            if size == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let range = echo.turn(buffer, size);
            let answer = &buffer[range];
            if answer.is_empty() {
                return Poll::Ready(Ok(Vec::new()));
            }
            let written = match Pin::new(&mut *stream).poll_write(cx, answer) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            Poll::Ready(Ok(answer[written..].to_vec()))
        })
    })
    .await
}

fn main() -> io::Result<()> {
    run(RawTokio, Options::parse().without_deflate())
}
