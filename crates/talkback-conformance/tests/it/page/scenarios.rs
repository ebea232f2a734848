//! The scenarios on a page in a browser; `cargo xtask test browser` starts the server and the
//! browser.

use talkback_conformance::{check_exceptions, for_each_scenario, run_named};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::Page;

/// A test for each scenario that needs nothing but an opening handshake; the others are exceptions.
macro_rules! tests {
    ($($module:ident { $($name:ident $needs:tt;)* })*) => {$(
        mod $module {
            $(tests!(@one $module $name $needs);)*
        }
    )*};
    (@one $module:ident $name:ident []) => {
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            let path = concat!(stringify!($module), "::", stringify!($name));
            super::run_named(&super::Page, path).await.unwrap();
        }
    };
    (@one $module:ident $name:ident [CONNECT]) => {
        tests!(@one $module $name []);
    };
    (@one $module:ident $name:ident [$($need:ident)+]) => {};
}

for_each_scenario!(tests);

#[wasm_bindgen_test]
fn the_exceptions_are_the_rules_of_the_browser() {
    check_exceptions(&Page).unwrap();
}
