//! A proxy between a client and a server that does what networks do: it cuts, splits, merges,
//! delays and stops. What it does follows from its plan, and a seed where chance plays a part.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// The way that bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// How a connection is cut. Within TLS either one is an end without close_notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
    /// A FIN in the direction of the cut alone: a half-open connection, of which the sender learns
    /// nothing, and whose other direction goes on.
    HalfFin,
}

/// Both ends lose the connection, or one of them a direction of it, once `after` bytes have passed in
/// one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) direction: Direction,
    pub(crate) after: usize,
    pub(crate) end: End,
}

/// How bytes are passed on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Pace {
    /// As they come.
    #[default]
    Whole,
    /// A byte at a time, with a pause behind each.
    Bytes(Duration),
    /// In segments that have nothing to do with the writes: split, merged and delayed by up to this
    /// time, as the seed has it.
    Segments { seed: u64, delay_max: Duration },
    /// As they come, until so many have passed; then nothing is read any more, so that the window
    /// closes.
    StopsAfter(usize),
}

/// What a proxy does to a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) cut: Option<Cut>,
    pub(crate) to_server: Pace,
    pub(crate) to_client: Pace,
}

impl Plan {
    pub(crate) fn cut(direction: Direction, after: usize, end: End) -> Self {
        let cut = Cut {
            direction,
            after,
            end,
        };
        Self {
            cut: Some(cut),
            ..Self::default()
        }
    }

    /// The same pace both ways.
    pub(crate) fn pace(pace: Pace) -> Self {
        Self {
            cut: None,
            to_server: pace,
            to_client: pace,
        }
    }

    fn of(&self, direction: Direction) -> Share {
        let cut = self.cut.filter(|cut| cut.direction == direction);
        Share {
            size_max: cut.map_or(usize::MAX, |cut| cut.after),
            is_half_open: cut.is_some_and(|cut| cut.end == End::HalfFin),
            pace: match direction {
                Direction::ToServer => self.to_server,
                Direction::ToClient => self.to_client,
            },
        }
    }
}

/// A plan for one direction.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// How many bytes may pass.
    size_max: usize,
    /// Whether the other direction goes on when they have.
    is_half_open: bool,
    pace: Pace,
}

/// The bytes that have passed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
}

/// A proxy for one connection of TCP after another.
pub(crate) struct FaultProxy {
    listener: TcpListener,
}

impl FaultProxy {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    /// Where the client connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Passes the next connection on to `server` until it is over.
    pub(crate) async fn run(&self, server: SocketAddr, plan: Plan) -> Passed {
        let (mut client, _) = self.listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let (passed, is_cut) = pass(&mut client, &mut server, &plan).await;
        match plan.cut.filter(|_| is_cut) {
            Some(Cut { end: End::Fin, .. }) => {
                tokio::join!(end(&mut client), end(&mut server));
            }
            Some(Cut {
                end: End::Reset, ..
            }) => {
                client.set_zero_linger().unwrap();
                server.set_zero_linger().unwrap();
            }
            Some(Cut {
                end: End::HalfFin, ..
            })
            | None => {}
        }
        passed
    }
}

/// Ends with a FIN. What still comes is read away, as a reset would overtake it.
async fn end(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
}

/// Passes bytes both ways until both have ended, or the plan cuts; says whether it did.
pub(crate) async fn pass<C, S>(client: &mut C, server: &mut S, plan: &Plan) -> (Passed, bool)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let mut passed = Passed::default();
    let up = plan.of(Direction::ToServer);
    let down = plan.of(Direction::ToClient);
    let is_cut = {
        let up = pump(from_client, to_server, up, &mut passed.to_server);
        let down = pump(from_server, to_client, down, &mut passed.to_client);
        tokio::pin!(up, down);
        tokio::select! {
            Pumped::Cut = &mut up => true,
            Pumped::Cut = &mut down => true,
            else => false,
        }
    };
    (passed, is_cut)
}

/// Why one direction is over.
enum Pumped {
    /// Its sender has ended, or its receiver is gone.
    Ended,
    /// All bytes that may pass have.
    Cut,
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    share: Share,
    passed: &mut Vec<u8>,
) -> Pumped {
    let mut segments = Segments::new(share.pace);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let room = share.size_max - passed.len();
        if room == 0 && share.is_half_open {
            let _ = to.shutdown().await;
            let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
            return Pumped::Ended;
        }
        if room == 0 {
            return Pumped::Cut;
        }
        let room = segments
            .room(passed.len())
            .await
            .min(room)
            .min(buffer.len());
        let Ok(size @ 1..) = segments.read(&mut from, &mut buffer[..room]).await else {
            // The other direction goes on.
            let _ = to.shutdown().await;
            return Pumped::Ended;
        };
        if to.write_all(&buffer[..size]).await.is_err() || to.flush().await.is_err() {
            return Pumped::Ended;
        }
        passed.extend_from_slice(&buffer[..size]);
        segments.pause().await;
    }
}

/// The sizes of segments and the pauses between them.
struct Segments {
    pace: Pace,
    chance: Chance,
}

impl Segments {
    /// The largest segment by chance, in bytes.
    const SIZE_MAX: u64 = 400;

    fn new(pace: Pace) -> Self {
        let seed = match pace {
            Pace::Segments { seed, .. } => seed,
            _ => 0,
        };
        Self {
            pace,
            chance: Chance(seed),
        }
    }

    /// How large the next segment may be; waits for ever if there is none.
    async fn room(&mut self, passed: usize) -> usize {
        match self.pace {
            Pace::Whole => usize::MAX,
            Pace::Bytes(_) => 1,
            Pace::Segments { .. } => 1 + self.chance.below(Self::SIZE_MAX) as usize,
            Pace::StopsAfter(size) if passed < size => size - passed,
            Pace::StopsAfter(_) => std::future::pending().await,
        }
    }

    /// Reads a segment: as many writes as fit in, as far as they come without a pause.
    async fn read(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut size = from.read(buffer).await?;
        if let Pace::Segments { .. } = self.pace {
            while (1..buffer.len()).contains(&size) {
                let more = timeout(Duration::from_micros(500), from.read(&mut buffer[size..]));
                match more.await {
                    Ok(Ok(more @ 1..)) => size += more,
                    // An end, or an error, comes again.
                    _ => break,
                }
            }
        }
        Ok(size)
    }

    async fn pause(&mut self) {
        match self.pace {
            Pace::Bytes(pause) if !pause.is_zero() => sleep(pause).await,
            Pace::Segments { delay_max, .. } => {
                let micros = u64::try_from(delay_max.as_micros()).unwrap();
                // Half of the segments are not held back.
                if self.chance.below(2) == 0 {
                    sleep(Duration::from_micros(self.chance.below(micros + 1))).await;
                }
            }
            _ => {}
        }
    }
}

/// Numbers that look random and follow from a seed: SplitMix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % bound
    }
}
