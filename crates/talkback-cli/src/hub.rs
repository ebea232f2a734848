//! `talkback hub`.

mod asked;
mod events;
mod keys;
mod page;
mod posting;
mod refused;
mod socket;
mod stalling;
mod state;
mod store;
mod web;

use std::future::ready;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use talkback::server::{Connections, Drain, Server};
use talkback::{DeflatePolicy, Limits, OriginPolicy};
use talkback_echo::Identity;
use talkback_terminal::signals::Signals;
use talkback_topics::Keep;
use tracing::{info, warn};

use self::keys::Keys;
use self::state::{Hub, Kill};
use crate::args::{self, HubArgs, KeepArgs};
use crate::exit::{self, Failure};
use crate::listening::{
    self, Place, addresses, announce, fingerprint, places, say_goodbye, schemes,
};
use crate::{metrics, tls};

/// Runs the hub until a signal ends it.
pub(crate) fn run(args: HubArgs) -> Result<ExitCode, Failure> {
    listening::run(serve(args))
}

async fn serve(args: HubArgs) -> Result<ExitCode, Failure> {
    let keys = Keys::read(args.publish_key.as_ref(), args.subscribe_key.as_ref())?;
    check_reach(&args, &keys)?;
    let drain = args.clients.drain()?.lame_duck(args.lame_duck);
    let identity = tls::identity(&args.tls, &addresses(args.listen.address()))?;
    // Before there are connections and topics, which are counted by it.
    let metrics = metrics::record();
    let connections = args.clients.connections();
    let topics = store::topics(&args.redis, keep(&args.keep)).await?;
    let hub = Arc::new(Hub {
        topics,
        keys,
        hosts: args.hosts.clone(),
        origins: OriginPolicy::List(args.origins.clone()),
        slow: args.keep.slow.into(),
        size_max: args.max_message,
        metrics: Box::new(metrics),
        kill: match args.allow_kill {
            true => Kill::Allowed,
            false => Kill::Off,
        },
    });
    let signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let server = listening::bind(args.listen, "after `hub`").await?;
    if let Some(identity) = &identity {
        // Not before the address is its own: another server may have written that file.
        tls::write_certificate(&args.tls, identity)?;
    }
    let places = places(args.listen, server.local_addr());
    let server = match &identity {
        Some(identity) => identity.secure(server),
        None => server,
    };
    let server = match args.redis.redis {
        Some(_) => server.readiness(store::readiness(&hub.topics, &args.redis)),
        None => server,
    };
    let server = accepting(server, &args, &hub);
    let greeting = greeting(&places, identity.as_ref());
    let stopping = Stopping {
        drain,
        deadline: args.clients.drain_deadline,
        signals,
    };
    run_until_told(server, hub, connections, stopping, greeting).await
}

/// How it is stopped.
struct Stopping {
    drain: Drain,
    deadline: Duration,
    signals: Signals,
}

/// Whoever reaches it can publish and subscribe: others than this machine's own programs need keys.
fn check_reach(args: &HubArgs, keys: &Keys) -> Result<(), Failure> {
    let listen = args.listen;
    if listen.address().ip().is_loopback() {
        return Ok(());
    }
    let what = if args.allow_kill {
        format!(
            "--allow-kill lets anybody who reaches {listen} end this process: leave it out, or listen on localhost"
        )
    } else if !keys.are_complete() {
        format!(
            "others reach {listen}, and without keys anybody may publish and subscribe: add --publish-key KEY and --subscribe-key KEY (they may be the same), or listen on localhost"
        )
    } else {
        return Ok(());
    };
    Err(Failure::new(exit::USAGE, what))
}

fn keep(args: &KeepArgs) -> Keep {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Keep::default()
        .messages(size(args.keep.into()))
        .bytes(size(args.keep_bytes))
        .idle(args.keep_idle)
}

/// How it accepts clients.
fn accepting(server: Server, args: &HubArgs, hub: &Arc<Hub>) -> Server {
    let compression = (!args.no_compression).then(DeflatePolicy::default);
    let limits = Limits::default().message_size_max(args.max_message);
    let (checking, serving) = (Arc::clone(hub), Arc::clone(hub));
    server
        .accepting(move |accept| {
            let hub = Arc::clone(&checking);
            accept
                .origin_policy(hub.origins.clone())
                .limits(limits.clone())
                .compression(compression)
                .check(move |request| ready(socket::approve(&hub, &request)))
        })
        .unopened(socket::tell_unopened)
        .http(move |connection| web::serve(Arc::clone(&serving), connection))
        // Who dawdles holds up nobody: the descriptors are the bound.
        .handshakes_max(usize::MAX)
}

async fn run_until_told(
    server: Server,
    hub: Arc<Hub>,
    connections: Connections,
    stopping: Stopping,
    greeting: Vec<String>,
) -> Result<ExitCode, Failure> {
    let Stopping {
        drain,
        deadline,
        mut signals,
    } = stopping;
    let handler = move |connection| socket::serve(Arc::clone(&hub), connection);
    let mut serving = Box::pin(server.serve(&connections, handler));
    listening::begin(serving.as_mut()).await?;
    announce(greeting);
    tokio::select! {
        ended = &mut serving => {
            return ended
                .map(|()| ExitCode::from(exit::NORMAL))
                .map_err(|error| args::failed(&error));
        }
        _ = signals.next() => {}
    }
    say_goodbye(connections.len(), deadline).await;
    let draining = async { tokio::join!(connections.drain(drain), serving) };
    tokio::pin!(draining);
    let code = tokio::select! {
        (report, _) = &mut draining => {
            match report.cut {
                0 => info!(target: "hub", "drained: {report}"),
                _ => warn!(target: "hub", "drained: {report}"),
            }
            exit::NORMAL
        }
        signal = signals.next() => {
            let (_, (report, _)) = tokio::join!(connections.drain(Drain::now()), draining);
            warn!(target: "hub", "drained: {report}");
            signal.exit_code()
        }
    };
    Ok(ExitCode::from(code))
}

/// The lines to begin with.
fn greeting(places: &[Place], identity: Option<&Identity>) -> Vec<String> {
    let (ws, http) = schemes(identity);
    let mut lines: Vec<String> = places
        .iter()
        .map(|Place { authority, is_own }| {
            let whose = match is_own {
                true => "Topics at",
                false => "From other devices:",
            };
            format!("{whose} {ws}://{authority}/t/TOPIC (page: {http}://{authority}/)")
        })
        .collect();
    if let Some(last) = lines.last_mut() {
        last.push_str(". Ctrl-C stops it.");
    }
    lines.extend(identity.map(fingerprint));
    lines
}
