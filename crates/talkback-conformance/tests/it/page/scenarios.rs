//! The scenarios on a page in a browser; `cargo xtask test browser` starts the server and the
//! browser.

use talkback_conformance::{Backend, check_exceptions, for_each_scenario, run_named};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::{Page, is_firefox};

/// A test for each scenario, which holds or, as an exception, fails; those that a page's lack of
/// backpressure leaves open are not run.
macro_rules! tests {
    ($($module:ident { $($name:ident $needs:tt;)* })*) => {$(
        mod $module {
            $(tests!(@one $module $name $needs);)*
        }
    )*};
    (@one $module:ident $name:ident [BACKPRESSURE]) => {};
    (@one $module:ident $name:ident [$($need:ident)*]) => {
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            let path = concat!(stringify!($module), "::", stringify!($name));
            super::run_named(&super::Page, path).await.unwrap();
        }
    };
}

for_each_scenario!(tests);

#[wasm_bindgen_test]
fn the_exceptions_are_the_rules_of_the_browser() {
    check_exceptions(&Page).unwrap();
    let count = if is_firefox() { 11 } else { 7 };
    assert_eq!(Page.exceptions().len(), count, "docs/web.md lists them");
}
