//! fastwebsockets, as its example of an echo server has it: upgraded by hyper, each frame written at once.

use fastwebsockets::{FragmentCollector, OpCode, upgrade};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use servers::{Options, Outcome, Server, Stream, run, spawn};

#[derive(Clone, Copy)]
struct FastWebSockets;

impl Server for FastWebSockets {
    async fn serve<S: Stream>(self, stream: S, _: Options) -> Outcome {
        let service = service_fn(|mut request: Request<Incoming>| async move {
            let (response, upgraded) = upgrade::upgrade(&mut request)?;
            spawn(echo(upgraded));
            Ok::<_, fastwebsockets::WebSocketError>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        Ok(connection.with_upgrades().await?)
    }
}

async fn echo(upgraded: upgrade::UpgradeFut) -> Outcome {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

fn main() -> std::io::Result<()> {
    run(FastWebSockets, Options::parse().without_deflate())
}
