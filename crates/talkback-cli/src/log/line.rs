//! The lines of the log, as tracing-subscriber writes them, for a third of its work: a server writes two
//! for each client.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{self, FormatTime as _};
use tracing_subscriber::registry::LookupSpan;

/// Where the time's text has its fraction of a second: behind `2026-11-30T02:13:00.`.
const SECOND_SIZE: usize = 20;

/// Writes a line without colours and outside of spans itself, and leaves any other to [`Format`].
#[derive(Debug, Default)]
pub(super) struct Lines(Format);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if writer.has_ansi_escapes() || context.event_scope().is_some() {
            return self.0.format_event(context, writer, event);
        }
        let metadata = event.metadata();
        write_time(&mut writer)?;
        writer.write_str(match *metadata.level() {
            Level::TRACE => " TRACE ",
            Level::DEBUG => " DEBUG ",
            Level::INFO => "  INFO ",
            Level::WARN => "  WARN ",
            Level::ERROR => " ERROR ",
        })?;
        writer.write_str(metadata.target())?;
        writer.write_char(':')?;
        let mut fields = Fields {
            writer: writer.by_ref(),
            outcome: Ok(()),
        };
        event.record(&mut fields);
        fields.outcome?;
        writer.write_char('\n')
    }
}

thread_local! {
    /// The text of the second that this thread last wrote a line in.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Writes the time as [`time::SystemTime`] does, which is asked once a second.
fn write_time(writer: &mut Writer<'_>) -> fmt::Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let Ok(now) = now else {
        return time::SystemTime.format_time(writer);
    };
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() || text.is_empty() {
            text.clear();
            time::SystemTime.format_time(&mut Writer::new(text))?;
            // It has looked at the clock again, which may be in the next second by now.
            let later = SystemTime::now().duration_since(UNIX_EPOCH);
            if !later.is_ok_and(|later| later.as_secs() == now.as_secs()) {
                return writer.write_str(&std::mem::take(text));
            }
            text.truncate(SECOND_SIZE);
            *second = now.as_secs();
        }
        writer.write_str(text)?;
        let mut digits = [0; 6];
        let mut rest = now.subsec_micros();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        writer.write_str(std::str::from_utf8(&digits).unwrap_or_default())?;
        writer.write_char('Z')
    })
}

/// Writes a line's fields: the message, and `name=value` for each of the others.
struct Fields<'a> {
    writer: Writer<'a>,
    outcome: fmt::Result,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = self.write_name(field);
        }
        if self.outcome.is_ok() {
            self.outcome = value(&mut self.writer);
        }
    }

    fn write_name(&mut self, field: &Field) -> fmt::Result {
        self.writer.write_char(' ')?;
        if is_message(field) {
            return Ok(());
        }
        let name = field.name();
        self.writer
            .write_str(name.strip_prefix("r#").unwrap_or(name))?;
        self.writer.write_char('=')
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |writer| {
            writer.write_str(if value { "true" } else { "false" })
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match is_message(field) {
            true => self.write(field, |writer| Escaping(writer).write_str(value)),
            false => self.record_debug(field, &value),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, |writer| {
            write!(Escaping(writer), "{value}")?;
            let mut source = value.source();
            if source.is_some() {
                write!(writer, " {}.sources=[", field.name())?;
                let mut comma = "";
                while let Some(error) = source {
                    write!(Escaping(writer), "{comma}{error}")?;
                    (source, comma) = (error.source(), ", ");
                }
                writer.write_char(']')?;
            }
            Ok(())
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |writer| match is_message(field) {
            true => write!(Escaping(writer), "{value:?}"),
            false => write!(writer, "{value:?}"),
        });
    }
}

fn is_message(field: &Field) -> bool {
    field.name() == "message"
}

/// Writes what a terminal would obey as text, as tracing-subscriber does; any other piece at once.
struct Escaping<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_str(text);
        }
        for character in text.chars() {
            match character {
                '\x07' | '\x08' | '\x0c' | '\x1b' | '\x7f' => {
                    write!(self.0, "\\x{:02x}", u32::from(character))?;
                }
                '\u{80}'..='\u{9f}' => write!(self.0, "\\u{{{:x}}}", u32::from(character))?,
                _ => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{Dispatch, debug, error, info, info_span, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` leads to, each without its time, which has to be of the known form.
    fn lines(dispatch: impl FnOnce(Log) -> Dispatch, write: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        tracing::dispatcher::with_default(&dispatch(log.clone()), write);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| {
            let (time, rest) = line
                .split_at_checked("2026-11-30T02:13:00.000000Z".len())
                .unwrap();
            let form = time.replace(|character: char| character.is_ascii_digit(), "0");
            assert_eq!(form, "0000-00-00T00:00:00.000000Z");
            rest.to_owned()
        });
        lines.collect()
    }

    #[test]
    fn lines_are_those_of_tracing_subscriber() {
        let write = || {
            let peer: std::net::SocketAddr = "127.0.0.1:80".parse().unwrap();
            let evil = "a\x1b[31m\x07\x08\x0c\x7f\u{80}\u{9f}\u{a0}\tb 안녕";
            info!(%peer, subprotocol = false, "open");
            info!(%peer, code = 1000_u16, "{evil}");
            warn!(text = evil, r#type = 1, ?peer, "{evil:?}");
            let broken = io::Error::other(io::Error::other(evil));
            error!(error = &broken as &dyn Error, "broken");
            debug!(size = -1, rate = 0.5);
            info!(message = evil);
            let _span = info_span!("span", peer = 1).entered();
            info!("within");
        };
        let builder = |log: Log| {
            tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(Level::DEBUG)
                .with_writer(move || log.clone())
        };
        let usual = lines(|log| builder(log).into(), write);
        let ours = lines(
            |log| builder(log).event_format(Lines::default()).into(),
            write,
        );
        assert_eq!(ours, usual);
        assert_eq!(ours.len(), 7, "{ours:?}");
    }

    #[test]
    fn the_time_is_that_of_tracing_subscriber() {
        for _ in 0..1000 {
            let (mut before, mut ours, mut after) = (String::new(), String::new(), String::new());
            time::SystemTime
                .format_time(&mut Writer::new(&mut before))
                .unwrap();
            write_time(&mut Writer::new(&mut ours)).unwrap();
            time::SystemTime
                .format_time(&mut Writer::new(&mut after))
                .unwrap();
            assert!(before <= ours && ours <= after, "{before} {ours} {after}");
        }
    }
}
