//! A publication as the store keeps it and publishes it.
//!
//! ```text
//! version  1 byte   1
//! epoch    8 bytes  ┐
//! offset   8 bytes  ├ its place, which the store gives it
//! mark     2 bytes  ┘
//! previous 2 bytes  the mark of the publication before it; 0 before the first
//! flags    1 byte   1: text, 2: not to be compressed, 4: has a sender, 8: has an id
//! sender   16 bytes the hub and the connection that does not get it, if it has one
//! id       1 byte, and so many: if it has one
//! message  the rest
//! ```
//!
//! Numbers have their high byte first. What is of another version or has other flags is of a later hub, and is not understood.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use talkback::{Compression, Message, Text};

use crate::position::Position;
use crate::server::backplane::{Carried, Stored};

/// What a publication begins with; the script writes it.
const VERSION: u8 = 1;
/// Of an epoch and an offset.
const PLACE_SIZE: usize = 16;
/// What the scripts count up to: a number beyond is nobody's.
const OFFSET_MAX: u64 = 1 << 53;

const TEXT: u8 = 1;
const SKIP: u8 = 2;
const SENDER: u8 = 4;
const ID: u8 = 8;

/// What follows the place of a publication.
pub(crate) fn pack(carried: &Carried) -> Vec<u8> {
    let message = carried.message.as_bytes();
    let mut packed = Vec::with_capacity(message.len() + 64);
    packed.push(0);
    if carried.message.is_text() {
        packed[0] |= TEXT;
    }
    if carried.compression == Compression::Skip {
        packed[0] |= SKIP;
    }
    if let Some((hub, connection)) = carried.except {
        packed[0] |= SENDER;
        packed.extend(hub.to_be_bytes());
        packed.extend(connection.to_be_bytes());
    }
    if let Some(id) = &carried.id
        && let Ok(size) = u8::try_from(id.len())
    {
        packed[0] |= ID;
        packed.push(size);
        packed.extend(id.as_bytes());
    }
    packed.extend(message);
    packed
}

/// A publication, or `None` of what is none.
pub(crate) fn unpack(mut bytes: Bytes) -> Option<Stored> {
    if bytes.try_get_u8().ok()? != VERSION {
        return None;
    }
    let (epoch, offset) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    let (mark, previous) = (bytes.try_get_u16().ok()?, bytes.try_get_u16().ok()?);
    let flags = bytes.try_get_u8().ok()?;
    if !(1..=OFFSET_MAX).contains(&offset) || flags & !(TEXT | SKIP | SENDER | ID) != 0 {
        return None;
    }
    let except = match flags & SENDER {
        0 => None,
        _ => Some((bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?)),
    };
    let id = match flags & ID {
        0 => None,
        _ => Some(take_id(&mut bytes)?),
    };
    let message = match flags & TEXT {
        0 => Message::binary(bytes),
        _ => Message::text(Text::from_utf8(bytes).ok()?),
    };
    let compression = match flags & SKIP {
        0 => Compression::Auto,
        _ => Compression::Skip,
    };
    Some(Stored {
        position: Position::new(epoch, offset, Some(mark)),
        previous: (offset > 1).then_some(previous),
        carried: Carried {
            message,
            compression,
            id,
            except,
        },
    })
}

fn take_id(bytes: &mut Bytes) -> Option<Arc<str>> {
    let size = bytes.try_get_u8().ok()?.into();
    if bytes.len() < size {
        return None;
    }
    Some(str::from_utf8(&bytes.split_to(size)).ok()?.into())
}

