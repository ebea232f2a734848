//! Where a server listens, and what leads there.

use std::future::{Future, poll_fn};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::panic;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::Poll;
use std::time::Duration;

use talkback::server::{ServeError, Server};
use talkback_echo::Identity;
use tokio::time::timeout;

use crate::args;
use crate::exit::{self, Failure, tell};
use crate::values::Listen;

/// What leads to a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Host and port, as in a URL.
    pub(crate) authority: String,
    /// Whether only this machine's own programs reach it, or there is no other.
    pub(crate) is_own: bool,
}

/// How long a line on standard error may wait for its reader.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a server of many connections, on all cores, to its end.
pub(crate) fn run<F>(serve: F) -> Result<ExitCode, Failure>
where
    F: Future<Output = Result<ExitCode, Failure>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // As many tasks as the system tells of at once have their turn before it is asked again: in a crowd that leaves at
        // once, who comes waits a third less.
        .event_interval(1024)
        .build();
    let runtime = runtime.map_err(|error| {
        Failure::new(exit::OTHER, format!("could not start the server: {error}"))
    })?;
    // A task among those of the connections: what accepts them on a thread of its own would wake
    // another for each.
    let serving = runtime.spawn(serve);
    let outcome = runtime.block_on(serving);
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()))
}

/// Listens; an address is given `how`, as in "after `listen`".
pub(crate) async fn bind(listen: Listen, how: &str) -> Result<Server, Failure> {
    let bound = Server::bind(&listen.addresses()[..]).await;
    bound.map_err(|error| failed(listen, how, &error))
}

/// Begins to serve: what a server cannot serve by, it says at once.
pub(crate) async fn begin<F>(mut serving: Pin<&mut F>) -> Result<(), Failure>
where
    F: Future<Output = Result<(), ServeError>>,
{
    match poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await {
        Poll::Ready(Err(error)) => Err(args::failed(&error)),
        _ => Ok(()),
    }
}

/// What leads to the address that a server really got.
pub(crate) fn places(listen: Listen, bound: SocketAddr) -> Vec<Place> {
    if let Listen::Localhost(_) = listen {
        let authority = format!("localhost:{}", bound.port());
        let is_own = true;
        return vec![Place { authority, is_own }];
    }
    let addresses = addresses(bound);
    let place = |address: &SocketAddr| Place {
        authority: address.to_string(),
        is_own: address.ip().is_loopback() || addresses.len() == 1,
    };
    addresses.iter().map(place).collect()
}

/// The addresses that lead to a listening one: for "every interface" each of theirs, the loopback
/// first.
pub(crate) fn addresses(listening: SocketAddr) -> Vec<SocketAddr> {
    if !listening.ip().is_unspecified() {
        return vec![listening];
    }
    let mut ips: Vec<_> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .iter()
        .filter(|interface| !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .filter(|ip| ip.is_ipv4() || listening.is_ipv6())
        .collect();
    ips.sort_by_key(|ip| (!ip.is_loopback(), ip.is_ipv6()));
    ips.dedup();
    let port = listening.port();
    let found: Vec<_> = ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    match found.is_empty() {
        true => vec![listening],
        false => found,
    }
}

/// The schemes of a server's URLs, by whether it speaks TLS: of WebSocket, and of HTTP.
pub(crate) fn schemes(identity: Option<&Identity>) -> (&'static str, &'static str) {
    match identity {
        Some(_) => ("wss", "https"),
        None => ("ws", "http"),
    }
}

/// The certificate's fingerprint in a line, for who has to compare it.
pub(crate) fn fingerprint(identity: &Identity) -> String {
    format!(
        "The certificate's SHA-256 fingerprint: {}",
        identity.fingerprint()
    )
}

/// Prints these lines on standard output. Whoever started a server may wait for them, so they are flushed; and
/// if nobody reads them, the server runs all the same.
pub(crate) fn announce(lines: impl IntoIterator<Item = String>) {
    let mut stdout = io::stdout().lock();
    for line in lines {
        let _ = writeln!(stdout, "{line}");
    }
    let _ = stdout.flush();
}

/// What a server says that was told to stop, and cuts at the deadline what is left.
pub(crate) fn goodbye(connections: usize, deadline: Duration) -> String {
    let what = match connections {
        0 => return "stopping".to_owned(),
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    };
    let seconds = deadline.as_secs_f64();
    format!("stopping: closing {what}, within {seconds} s")
}

/// Tells that the server stops, but does not wait for long for somebody to read it.
pub(crate) async fn say_goodbye(connections: usize, deadline: Duration) {
    let telling = tokio::task::spawn_blocking(move || tell(goodbye(connections, deadline)));
    let _ = timeout(TELL_TIMEOUT, telling).await;
}

/// Why a server cannot listen there; an address is given `how`, as in "with --listen".
pub(crate) fn failed(listen: Listen, how: &str, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Another program listens there: stop it, or choose another port {how}; port 0 takes a free one."
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "It is not an address of this machine: choose one {how}, such as localhost:9001 or 0.0.0.0:9001."
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Low ports take rights of their own: choose a higher one {how}.")
        }
        _ => format!("Choose another address {how}."),
    };
    // The library's error names the address, too, and behind it has the system's own.
    let why = error.get_ref().and_then(|it| it.source());
    let why = why.map_or_else(|| error.to_string(), ToString::to_string);
    let message = format!("could not listen on {listen}: {why}. {advice}");
    Failure::new(exit::OTHER, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_told_with_the_loopback_first() {
        let found = addresses("0.0.0.0:9001".parse().unwrap());
        assert_eq!(found.first().unwrap().to_string(), "127.0.0.1:9001");
        assert!(found.iter().all(SocketAddr::is_ipv4));
        let one = addresses("127.0.0.1:80".parse().unwrap());
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn localhost_is_told_by_its_name_and_a_lone_address_is_ones_own() {
        let address: SocketAddr = "192.0.2.7:80".parse().unwrap();
        let told = |listen| places(listen, address);
        let own = |authority: &str| {
            let authority = authority.to_owned();
            let is_own = true;
            vec![Place { authority, is_own }]
        };
        assert_eq!(told(Listen::Localhost(0)), own("localhost:80"));
        assert_eq!(told(Listen::Address(address)), own("192.0.2.7:80"));
    }
}
