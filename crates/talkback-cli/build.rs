//! Lists the files of the demo's tab for the command to hold. There are some in the package only:
//! `cargo xtask share` puts them there.

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new("share/demo");
    // The folder is there without the demo as well, or this would run each time.
    println!("cargo::rerun-if-changed=share");
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let files: Vec<String> = names
        .iter()
        .map(|name| {
            let path = Path::new(&here).join(folder).join(name);
            format!("({name:?}, include_bytes!({path:?})),")
        })
        .collect();
    let code = format!("const FILES: &[(&str, &[u8])] = &[{}];", files.concat());
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("demo.rs"), code).expect("the folder is cargo's own");
}
