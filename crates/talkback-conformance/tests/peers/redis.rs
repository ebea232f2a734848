//! Topics over a real Redis, which each test starts for itself, stops, freezes, and puts a bad line before. The cases are those
//! of the backplane, by their numbers.

mod attaching;
mod command;
mod hub;
mod login;
mod loss;
mod order;
mod outage;
mod proxy;
mod server;
