//! `talkback connect --timing` beside curl: a step that the server makes slow is the same one to both.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::generate_simple_self_signed;
use talkback::Refusal;
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::programs::{built, run};

/// What the server adds to a step: more than the others take on a busy machine, and less than the second after which
/// TCP sends its first packet again (RFC 6298 §2.1).
const DELAY: Duration = Duration::from_millis(800);

/// The steps, as `--timing` names them.
const STEPS: [&str; 4] = ["DNS", "TCP", "TLS", "handshake"];

/// How long each step took.
type Took = [Duration; STEPS.len()];

/// A server over TLS on which one step is slow.
struct Slow {
    step: &'static str,
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl Slow {
    fn listen(step: &'static str) -> Self {
        let identity = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)
            .unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self {
            step,
            // One connection may wait, and is enough to have the next wait outside.
            listener: socket.listen(0).unwrap(),
            tls: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Serves one client.
    async fn serve(&self) {
        if self.step == "TCP" {
            let _first = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).unwrap();
            self.client_waits_outside().await;
            self.listener.accept().await.unwrap();
        }
        let (stream, _) = self.listener.accept().await.unwrap();
        // The client has begun the step once something of it has come.
        stream.readable().await.unwrap();
        tokio::time::sleep(self.delay("TLS")).await;
        let stream = self.tls.accept(stream).await.unwrap();
        let delay = self.delay("handshake");
        let accepting = talkback::accept(stream).check(async move |_| {
            tokio::time::sleep(delay).await;
            Ok::<(), Refusal>(())
        });
        let mut socket = accepting.await.unwrap();
        socket.send("안녕하세요").await.unwrap();
        // It ends without a close frame, which curl would not answer.
    }

    fn delay(&self, step: &str) -> Duration {
        match self.step == step {
            true => DELAY,
            false => Duration::ZERO,
        }
    }

    /// Waits until the system says that a client has sent its SYN and has no answer: state 2 of proc(5), `net/tcp`.
    async fn client_waits_outside(&self) {
        let state = format!(" 0100007F:{:04X} 02 ", self.port());
        let begin = Instant::now();
        while !std::fs::read_to_string("/proc/net/tcp")
            .unwrap()
            .contains(&state)
        {
            assert!(begin.elapsed() < Duration::from_secs(30), "nobody comes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn ours(port: u16) -> Took {
    let mut command = built("talkback");
    command.args([
        "connect",
        "-k",
        "-1",
        "--timing",
        &format!("wss://127.0.0.1:{port}/"),
    ]);
    let (_, _, told) = run(&mut command, Some(""));
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("timing: DNS "));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    let steps: Vec<&str> = line.split(';').next().unwrap().split(", ").collect();
    STEPS.map(|step| {
        let time = steps.iter().find_map(|took| match step {
            "DNS" => Some(steps[0]),
            _ => took.strip_prefix(step),
        });
        let time = time.and_then(|time| time.trim().strip_suffix(" ms"));
        let milliseconds: f64 = time.expect(step).parse().unwrap();
        Duration::from_secs_f64(milliseconds / 1000.0)
    })
}

fn curls(port: u16) -> Took {
    let mut command = Command::new("curl");
    let ends = "%{time_namelookup} %{time_connect} %{time_appconnect} %{time_starttransfer}";
    command.args([
        "-s",
        "-k",
        "--http1.1",
        "--max-time",
        "30",
        "-o",
        "/dev/null",
        "-w",
        ends,
    ]);
    // One that knows ws:// and one that does not are asked alike.
    for header in [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        command.args(["-H", header]);
    }
    let (_, told, _) = run(command.arg(format!("https://127.0.0.1:{port}/")), Some(""));
    let ends: Vec<f64> = told.split(' ').map(|end| end.parse().unwrap()).collect();
    let mut before = 0.0;
    std::array::from_fn(|step| {
        let took = ends[step] - before;
        before = ends[step];
        Duration::try_from_secs_f64(took).unwrap_or_else(|_| panic!("{told}"))
    })
}

/// Both tools say of the slow step, and of no other, that it took the delay, some of which may be over when they begin to
/// count it.
async fn agree_on(step: &'static str) {
    let server = Slow::listen(step);
    let port = server.port();
    for (name, measure) in [("talkback", ours as fn(u16) -> Took), ("curl", curls)] {
        let measuring = tokio::task::spawn_blocking(move || measure(port));
        server.serve().await;
        let took = measuring.await.unwrap();
        println!("{name}: {took:?}");
        let slow = STEPS
            .iter()
            .zip(took)
            .filter(|(_, took)| *took >= DELAY / 2);
        let slow: Vec<&str> = slow.map(|(step, _)| *step).collect();
        assert_eq!(slow, [step], "{name}: {took:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn tcp() {
    agree_on("TCP").await;
}

#[tokio::test]
async fn tls() {
    agree_on("TLS").await;
}

#[tokio::test]
async fn handshake() {
    agree_on("handshake").await;
}
