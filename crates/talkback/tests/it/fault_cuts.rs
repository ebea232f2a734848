//! V54: a session that is cut after every byte, by FIN, by RST and by a FIN in one direction alone.

use std::time::Duration;

use crate::support::fault_proxy::{Chance, Direction, End, Pace, Plan};
use crate::support::fault_session::{Opening, Session, cut_after, run};

/// Both directions, and how many bytes go in each.
async fn sizes(session: &Session, opening: &Opening) -> [(Direction, usize); 2] {
    let plan = Plan::default();
    let outcome = run(session, opening, plan).await;
    outcome.assert_complete(session, &plan);
    [
        (Direction::ToServer, outcome.passed.to_server.len()),
        (Direction::ToClient, outcome.passed.to_client.len()),
    ]
}

async fn cut_everywhere(end: End, opening: Opening) {
    let session = Session::small();
    for (direction, size) in sizes(&session, &opening).await {
        assert!((500..1_500).contains(&size), "{direction:?}: {size}");
        let cuts = (0..=size).map(|after| (direction, after));
        let tried = cut_after(cuts, end, &session, &opening).await;
        println!("{direction:?}, {end:?}: {tried} cuts");
        assert_eq!(tried, size + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_fin_after_every_byte() {
    cut_everywhere(End::Fin, Opening::plain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_fin_after_every_byte_of_compressed_messages() {
    cut_everywhere(End::Fin, Opening::compressed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_reset_after_every_byte() {
    cut_everywhere(End::Reset, Opening::plain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_reset_after_every_byte_of_compressed_messages() {
    cut_everywhere(End::Reset, Opening::compressed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_half_open_after_every_byte() {
    cut_everywhere(End::HalfFin, Opening::plain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_half_open_after_every_byte_of_compressed_messages() {
    cut_everywhere(End::HalfFin, Opening::compressed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v54_cuts_of_large_messages() {
    let (session, opening) = (Session::large(), Opening::plain());
    let mut chance = Chance(54);
    for (direction, size) in sizes(&session, &opening).await {
        assert!(size > 280_000, "{direction:?}: {size}");
        for end in [End::Fin, End::Reset, End::HalfFin] {
            let cuts: Vec<_> = (0..30)
                .map(|_| (direction, chance.below(size as u64) as usize))
                .collect();
            cut_after(cuts, end, &session, &opening).await;
        }
    }
}

#[tokio::test]
async fn v17_segments_of_any_size_and_delay_lose_nothing() {
    for (session, opening, seeds) in [
        (Session::small(), Opening::plain(), 20),
        (Session::small(), Opening::compressed(), 20),
        (Session::large(), Opening::plain(), 1),
    ] {
        for seed in 0..seeds {
            let plan = Plan::pace(Pace::Segments {
                seed,
                delay_max: Duration::from_micros(300),
            });
            let outcome = run(&session, &opening, plan).await;
            outcome.assert_complete(&session, &plan);
        }
    }
}

#[tokio::test]
async fn v17_one_byte_at_a_time_loses_nothing() {
    let (session, opening) = (Session::small(), Opening::plain());
    let plan = Plan::pace(Pace::Bytes(Duration::ZERO));
    let outcome = run(&session, &opening, plan).await;
    outcome.assert_complete(&session, &plan);
}
