//! The code of docs/cookbook.md and docs/ui.md is in this package's `examples`; that of README.md is compiled here.

/// The examples of README.md are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
