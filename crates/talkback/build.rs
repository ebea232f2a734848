//! The one alias for the platform: `cfg(browser)` is wasm in a browser or a worker.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(browser)");
    let target = |what| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("FAMILY") == "wasm" && target("OS") == "unknown" {
        println!("cargo::rustc-cfg=browser");
    }
}
