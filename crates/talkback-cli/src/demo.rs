//! The demo's tab, which a release of the command brings.

use talkback_echo::WebFiles;

// Those of the folder `share/demo`, which `build.rs` finds when the command is built.
include!(concat!(env!("OUT_DIR"), "/demo.rs"));

/// The files of the demo; `None` if the command was built without.
pub(crate) fn files() -> Option<WebFiles> {
    (!FILES.is_empty()).then(|| WebFiles::from_static(FILES))
}
