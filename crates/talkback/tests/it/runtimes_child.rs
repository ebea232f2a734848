//! What only a process of its own can try: a fork, and limits of the operating system.

use std::fs::File;
use std::iter::from_fn;
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::time::Duration;

use talkback::WebSocketChannel;
use tokio::runtime::Builder;

use crate::runtimes::current_thread;
use crate::support::echo::echo_thread;
use crate::support::watched::watched;

/// Tells the child that it is one, and where the server is.
const CHILD_URL: &str = "TALKBACK_CHILD_URL";

/// Runs a test again in a process of its own, prepared by a line of shell; what it writes.
fn in_child(test: &str, prepare: &str, url: &str) -> String {
    let mut child = Command::new("sh");
    child
        .args(["-c", &format!("{prepare}\nexec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(CHILD_URL, url)
        .stdin(Stdio::null());
    let child = watched(move || child.output()).unwrap().unwrap();
    let output = [child.stdout, child.stderr].concat();
    let output = String::from_utf8(output).unwrap();
    assert!(child.status.success(), "{output}");
    output
}

/// What a child with a limit is told by its channel.
fn told(test: &str, prepare: &str) -> Option<String> {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let channel = WebSocketChannel::connect(url);
        println!("\ntold: {}", channel.ready().wait().unwrap_err());
        assert!(channel.close().wait().is_err());
        return None;
    }
    let output = in_child(test, prepare, "ws://127.0.0.1:1/");
    let told = output.lines().find_map(|line| line.strip_prefix("told: "));
    Some(told.unwrap_or_else(|| panic!("{output}")).to_owned())
}

#[test]
fn no_thread_for_the_driver_is_told_as_that() {
    // No machine has the memory for such a stack.
    let prepare = format!("export RUST_MIN_STACK={}", isize::MAX);
    let name = "runtimes_child::no_thread_for_the_driver_is_told_as_that";
    let Some(told) = told(name, &prepare) else {
        return;
    };
    assert!(told.starts_with("not open: "), "{told}");
    assert!(told.contains("gave no thread"), "{told}");
    assert!(told.contains("`ulimit -u`"), "{told}");
    assert!(told.contains("(os error "), "{told}");
}

#[test]
fn no_thread_for_a_lookup_is_told_as_that() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let runtime = current_thread();
        let connecting = runtime.block_on(async { talkback::connect(&url).await });
        println!("\ntold: {}", connecting.unwrap_err());
        let ready = runtime.block_on(async { WebSocketChannel::connect(&url).ready().await });
        return println!("\ntold: {}", ready.unwrap_err());
    }
    let name = "runtimes_child::no_thread_for_a_lookup_is_told_as_that";
    let prepare = format!("export RUST_MIN_STACK={}", isize::MAX);
    let output = in_child(name, &prepare, "ws://localhost:1/");
    let lines = output.lines().filter(|line| line.starts_with("told: "));
    let told: Vec<_> = lines.collect();
    assert_eq!(told.len(), 2, "{output}");
    for told in told {
        assert!(told.contains("the address of \"localhost\""), "{told}");
        assert!(told.contains("gave no thread"), "{told}");
        assert!(told.contains("`ulimit -u`"), "{told}");
        assert!(!told.contains("Check the name"), "{told}");
    }
}

#[test]
fn no_descriptor_for_the_driver_is_told_as_that() {
    let name = "runtimes_child::no_descriptor_for_the_driver_is_told_as_that";
    let Some(told) = told(name, "ulimit -n 4") else {
        return;
    };
    assert!(told.contains("gave no descriptor"), "{told}");
    assert!(told.contains("`ulimit -n`"), "{told}");
    assert!(told.contains("(os error "), "{told}");
}

#[test]
fn no_descriptor_for_a_connection_is_told_as_that() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let runtime = current_thread();
        let _held: Vec<_> = from_fn(|| File::open("/dev/null").ok()).collect();
        let connecting = runtime.block_on(async { talkback::connect(url).await });
        return println!("\ntold: {}", connecting.unwrap_err());
    }
    let name = "runtimes_child::no_descriptor_for_a_connection_is_told_as_that";
    let output = in_child(name, "ulimit -n 64", "ws://127.0.0.1:1/");
    let told = output.lines().find(|line| line.starts_with("told: "));
    assert!(
        told.is_some_and(|told| told.contains("`ulimit -n`")),
        "{output}"
    );
}

