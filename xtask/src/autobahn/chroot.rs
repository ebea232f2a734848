//! The suite in a Debian of its own, as it runs on Python 2.7 and OpenSSL 1.1 only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, tools};

const DEBIAN: &str = "bullseye";
const PACKAGES: &str =
    "python2.7,python2.7-dev,python-pip-whl,ca-certificates,gcc,libc6-dev,libffi-dev,libssl-dev";

/// What pip installs, one step after the other.
///
/// wsaccel is what the suite masks and validates with if it is there, instead of in Python.
const PYTHON_PACKAGES: &[&[&str]] = &[
    &["pip==20.3.4", "setuptools==44.0.0", "wheel==0.36.2"],
    &[
        "incremental==16.10.1",
        "pyOpenSSL==19.1.0",
        "cryptography==3.3.2",
    ],
    &["--no-build-isolation", "Twisted==19.10.0", "wsaccel==0.6.2"],
    &[
        "--no-build-isolation",
        "txaio==2.1.0",
        "zope.interface==4.6.0",
        "jinja2==2.11.3",
        "markupsafe==1.1.1",
        "Werkzeug==1.0.1",
        "klein==17.10.0",
        "service_identity==18.1.0",
        "unittest2==1.1.0",
        "six==1.16.0",
        "autobahn==0.10.9",
    ],
    &["--no-deps", "autobahntestsuite==25.10.1"],
];

/// What of the machine's own settings the network inside needs.
const SHARED_FILES: [&str; 4] = [
    "etc/resolv.conf",
    "etc/hosts",
    "etc/pip.conf",
    "etc/ssl/certs/ca-certificates.crt",
];

/// The folder of a Debian with the suite, made when it is first wanted.
pub(super) fn prepare() -> Result<PathBuf> {
    let cache = cache()?;
    let root = cache.join("autobahn-25.10.1");
    if is_installed(&root) {
        return Ok(root);
    }
    println!(
        "  installing the Autobahn test suite into {}",
        root.display()
    );
    // Debian is made in a folder that nobody else uses, so that a half-made one is never taken.
    let partial = cache.join(format!("autobahn-25.10.1.{}", std::process::id()));
    remove(&partial)?;
    let made = make(&partial);
    unmount(&partial)?;
    if let Err(error) = made {
        remove(&partial)?;
        return Err(format!("the Autobahn test suite could not be installed: {error}").into());
    }
    fs::write(partial.join(MARK), recipe())?;
    remove(&root)?;
    fs::rename(&partial, &root)?;
    Ok(root)
}

const MARK: &str = "installed-from";

fn is_installed(root: &Path) -> bool {
    fs::read_to_string(root.join(MARK)).is_ok_and(|made_from| made_from == recipe())
}

/// All that a folder is made from.
fn recipe() -> String {
    let python: Vec<_> = PYTHON_PACKAGES.iter().map(|step| step.join(" ")).collect();
    format!("{DEBIAN}\n{PACKAGES}\n{}\n", python.join("\n"))
}

/// A folder outside the repository, which outlives cargo's target directory.
fn cache() -> Result<PathBuf> {
    let folder = |name, below| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value).join(below))
    };
    let cache = folder("XDG_CACHE_HOME", "talkback").or_else(|| folder("HOME", ".cache/talkback"));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME says where to keep the suite")?;
    fs::create_dir_all(&cache)?;
    Ok(cache)
}

fn make(root: &Path) -> Result<()> {
    tools::install("debootstrap", &["debootstrap", "debian-archive-keyring"])?;
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.arg("--variant=minbase");
    debootstrap.arg(format!("--include={PACKAGES}"));
    debootstrap.arg(DEBIAN).arg(root).args(mirror());
    if let Some(proxy) = apt_proxy() {
        debootstrap.env("http_proxy", proxy);
    }
    tools::must_succeed(&mut debootstrap)?;
    for file in SHARED_FILES {
        let (from, to) = (Path::new("/").join(file), root.join(file));
        if from.exists() {
            // It may be a link that leads out of the folder.
            let _ = fs::remove_file(&to);
            fs::copy(from, to)?;
        }
    }
    let wheels = wheels(root)?;
    for (step, packages) in PYTHON_PACKAGES.iter().enumerate() {
        let mut pip = command(root, "python2.7");
        pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir"]);
        if step == 0 {
            // Debian has pip for Python 2.7 as wheels only, which run from where they lie.
            pip.env("PYTHONPATH", &wheels);
        }
        tools::must_succeed(pip.args(*packages))?;
    }
    tools::must_succeed(command(root, "wstest").arg("--autobahnversion"))
}

/// A program of the Debian in this folder.
pub(super) fn command(root: &Path, program: &str) -> Command {
    let mut command = Command::new("chroot");
    command.arg(root).arg(program);
    command.current_dir("/");
    command.env("HOME", "/root").env_remove("TMPDIR");
    command
}

fn wheels(root: &Path) -> Result<String> {
    let mut wheels = Vec::new();
    for file in fs::read_dir(root.join("usr/share/python-wheels"))? {
        let name = file?.file_name();
        wheels.push(format!("/usr/share/python-wheels/{}", name.display()));
    }
    Ok(wheels.join(":"))
}

/// Where this machine has its Debian packages from, if it is a Debian; else debootstrap knows one.
fn mirror() -> Option<String> {
    let mut apt = Command::new("apt-get");
    apt.args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"]);
    let output = apt.arg("Created-By: Packages").output().ok()?;
    find_mirror(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned)
}

/// The first of Debian's own repositories that is not the one of security updates.
fn find_mirror(targets: &str) -> Option<&str> {
    let uris = targets
        .lines()
        .filter_map(|line| line.strip_prefix("Debian Debian "));
    uris.map(str::trim).find(|uri| uri.starts_with("http"))
}

fn apt_proxy() -> Option<String> {
    let mut apt = Command::new("apt-config");
    apt.args(["dump", "--format", "%v%n", "Acquire::http::Proxy"]);
    let output = apt.output().ok()?;
    let proxy = String::from_utf8_lossy(&output.stdout);
    let proxy = proxy.lines().next()?.trim();
    (!proxy.is_empty() && proxy != "DIRECT").then(|| proxy.to_owned())
}

/// Unmounts whatever debootstrap has left mounted: nothing beyond may be removed with the folder.
fn unmount(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let mut inside: Vec<_> = points
        .filter(|point| Path::new(point).starts_with(folder))
        .collect();
    // Those within others were mounted later.
    inside.reverse();
    for point in inside {
        tools::must_succeed(Command::new("umount").arg(point))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    unmount(folder)?;
    Ok(fs::remove_dir_all(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_own() {
        let targets = "Debian Debian-Security http://a.example/debian-security/\n\
            Other Other https://b.example/node\n\
            \x20 http://c.example/unnamed\n\
            Debian Debian http://d.example/debian/\n";
        assert_eq!(find_mirror(targets), Some("http://d.example/debian/"));
        assert_eq!(
            find_mirror("Ubuntu Ubuntu http://e.example/ubuntu/\n"),
            None
        );
    }
}
