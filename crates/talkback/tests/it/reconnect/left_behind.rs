//! What connections leave behind that a channel has lost: nothing.

use super::*;

use talkback_testing::heap::in_use;
use tokio::runtime::Handle;

#[tokio::test(start_paused = true)]
async fn re91_reconnects_leave_nothing() {
    let rounds = match std::env::var_os("TALKBACK_SOAK") {
        Some(_) => 100_000,
        None => 20_000,
    };
    let metrics = Handle::current().metrics();
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let mut after_some = (0, 0);
    for round in 0..=rounds {
        accepted(&mut server).await.cut();
        in_state(&channel, ChannelState::Retrying).await;
        if round == rounds / 10 {
            after_some = (in_use(), metrics.num_alive_tasks());
        }
    }
    let after = (in_use(), metrics.num_alive_tasks());
    println!("{rounds} reconnects: {after_some:?} bytes of heap and tasks, then {after:?}");
    // Transports and timers lie on the heap.
    assert!(after.0 <= after_some.0 + 1024);
    assert_eq!(after.1, after_some.1);
    // No timer of theirs is left to run out.
    channel.pause();
    in_state(&channel, ChannelState::Paused).await;
    let parked = metrics.worker_park_count(0);
    tokio::time::sleep(LONG).await;
    let parked = metrics.worker_park_count(0) - parked;
    // The clock's wheels turn for this test's own timer alone.
    assert!(parked <= 5, "something ran {parked} times in a pause");
}