/// Calls that panic, each in a runtime.
const PANICS: [fn(); 7] = [
    || in_task(|channel| drop(channel.ready().wait())),
    || in_task(|channel| drop(channel.closed().wait())),
    || in_task(|channel| drop(channel.close().wait())),
    || in_task(|channel| drop(channel.blocking_recv())),
    || in_task(|channel| drop(channel.blocking_send("Hello!"))),
    || {
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async { drop(WebSocketChannel::connect("ws://127.0.0.1:1/")) });
    },
    || {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { drop(talkback::connect("ws://127.0.0.1:1/").channel()) });
    },
];

fn in_task(block: fn(&mut WebSocketChannel)) {
    current_thread().block_on(async {
        block(&mut talkback::pair().0);
    });
}

#[test]
fn l4_a_panic_names_the_line_that_called() {
    if std::env::var(CHILD_URL).is_ok() {
        for panic in PANICS {
            assert!(catch_unwind(panic).is_err());
        }
        return;
    }
    let name = "runtimes_child::l4_a_panic_names_the_line_that_called";
    let output = in_child(name, "export RUST_BACKTRACE=0", "");
    let panics: Vec<_> = output
        .lines()
        .filter(|line| line.contains("panicked at"))
        .collect();
    assert_eq!(panics.len(), PANICS.len(), "{output}");
    assert!(
        panics.iter().all(|panic| panic.contains(file!())),
        "{output}"
    );
}

#[test]
fn l5_a_forked_child_talks_on_channels_of_its_own() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        return fork_and_talk(&url);
    }
    let name = "runtimes_child::l5_a_forked_child_talks_on_channels_of_its_own";
    let output = in_child(name, "", &echo_thread());
    let says = [
        "forked: Hello!",
        "inherited: ",
        "answer to the opening handshake",
        "parent: Hello!",
    ];
    assert!(says.iter().all(|says| output.contains(says)), "{output}");
}

/// The process that forks, while a channel of its own is open.
fn fork_and_talk(url: &str) {
    let mut channel = WebSocketChannel::connect(url);
    channel.ready().wait().unwrap();
    // Another is being opened, which those behind it wait for.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("ws://{}/", listener.local_addr().unwrap());
    let _opening = talkback::connect(&silent).in_turn().channel();
    let _stream = listener.accept().unwrap();
    // SAFETY: the child uses no lock that another thread may have held: the threads of this process are
    // that of the harness, which waits for this one, and the channel's, which waits for the network.
    #[allow(unsafe_code)]
    let id = unsafe { libc::fork() };
    if id == 0 {
        // The harness is the parent's: whatever happens, the child ends here.
        let result = watched({
            let url = url.to_owned();
            move || talk_in_child(&url, &silent, channel)
        });
        println!("\n{result:?}");
        std::process::exit(i32::from(result.is_err()));
    }
    let mut status = 0;
    // SAFETY: the pointer is that of a variable of this type.
    #[allow(unsafe_code)]
    let waited = unsafe { libc::waitpid(id, &raw mut status, 0) };
    assert_eq!((waited, status), (id, 0));
    // The parent's channel knows nothing of all this.
    channel.blocking_send("Hello!").unwrap();
    let answer = channel.blocking_recv().unwrap().unwrap();
    println!("\nparent: {}", answer.as_text().unwrap());
    assert!(channel.close().wait().unwrap().clean);
}

fn talk_in_child(url: &str, silent: &str, mut inherited: WebSocketChannel) {
    let mut channel = WebSocketChannel::connect(url);
    channel.blocking_send("Hello!").unwrap();
    let answer = channel.blocking_recv().unwrap().unwrap();
    println!("\nforked: {}", answer.as_text().unwrap());
    assert!(channel.close().wait().unwrap().clean);
    // Timeouts fire as well, and not while it waits for the parent's.
    let late = talkback::connect(silent).in_turn();
    let late = late.timeout(Duration::from_secs(1)).channel();
    println!("\nlate: {}", late.ready().wait().unwrap_err());
    assert!(inherited.blocking_send("nobody takes it").is_err());
    println!("\ninherited: {}", inherited.blocking_recv().unwrap_err());
    assert!(inherited.close().wait().is_ok());
}