/// Where a topic or a publication stands: its mark follows its epoch and offset, if there is one.
pub(crate) fn place(bytes: &[u8]) -> Option<Position> {
    let (place, mark) = bytes.split_at_checked(PLACE_SIZE)?;
    let (epoch, offset) = place.split_at(PLACE_SIZE / 2);
    let mark = match mark {
        [] => None,
        mark => Some(u16::from_be_bytes(mark.try_into().ok()?)),
    };
    let (epoch, offset) = (epoch.try_into().ok()?, offset.try_into().ok()?);
    let offset = u64::from_be_bytes(offset);
    (offset <= OFFSET_MAX).then(|| Position::new(u64::from_be_bytes(epoch), offset, mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the script puts it together.
    fn stored(offset: u64, previous: u16, carried: &Carried) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend(0x1234_u16.to_be_bytes());
        bytes.extend(previous.to_be_bytes());
        bytes.extend(pack(carried));
        bytes
    }

    fn all_kinds() -> Vec<Carried> {
        let mut all = Vec::new();
        for message in [
            Message::text("안녕"),
            Message::binary(vec![0, 255]),
            Message::text(""),
        ] {
            for compression in [Compression::Auto, Compression::Skip] {
                for id in [None, Some("order-17".into()), Some("x".repeat(255).into())] {
                    for except in [None, Some((u64::MAX, 3))] {
                        let (message, id) = (message.clone(), Option::<Arc<str>>::clone(&id));
                        all.push(Carried {
                            message,
                            compression,
                            id,
                            except,
                        });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for carried in all_kinds() {
            let read = unpack(stored(2, 0xabcd, &carried).into()).unwrap();
            assert_eq!(read.position, Position::new(7, 2, Some(0x1234)));
            assert_eq!(read.previous, Some(0xabcd));
            assert_eq!(read.carried.message, carried.message);
            assert_eq!(read.carried.compression, carried.compression);
            assert_eq!(read.carried.id, carried.id);
            assert_eq!(read.carried.except, carried.except);
        }
        let first = unpack(stored(1, 0, &all_kinds()[0]).into()).unwrap();
        assert_eq!(first.previous, None);
    }

    #[test]
    fn cut_at_any_byte_it_is_shorter_or_nothing() {
        for carried in all_kinds() {
            let bytes = Bytes::from(stored(2, 1, &carried));
            let head = bytes.len() - carried.message.len();
            for size in 0..bytes.len() {
                let read = unpack(bytes.slice(..size));
                assert_eq!(
                    read.is_some(),
                    size >= head && is_whole(&carried, size - head),
                    "{size}"
                );
            }
        }
    }

    fn is_whole(carried: &Carried, size: usize) -> bool {
        !carried.message.is_text() || str::from_utf8(&carried.message.as_bytes()[..size]).is_ok()
    }

    #[test]
    fn what_is_of_a_later_version_is_not_understood() {
        let bytes = stored(2, 1, &all_kinds()[0]);
        for (at, byte) in [(0, 0), (0, 2), (21, 16), (21, 0x81)] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            assert!(unpack(bytes.into()).is_none(), "{at}");
        }
        assert!(unpack(stored(0, 1, &all_kinds()[0]).into()).is_none());
    }

    #[test]
    fn a_place_has_a_mark_or_none() {
        let mut bytes = [0; 19];
        (bytes[7], bytes[15], bytes[17]) = (5, 9, 3);
        assert_eq!(place(&bytes[..16]), Some(Position::new(5, 9, None)));
        assert_eq!(place(&bytes[..18]), Some(Position::new(5, 9, Some(3))));
        for size in [0, 1, 8, 15, 17, 19] {
            assert_eq!(place(&bytes[..size]), None, "{size}");
        }
        // So many are counted by no script, and not beyond by us.
        bytes[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(place(&bytes[..16]), None);
        assert!(unpack(stored(u64::MAX, 1, &all_kinds()[0]).into()).is_none());
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), flags in 0_u8..16) {
            let _ = place(&bytes);
            let _ = unpack(bytes.clone().into());
            if let [version, .., ] = &mut bytes[..] {
                *version = VERSION;
            }
            if let Some(byte) = bytes.get_mut(21) {
                *byte = flags;
            }
            let _ = unpack(bytes.into());
        }
    }
}
