//! How many connections a process has descriptors for.

/// Of so many descriptors one is not for connections: it is for handshakes, for files, and for what the server connects
/// to.
const SPARE: usize = 10;

/// How many connections this process has descriptors for, if that is known: nine tenths of its limit.
pub(super) fn connections_max() -> Option<usize> {
    let limit = limit()?;
    Some(limit - limit.div_ceil(SPARE))
}

/// How many files this process may have open (`ulimit -n`), where the operating system tells.
fn limit() -> Option<usize> {
    match cfg!(any(target_os = "linux", target_os = "android")) {
        true => read(&std::fs::read_to_string("/proc/self/limits").ok()?),
        false => None,
    }
}

/// The soft limit, of Linux's table; `None` if there is none.
fn read(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|it| it.strip_prefix("Max open files "));
    line?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_soft_limit_is_read() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             63717                63717                processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(read(table), Some(1024));
        assert_eq!(read(&table.replace("1024 ", "unlimited ")), None);
        assert_eq!(read(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_it() {
        assert!(super::limit().is_some());
    }
}
