//! wtx, whose reader lends the payload that the writer sends.

use std::io::IoSlice;

use servers::{Options, Outcome, Server, Stream, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wtx::collection::Vector;
use wtx::stream::{StreamReader, StreamWriter};
use wtx::web_socket::compression::{Flate2, NegotiatedCompression};
use wtx::web_socket::{
    Compression, CompressionLevel, DeflateConfig, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin,
};

#[derive(Clone, Copy)]
struct Wtx;

impl Server for Wtx {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        if !options.has_deflate {
            return echo(Io(stream), ()).await;
        }
        let mut config = DeflateConfig::default();
        if let Some(level) = options.level {
            config.compression_level = CompressionLevel::try_from(level)?;
        }
        echo(Io(stream), Flate2::from(config)).await
    }
}

async fn echo<S: Stream, C>(stream: Io<S>, compression: C) -> Outcome
where
    C: Compression<false> + Send,
    C::NegotiatedCompression: NegotiatedCompression + Send,
{
    let acceptor = WebSocketAcceptor::default().compression(compression);
    let mut socket = acceptor.accept(stream).await?;
    let (mut common, mut reader, mut writer) = socket.split_mut();
    let mut buffer = Vector::new();
    loop {
        let origin = WebSocketPayloadOrigin::Adaptive;
        let mut frame = reader.read_frame(&mut buffer, &mut common, origin).await?;
        match frame.op_code() {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            _ => {}
        }
        buffer.clear();
    }
}

/// What wtx has for tokio's TCP, over any of tokio's streams.
struct Io<S>(S);

impl<S: Stream> StreamReader for Io<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.0.read(bytes).await?)
    }
}

impl<S: Stream> StreamWriter for Io<S> {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.0.write_all(bytes).await?;
        Ok(self.0.flush().await?)
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> wtx::Result<()> {
        let mut slices = [IoSlice::new(&[]); 8];
        for (slice, bytes) in slices.iter_mut().zip(bytes) {
            *slice = IoSlice::new(bytes);
        }
        let mut slices = &mut slices[..bytes.len()];
        while !slices.is_empty() {
            let written = self.0.write_vectored(slices).await?;
            IoSlice::advance_slices(&mut slices, written);
        }
        Ok(self.0.flush().await?)
    }
}

fn main() -> std::io::Result<()> {
    run(Wtx, Options::parse())
}
