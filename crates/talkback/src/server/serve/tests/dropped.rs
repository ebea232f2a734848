//! A server that is dropped at any poll.

use super::*;

/// So many clients that connect to a server.
fn clients(
    arrivals: &mpsc::UnboundedSender<Arrival>,
    count: usize,
) -> Vec<JoinHandle<Result<Socket, ConnectError>>> {
    let clients = (0..count).map(|_| {
        let (near, far) = duplex(16 * 1024);
        let peer = "1.2.3.4:1".parse().unwrap();
        arrivals.send(Ok((far, peer))).unwrap();
        tokio::spawn(connect("ws://a.example/").over(near).into_future())
    });
    clients.collect()
}

/// What a server comes to within so many polls, between which a time passes; `None` if it was dropped.
async fn within(
    polls: usize,
    step: Duration,
    serving: impl Future<Output = ()> + Send + 'static,
) -> Option<()> {
    let mut serving = Box::pin(serving);
    for _ in 0..polls {
        let once = poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx).is_ready()));
        if once.await {
            return Some(());
        }
        settle().await;
        advance(step).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn who_was_accepted_goes_on_whenever_the_server_is_dropped() {
    let mut opened = Vec::new();
    for polls in 0..8 {
        let (arrivals, accepted, serving) = server(&Connections::new(), 1, |_| {});
        let clients = clients(&arrivals, 3);
        assert_eq!(within(polls, Duration::ZERO, serving).await, None);
        assert!(arrivals.is_closed());
        let mut sockets = Vec::new();
        for client in clients {
            sockets.extend(client.await.unwrap().ok());
        }
        assert_eq!(sockets.len(), accepted.load(Ordering::SeqCst));
        for socket in &mut sockets {
            socket.send("on").await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Some("on".into()));
        }
        opened.push(sockets.len());
    }
    // With one handshake at a time, each poll accepts one.
    assert_eq!(opened, [0, 1, 2, 3, 3, 3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn dr11_a_drain_goes_on_whenever_the_server_is_dropped() {
    for polls in 1.. {
        let connections = Connections::new();
        let (arrivals, _, serving) = server(&connections, HANDSHAKES_MAX, |_| {});
        let ends: Vec<_> = clients(&arrivals, 20)
            .into_iter()
            .map(|client| {
                tokio::spawn(async move { code(&mut client.await.unwrap().unwrap()).await })
            })
            .collect();
        let draining = connections.clone();
        let draining = tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            let drain = Drain::default().lame_duck(Duration::from_secs(1));
            draining.drain(drain.spread(Duration::from_secs(2))).await
        });
        let ended = within(polls, Duration::from_millis(250), serving).await;
        assert!(arrivals.is_closed(), "it listens no more");
        let report = draining.await.unwrap();
        assert_eq!(
            (report.closed, report.cut),
            (20, 0),
            "dropped after {polls}"
        );
        for end in ends {
            assert_eq!(end.await.unwrap(), 1012);
        }
        if ended.is_some() {
            assert!(polls > 10, "{polls}");
            break;
        }
    }
}
