//! What the store calls the parts of a topic.

/// How many parts the topics are spread over: the hash tag of all names, so that a cluster has what is of one topic at one node.
const PARTITIONS: u16 = 128;

/// The names of keys and channels, below a prefix. A topic's name is any text, so it stands last, and what could stand behind it is
/// told from it by its length.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    /// Channels span the databases of a server, keys do not.
    channel: String,
}

impl Names {
    pub(crate) fn new(prefix: &str, database: i64) -> Self {
        let channel = match database {
            0 => "c".to_owned(),
            number => format!("c{number}"),
        };
        let prefix = prefix.to_owned();
        Self { prefix, channel }
    }

    /// The hash of its epoch, its last offset, and that one's mark.
    pub(crate) fn state(&self, topic: &str) -> String {
        self.of("m", topic)
    }

    /// The stream of its last publications.
    pub(crate) fn history(&self, topic: &str) -> String {
        self.of("s", topic)
    }

    /// Where the publication with this id stands.
    pub(crate) fn id(&self, topic: &str, id: &str) -> String {
        let size = topic.len();
        let name = self.of(&format!("i{size}"), topic);
        format!("{name}:{id}")
    }

    /// What its publications are published to.
    pub(crate) fn channel(&self, topic: &str) -> String {
        self.of(&self.channel, topic)
    }

    /// What a hub writes and publishes to for itself alone.
    pub(crate) fn probe(&self, hub: u64) -> String {
        self.of("p", &format!("{hub:016x}"))
    }

    /// The topic that a channel is of.
    pub(crate) fn topic<'a>(&self, channel: &'a [u8]) -> Option<&'a str> {
        let channel = str::from_utf8(channel).ok()?;
        let rest = channel.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        let (_, rest) = rest.split_once("}:")?;
        rest.strip_prefix(&self.channel)?.strip_prefix(':')
    }

    fn of(&self, part: &str, topic: &str) -> String {
        let partition = crc16(topic.as_bytes()) % PARTITIONS;
        format!("{}:{{{partition}}}:{part}:{topic}", self.prefix)
    }
}

/// That of Redis's clusters (XMODEM).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| match crc >> 15 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        // The example in the specification of Redis Cluster.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn names_are_as_they_are_documented() {
        let names = Names::new("tb", 0);
        let partition = crc16(b"prices") % 128;
        assert_eq!(
            names.state("prices"),
            format!("tb:{{{partition}}}:m:prices")
        );
        assert_eq!(
            names.history("prices"),
            format!("tb:{{{partition}}}:s:prices")
        );
        assert_eq!(
            names.channel("prices"),
            format!("tb:{{{partition}}}:c:prices")
        );
        assert_eq!(
            names.id("prices", "a:b"),
            format!("tb:{{{partition}}}:i6:prices:a:b")
        );
        assert_eq!(
            Names::new("x", 3).channel("prices"),
            format!("x:{{{partition}}}:c3:prices")
        );
    }

    #[test]
    fn ba21_no_name_is_that_of_another_topic() {
        let long = "x".repeat(255);
        let odd = [
            "a", "a:b", "a:b:c", "*", "a.*", "a.>", ">", " ", "{}", "{a}", "}:c:a", ".probe",
            "안녕", "[a-z]", "a?", "\\*", &long,
        ];
        let (names, mut seen) = (Names::new("tb", 0), HashSet::new());
        for topic in odd {
            for name in [
                names.state(topic),
                names.history(topic),
                names.channel(topic),
            ] {
                assert!(seen.insert(name.clone()), "{name}");
            }
            for id in ["a", "b", "b:c", "c", ":", "a:b"] {
                assert!(seen.insert(names.id(topic, id)), "{topic:?} {id:?}");
            }
            assert_eq!(names.topic(names.channel(topic).as_bytes()), Some(topic));
        }
        assert!(seen.insert(names.probe(1)));
        assert!(seen.insert(names.probe(2)));
    }

    #[test]
    fn what_is_no_topics_channel_is_none() {
        let names = Names::new("tb", 0);
        let others = [
            "",
            "tb",
            "tb:{1}",
            "tb:{1}:m:a",
            "tb:{1}:c1:a",
            "x:{1}:c:a",
            "tb:1:c:a",
            "tb:{1:c:a",
        ];
        for channel in others {
            assert_eq!(names.topic(channel.as_bytes()), None, "{channel:?}");
        }
        assert_eq!(names.topic(b"tb:{1}:c:\xff"), None);
        assert_eq!(
            names.topic(Names::new("tb", 1).channel("a").as_bytes()),
            None
        );
    }
}
