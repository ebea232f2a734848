//! What a connection holds in memory, before it was used and after an echo, and what it costs to hold it.
//! The server is to have just been started: memory that it has left from other connections would serve again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connection::connect;
use crate::frames::{TEXT, header, push_masked};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::server::{Spending, Spent, cpu_ns, rss_bytes};

const MESSAGE: &[u8; 64] =
    b"{\"type\":\"subscribe\",\"channel\":\"tickers\",\"symbols\":[\"BTC-USD\"]}\r\n";

pub(crate) fn run(options: &Options) -> Result<String> {
    let pid = options.pid.context("--pid is missing")?;
    let half = options.connections / 2;
    let offer = options.offer.as_deref();
    let connect_half = || {
        (0..half)
            .map(|_| Ok(connect(options.address, offer)?.0))
            .collect::<Result<Vec<_>>>()
    };
    // From half of them to all, what is held once cancels out.
    let mut first = connect_half()?;
    let rss_half = settled(pid)?;
    let mut second = connect_half()?;
    let rss_all = settled(pid)?;
    first.iter_mut().try_for_each(echo)?;
    let rss_half_echoed = settled(pid)?;
    second.iter_mut().try_for_each(echo)?;
    let rss_all_echoed = settled(pid)?;
    let before = Spent::of(options.pid)?;
    if let Until::Time(time) = options.until {
        sleep(time);
    }
    let now = Spent::of(options.pid)?;
    let each = |less: u64, more: u64| (more as f64 - less as f64) / half.max(1) as f64;
    let idle = each(rss_half, rss_all);
    let mut report = Report::new(options);
    report.add("rss_each", format_args!("{idle:.0}"));
    report.add(
        "rss_each_echoed",
        format_args!("{:.0}", idle + each(rss_half_echoed, rss_all_echoed)),
    );
    report.add_spent(
        options,
        &Spending {
            messages: 0,
            before,
            now,
        },
    );
    Ok(report.end())
}

/// The memory of a server that has nothing left to do.
fn settled(pid: u32) -> Result<u64> {
    let pid_text = pid.to_string();
    let mut spent = cpu_ns(&pid_text)?;
    for _ in 0..200 {
        sleep(Duration::from_millis(50));
        let now = cpu_ns(&pid_text)?;
        if now == spent {
            break;
        }
        spent = now;
    }
    rss_bytes(pid)
}

/// Has one message echoed, which is not compressed, though its echo may be.
fn echo(stream: &mut TcpStream) -> Result<()> {
    let mut frame = Vec::new();
    push_masked(&mut frame, TEXT, MESSAGE);
    stream.write_all(&frame)?;
    let (mut came, mut buffer) = (Vec::new(), [0; 256]);
    let (first, payload) = loop {
        let len = stream.read(&mut buffer).context("waiting for the echo")?;
        if len == 0 {
            bail!("the server ended the connection");
        }
        came.extend_from_slice(&buffer[..len]);
        if let Some(whole) = header(&came).filter(|(_, payload)| payload.end <= came.len()) {
            break whole;
        }
    };
    match first {
        0x81 if came[payload.clone()] == MESSAGE[..] => Ok(()),
        0xc1 => Ok(()),
        _ => bail!("the echo differs: {:02x?}", &came),
    }
}
