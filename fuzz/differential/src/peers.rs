//! The other decoders.

mod tokio_websockets;
mod tungstenite;

use crate::generate::Case;
use crate::outcome::Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tungstenite,
    TokioWebSockets,
}

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::Tungstenite, Self::TokioWebSockets];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tungstenite => "tungstenite",
            Self::TokioWebSockets => "tokio-websockets",
        }
    }

    pub(crate) fn receive(self, case: &Case) -> Outcome {
        match self {
            Self::Tungstenite => tungstenite::receive(case),
            Self::TokioWebSockets => tokio_websockets::receive(case),
        }
    }
}
