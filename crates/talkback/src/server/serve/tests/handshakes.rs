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

/// How many say nothing.
const SILENT: usize = 3_000;

#[tokio::test(start_paused = true)]
async fn li3_an_address_with_thousands_that_say_nothing_holds_up_nobody() {
    let site = Site::start(limited());
    let begin = Instant::now();
    let silent: Vec<_> = (0..SILENT).map(|_| site.arrive("1.2.3.4")).collect();
    // One that is behind them opens as if they were not there.
    let mut socket = site.open("1.2.3.5").await.unwrap();
    socket.send("served").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("served".into()));
    let mut probe = site.arrive("1.2.3.6");
    get(&mut probe, "/health", "ok\n").await;
    assert_eq!(site.accepted(), SILENT + 2);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    // Those that are too many had their answer without a request, all of it.
    let mut silent = silent.into_iter();
    let waiting: Vec<_> = silent.by_ref().take(2).collect();
    for mut stream in silent {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        let head = answer.to_ascii_lowercase();
        assert!(head.contains("\r\nretry-after: "), "{answer}");
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    // Its two have their places until their time is over, and then another has one.
    assert_eq!(refused(site.open("1.2.3.4").await).0, 429);
    for mut stream in waiting {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    assert_eq!(begin.elapsed().as_secs(), 10);
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(site.open("1.2.3.4").await.unwrap());
    }
    assert_eq!(refused(site.open("1.2.3.4").await).0, 429);
}

#[tokio::test(start_paused = true)]
async fn li3_one_that_is_turned_away_is_told_of_and_has_the_time_to_read_why() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let site = Site::with(limited(), HANDSHAKES_MAX, |service| {
        service.unopened = Arc::new(move |peer, error| {
            let AcceptError::Refused(refusal) = error else {
                panic!("{error}");
            };
            told.send((peer.ip().to_string(), refusal.status().as_u16()))
                .unwrap();
        });
    });
    let _silent = [site.arrive("1.2.3.4"), site.arrive("1.2.3.4")];
    let mut third = site.arrive("1.2.3.4");
    let (peer, status) = heard.recv().await.unwrap();
    assert_eq!((&*peer, status), ("1.2.3.4", 429));
    // What it still sends does not end the transport before it has read.
    third.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 429 "));
    third.write_all(b"Host: a.example\r\n").await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(third.write_all(b"\r\n").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn li6_li8_peers_that_may_be_proxies_count_once_their_request_is_read() {
    for (connections, peer) in [
        (limited(), "127.0.0.1"),
        (behind_proxies(), "10.0.0.1"),
        (
            limited().trusted_proxies(["5.5.5.0/24".parse().unwrap()]),
            "5.5.5.5",
        ),
    ] {
        let site = Site::start(connections);
        let _silent: Vec<_> = (0..10).map(|_| site.arrive(peer)).collect();
        let _open = site.open_by(peer, "1.2.3.4").await.unwrap();
    }
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn li3_one_that_is_turned_away_by_a_server_of_tls_finds_the_end() {
    let identity = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let certificate = identity.cert.pem();
    let tls = Identity::from_pem(&certificate, identity.signing_key.serialize_pem());
    let acceptor = tls.unwrap().acceptor();
    let site = Site::with(limited(), HANDSHAKES_MAX, |service| {
        service.tls = Some(acceptor);
    });
    let begin = Instant::now();
    let _silent = [site.arrive("1.2.3.4"), site.arrive("1.2.3.4")];
    let mut third = site.arrive("1.2.3.4");
    assert_eq!(third.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let connecting = connect("wss://a.example/").tls_roots(certificate.as_bytes());
    connecting.over(site.arrive("1.2.3.5")).await.unwrap();
}
