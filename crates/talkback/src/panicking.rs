//! What a peer is told where the program panics.

use talkback_proto::{CloseCode, CloseFrame};

/// Whether what is dropped now is dropped since something panics. In a page a panic drops nothing, and stays for good:
/// what is dropped there later has nothing to do with it.
pub(crate) fn is_panicking() -> bool {
    cfg!(not(browser)) && std::thread::panicking()
}

/// The close frame of what is dropped now, if that is since something panics: the peer must not take it for an ordinary
/// end.
pub(crate) fn close_frame() -> Option<CloseFrame> {
    let frame = || CloseFrame::new(CloseCode::INTERNAL_ERROR, "").expect("it may be sent");
    is_panicking().then(frame)
}
