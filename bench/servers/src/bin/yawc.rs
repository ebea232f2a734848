//! yawc, upgraded by hyper as in its example, with the buffers that its own benchmark gives it, and with its
//! check of UTF-8. Without takeover it compresses in a pool, as its documentation advises.

use std::sync::LazyLock;

use futures_util::StreamExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use servers::{Options, Outcome, Server, Stream, echo, run, spawn};
use yawc::{CompressionLevel, DeflatePool, Frame, OpCode, UpgradeFut, WebSocket, WebSocketError};

const PAYLOAD_SIZE_MAX: usize = 64 << 20;
static POOL: LazyLock<DeflatePool> = LazyLock::new(|| DeflatePool::new(1));

#[derive(Clone, Copy)]
struct Yawc;

impl Server for Yawc {
    async fn serve<S: Stream>(self, stream: S, options: Options) -> Outcome {
        let service = service_fn(|mut request: Request<Incoming>| async move {
            let accepted = WebSocket::upgrade_with_options(&mut request, settings(options))?;
            spawn(echo_on(accepted.1, options));
            Ok::<_, WebSocketError>(accepted.0)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        Ok(connection.with_upgrades().await?)
    }
}

fn settings(options: Options) -> yawc::Options {
    let mut settings = yawc::Options::default()
        .with_utf8()
        .with_limits(PAYLOAD_SIZE_MAX, 2 * PAYLOAD_SIZE_MAX)
        .with_read_buffer_capacity(128 << 10)
        .with_backpressure_boundary(64 << 10);
    if options.has_deflate {
        let level = options.level.map_or(CompressionLevel::default(), |level| {
            CompressionLevel::new(level.into())
        });
        settings = settings.with_compression_level(level);
        if !options.has_takeover {
            settings = settings
                .server_no_context_takeover()
                .client_no_context_takeover()
                .with_deflate_pool(POOL.clone());
        }
    }
    settings
}

async fn echo_on(upgraded: UpgradeFut, options: Options) -> Outcome {
    let socket = upgraded.await?.map(Ok::<_, WebSocketError>);
    let is_data = |frame: &Frame| matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
    echo(socket, is_data, options).await
}

fn main() -> std::io::Result<()> {
    run(Yawc, Options::parse())
}
