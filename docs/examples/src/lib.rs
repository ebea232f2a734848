//! The code of docs/cookbook.md and of docs/ui.md's terminal is in this package's `examples`. That of the
//! pages below is compiled as tests.

#[cfg(target_os = "android")]
pub mod android;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../coming-from.md")]
struct ComingFrom;

#[cfg(doctest)]
#[doc = include_str!("../../web.md")]
struct Web;
