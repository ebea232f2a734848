//! What is folded away: where the channel goes, how it is, and what went over it.

use eframe::egui::{self, RichText, Shape, Stroke, TextEdit};

use super::theme;
use crate::state::{Direction, Entry, Page};

const LOG_HEIGHT: f32 = 240.0;

/// Draws the section, folded at first.
pub(super) fn show(ui: &mut egui::Ui, page: &mut Page) {
    let section = egui::CollapsingHeader::new("Connection").default_open(false);
    section.show_unindented(ui, |ui| {
        ui.add_space(4.0);
        address(ui, page);
        ui.add_space(8.0);
        status(ui, page);
        ui.add_space(12.0);
        log(ui, page);
    });
}

fn address(ui: &mut egui::Ui, page: &mut Page) {
    let label = ui.label("URL");
    let url = TextEdit::singleline(&mut page.url).desired_width(f32::INFINITY);
    ui.add(url.margin(egui::Margin::symmetric(8, 6)))
        .labelled_by(label.id);
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if button(ui, page.can_connect(), "Connect").clicked() {
            page.connect();
            // The new channel is asked for the first time before the next frame.
            ui.ctx().request_repaint();
        }
        if button(ui, page.can_disconnect(), "Disconnect").clicked() {
            page.disconnect();
        }
    });
}

fn button(ui: &mut egui::Ui, is_enabled: bool, label: &str) -> egui::Response {
    let button = egui::Button::new(label).min_size(egui::vec2(96.0, 32.0));
    ui.add_enabled(is_enabled, button)
}

fn status(ui: &mut egui::Ui, page: &Page) {
    let palette = theme::palette(ui.visuals());
    let (word, role) = page.status();
    let color = palette.of(role);
    ui.horizontal(|ui| {
        let (dot, _) = ui.allocate_exact_size(egui::vec2(10.0, 10.0), egui::Sense::hover());
        ui.painter().circle_filled(dot.center(), 5.0, color);
        ui.label(RichText::new(word).color(color).strong());
    });
    if let Some(ending) = page.ending() {
        ui.label(ending);
    }
}

fn log(ui: &mut egui::Ui, page: &Page) {
    let entries = page.log().iter();
    if entries.len() == 0 {
        return;
    }
    ui.label("Messages");
    let area = egui::ScrollArea::vertical()
        .id_salt("log")
        .max_height(LOG_HEIGHT);
    area.stick_to_bottom(true)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            for entry in entries {
                line(ui, entry);
            }
        });
}

fn line(ui: &mut egui::Ui, entry: &Entry) {
    let color = theme::palette(ui.visuals()).muted;
    ui.horizontal(|ui| {
        arrow(ui, entry.direction, color);
        ui.label(RichText::new(entry.heading()).size(12.0).color(color));
    });
    ui.add(egui::Label::new(&entry.text).wrap());
    ui.add_space(4.0);
}

/// Up for what was sent, down for what was received. It is painted, as not every font has arrows.
fn arrow(ui: &mut egui::Ui, direction: Direction, color: egui::Color32) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(8.0, 6.0), egui::Sense::hover());
    let corners = match direction {
        Direction::Sent => [rect.left_bottom(), rect.center_top(), rect.right_bottom()],
        Direction::Received => [rect.left_top(), rect.right_top(), rect.center_bottom()],
    };
    let arrow = Shape::convex_polygon(corners.to_vec(), color, Stroke::NONE);
    ui.painter().add(arrow);
}
