//! A keepalive has times, and is not just on or off.

fn main() {
    let _ = talkback::connect("wss://echo.example/").keepalive(true);
}
