//! The one alias: `cfg(server)` is the feature on a platform that has it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(server)");
    let is_set = |name| std::env::var_os(name).is_some();
    let family = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    if is_set("CARGO_FEATURE_SERVER") && family != "wasm" {
        println!("cargo::rustc-cfg=server");
    }
}
