//! The scenarios over TCP.

use talkback_conformance::server::Server;
use talkback_conformance::{check_exceptions, for_each_scenario, run_named};

use crate::by_url::ByUrl;

async fn backend() -> ByUrl {
    let address = Server::default().listen().await.unwrap();
    ByUrl {
        base: format!("ws://{address}"),
        root: None,
    }
}

macro_rules! tests {
    ($($module:ident { $($name:ident [$($need:ident)*];)* })*) => {$(
        mod $module {
            use super::{backend, run_named};
        $(
            #[tokio::test]
            async fn $name() {
                let path = concat!(stringify!($module), "::", stringify!($name));
                run_named(&backend().await, path).await.unwrap();
            }
        )*}
    )*};
}

for_each_scenario!(tests);

#[tokio::test]
async fn no_scenario_is_an_exception() {
    check_exceptions(&backend().await).unwrap();
}
