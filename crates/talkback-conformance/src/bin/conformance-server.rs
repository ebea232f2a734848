//! The conformance suite's server as a program, for backends that are in another process: it prints
//! how many scenarios each backend is held to, then its URL, and serves until its standard input ends.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::io::Result<()> {
    use talkback_conformance::server::Server;
    use talkback_conformance::{Capabilities, SCENARIOS};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // The exceptions of a backend are those that need what it cannot do, and no others: its tests hold that.
        println!("{:<10}{:>10}{:>12}", "backend", "scenarios", "exceptions");
        for (name, can) in Capabilities::BACKENDS {
            let held = SCENARIOS
                .iter()
                .filter(|scenario| can.contains(scenario.needs));
            let held = held.count();
            println!("{name:<10}{held:>10}{:>12}", SCENARIOS.len() - held);
        }
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
