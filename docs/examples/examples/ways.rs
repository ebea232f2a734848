//! A server that redirects: `cargo run -p talkback-docs --example ways -- ws://127.0.0.1:9001/ TOKEN`.

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give a URL and a token")?;
    let token = arguments.next().ok_or("give a token, too")?;

    let socket = talkback::connect(url)
        .header("Authorization", token) // for the host of the URL alone
        .header("X-Request-Id", "7")
        .redirect_header("X-Request-Id") // for whoever it redirects to as well
        .redirects(3)
        .await?;
    println!("open, by {:?}", socket.peer());
    Ok(())
}
