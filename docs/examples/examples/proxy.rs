//! Behind a company's proxy: `cargo run -p talkback-docs --example proxy -- wss://echo.example/ [PROXY]`.

use std::error::Error;

use talkback::ConnectError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give a URL, and perhaps a proxy")?;
    let setting = arguments.next();

    let mut connect = talkback::connect(url); // the environment's proxy, if it names one
    if let Some(proxy) = &setting {
        connect = connect.proxy(proxy.as_str()); // this one; `proxy(None)` is none at all
    }
    match connect.await {
        Ok(socket) => println!("open, by {:?}", socket.peer()),
        Err(ConnectError::Proxy { proxy, error, .. }) => match error.refused() {
            Some(refused) if refused.status == 407 => println!("{proxy} wants a password"),
            _ => println!("the proxy {proxy} {error}"),
        },
        Err(error) => println!("{error}"), // the server, or the way to it
    }
    Ok(())
}
