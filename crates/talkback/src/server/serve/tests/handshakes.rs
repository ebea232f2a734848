//! Handshakes in flight.

use super::*;

/// How many dawdle.
const SLOW: usize = 10_000;

/// So many clients that do not end their handshakes: after how many seconds each is gone.
fn dawdle(site: &Site, count: usize) -> Vec<JoinHandle<u64>> {
    let begin = Instant::now();
    let slow = (0..count).map(|number| {
        let mut stream = site.arrive("1.2.3.4");
        tokio::spawn(async move {
            // A third says nothing, the others a byte a second.
            while number % 3 > 0 && stream.write_all(b"G").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            begin.elapsed().as_secs()
        })
    });
    slow.collect()
}

#[tokio::test(start_paused = true)]
async fn li10_one_handshake_too_many_waits_until_another_ends() {
    let site = Site::start(Connections::new());
    let silent: Vec<_> = (0..=HANDSHAKES_MAX)
        .map(|_| site.arrive("1.2.3.4"))
        .collect();
    settle().await;
    assert_eq!(site.accepted(), HANDSHAKES_MAX);
    let mut silent = silent.into_iter();
    drop(silent.next());
    settle().await;
    assert_eq!(site.accepted(), HANDSHAKES_MAX + 1);
    // An open connection is no handshake: it leaves room for another.
    drop(silent.next());
    let _open = site.open("1.2.3.4").await.unwrap();
    let _next = site.open("1.2.3.4").await.unwrap();
    // Nobody was refused, and nobody stays for ever.
    let begin = Instant::now();
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn li11_v15_thousands_that_dawdle_take_no_place_and_go() {
    let honest = 100;
    let site = Site::with(Connections::new().max(honest), 2 * SLOW, |_| {});
    let begin = Instant::now();
    let slow = dawdle(&site, SLOW);
    let mut open = Vec::new();
    for _ in 0..honest {
        let mut socket = site.open("1.2.3.4").await.unwrap();
        socket.send("served").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("served".into()));
        open.push(socket);
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    for slow in slow {
        assert!((10..=11).contains(&slow.await.unwrap()));
    }
    assert_eq!(site.connections.len(), honest);
}

#[tokio::test(start_paused = true)]
async fn li11_by_the_default_those_behind_thousands_that_dawdle_wait_their_turn() {
    let site = Site::start(Connections::new());
    let begin = Instant::now();
    let slow = dawdle(&site, SLOW);
    let honest: Vec<_> = (0..100)
        .map(|_| {
            connect("ws://a.example/")
                .timeout(Duration::MAX)
                .over(site.arrive("1.2.3.4"))
        })
        .map(|connecting| tokio::spawn(connecting.into_future()))
        .collect();
    for honest in honest {
        let mut socket = honest.await.unwrap().expect("it is not refused");
        socket.send("served").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("served".into()));
    }
    // Each 1,024 that dawdle hold up those behind them for the 10 s of an opening handshake.
    let turns = SLOW / HANDSHAKES_MAX;
    assert_eq!(begin.elapsed().as_secs(), 10 * turns as u64);
    for slow in slow {
        assert!(slow.await.unwrap() <= 10 * (turns as u64 + 1) + 1);
    }
}
