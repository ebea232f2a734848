//! The options of `talkback connect`.

use std::time::Duration;

use crate::args::way::WayArgs;
use crate::values;

/// How often a server is pinged to tell the latency, unless something else is asked for.
const PING_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) way: WayArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    /// Connect again whenever the connection is lost, and send then what was read meanwhile
    #[arg(long, help_heading = "When it ends")]
    pub(crate) reconnect: bool,
    /// Try again until a server is there: for SECONDS, or without a value for ever
    // Outside: whether it is given. Inside: whether with a limit.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, conflicts_with = "reconnect", value_parser = values::seconds, help_heading = "When it ends")]
    pub(crate) retry: Option<Option<Duration>>,
    /// Tell how long the lookup (DNS), TCP, TLS, the opening handshake and the first message took
    #[arg(long, help_heading = "What is told")]
    pub(crate) timing: bool,
    /// Ping the server every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, help_heading = "What is told")]
    pub(crate) ping_interval: Option<Duration>,
    /// Tell how long each ping took to be answered, once a second unless --ping-interval says otherwise
    #[arg(long, help_heading = "What is told")]
    pub(crate) print_latency: bool,
    /// Keep no lines for the next run, and show none of an earlier one
    #[arg(long, help_heading = "At the prompt")]
    pub(crate) no_history: bool,
}

impl ConnectArgs {
    /// How often the server is pinged, if at all.
    pub(crate) fn ping_interval(&self) -> Option<Duration> {
        let unasked = self.print_latency.then_some(PING_INTERVAL);
        self.ping_interval.or(unasked)
    }
}

/// What is sent, and how the input is cut into messages.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is sent")]
pub(crate) struct InputArgs {
    /// Send this first; repeat it for several. The input follows, unless --messages or -1 is given
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) send: Vec<String>,
    /// Send the input as one binary message, and print the bytes of those that come
    #[arg(long)]
    pub(crate) binary: bool,
    /// With --binary, send so many bytes in each message: bytes, or a number with KB, MB, KiB or MiB
    #[arg(long, value_name = "SIZE", requires = "binary", value_parser = values::size)]
    pub(crate) frame: Option<u64>,
    /// Binary messages in hexadecimal: each line is one to be sent, and one that comes is a line
    #[arg(long, conflicts_with = "binary")]
    pub(crate) hex: bool,
    /// Binary messages in Base64: each line is one to be sent, and one that comes is a line
    #[arg(long, conflicts_with_all = ["binary", "hex"])]
    pub(crate) base64: bool,
    /// Messages end with a NUL in place of a line end, read and printed
    #[arg(short = '0', long = "null", conflicts_with_all = ["binary", "separator"])]
    pub(crate) null: bool,
    /// Messages end with this in place of a line end, read and printed; \n, \r, \t, \0, \\ and \xHH are
    /// understood
    #[arg(long, value_name = "TEXT", conflicts_with = "binary", value_parser = values::separator)]
    pub(crate) separator: Option<values::Separator>,
}

/// What a message is made of on this end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Binary,
    Hex,
    Base64,
}

impl InputArgs {
    pub(crate) fn form(&self) -> Form {
        match (self.binary, self.hex, self.base64) {
            (true, ..) => Form::Binary,
            (_, true, _) => Form::Hex,
            (_, _, true) => Form::Base64,
            _ => Form::Text,
        }
    }

    /// What messages end with, read and printed.
    pub(crate) fn separator(&self) -> &[u8] {
        match &self.separator {
            _ if self.null => b"\0",
            Some(separator) => &separator.0,
            None => b"\n",
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What is printed of messages.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is printed")]
pub(crate) struct OutputArgs {
    /// Print each message in one line, as in a terminal: control characters escaped, a backslash doubled,
    /// of a binary one the size and the first bytes
    #[arg(long, conflicts_with_all = ["binary", "hex", "base64", "json"])]
    pub(crate) escape: bool,
    /// Colour JSON: auto does so on a terminal, unless NO_COLOR is set; always prints as in a terminal
    /// elsewhere, too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Print before each message when it came, in UTC; on a terminal and with --escape
    #[arg(long)]
    pub(crate) times: bool,
    /// Print a JSON object in a line for each event: open, message, ping, pong, lost, close; of listen also listening
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell nothing on standard error but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// When a session ends by itself.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "When it ends")]
pub(crate) struct EndArgs {
    /// After the input has ended, close when no message has come for so long: 1 by default, and forever
    /// with --messages, -1 and --listen-only
    #[arg(short, long, value_name = "SECONDS|forever", value_parser = values::wait)]
    pub(crate) wait: Option<values::Wait>,
    /// Close after so many messages have come; fewer are exit code 10
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
    /// Close after one message has come: --messages 1
    #[arg(short = '1', conflicts_with = "messages")]
    pub(crate) one: bool,
    /// Read nothing from standard input, and stay until the server closes: for services
    #[arg(long)]
    pub(crate) listen_only: bool,
}

impl EndArgs {
    /// How many messages are to come, if that is a matter.
    pub(crate) fn messages(&self) -> Option<u64> {
        self.messages.or(self.one.then_some(1))
    }
}

pub(crate) const CONNECT_HELP: &str = "\
-s is --subprotocol, as in wscat, and not curl's --silent, which is -q here.

Each line, without its line end, is sent as a text message. In a pipe each message that comes is printed
as it is, with a line end behind it; --binary prints bytes and nothing else. In a terminal it is one line:
control characters but the tab are escaped, a backslash is doubled, of a binary one the size and the first
bytes are shown; JSON has a line for each member, unless --escape. When piped input ends and all of it is
sent, answers are waited for until none has come for --wait; then the connection is closed normally. Ctrl-C
closes it with 1001.

At the prompt, /help lists the commands: /ping, /close CODE REASON, /binary HEX, /file PATH. A message that
begins with / is typed as //. Ctrl-D closes, Ctrl-R searches earlier lines, which are kept in
$XDG_STATE_HOME/talkback/history (~/.local/state) unless they begin with a blank, or with --no-history.
What is pasted is one message, also if it has several lines, where the terminal marks what is pasted.

URL may be short: 9001, :9001/path and localhost:9001 are of ws://localhost:9001, and so is
127.0.0.1:9001 of ws://127.0.0.1:9001. `talkback URL` is `talkback connect URL`.

Exit codes:
    0  normal close (1000, 1001, or without a code)
    1  anything else, such as standard input that cannot be read
    2  wrong usage
    3  the URL cannot be used
    4  the server, or the proxy before it, has no address, or cannot be reached
    5  time ran out while connecting
    6  TLS or the opening handshake failed: an HTTP answer, no WebSocket, no subprotocol
    7  the server broke the protocol, or a message was over --max-message
    8  the connection was lost (1006)
    9  the server closed it with an error code
   10  fewer messages came than --messages or -1 asked for
   11  the server closed before all of the input was sent
  130  Ctrl-C; 143 for SIGTERM";
