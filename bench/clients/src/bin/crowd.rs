//! Many clients at a time, and what becomes of them.
//!
//! `crowd open COUNT [EACH_SECOND]` opens so many connections, all at once or so many each second, and then holds
//! them for `--seconds`. `crowd move COUNT EACH_SECOND URL` has clients with messages to be echoed while their server,
//! which is told to stop (`--pid`), lets them go: each connects to the other one at once, and sends again what it has
//! had no answer to.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clients::tls::connector;
use clients::{Options, block_on};
use rustix::process::{Pid, Signal, kill_process};
use talkback::{CloseCode, Transport, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, interval, sleep, sleep_until};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

const SECOND: Duration = Duration::from_secs(1);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

async fn connect(
    options: &Options,
    tls: Option<TlsConnector>,
) -> Result<WebSocket<Transport<Box<dyn Stream>>>> {
    let mut stream: Box<dyn Stream> = Box::new(options.connect().await?);
    if let Some(tls) = tls {
        let name = ServerName::try_from("localhost")?;
        stream = Box::new(tls.connect(name, stream).await?);
    }
    let connect = talkback::connect("ws://localhost/").compression(None);
    Ok(connect.over(stream).await?)
}

async fn open(options: Rc<Options>, count: u32, each_second: f64) -> Result<()> {
    let tls = options
        .url
        .starts_with("wss://")
        .then(connector)
        .transpose()?;
    let start = Instant::now();
    let open_one = |number: u32| {
        let due = start + Duration::from_secs_f64(f64::from(number) / each_second);
        let (options, tls) = (Rc::clone(&options), tls.clone());
        spawn_local(async move {
            sleep_until(due).await;
            let socket = connect(&options, tls).await?;
            Ok::<_, anyhow::Error>((due.elapsed(), socket))
        })
    };
    let tasks: Vec<_> = (0..count).map(open_one).collect();
    let (mut took, mut sockets) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await? {
            Ok((time, socket)) => {
                took.push(time.as_nanos());
                sockets.push(socket);
            }
            Err(error) => eprintln!("{error:#}"),
        }
    }
    let wall = start.elapsed().as_nanos();
    took.sort_unstable();
    let &max = took.last().context("nobody has come in")?;
    let quantile = |share: f64| took[(took.len() as f64 * share) as usize];
    println!(
        "{{\"open\": {}, \"wall_ns\": {wall}, \"p50_ns\": {}, \"p99_ns\": {}, \"max_ns\": {max}}}",
        took.len(),
        quantile(0.5),
        quantile(0.99),
    );
    sleep(options.time).await;
    Ok(())
}

/// What has happened to all clients that move.
#[derive(Default)]
struct Tally {
    /// When each was connected, to one server and to the other.
    open: [Vec<Instant>; 2],
    /// When each was closed by 1012, and how many have ended otherwise.
    closed: Vec<Instant>,
    cut: usize,
    /// How often each message was answered, and how many were sent again.
    answers: Vec<usize>,
    again: usize,
}

/// Has its messages echoed by the first server, and then by the other.
async fn client(
    urls: [String; 2],
    tally: Rc<RefCell<Tally>>,
    mut messages: UnboundedReceiver<usize>,
) -> Result<()> {
    let mut waiting: Vec<usize> = Vec::new();
    for (index, url) in urls.into_iter().enumerate() {
        let mut socket = talkback::connect(url).compression(None).await?;
        tally.borrow_mut().open[index].push(Instant::now());
        tally.borrow_mut().again += waiting.len();
        for number in &waiting {
            socket.feed(number.to_string()).await?;
        }
        loop {
            tokio::select! {
                message = socket.recv() => match message {
                    Ok(Some(message)) => {
                        let number = message.as_text().context("text")?.parse()?;
                        waiting.retain(|other| *other != number);
                        tally.borrow_mut().answers[number] += 1;
                    }
                    _ => break,
                },
                Some(number) = messages.recv() => {
                    waiting.push(number);
                    // If it is closed by now, that is what `recv` says.
                    let _ = socket.feed(number.to_string()).await;
                }
            }
        }
        let is_restart = |code| code == CloseCode::SERVICE_RESTART;
        let mut tally = tally.borrow_mut();
        match socket.close_info() {
            Some(info) if is_restart(info.code) => tally.closed.push(Instant::now()),
            _ => tally.cut += 1,
        }
    }
    bail!("the other server has ended the connection");
}

