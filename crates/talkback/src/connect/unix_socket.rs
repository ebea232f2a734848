//! unix: a server at a path of this machine.

use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixStream;

use crate::connect::transport::Transport;
use crate::error::ConnectError;

pub(super) async fn dial(path: &Path) -> Result<Transport, ConnectError> {
    let dialed = UnixStream::connect(path).await;
    dialed
        .map(Transport::own)
        .map_err(|error| ConnectError::UnixSocket {
            path: path.to_owned(),
            error: Arc::new(error),
        })
}
