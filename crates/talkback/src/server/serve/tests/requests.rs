//! Clients that ask for no WebSocket, where somebody serves them.

use super::*;

/// A request with content, and what comes behind it.
const POST: &str = "POST /t/a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nHello";

/// A site whose HTTP is served so.
fn site<F>(
    connections: Connections,
    serve: impl Fn(HttpConnection<Transport<DuplexStream>>) -> F + Send + Sync + 'static,
) -> Site
where
    F: Future<Output = ()> + Send + 'static,
{
    Site::with(connections, HANDSHAKES_MAX, |service| {
        service.http = Some(Arc::new(move |connection| Box::pin(serve(connection))));
    })
}

/// Writes until it is told to end.
async fn stream_events(mut connection: HttpConnection<Transport<DuplexStream>>) {
    let mut draining = connection.draining();
    let _ = connection.write_all(b"begun").await;
    (&mut draining).await;
    let _ = connection.write_all(b"end").await;
}

/// The client's end of a stream that has begun.
async fn begin(site: &Site) -> DuplexStream {
    let mut stream = site.arrive("1.2.3.4");
    stream.write_all(POST.as_bytes()).await.unwrap();
    let mut begun = [0; 5];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"begun");
    stream
}

async fn rest(mut stream: DuplexStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

#[tokio::test(start_paused = true)]
async fn co11_the_client_is_handed_over_with_all_that_it_has_said() {
    let site = site(Connections::new(), |mut connection| async move {
        assert_eq!(connection.peer().to_string(), "1.2.3.4:1");
        assert_eq!(connection.client_ip().to_string(), "1.2.3.4");
        let mut heard = vec![0; POST.len()];
        connection.read_exact(&mut heard).await.unwrap();
        connection.write_all(&heard).await.unwrap();
    });
    // In pieces and in one.
    for size in [1, 7, POST.len()] {
        let mut stream = site.arrive("1.2.3.4");
        for piece in POST.as_bytes().chunks(size) {
            stream.write_all(piece).await.unwrap();
            settle().await;
        }
        assert_eq!(rest(stream).await, POST.as_bytes(), "{size}");
    }
    settle().await;
    assert_eq!(site.connections.len(), 0);
    // What is asked of every server is answered by it, and a WebSocket is one.
    get(&mut site.arrive("1.2.3.4"), "/health", "ok\n").await;
    let mut socket = site.open("1.2.3.4").await.unwrap();
    socket.send("Hello!").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello!".into()));
    let mut stream = site.arrive("1.2.3.4");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(rest(stream).await.starts_with(b"HTTP/1.1 400 "));
}

#[tokio::test(start_paused = true)]
async fn li1_it_has_a_place_like_any_other() {
    let limits = Connections::new().max(2).max_per_address(1);
    let site = site(
        limits.trusted_proxies(["10.0.0.0/8".parse().unwrap()]),
        stream_events,
    );
    let first = begin(&site).await;
    let mut second = site.arrive("1.2.3.4");
    second.write_all(POST.as_bytes()).await.unwrap();
    assert!(rest(second).await.starts_with(b"HTTP/1.1 429 "));
    let mut socket = site.open("1.2.3.5").await.unwrap();
    let mut third = site.arrive("10.0.0.1");
    third.write_all(POST.as_bytes()).await.unwrap();
    assert!(rest(third).await.starts_with(b"HTTP/1.1 503 "));
    assert_eq!(site.connections.len(), 2);
    site.connections
        .close_where(
            |it| it.peer().unwrap().ip().to_string() == "1.2.3.4",
            4001,
            "",
        )
        .unwrap();
    assert_eq!(rest(first).await, b"end");
    settle().await;
    assert_eq!(site.connections.len(), 1);
    socket.close().await;
}

#[tokio::test(start_paused = true)]
async fn dr2_it_is_let_go_in_its_turn() {
    let site = site(Connections::new(), stream_events);
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(begin(&site).await);
    }
    let draining = site.drain(Drain::default()).await;
    let start = Instant::now();
    let mut ended = Vec::new();
    for stream in streams {
        ended.push(tokio::spawn(async move {
            assert_eq!(rest(stream).await, b"end");
            start.elapsed()
        }));
    }
    let mut times = Vec::new();
    for ended in ended {
        times.push(ended.await.unwrap().as_millis());
    }
    times.sort_unstable();
    let spaced = times
        .windows(2)
        .all(|pair| (240..=260).contains(&(pair[1] - pair[0])));
    assert!(spaced, "{times:?}");
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.by_peer, report.cut), (40, 0, 0));
    site.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dr5_whoever_does_not_end_by_itself_is_dropped_at_the_deadline() {
    let site = site(Connections::new(), |mut connection| async move {
        connection.write_all(b"begun").await.unwrap();
        std::future::pending::<()>().await;
    });
    let stream = begin(&site).await;
    let start = Instant::now();
    let report = site.drain(Drain::default()).await.await.unwrap();
    assert_eq!((report.closed, report.cut), (0, 1));
    assert_eq!(rest(stream).await, b"");
    assert_eq!(start.elapsed().as_secs(), 25);
}