/// Sends the next message every so often, each by another client, until that is over.
async fn send_all(
    tally: &RefCell<Tally>,
    clients: &[UnboundedSender<usize>],
    each_second: f64,
    mut is_over: impl FnMut(&Tally) -> bool,
) -> Result<()> {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / each_second));
    let start = Instant::now();
    while !is_over(&tally.borrow()) {
        ticks.tick().await;
        ensure!(start.elapsed() < PATIENCE, "they have not all moved");
        let number = tally.borrow().answers.len();
        tally.borrow_mut().answers.push(0);
        // A prime number further on.
        clients[number * 7_919 % clients.len()].send(number)?;
    }
    Ok(())
}

async fn move_all(options: Rc<Options>, count: usize, each_second: f64, other: &str) -> Result<()> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let mut clients = Vec::new();
    for _ in 0..count {
        let (sender, receiver) = unbounded_channel();
        let urls = [options.url.clone(), other.to_owned()];
        spawn_local(client(urls, Rc::clone(&tally), receiver));
        clients.push(sender);
    }
    let start = Instant::now();
    while tally.borrow().open[0].len() < count {
        sleep(Duration::from_millis(10)).await;
        ensure!(start.elapsed() < PATIENCE, "they have not all come in");
    }
    let start = Instant::now();
    let second = |_: &Tally| start.elapsed() > SECOND;
    send_all(&tally, &clients, each_second, second).await?;
    let pid = options.pid.and_then(|pid| Pid::from_raw(pid as i32));
    kill_process(pid.context("--pid is missing")?, Signal::TERM)?;
    let have_moved = |tally: &Tally| tally.open[1].len() == count;
    send_all(&tally, &clients, each_second, have_moved).await?;
    sleep(SECOND).await;
    report(&mut tally.borrow_mut())
}

fn report(tally: &mut Tally) -> Result<()> {
    let &first = tally.closed.first().context("nobody was closed")?;
    let mut seconds = vec![0; 10];
    for at in &tally.closed {
        let second = (*at - first).as_secs() as usize;
        seconds.resize(seconds.len().max(second + 1), 0);
        seconds[second] += 1;
    }
    // The most in any second.
    let came = &tally.open[1];
    let in_second = |from: usize| came[from..].partition_point(|at| *at < came[from] + SECOND);
    let most = (0..came.len()).map(in_second).max();
    let answered = |is_so: fn(usize) -> bool| tally.answers.iter().filter(|n| is_so(**n)).count();
    println!(
        "{{\"messages\": {}, \"again\": {}, \"lost\": {}, \"twice\": {}, \"closed\": {}, \"cut\": {}, \
         \"closed_in_seconds\": {seconds:?}, \"opened_in_second\": {}}}",
        tally.answers.len(),
        tally.again,
        answered(|times| times == 0),
        answered(|times| times > 1),
        tally.closed.len(),
        tally.cut,
        most.unwrap_or(0),
    );
    Ok(())
}

async fn run(options: Rc<Options>) -> Result<()> {
    let names: Vec<&str> = options.names.iter().map(String::as_str).collect();
    match names[..] {
        ["open", count] => open(Rc::clone(&options), count.parse()?, f64::INFINITY).await,
        ["open", count, each_second] => {
            open(Rc::clone(&options), count.parse()?, each_second.parse()?).await
        }
        ["move", count, each_second, other] => {
            let (count, each_second) = (count.parse()?, each_second.parse()?);
            move_all(Rc::clone(&options), count, each_second, other).await
        }
        _ => bail!("crowd open COUNT [EACH_SECOND], or crowd move COUNT EACH_SECOND URL"),
    }
}

fn main() -> Result<()> {
    let options = Rc::new(Options::parse()?);
    block_on(LocalSet::new().run_until(run(options)))
}
