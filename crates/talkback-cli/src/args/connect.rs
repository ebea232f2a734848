//! The options of `talkback connect`.

use crate::args::way::WayArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

pub(crate) const CONNECT_HELP: &str = "\
Each line, without its line end, is sent as a text message. Each message that comes is one line:
control characters but the tab are escaped, of a binary one the size and the first bytes are shown.
In a terminal, Ctrl-D closes. When piped input ends, answers are waited for until none has come for
1 s; then the connection is closed normally. Ctrl-C closes it with 1001.

Exit codes:
    0  normal close (1000, 1001, or without a code)
    1  anything else, such as standard input that cannot be read
    2  wrong usage
    3  the URL cannot be used
    4  the server, or the proxy before it, has no address, or cannot be reached
    5  time ran out while connecting
    6  TLS or the opening handshake failed: an HTTP answer, no WebSocket, no subprotocol
    7  the server broke the protocol
    8  the connection was lost (1006)
    9  the server closed it with an error code
  130  Ctrl-C; 143 for SIGTERM";
