//! The text field whose label floats above the text once there is some.

use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::text_edit::TextEditState;
use eframe::egui::{self, Align2, Event, FontId, Id, ImeEvent, Key, Pos2, Rect, Stroke, Ui};

use super::theme;

/// The text, and the label while it lies where the text will be.
const TEXT_SIZE: f32 = 16.0;
/// The label above the text, and what is below the line.
pub(super) const SMALL_SIZE: f32 = 12.0;
const MARGIN: egui::Margin = egui::Margin {
    left: 0,
    right: 0,
    top: 22,
    bottom: 8,
};

/// Whether a person has pressed Enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Yes,
    No,
}

/// Draws the field; below it what is wrong, if something is. It takes the focus when it is new.
pub(super) fn show(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    problem: Option<String>,
) -> Entered {
    let palette = theme::palette(ui.visuals());
    let id = id(label);
    let is_new = TextEditState::load(ui.ctx(), id).is_none();
    let edit = egui::TextEdit::singleline(text)
        .id(id)
        // Enter sends, and the focus stays.
        .return_key(None)
        .font(FontId::proportional(TEXT_SIZE))
        .frame(egui::Frame::new().inner_margin(MARGIN))
        .desired_width(f32::INFINITY);
    let response = edit.show(ui).response.response;
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_label(label);
        if let Some(problem) = &problem {
            node.set_description(problem.as_str());
        }
    });
    if is_new {
        response.request_focus();
    }
    let color = match (&problem, response.has_focus()) {
        (Some(_), _) => palette.bad,
        (None, true) => palette.accent,
        (None, false) => palette.muted,
    };
    paint_label(ui, response.rect, label, color, !text.is_empty());
    let width = if response.has_focus() { 2.0 } else { 1.0 };
    let line = response.rect.bottom();
    ui.painter()
        .hline(response.rect.x_range(), line, Stroke::new(width, color));
    if let Some(problem) = problem {
        ui.add_space(4.0);
        ui.label(egui::RichText::new(problem).size(SMALL_SIZE).color(color));
    }
    match response.has_focus() {
        true => entered(ui, id),
        false => {
            end_composition(ui, id);
            Entered::No
        }
    }
}

/// Selects all of the field's text, and gives it the focus.
pub(super) fn select_all(ui: &Ui, label: &str, text: &str) {
    let id = id(label);
    let mut state = TextEditState::load(ui.ctx(), id).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    let all = CCursorRange::two(CCursor::new(0), end);
    state.cursor.set_char_range(Some(all));
    state.store(ui.ctx(), id);
    end_composition(ui, id);
    ui.memory_mut(|memory| memory.request_focus(id));
}

fn id(label: &str) -> Id {
    Id::unique(("field", label))
}

/// Whether Enter was pressed otherwise than to end a syllable that is being composed.
fn entered(ui: &Ui, id: Id) -> Entered {
    let mut is_composing = ui.data(|data| data.get_temp(id).unwrap_or(false));
    let mut entered = Entered::No;
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::Ime(ImeEvent::Preedit { text, .. }) => is_composing = !text.is_empty(),
                Event::Ime(ImeEvent::Commit(_)) | Event::WindowFocused(false) => {
                    is_composing = false;
                }
                Event::Key {
                    key: Key::Enter,
                    pressed: true,
                    repeat: false,
                    ..
                } if !is_composing => entered = Entered::Yes,
                _ => {}
            }
        }
    });
    ui.data_mut(|data| data.insert_temp(id, is_composing));
    entered
}

/// What is composed stays as text once the field has lost the focus. Not every system tells then that
/// the composition is over, and the next Enter must not be taken for its end.
fn end_composition(ui: &Ui, id: Id) {
    ui.data_mut(|data| data.remove_temp::<bool>(id));
}

fn paint_label(ui: &Ui, rect: Rect, label: &str, color: egui::Color32, is_above: bool) {
    let height = ui.ctx().animate_bool(id(label).with("label"), is_above);
    let size = egui::lerp(TEXT_SIZE..=SMALL_SIZE, height);
    let resting = rect.top() + f32::from(MARGIN.top);
    let top = egui::lerp(resting..=rect.top() + 2.0, height);
    let place = Pos2::new(rect.left(), top);
    let font = FontId::proportional(size);
    ui.painter()
        .text(place, Align2::LEFT_TOP, label, font, color);
}
