//! What a channel that reconnects tells `tracing`, where the program has that feature.

#[cfg(feature = "tracing")]
mod events;

#[cfg(feature = "tracing")]
pub(crate) use events::Trace;

#[cfg(not(feature = "tracing"))]
use crate::{
    connect::Connect,
    driver::port::Port,
    reconnect::{lost::Lost, schedule::Next},
};

/// Nobody is told.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Trace;

#[cfg(not(feature = "tracing"))]
impl Trace {
    pub(crate) fn new(_: &Connect) -> Self {
        Self
    }

    pub(crate) fn begin_try(&self, _: u32) {}

    pub(crate) fn opened(&self, _: &Port) {}

    pub(crate) fn lost(&self, _: &Lost, _: Option<&Next>) {}

    pub(crate) fn closed(&mut self, _: &Port) {}
}
