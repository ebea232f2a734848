//! The coloured bar with the title.

use eframe::egui::{self, Panel, RichText};

use super::theme;

const HEIGHT: f32 = 56.0;

/// Draws the bar at the top, the title at its left.
pub(super) fn show(ui: &mut egui::Ui, title: &str) {
    let palette = theme::palette(ui.visuals());
    let frame = egui::Frame::new()
        .fill(palette.bar)
        .inner_margin(egui::Margin::symmetric(20, 0));
    let bar = Panel::top("app bar")
        .frame(frame)
        .exact_size(HEIGHT)
        .show_separator_line(false);
    bar.show(ui, |ui| {
        ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
            let title = RichText::new(title).size(20.0).color(palette.on_bar);
            ui.add(egui::Label::new(title).truncate().selectable(false));
        });
    });
}
