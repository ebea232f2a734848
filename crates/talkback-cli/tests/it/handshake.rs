//! The opening handshake of the running programs, byte for byte.

mod client_cut_lines;
mod client_cuts;
mod client_request;
mod client_response;
mod client_tls;
mod compression;
mod masking;
mod server;
mod server_cut_lines;
mod server_cuts;
mod server_grammar;
mod server_policy;
