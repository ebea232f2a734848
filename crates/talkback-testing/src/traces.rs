//! What a program tells `tracing`, kept for a look.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is told, as text.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Vec<u8>>>);

impl io::Write for Told {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Told {
    /// Keeps what is told on this thread, as long as the guard lives.
    pub fn listen(&self) -> impl Drop + use<> {
        // A place in the code that another test comes to first, while nobody listens, would be taken for one that nobody
        // will ever hear of.
        let _ = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(io::sink)
            .try_init();
        let told = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || told.clone())
            .set_default()
    }

    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of talkback's own, without the span before each.
    pub fn lines(&self) -> Vec<String> {
        let text = self.text();
        let of_ours = text.lines().filter(|line| line.contains(" talkback: "));
        let event = |line: &str| line.rsplit(" talkback: ").next().unwrap().to_owned();
        of_ours.map(event).collect()
    }
}
