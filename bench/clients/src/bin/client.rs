//! One connection of one library's: so many messages are sent, with one flush where the library knows one, and
//! all are echoed before the next ones are sent. What it prints is what this client spent.

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use clients::{Options, block_on, payload};
use fastwebsockets::{FragmentCollector, Frame, Payload};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::rt::Executor;
use hyper::upgrade::Upgraded;
use talkback::{Transport, WebSocket, WebSocketChannel};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite};

trait Client {
    async fn feed(&mut self, payload: &Bytes) -> Result<()>;
    async fn flush(&mut self) -> Result<()>;
    /// Receives a message, and holds it against what was sent.
    async fn recv(&mut self, payload: &[u8]) -> Result<()>;
}

impl Client for WebSocket<Transport> {
    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(WebSocket::feed(self, payload).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(WebSocket::flush(self).await?)
    }

    async fn recv(&mut self, payload: &[u8]) -> Result<()> {
        let message = WebSocket::recv(self).await?;
        compare(message.as_ref().map(talkback::Message::as_bytes), payload)
    }
}

impl Client for WebSocketChannel {
    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        // `SinkExt`'s would flush.
        Ok(WebSocketChannel::send(self, payload).await?)
    }

    /// Its driver writes what is queued.
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn recv(&mut self, payload: &[u8]) -> Result<()> {
        let message = WebSocketChannel::recv(self).await?;
        compare(message.as_ref().map(talkback::Message::as_bytes), payload)
    }
}

impl Client for tokio_websockets::WebSocketStream<TcpStream> {
    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        let message = tokio_websockets::Message::binary(payload.clone());
        Ok(SinkExt::feed(self, message).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(SinkExt::flush(self).await?)
    }

    async fn recv(&mut self, payload: &[u8]) -> Result<()> {
        let message = self.next().await.transpose()?;
        compare(
            message.as_ref().map(|message| &**message.as_payload()),
            payload,
        )
    }
}

impl Client for WebSocketStream<TcpStream> {
    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(SinkExt::feed(self, tungstenite::Message::Binary(payload.clone())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(SinkExt::flush(self).await?)
    }

    async fn recv(&mut self, payload: &[u8]) -> Result<()> {
        let message = self.next().await.transpose()?;
        compare(
            message.map(tungstenite::Message::into_data).as_deref(),
            payload,
        )
    }
}

type Fast = FragmentCollector<hyper_util::rt::TokioIo<Upgraded>>;

impl Client for Fast {
    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(self
            .write_frame(Frame::binary(Payload::Borrowed(payload)))
            .await?)
    }

    /// Each frame was written.
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn recv(&mut self, payload: &[u8]) -> Result<()> {
        let frame = self.read_frame().await?;
        compare(Some(&frame.payload), payload)
    }
}

fn compare(message: Option<&[u8]>, payload: &[u8]) -> Result<()> {
    ensure!(message == Some(payload), "something else came back");
    Ok(())
}

struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Spawn {
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}

async fn fastwebsockets(options: &Options) -> Result<Fast> {
    let key = fastwebsockets::handshake::generate_key();
    let request = hyper::Request::get("/")
        .header("Host", "127.0.0.1")
        .header("Upgrade", "websocket")
        .header("Connection", "upgrade")
        .header("Sec-WebSocket-Key", key)
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let stream = options.connect().await?;
    let (socket, _) = fastwebsockets::handshake::client(&Spawn, request, stream).await?;
    Ok(FragmentCollector::new(socket))
}

async fn echoes(mut client: impl Client, options: &Options) -> Result<()> {
    let (size, count) = match &*options.names[0] {
        "ping-pong" => (64, 1),
        "in-flight" => (64, 64),
        "in-flight-16k" => (16 << 10, 16),
        row => bail!("no row is named {row}"),
    };
    let payload = Bytes::from(payload(size));
    let (mut round, mut began) = (0, options.spent()?);
    const WARMUP: u64 = 50;
    loop {
        if round == WARMUP {
            began = options.spent()?;
        }
        if round > WARMUP && began.1.elapsed() > options.time {
            return options.report(began, (round - WARMUP) * count);
        }
        for _ in 0..count {
            client.feed(&payload).await?;
        }
        client.flush().await?;
        for _ in 0..count {
            client.recv(&payload).await?;
        }
        round += 1;
    }
}

fn main() -> Result<()> {
    let options = &Options::parse()?;
    let [_, library] = &options.names[..] else {
        bail!("a row and a library");
    };
    let ours = talkback::connect(&*options.url).compression(None);
    if library == "channel, no runtime" {
        // In another executor; the background thread drives it where the program does not.
        return futures_executor::block_on(echoes(ours.channel(), options));
    }
    block_on(async {
        match &**library {
            "library" => echoes(ours.await?, options).await,
            "channel" => echoes(ours.channel(), options).await,
            "tokio-websockets" => {
                let builder = tokio_websockets::ClientBuilder::new().uri(&options.url)?;
                echoes(
                    builder.connect_on(options.connect().await?).await?.0,
                    options,
                )
                .await
            }
            "tungstenite" => {
                let stream = options.connect().await?;
                let (socket, _) = tokio_tungstenite::client_async(&*options.url, stream).await?;
                echoes(socket, options).await
            }
            "fastwebsockets" => echoes(fastwebsockets(options).await?, options).await,
            library => bail!("no library is named {library}"),
        }
    })
}
