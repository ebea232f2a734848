//! What a process uses, as Linux tells it; other systems are not measured.

use std::time::Duration;

/// A process to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "nothing is asked of it")
    )]
    process: u32,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        Self { process }
    }

    /// Over `pause` the process takes at most so many ticks of the processor.
    #[track_caller]
    pub(crate) fn is_idle(self, pause: Duration, ticks_max: u64) {
        let before = self.ticks();
        std::thread::sleep(pause);
        let ticks = self.ticks() - before;
        println!("idle: {ticks} ticks in {pause:?}");
        assert!(ticks <= ticks_max, "{ticks} ticks in {pause:?}");
    }
}

#[cfg(target_os = "linux")]
impl Usage {
    /// The open descriptors.
    pub(crate) fn descriptors(self) -> usize {
        let folder = format!("/proc/{}/fd", self.process);
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// The most resident memory so far, in bytes.
    pub(crate) fn peak(self) -> u64 {
        self.status("VmHWM:")
    }

    /// The resident memory that is a file's, as that of its code, in bytes.
    pub(crate) fn of_files(self) -> u64 {
        self.status("RssFile:")
    }

    /// The memory that it has asked for, touched or not, in bytes.
    pub(crate) fn reserved(self) -> u64 {
        self.status("VmData:")
    }

    /// The time on the processor so far, in clock ticks of 10 ms.
    pub(crate) fn ticks(self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process));
        let stat = stat.unwrap_or_default();
        // The name of the program, in brackets, may hold spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }

    /// A size in the process's status, which is empty once it has ended.
    fn status(self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let size = line.and_then(|line| line.split_whitespace().next());
        size.map_or(0, |size| size.parse::<u64>().unwrap() * 1024)
    }
}

#[cfg(not(target_os = "linux"))]
impl Usage {
    pub(crate) fn descriptors(self) -> usize {
        0
    }

    pub(crate) fn reserved(self) -> u64 {
        0
    }

    pub(crate) fn peak(self) -> u64 {
        0
    }

    pub(crate) fn ticks(self) -> u64 {
        0
    }
}
