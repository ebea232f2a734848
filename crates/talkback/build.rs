//! The one alias for the platform: `cfg(browser)` is wasm in a browser or a worker.

use cfg_aliases::cfg_aliases;

fn main() {
    cfg_aliases! {
        browser: { all(target_family = "wasm", target_os = "unknown") },
    }
}
