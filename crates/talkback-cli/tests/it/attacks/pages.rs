//! Attacks by requests for pages: V51.

use std::fs;
use std::path::Path;

use crate::support::attack::{CONSTANT, KIB, MIB, Peer, Target, until};

#[test]
fn v51_peers_that_do_not_read_a_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attacks_pages");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("index.html"), "<title>attacked</title>").unwrap();
    fs::write(folder.join("large.wasm"), vec![b'x'; 8 * MIB as usize]).unwrap();
    let target = Target::start(&["--web", folder.to_str().unwrap()]);
    let request = b"GET /demo/large.wasm HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut peers: Vec<Peer> = (0..30).map(|_| Peer::connect(target.address)).collect();
    for peer in &mut peers {
        peer.send(request);
    }
    for peer in &mut peers {
        assert!(peer.head().starts_with("HTTP/1.1 200 "));
    }
    target.serves();
    // All send from the one content.
    target.grew_at_most(CONSTANT + 30 * 64 * KIB);
    // They are left, though they stay.
    until("all are left", || target.descriptors() == 0);
    drop(peers);
    target.recovers();
}
