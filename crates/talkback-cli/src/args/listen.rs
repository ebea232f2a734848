//! The options of `talkback listen`.

use crate::args::clients::{ClientsArgs, IdleArgs};
use crate::args::connect::{EndArgs, InputArgs, OutputArgs};
use crate::args::echo::ServerTlsArgs;
use crate::values::{self, Listen, Wait};

#[derive(Debug, clap::Args)]
pub(crate) struct ListenArgs {
    /// Where to listen: on localhost that is both loopbacks, which 9001 and :9001 mean as well; 0.0.0.0:9001
    /// is every interface; port 0 takes a free one
    #[arg(value_name = "ADDRESS", default_value = "localhost:9001", value_parser = values::listen)]
    pub(crate) listen: Listen,
    /// A subprotocol to speak; repeat it for several. Without it the one that a client asks for first
    #[arg(short, long = "subprotocol", value_name = "NAME", value_parser = values::subprotocol)]
    pub(crate) subprotocols: Vec<String>,
    /// The origin of web pages that may connect, such as http://localhost:8080; repeat it for several.
    /// Without it no page may: any page in a browser reaches this machine's ports
    #[arg(short, long = "origin", value_name = "ORIGIN", value_parser = values::origin)]
    pub(crate) origins: Vec<String>,
    /// A name that clients may call this machine by, in the Host header, besides localhost and any IP
    /// address; repeat it for several
    #[arg(long = "host", value_name = "NAME", value_parser = values::host)]
    pub(crate) hosts: Vec<String>,
    /// Decline compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// The largest message, sent or received: bytes, or a number with KB, MB, KiB or MiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = values::size)]
    pub(crate) max_message: u64,
    /// Send each message of a client to all others, too
    #[arg(long)]
    pub(crate) broadcast: bool,
    #[command(flatten)]
    pub(crate) tls: ServerTlsArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) clients: ClientsArgs,
    #[command(flatten)]
    pub(crate) idle: IdleArgs,
    /// After piped input has ended, close when no message has come for so long; forever by default
    #[arg(
        short,
        long,
        value_name = "SECONDS|forever",
        value_parser = values::wait,
        help_heading = "When it ends"
    )]
    wait: Option<Wait>,
    /// Close after so many messages have come, of all clients; fewer are exit code 10
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "When it ends")]
    messages: Option<u64>,
    /// Close after one message has come: --messages 1
    #[arg(
        short = '1',
        conflicts_with = "messages",
        help_heading = "When it ends"
    )]
    one: bool,
    /// Read nothing from standard input: for services
    #[arg(long, help_heading = "When it ends")]
    listen_only: bool,
}

impl ListenArgs {
    /// When it ends by itself: a server stays unless it is told otherwise.
    pub(crate) fn end(&self) -> EndArgs {
        EndArgs {
            wait: Some(self.wait.unwrap_or(Wait::Forever)),
            messages: self.messages,
            one: self.one,
            listen_only: self.listen_only,
        }
    }
}

pub(crate) const LISTEN_HELP: &str = "\
Each line goes to every client that is connected; while there is none, piped input waits for one. --send goes
to each client as it comes. A line that a person types may begin with a command:
    /to N TEXT  goes to client #N alone
    //TEXT      goes to all as /TEXT

In a terminal each message stands behind the number of its client. In a pipe it is printed as it came, whoever
sent it; --json tells which client. The slowest client holds up the input for all. With --broadcast each message goes
to all others as well, as text or binary as it came; a client that does not read them is closed with 1013.
Ctrl-D closes every connection normally, Ctrl-C or SIGTERM with 1012, and the exit code is 0; a second one ends
at once, with 130 or 143.
/health answers \"ok\", /ready \"ready\".

A web page may connect from an --origin only. A client that names another host than localhost, an IP address or
a --host is refused: that keeps out pages whose own name is made to lead to this machine (DNS rebinding).";
