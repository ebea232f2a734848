//! The round button with the paper plane.

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Pos2, Rect, Response, Sense, Shape, Stroke, Vec2, WidgetInfo};

use super::theme;

const DIAMETER: f32 = 56.0;
const MARGIN: f32 = 16.0;

/// The paper plane, in parts of its square: its upper and its lower half.
const PLANE: [[[f32; 2]; 3]; 2] = [
    [[0.0, 0.05], [1.0, 0.5], [0.0, 0.44]],
    [[0.0, 0.95], [0.0, 0.56], [1.0, 0.5]],
];
const PLANE_SIZE: f32 = 22.0;

/// Draws the button at the bottom right of `place`.
pub(super) fn show(ui: &mut egui::Ui, place: Rect, label: &str) -> Response {
    let corner = place.right_bottom() - Vec2::splat(MARGIN);
    let rect = Rect::from_min_max(corner - Vec2::splat(DIAMETER), corner);
    let response = ui.interact(rect, ui.scope_id().with("send"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), label));
    paint(ui, rect, &response);
    response.on_hover_text(label)
}

fn paint(ui: &egui::Ui, rect: Rect, response: &Response) {
    let palette = theme::palette(ui.visuals());
    let lifted = response.hovered() || response.has_focus();
    let (center, radius) = (rect.center(), DIAMETER / 2.0);
    let painter = ui.painter();
    let shadow = egui::Shadow {
        offset: [0, 3],
        blur: if lifted { 12 } else { 8 },
        spread: 0,
        color: egui::Color32::from_black_alpha(90),
    };
    painter.add(shadow.as_shape(rect, egui::CornerRadius::same(28)));
    painter.circle_filled(center, radius, palette.accent);
    if response.is_pointer_button_down_on() || lifted {
        let veil = palette.on_accent.gamma_multiply(0.12);
        painter.circle_filled(center, radius, veil);
    }
    if response.has_focus() {
        let ring = Stroke::new(2.0, palette.text);
        painter.circle_stroke(center, radius + 3.0, ring);
    }
    let square = Rect::from_center_size(center + Vec2::new(2.0, 0.0), Vec2::splat(PLANE_SIZE));
    for half in PLANE {
        let points = half.iter().map(|[x, y]| at(square, *x, *y)).collect();
        painter.add(Shape::convex_polygon(
            points,
            palette.on_accent,
            Stroke::NONE,
        ));
    }
}

fn at(square: Rect, x: f32, y: f32) -> Pos2 {
    square.lerp_inside(Vec2::new(x, y))
}
