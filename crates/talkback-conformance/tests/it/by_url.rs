//! The backend that opens by a URL: the same for TCP and TLS.

use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use talkback::{Connect, Error, WebSocketChannel};
use talkback_conformance::{Backend, Behaviour, Capabilities, Exception, Options, SocketStage};

/// A server at an address, and how it is reached.
pub(crate) struct ByUrl {
    /// `ws://127.0.0.1:port`.
    pub(crate) base: String,
    /// The root that vouches for the server, in PEM.
    pub(crate) root: Option<String>,
}

impl Backend for ByUrl {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    fn exceptions(&self) -> &[Exception] {
        &[]
    }

    fn connect(&self, behaviour: &Behaviour) -> Connect {
        let connect = talkback::connect(format!("{}{}", self.base, behaviour.target()));
        match &self.root {
            Some(root) => connect.tls_roots(root.as_bytes()),
            None => connect,
        }
    }

    fn open(&self, behaviour: &Behaviour, options: Options) -> WebSocketChannel {
        let mut connect = self.connect(behaviour).limits(options.limits);
        for name in options.subprotocols {
            connect = connect.subprotocol(name);
        }
        if let Some(timeout) = options.timeout {
            connect = connect.timeout(timeout);
        }
        connect.channel()
    }

    fn wrap<'a>(
        &'a self,
        behaviour: &'a Behaviour,
        stage: SocketStage,
    ) -> LocalBoxFuture<'a, Result<WebSocketChannel, Error>> {
        Box::pin(async move {
            if stage == SocketStage::Connecting {
                return Ok(self.connect(behaviour).channel());
            }
            let mut socket = self.connect(behaviour).await?;
            if stage == SocketStage::Closed {
                socket.close().await;
            }
            Ok(socket.into())
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
