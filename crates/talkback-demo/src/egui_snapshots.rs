//! Drawing a channel in egui: the window is painted when something has changed, and only then.
//!
//! ```
//! use eframe::egui;
//! use talkback::WebSocketChannel;
//! use talkback_demo::egui_snapshots::EguiSnapshots;
//!
//! struct Ticker {
//!     snapshots: EguiSnapshots,
//! }
//!
//! impl Ticker {
//!     fn new(ctx: &egui::Context) -> Self {
//!         let channel = WebSocketChannel::connect("wss://ticker.example/");
//!         let snapshots = EguiSnapshots::new(channel.into_snapshots(), ctx);
//!         Self { snapshots }
//!     }
//! }
//!
//! impl eframe::App for Ticker {
//!     fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
//!         ui.label(self.snapshots.latest().text());
//!     }
//! }
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use eframe::egui;
use futures_core::Stream as _;
use talkback::{Snapshot, Snapshots};

/// The snapshots of a channel, which have egui paint again when there is a new one.
#[derive(Debug)]
pub struct EguiSnapshots {
    snapshots: Snapshots,
    latest: Snapshot,
    waker: Waker,
}

impl EguiSnapshots {
    /// Takes what [`into_snapshots`](talkback::WebSocketChannel::into_snapshots) or
    /// [`subscribe`](talkback::WebSocketChannel::subscribe) gives.
    pub fn new(snapshots: Snapshots, ctx: &egui::Context) -> Self {
        Self {
            snapshots,
            latest: Snapshot::default(),
            waker: repaint_waker(ctx),
        }
    }

    /// The newest snapshot. Call it in each frame: it is what asks for the next one.
    pub fn latest(&mut self) -> &Snapshot {
        let mut cx = Context::from_waker(&self.waker);
        while let Poll::Ready(Some(latest)) = Pin::new(&mut self.snapshots).poll_next(&mut cx) {
            self.latest = latest;
        }
        &self.latest
    }
}

/// A waker that has egui paint the next frame; for any stream or future that a window polls.
pub fn repaint_waker(ctx: &egui::Context) -> Waker {
    struct Repaint(egui::Context);

    impl Wake for Repaint {
        fn wake(self: Arc<Self>) {
            self.0.request_repaint();
        }
    }

    Waker::from(Arc::new(Repaint(ctx.clone())))
}
