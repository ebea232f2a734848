//! How many connections a test may open.

/// Raises this process's limit of descriptors as far as the machine lets it, which holds for the
/// programs that it starts too; the limit.
#[cfg(unix)]
pub(crate) fn raise_descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Some systems have a lower bound of their own; what was before holds then.
    let _ = setrlimit(Resource::Nofile, limit);
    // `None` is no limit.
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap())
}

/// Sockets are no descriptors there, but a test need not find out how many there may be.
#[cfg(not(unix))]
pub(crate) fn raise_descriptors() -> usize {
    2500
}
