//! Options are set by methods: the fields are nobody's business.

use talkback::Limits;

fn main() {
    let _ = Limits {
        message_size_max: 1 << 20,
        ..Limits::default()
    };
}
