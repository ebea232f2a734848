//! What is installed beside the command: completions, the manual's pages, and a unit of systemd.

use std::path::Path;

use crate::support::run;

#[test]
fn each_shell_gets_completions_of_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = run(&["completions", shell], "");
        assert_eq!(finished.code, Some(0), "{finished:?}");
        for word in ["connect", "listen", "echo", "ping-interval"] {
            assert!(finished.stdout.contains(word), "{shell}: {word}");
        }
    }
    let finished = run(&["completions", "csh"], "");
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished
            .stderr
            .ends_with("Try `talkback completions --help`.\n")
    );
}

#[cfg(unix)]
#[test]
fn bash_completes_an_option_by_what_it_is_given() {
    let script = run(&["completions", "bash"], "").stdout;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("talkback.bash");
    std::fs::write(&file, script).unwrap();
    // As readline asks it.
    let ask = "source \"$1\"; COMP_WORDS=(talkback listen --ori); COMP_CWORD=2; _talkback talkback --ori listen; \
               echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "-c", ask, "bash"]).arg(&file);
    let output = bash.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--origin\n",
        "{told}"
    );
}

#[test]
fn the_unit_stops_a_hub_as_it_drains_and_names_options_that_there_are() {
    let finished = run(&["unit"], "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let help = run(&["hub", "--help"], "").stdout;
    let unit = finished.stdout;
    let names = unit.split([' ', '#', '=', '\n']);
    let names: Vec<&str> = names
        .filter(|word| word.starts_with("--") && *word != "--now" || word.starts_with("TALKBACK_"))
        .collect();
    assert!(names.len() > 4, "{names:?}");
    for name in names {
        assert!(help.contains(name), "{name}");
    }
    let value = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().to_owned()
    };
    assert_eq!(
        value("ExecStart="),
        "/usr/local/bin/talkback hub $HUB_OPTIONS"
    );
    let deadline = "[default: 25]";
    let stop: u32 = value("TimeoutStopSec=").parse().unwrap();
    assert!(help.contains(deadline) && stop > 25);
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man/deeper");
    let finished = run(&["man", folder.to_str().unwrap()], "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for (page, words) in [
        (
            "talkback.1",
            &[".TH talkback 1", "talkback\\-listen(1)"][..],
        ),
        (
            "talkback-connect.1",
            &["\\-\\-ping\\-interval", "Exit codes"],
        ),
        ("talkback-listen.1", &["\\-\\-subprotocol", "DNS rebinding"]),
        ("talkback-echo.1", &["/stream/COUNT/ms/MS"]),
        ("talkback-hub.1", &["TALKBACK_PUBLISH_KEY", "/t/TOPIC"]),
    ] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        for word in words {
            assert!(text.contains(word), "{page}: {word}: {text}");
        }
    }
    let file = folder.join("talkback.1");
    let finished = run(&["man", file.to_str().unwrap()], "");
    assert_eq!(
        (finished.code, finished.stderr.lines().count()),
        (Some(1), 1),
        "{finished:?}"
    );
}
