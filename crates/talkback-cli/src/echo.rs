//! `talkback echo`.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use talkback::DeflatePolicy;
use talkback::server::Drain;
use talkback_echo::{EchoOptions, EchoServer, Identity, WebFiles};
use talkback_terminal::output::Output;
use talkback_terminal::signals::Signals;
use tokio::sync::oneshot;

use crate::args::{self, EchoArgs};
use crate::exit::{self, Failure};
use crate::listening::{
    self, Place, addresses, announce, fingerprint, places, say_goodbye, schemes,
};
use crate::values::Listen;
use crate::{demo, files, metrics, qr, tls};

/// The pages that a person is sent to.
#[derive(Clone, Copy, Debug)]
enum Pages {
    /// The one that every echo server brings.
    Test,
    /// The demo of a release beside it.
    TestAndDemo,
    /// The one of `--web`.
    Demo,
}

/// Runs the server until a signal ends it.
pub(crate) fn run(args: EchoArgs, verbose: u8) -> Result<ExitCode, Failure> {
    listening::run(serve(args, verbose))
}

async fn serve(args: EchoArgs, verbose: u8) -> Result<ExitCode, Failure> {
    let listen = args.listen;
    let identity = tls::identity(&args.tls, &addresses(listen.address()))?;
    let (web, pages) = web(args.web.as_deref())?;
    // Before there are connections, which are counted by it.
    let metrics = metrics::record();
    let connections = args.clients.connections();
    let mut options = EchoOptions::default()
        .metrics(metrics)
        .connections(connections.clone())
        .drain(args.clients.drain()?)
        .subprotocols(args.subprotocols)
        .origins(args.origins)
        .message_size_max(args.max_message)
        .compression(
            (!args.no_compression)
                .then(|| DeflatePolicy::default().client_no_context_takeover(false)),
        );
    options = match listen {
        Listen::Address(address) => options.listen(address),
        Listen::Localhost(port) => options.listen_localhost(port),
    };
    if verbose > 1 {
        options = options.log_messages();
    }
    if let Some(web) = web {
        options = options.web(web);
    }
    if let Some(identity) = &identity {
        options = options.tls(identity.clone());
    }
    if let Some(time) = args.idle.idle_timeout {
        options = options.idle_timeout(time);
    }
    let mut signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let server = EchoServer::bind(options)
        .await
        .map_err(|error| listening::failed(listen, "with --listen", &error))?;
    if let Some(identity) = &identity {
        // Not before the address is its own: another server may have written that file.
        tls::write_certificate(&args.tls, identity)?;
    }
    let places = places(listen, server.local_addr());
    let (stop, stopped) = oneshot::channel();
    let mut running = pin!(server.run(async {
        let _ = stopped.await;
    }));
    listening::begin(running.as_mut()).await?;
    announce(greeting(&places, identity.as_ref(), pages));
    announce(code(&places, identity.as_ref(), pages));
    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        _ = signals.next() => None,
    };
    if let Some(ended) = ended {
        return match ended {
            Ok(()) => Ok(ExitCode::from(exit::NORMAL)),
            Err(error) => Err(args::failed(&error)),
        };
    }
    say_goodbye(connections.len(), args.clients.drain_deadline).await;
    let _ = stop.send(());
    let code = tokio::select! {
        _ = &mut running => exit::NORMAL,
        signal = signals.next() => {
            // It tells how many are cut.
            let _ = tokio::join!(connections.drain(Drain::now()), running);
            signal.exit_code()
        }
    };
    Ok(ExitCode::from(code))
}

/// The files that it serves besides, and what pages there are then.
fn web(folder: Option<&Path>) -> Result<(Option<WebFiles>, Pages), Failure> {
    let own = folder.map(|folder| files::read_web("--web", folder));
    Ok(match (own.transpose()?, demo::files()) {
        (Some(own), _) => (Some(own), Pages::Demo),
        (None, Some(demo)) => (Some(demo), Pages::TestAndDemo),
        (None, None) => (None, Pages::Test),
    })
}

/// The lines to begin with.
fn greeting(places: &[Place], identity: Option<&Identity>, pages: Pages) -> Vec<String> {
    let (ws, http) = schemes(identity);
    let mut lines = Vec::new();
    for Place { authority, is_own } in places {
        let whose = match is_own {
            true => "Echoing at",
            false => "From other devices:",
        };
        let pages = match pages {
            Pages::Test => format!("test page: {http}://{authority}/"),
            Pages::TestAndDemo => {
                format!("test page: {http}://{authority}/, demo: {http}://{authority}/demo/")
            }
            Pages::Demo => format!("demo: {http}://{authority}/demo/"),
        };
        lines.push(format!("{whose} {ws}://{authority}/ ({pages})"));
    }
    if let Some(last) = lines.last_mut() {
        last.push_str(". Ctrl-C stops it.");
    }
    lines.extend(identity.map(fingerprint));
    lines
}

/// A QR code for the first of a server's places that other devices reach, if a person sees it.
fn code(places: &[Place], identity: Option<&Identity>, pages: Pages) -> Option<String> {
    let place = places.iter().find(|place| !place.is_own)?;
    if !Output::Stdout.is_terminal() {
        return None;
    }
    let (_, http) = schemes(identity);
    let path = match pages {
        Pages::Test | Pages::TestAndDemo => "/",
        Pages::Demo => "/demo/",
    };
    qr::code(&format!("{http}://{}{path}", place.authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(authority: &str, is_own: bool) -> Place {
        let authority = authority.to_owned();
        Place { authority, is_own }
    }

    #[test]
    fn the_greeting_names_url_and_pages() {
        let places = [place("127.0.0.1:80", true), place("192.0.2.7:80", false)];
        assert_eq!(
            greeting(&places, None, Pages::Test),
            [
                "Echoing at ws://127.0.0.1:80/ (test page: http://127.0.0.1:80/)",
                "From other devices: ws://192.0.2.7:80/ (test page: http://192.0.2.7:80/). Ctrl-C stops it.",
            ]
        );
        assert_eq!(
            greeting(&places[..1], None, Pages::TestAndDemo),
            [
                "Echoing at ws://127.0.0.1:80/ (test page: http://127.0.0.1:80/, demo: http://127.0.0.1:80/demo/). Ctrl-C stops it."
            ]
        );
        let identity = Identity::self_signed(["localhost".to_owned()]).unwrap();
        assert_eq!(
            greeting(&places[..1], Some(&identity), Pages::Demo),
            [
                "Echoing at wss://127.0.0.1:80/ (demo: https://127.0.0.1:80/demo/). Ctrl-C stops it.",
                &format!(
                    "The certificate's SHA-256 fingerprint: {}",
                    identity.fingerprint()
                ),
            ]
        );
    }
}
