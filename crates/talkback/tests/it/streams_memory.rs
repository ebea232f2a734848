//! What a long message costs as a stream, counted by the allocator.

use talkback::{DeflateParameters, Limits, MessageKind, Role, WebSocket};
use talkback_testing::heap;
use tokio::io::{AsyncReadExt, duplex};

const SIZE: u64 = 64 * 1024 * 1024;

/// The most heap in use while a message of this size passes, beyond what was in use before.
async fn peak_bytes(parameters: Option<&DeflateParameters>) -> isize {
    let before = heap::in_use();
    let (near, far) = duplex(64 * 1024);
    let limits = Limits::default().message_size_max(SIZE);
    let mut client = WebSocket::from_upgraded(near, Role::Client)
        .with_limits(limits.clone())
        .with_deflate(parameters);
    let mut server = WebSocket::from_upgraded(far, Role::Server)
        .with_limits(limits)
        .with_deflate(parameters);
    let sending = async {
        let mut writer = client.send_stream(MessageKind::Text).unwrap();
        let mut source = tokio::io::repeat(b'x').take(SIZE);
        let copied = tokio::io::copy(&mut source, &mut writer).await.unwrap();
        writer.finish().await.unwrap();
        copied
    };
    let receiving = async {
        let (mut size, mut peak) = (0, 0);
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        while let Some(piece) = reader.read().await.unwrap() {
            size += piece.len() as u64;
            peak = peak.max(heap::in_use() - before);
        }
        (size, peak)
    };
    let (sent, (received, peak)) = tokio::join!(sending, receiving);
    assert_eq!((sent, received), (SIZE, SIZE));
    peak
}

/// One after the other, as they share one counter: that of this thread.
#[tokio::test]
async fn sixty_four_mib_pass_in_constant_memory() {
    let plain = peak_bytes(None).await;
    println!("64 MiB streamed hold at most {plain} bytes of heap at once, at both ends");
    assert!(plain <= 1024 * 1024);
    let compressed = peak_bytes(Some(&DeflateParameters::default())).await;
    println!("compressed, {compressed} bytes, both contexts included");
    assert!(compressed <= 2 * 1024 * 1024);
}
