//! `cargo xtask pictures`: takes the pictures of the documentation anew.
//!
//! The checks of the window and of the tab take them as they go: a Korean message has come back.

use std::fs;

use crate::report::Tally;
use crate::{Result, cargo, web, window};

const FOLDER: &str = "docs/images";

const PICTURES: &[&str] = &[
    "window-light.png",
    "window-dark.png",
    "tab-light.png",
    "tab-dark.png",
    "tab-phone-light.png",
    "tab-phone-dark.png",
];

/// Uses the window and the tab, and copies what was pictured into the repository.
pub(crate) fn take() -> Result<()> {
    let taken = cargo::scratch("demo")?;
    for picture in PICTURES {
        // None of an earlier run is taken for one of this run.
        let _ = fs::remove_file(taken.join(picture));
    }
    let mut tally = Tally::default();
    window::check(&mut tally)?;
    tally += web::tab()?;
    if tally.failed > 0 {
        return Err("what is pictured does not work; no picture was replaced".into());
    }
    for picture in PICTURES {
        let copy = cargo::root().join(FOLDER).join(picture);
        let size = fs::copy(taken.join(picture), &copy)
            .map_err(|error| format!("no {picture} was taken: {error}"))?;
        println!("  {FOLDER}/{picture}: {size} bytes");
    }
    Ok(())
}
