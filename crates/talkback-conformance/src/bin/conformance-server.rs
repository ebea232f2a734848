//! The conformance suite's server as a program, for backends that are in another process: it prints
//! its URL and serves until its standard input ends.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::io::Result<()> {
    use talkback_conformance::SCENARIOS;
    use talkback_conformance::server::Server;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = Server::default().listen().await?;
        println!("ws://{address}/ ({} scenarios)", SCENARIOS.len());
        let input = tokio::task::spawn_blocking(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        });
        input.await??;
        Ok(())
    })
}

/// A page cannot listen.
#[cfg(target_arch = "wasm32")]
fn main() {}
