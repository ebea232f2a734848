//! `talkback echo`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::panic;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use talkback::DeflatePolicy;
use talkback_echo::{EchoOptions, EchoServer, Identity};
use talkback_terminal::explain::without_numbers;
use talkback_terminal::signals::Signals;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::args::EchoArgs;
use crate::exit::{self, Failure, tell};
use crate::{files, tls};

/// The page that a person is sent to.
#[derive(Clone, Copy, Debug)]
enum Page {
    /// The one that every echo server brings.
    Test,
    /// The one of `--web`.
    Demo,
}

/// How long a line on standard error may wait for its reader.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the server until a signal ends it.
pub(crate) fn run(args: EchoArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| {
        Failure::new(exit::OTHER, format!("could not start the server: {error}"))
    })?;
    // A task among those of the connections: what accepts them on a thread of its own would wake
    // another for each.
    let serving = runtime.spawn(serve(args));
    let outcome = runtime.block_on(serving);
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()))
}

async fn serve(args: EchoArgs) -> Result<ExitCode, Failure> {
    let listen = args.listen;
    let identity = tls::identity(&args.tls, &addresses(listen))?;
    let web = args.web.as_deref();
    let web = web.map(|folder| files::read_web("--web", folder));
    let web = web.transpose()?;
    let page = match web {
        Some(_) => Page::Demo,
        None => Page::Test,
    };
    let mut options = EchoOptions::default()
        .listen(listen)
        .subprotocols(args.subprotocols)
        .origins(args.origins)
        .message_size_max(args.max_message)
        .compression(
            (!args.no_compression)
                .then(|| DeflatePolicy::default().client_no_context_takeover(false)),
        );
    if let Some(web) = web {
        options = options.web(web);
    }
    if let Some(identity) = &identity {
        options = options.tls(identity.clone());
    }
    let mut signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let server = EchoServer::bind(options)
        .await
        .map_err(|error| Failure::new(exit::OTHER, listen_error(&listen, &error)))?;
    if let Some(identity) = &identity {
        // Not before the address is its own: another server may have written that file.
        tls::write_certificate(&args.tls, identity)?;
    }
    announce(server.local_addr(), identity.as_ref(), page);
    let connections = server.connection_count();

    let (stop, stopped) = oneshot::channel();
    let mut running = pin!(server.run(async {
        let _ = stopped.await;
    }));
    tokio::select! {
        () = &mut running => {}
        _ = signals.next() => say_goodbye(connections.now()).await,
    }
    let _ = stop.send(());
    let code = tokio::select! {
        () = &mut running => exit::NORMAL,
        signal = signals.next() => signal.exit_code(),
    };
    Ok(ExitCode::from(code))
}

/// Tells that the server stops, but does not wait for long for somebody to read it.
async fn say_goodbye(connections: usize) {
    let telling = tokio::task::spawn_blocking(move || tell(goodbye(connections)));
    let _ = timeout(TELL_TIMEOUT, telling).await;
}

/// Tells where the server is. Whoever started it may wait for that line, so it is flushed; and if
/// nobody reads it, the server runs all the same.
fn announce(address: SocketAddr, identity: Option<&Identity>, page: Page) {
    let mut stdout = io::stdout().lock();
    let fingerprint = identity.map(Identity::fingerprint);
    for line in greeting(&addresses(address), fingerprint, page) {
        let _ = writeln!(stdout, "{line}");
    }
    let _ = stdout.flush();
}

/// The addresses that lead to a listening one: for "every interface" each of theirs, the loopback
/// first.
fn addresses(listening: SocketAddr) -> Vec<SocketAddr> {
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

/// The lines to begin with; the fingerprint is that of the certificate of a server with TLS.
fn greeting(addresses: &[SocketAddr], fingerprint: Option<&str>, page: Page) -> Vec<String> {
    let (ws, http) = match fingerprint {
        Some(_) => ("wss", "https"),
        None => ("ws", "http"),
    };
    let (page, path) = match page {
        Page::Test => ("test page", "/"),
        Page::Demo => ("demo", "/demo/"),
    };
    let mut lines = Vec::new();
    for address in addresses {
        let whose = match address.ip().is_loopback() || addresses.len() == 1 {
            true => "Echoing at",
            false => "From other devices:",
        };
        lines.push(format!(
            "{whose} {ws}://{address}/ ({page}: {http}://{address}{path})"
        ));
    }
    if let Some(last) = lines.last_mut() {
        last.push_str(". Ctrl-C stops it.");
    }
    lines.extend(fingerprint.map(|text| format!("The certificate's SHA-256 fingerprint: {text}")));
    lines
}

/// What a server says that was told to stop.
fn goodbye(connections: usize) -> String {
    match connections {
        0 => "stopping".to_owned(),
        1 => "stopping: closing 1 connection".to_owned(),
        count => format!("stopping: closing {count} connections"),
    }
}

/// Why an address cannot be listened on.
fn listen_error(address: &SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "Another program listens there: stop it, or choose another port with --listen; port 0 takes a free one."
        }
        io::ErrorKind::AddrNotAvailable => {
            "It is not an address of this machine: choose one with --listen, such as 127.0.0.1:9001 or 0.0.0.0:9001."
        }
        io::ErrorKind::PermissionDenied => {
            "Low ports take rights of their own: choose a higher one with --listen."
        }
        _ => "Choose another address with --listen.",
    };
    without_numbers(&format!("could not listen on {address}: {error}. {advice}"))
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
    fn the_greeting_names_url_and_page() {
        let addresses = ["127.0.0.1:80", "192.0.2.7:80"].map(|text| text.parse().unwrap());
        assert_eq!(
            greeting(&addresses, None, Page::Test),
            [
                "Echoing at ws://127.0.0.1:80/ (test page: http://127.0.0.1:80/)",
                "From other devices: ws://192.0.2.7:80/ (test page: http://192.0.2.7:80/). Ctrl-C stops it.",
            ]
        );
        assert_eq!(
            greeting(&addresses[..1], Some("A1:B2"), Page::Demo),
            [
                "Echoing at wss://127.0.0.1:80/ (demo: https://127.0.0.1:80/demo/). Ctrl-C stops it.",
                "The certificate's SHA-256 fingerprint: A1:B2",
            ]
        );
    }
}
