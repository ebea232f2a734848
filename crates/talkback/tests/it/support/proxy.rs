//! Proxies made by hand, which tell what they were asked.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A proxy at a port of 127.0.0.1.
pub(crate) struct Proxy<Asked> {
    pub(crate) address: SocketAddr,
    asked: UnboundedReceiver<Asked>,
}

impl<Asked: Send + 'static> Proxy<Asked> {
    /// Starts a proxy that does this with each connection.
    pub(crate) async fn start<F>(
        serve: impl Fn(TcpStream, UnboundedSender<Asked>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, asked) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, told.clone()));
            }
        });
        Self { address, asked }
    }

    /// What the next connection asked for.
    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }

    /// Holds that nothing more was asked.
    pub(crate) fn assert_unasked(&mut self) {
        assert!(self.asked.try_recv().is_err());
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

/// A proxy of HTTP that answers so, and leads to this server if it is a success.
pub(crate) async fn http_proxy(answer: impl Into<String>, server: SocketAddr) -> Proxy<String> {
    let answer = answer.into();
    Proxy::start(move |stream, told| connect(stream, answer.clone(), server, told)).await
}

/// Answers one CONNECT.
pub(crate) async fn connect<S>(
    mut stream: S,
    answer: String,
    server: SocketAddr,
    told: UnboundedSender<String>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(char::from(byte));
    }
    // The test may have ended.
    let _ = told.send(head);
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    let _ = stream.flush().await;
    match answer.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => {
            if let Ok(mut server) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            }
        }
        _ => {
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
}

/// How a proxy of SOCKS5 answers.
#[derive(Clone, Copy)]
pub(crate) struct Socks {
    /// The way to log in that it chooses.
    pub(crate) method: u8,
    /// What it says to a user name and password.
    pub(crate) login: u8,
    /// What it says to the first request, and to later ones.
    pub(crate) reply: [u8; 2],
}

/// Takes everybody, everywhere.
pub(crate) const SOCKS: Socks = Socks {
    method: 0,
    login: 0,
    reply: [0, 0],
};

/// What a proxy of SOCKS5 was asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SocksAsked {
    pub(crate) methods: Vec<u8>,
    pub(crate) login: Option<(String, String)>,
    /// The kind of address, the address, and the port, as they came.
    pub(crate) target: Vec<u8>,
}

pub(crate) async fn socks_proxy(socks: Socks, server: SocketAddr) -> Proxy<SocksAsked> {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Proxy::start(move |stream, told| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let reply = socks.reply[number.min(1)];
        async move {
            // Whoever goes away is not served.
            let _ = serve_socks(stream, socks, reply, server, told).await;
        }
    })
    .await
}

async fn serve_socks(
    mut stream: TcpStream,
    socks: Socks,
    reply: u8,
    server: SocketAddr,
    told: UnboundedSender<SocksAsked>,
) -> std::io::Result<()> {
    let mut asked = SocksAsked::default();
    assert_eq!(stream.read_u8().await?, 5);
    asked.methods = read_counted(&mut stream).await?;
    stream.write_all(&[5, socks.method]).await?;
    if socks.method == 2 {
        assert_eq!(stream.read_u8().await?, 1);
        let user = read_counted(&mut stream).await?;
        let password = read_counted(&mut stream).await?;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        asked.login = Some((text(user), text(password)));
        stream.write_all(&[1, socks.login]).await?;
    }
    if socks.method == 0xff || socks.login != 0 {
        let _ = told.send(asked);
        return stream.shutdown().await;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0]);
    let address = match request[3] {
        1 => read(&mut stream, 4).await?,
        3 => read_counted(&mut stream).await?,
        _ => read(&mut stream, 16).await?,
    };
    let port = read(&mut stream, 2).await?;
    asked.target = [&request[3..], &address, &port].concat();
    let _ = told.send(asked);
    // Its own address has the form of a name, as it may.
    let answer = [&[5, reply, 0, 3, 5][..], b"proxy", &[0, 80]].concat();
    stream.write_all(&answer).await?;
    if reply == 0 {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut stream, &mut server).await?;
    }
    Ok(())
}

async fn read_counted(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let size = stream.read_u8().await?;
    read(stream, size.into()).await
}

async fn read(stream: &mut TcpStream, size: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
