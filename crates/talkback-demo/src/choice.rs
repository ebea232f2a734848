//! What the demo is shown in, where nothing was asked for. `cargo demo` chooses alike, before it
//! builds.

use std::io::{IsTerminal, stdin, stdout};

use eframe::egui::ThemePreference;

use crate::args::{Theme, View};

/// A window where there is a display and a person; else the terminal.
pub(crate) fn view() -> View {
    let is_person = stdin().is_terminal() && stdout().is_terminal();
    match is_person && has_display() {
        true => View::Window,
        false => View::Terminal,
    }
}

/// Whether a window can be expected to open.
fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// egui's word for a theme.
pub(crate) fn theme(theme: Theme) -> ThemePreference {
    match theme {
        Theme::System => ThemePreference::System,
        Theme::Light => ThemePreference::Light,
        Theme::Dark => ThemePreference::Dark,
    }
}

/// Why no window could be opened, without the place in the sources that winit puts before it.
pub(crate) fn reason(error: &str) -> String {
    let place = error.split_once("os error at ");
    let reason = place.and_then(|(_, rest)| rest.split_once(": "));
    match reason {
        Some((_, reason)) => reason.to_owned(),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_no_source_file() {
        let error = "winit EventLoopError: os error at winit/linux/mod.rs:788: No X server";
        assert_eq!(reason(error), "No X server");
        assert_eq!(reason("No OpenGL: none"), "No OpenGL: none");
    }
}
