//! The tests of docs/testing.md: those of an app, as it would have them.

mod testing;
