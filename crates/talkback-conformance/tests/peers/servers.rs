//! The library as the client of servers that others wrote: each has a small program beside this file.

use std::process::Command;

use talkback::{Compression, connect};

use crate::as_client::{self, Server, echo, open};
use crate::program::{Program, free_port, node, python};

/// websockets has windows of 4 KiB, to save memory.
const WEBSOCKETS: [&str; 4] = [
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
     server_max_window_bits=12; client_max_window_bits=12",
    Server::AS_ASKED[2],
    "permessage-deflate; server_max_window_bits=12",
];
const WSPROTO: [&str; 4] = [
    "permessage-deflate; client_max_window_bits=15",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover; \
     client_max_window_bits=15",
    "permessage-deflate; client_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate",
];
/// Only the server's own parameters are answered, which suffices.
const AIOHTTP: [&str; 4] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate",
];
/// Its parser loses parameters without a value, so that it accepts the second offer and does not keep to it. "A server
/// accepts an extension negotiation offer that includes the `server_no_context_takeover` extension parameter by
/// including" it (RFC 7692 §7.1.1.1): we refuse the answer, and the error says what not to ask for.
const TORNADO: [&str; 4] = [
    Server::AS_ASKED[0],
    "refused: ServerContextTakeover",
    "permessage-deflate; client_max_window_bits=10; server_max_window_bits=10",
    Server::AS_ASKED[3],
];

/// A ping that comes between the fragments of a compressed message has wsproto 1.3 and Tornado 6.6 take the rest of the
/// message for uncompressed, and their fixes wait (python-hyper/wsproto#205, tornadoweb/tornado#3353). A ping there is
/// what the protocol allows (RFC 6455 §5.4); a program that streams to such a server does so without compression.
const FORGETS_COMPRESSION: Compression = Compression::Skip;

/// "Service Restart", for which a client is to come back.
const UVICORN: Option<u16> = Some(1012);

/// A test for each server.
macro_rules! servers {
    ($($name:ident: $command:ident $arguments:expr, $server:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let [script, arguments @ ..] = $arguments;
            check($command(script), &arguments, $server).await;
        }
    )*};
}

servers! {
    aiohttp: python ["python/aiohttp_server.py"], Server {
        deflate: AIOHTTP,
        // It answers any close with 1000.
        close: (1000, ""),
        ..Server::WITH_PINGS
    };
    hypercorn: python ["python/asgi_server.py", "hypercorn"], Server {
        deflate: WSPROTO,
        // It does not tell its application.
        told: "closed 1006",
        stopped: Some(1011),
        interrupted: FORGETS_COMPRESSION,
        ..Server::DEFAULT
    };
    tornado: python ["python/tornado_server.py"], Server {
        deflate: TORNADO,
        close: (4002, ""),
        interrupted: FORGETS_COMPRESSION,
        ..Server::WITH_PINGS
    };
    uvicorn_on_websockets: python ["python/asgi_server.py", "websockets"], Server {
        stopped: UVICORN,
        ..Server::DEFAULT
    };
    uvicorn_on_websockets_sansio: python ["python/asgi_server.py", "websockets-sansio"], Server {
        deflate: WEBSOCKETS,
        stopped: UVICORN,
        ..Server::DEFAULT
    };
    uvicorn_on_wsproto: python ["python/asgi_server.py", "wsproto"], Server {
        deflate: WSPROTO,
        stopped: UVICORN,
        interrupted: FORGETS_COMPRESSION,
        ..Server::DEFAULT
    };
    websockets: python ["python/websockets_server.py"], Server {
        deflate: WEBSOCKETS,
        fragments: true,
        ..Server::WITH_PINGS
    };

    faye: node ["node/faye_server.cjs"], Server::WITH_PINGS;
    websocket_node: node ["node/websocket_server.cjs"], Server {
        deflate: ["none"; 4],
        // As aiohttp does.
        close: (1000, ""),
        ..Server::WITH_PINGS
    };
    ws: node ["node/ws_server.cjs"], Server {
        fragments: true,
        ..Server::WITH_PINGS
    };
}

/// Starts a server, checks it, and then stops or kills it under an open connection.
async fn check(mut command: Command, arguments: &[&str], server: Server) {
    let port = free_port();
    let base = format!("ws://127.0.0.1:{port}/");
    let command = command.arg(port.to_string()).args(arguments);
    let program = Program::serve_logged(command, port);
    as_client::check(&base, &server).await;
    program.says(server.told);
    let mut socket = open(connect(&base)).await;
    echo(&mut socket, &"open".into()).await;
    if let Some(code) = server.stopped {
        program.terminate();
        as_client::stopped(socket, code).await;
    } else {
        drop(program);
        as_client::lost(socket).await;
    }
}
