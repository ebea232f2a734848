//! What the repository says about itself is so.

mod rules;
