//! The options of `talkback hub`.

use std::path::PathBuf;
use std::time::Duration;

use talkback_topics::Slow;

use crate::args::clients::ClientsArgs;
use crate::args::echo::ServerTlsArgs;
use crate::values::{self, Listen, Secret};

#[derive(Debug, clap::Args)]
pub(crate) struct HubArgs {
    /// Where to listen: on localhost that is both loopbacks, which 9001 and :9001 mean as well; 0.0.0.0:9001
    /// is every interface, which takes both keys; port 0 takes a free one
    #[arg(value_name = "ADDRESS", default_value = "localhost:9001", value_parser = values::listen)]
    pub(crate) listen: Listen,
    /// Who publishes needs this key; @FILE reads it from a file, which keeps it out of the list of processes
    #[arg(
        long,
        value_name = "KEY",
        env = "TALKBACK_PUBLISH_KEY",
        hide_env_values = true
    )]
    pub(crate) publish_key: Option<Secret>,
    /// Who subscribes needs this key; @FILE reads it from a file. It may be the same
    #[arg(
        long,
        value_name = "KEY",
        env = "TALKBACK_SUBSCRIBE_KEY",
        hide_env_values = true
    )]
    pub(crate) subscribe_key: Option<Secret>,
    /// The origin of web pages that may come, such as http://localhost:8080; repeat it for several. Without
    /// it only this server's own page may: any page in a browser reaches this machine's ports
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = values::origin)]
    pub(crate) origins: Vec<String>,
    /// A name that clients may call this machine by, in the Host header, besides localhost and any IP
    /// address; repeat it for several
    #[arg(long = "host", value_name = "NAME", value_parser = values::host)]
    pub(crate) hosts: Vec<String>,
    /// Decline compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// The largest message: bytes, or a number with KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = values::size)]
    pub(crate) max_message: u64,
    /// Let POST /kill end this process at once, as a crash would, to see what its clients do then; only on
    /// localhost
    #[arg(long)]
    pub(crate) allow_kill: bool,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) tls: ServerTlsArgs,
    #[command(flatten)]
    pub(crate) clients: ClientsArgs,
    /// Still let clients in for so long after the signal, while /ready says that the server stops
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = values::span, allow_negative_numbers = true, help_heading = "Many clients")]
    pub(crate) lame_duck: Duration,
}

/// The store that hubs share.
#[derive(Debug, clap::Args)]
pub(crate) struct RedisArgs {
    /// Share the topics with other hubs by this Redis: redis://HOST:6379, redis://:PASSWORD@HOST, or rediss://USER:PASSWORD@HOST with TLS;
    /// @FILE reads the URL from a file, which keeps the password out of the list of processes
    #[arg(
        long,
        value_name = "URL",
        env = "TALKBACK_REDIS",
        hide_env_values = true,
        help_heading = "Several hubs"
    )]
    pub(crate) redis: Option<Secret>,
    /// Trust the root certificates in this file, in PEM, for rediss://, in place of the system's
    #[arg(
        long,
        value_name = "FILE",
        requires = "redis",
        help_heading = "Several hubs"
    )]
    pub(crate) redis_ca: Option<PathBuf>,
    /// Say at /ready that clients had better not come while Redis is not reached. All hubs say so at once then
    #[arg(long, requires = "redis", help_heading = "Several hubs")]
    pub(crate) ready_needs_backplane: bool,
}

/// What is kept of a topic, and for whom.
#[derive(Debug, clap::Args)]
pub(crate) struct KeepArgs {
    /// How many publications of a topic are kept for those who are slow, and those who come back
    #[arg(long, value_name = "N", default_value = "1024", value_parser = values::count, allow_negative_numbers = true, help_heading = "Topics")]
    pub(crate) keep: u32,
    /// How many bytes of a topic are kept at most
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = values::size, help_heading = "Topics")]
    pub(crate) keep_bytes: u64,
    /// How long a topic is kept that nobody publishes to or subscribes to
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = values::seconds, allow_negative_numbers = true, help_heading = "Topics")]
    pub(crate) keep_idle: Duration,
    /// What becomes of who reads too slowly, for 30 s or by what is kept
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "close",
        help_heading = "Topics"
    )]
    pub(crate) slow: SlowArg,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum SlowArg {
    /// Its connection is closed with 1013; it comes back with its position
    Close,
    /// It misses what it did not get in time, and is told so
    Skip,
    /// It only ever gets a topic's newest publication
    Latest,
}

impl From<SlowArg> for Slow {
    fn from(slow: SlowArg) -> Self {
        match slow {
            SlowArg::Close => Self::Close,
            SlowArg::Skip => Self::Skip,
            SlowArg::Latest => Self::Latest,
        }
    }
}

pub(crate) const HUB_HELP: &str = "\
A topic has any name of up to 255 bytes, percent-encoded in a path:
    /t/TOPIC        a WebSocket: what is sent is published, what is published comes, as it is;
                    ?after=POSITION goes on from there, ?last=N begins with the last ones, ?echo=1 returns one's own
    /t/TOPIC        by POST, publishes the body; Idempotency-Key lets it be sent again, once
    /t/TOPIC        by GET with Accept: text/event-stream, events with their positions as ids
    / or /t/TOPIC   with the subprotocol talkback.topics.v1, JSON: many topics, positions, and what was missed
    /health, /ready, /metrics, and in a browser / is a page that shows two hubs

TALKBACK_PUBLISH_KEY, TALKBACK_SUBSCRIBE_KEY and TALKBACK_REDIS in the environment are what the options of these names
are. A key goes into `Authorization: Bearer KEY` or, in a page, the subprotocol talkback.key.KEY; never into a URL. The
log has no key, no topic and no message; -v tells of probes, too. Ctrl-C or SIGTERM closes every connection with 1012, on which clients come
back, and the exit code is 0; a second one cuts what is left, and the exit code is its: 130 or 143.";
