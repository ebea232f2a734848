//! The colours of the window, light and dark.

use eframe::egui::{self, Color32, Stroke, Theme, Visuals};

use crate::state::Role;

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// The app bar, and the title on it.
    pub bar: Color32,
    /// What stands on the app bar.
    pub on_bar: Color32,
    /// The button, and the field that has the focus.
    pub accent: Color32,
    /// What stands on the button.
    pub on_accent: Color32,
    /// The page.
    pub surface: Color32,
    /// A field or a button on the page.
    pub raised: Color32,
    /// Text.
    pub text: Color32,
    /// Text that matters less.
    pub muted: Color32,
    /// The selected text's ground.
    pub selection: Color32,
    /// Something is under way.
    pub busy: Color32,
    /// All is well.
    pub good: Color32,
    /// Something is wrong.
    pub bad: Color32,
}

const LIGHT: Palette = Palette {
    bar: Color32::from_rgb(0x3f, 0x51, 0xb5),
    on_bar: Color32::WHITE,
    accent: Color32::from_rgb(0x3f, 0x51, 0xb5),
    on_accent: Color32::WHITE,
    surface: Color32::from_rgb(0xfd, 0xfb, 0xff),
    raised: Color32::from_rgb(0xe9, 0xe7, 0xf2),
    text: Color32::from_rgb(0x1b, 0x1b, 0x1f),
    muted: Color32::from_rgb(0x5a, 0x5a, 0x66),
    selection: Color32::from_rgb(0xc9, 0xd0, 0xff),
    busy: Color32::from_rgb(0x8a, 0x58, 0x00),
    good: Color32::from_rgb(0x1b, 0x6e, 0x3c),
    bad: Color32::from_rgb(0xba, 0x1a, 0x1a),
};

const DARK: Palette = Palette {
    bar: Color32::from_rgb(0x2b, 0x36, 0x80),
    on_bar: Color32::WHITE,
    accent: Color32::from_rgb(0xba, 0xc3, 0xff),
    on_accent: Color32::from_rgb(0x08, 0x21, 0x6b),
    surface: Color32::from_rgb(0x1b, 0x1b, 0x1f),
    raised: Color32::from_rgb(0x34, 0x34, 0x3c),
    text: Color32::from_rgb(0xe6, 0xe3, 0xe8),
    muted: Color32::from_rgb(0xb6, 0xb4, 0xc0),
    selection: Color32::from_rgb(0x3d, 0x4a, 0x99),
    busy: Color32::from_rgb(0xff, 0xb9, 0x5c),
    good: Color32::from_rgb(0x7f, 0xda, 0x9a),
    bad: Color32::from_rgb(0xff, 0xb4, 0xab),
};

impl Palette {
    /// The colour of a role.
    pub fn of(&self, role: Role) -> Color32 {
        match role {
            Role::Busy => self.busy,
            Role::Good => self.good,
            Role::Neutral => self.muted,
            Role::Bad => self.bad,
        }
    }
}

/// The palette that belongs to what is drawn.
pub fn palette(visuals: &Visuals) -> &'static Palette {
    match visuals.dark_mode {
        true => &DARK,
        false => &LIGHT,
    }
}

/// Sets both themes; egui follows the system between them.
pub fn apply(ctx: &egui::Context) {
    ctx.options_mut(|options| options.fallback_theme = Theme::Light);
    for theme in [Theme::Light, Theme::Dark] {
        ctx.style_mut_of(theme, |style| {
            let visuals = &mut style.visuals;
            paint(visuals, palette(visuals));
        });
    }
}

fn paint(visuals: &mut Visuals, palette: &Palette) {
    visuals.panel_fill = palette.surface;
    visuals.window_fill = palette.surface;
    visuals.text_edit_bg_color = Some(palette.raised);
    visuals.override_text_color = Some(palette.text);
    visuals.weak_text_color = Some(palette.muted);
    visuals.error_fg_color = palette.bad;
    visuals.selection.bg_fill = palette.selection;
    visuals.selection.stroke = Stroke::new(2.0, palette.text);
    visuals.text_cursor.stroke = Stroke::new(2.0, palette.accent);
    // A cursor that blinks would have the window painted twice a second for nothing.
    visuals.text_cursor.blink = false;
    visuals.collapsing_header_frame = false;
    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
    ] {
        widget.corner_radius = 6.into();
        widget.weak_bg_fill = palette.raised;
    }
    for widget in [&mut widgets.hovered, &mut widgets.active] {
        widget.bg_stroke = Stroke::new(1.5, palette.accent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours (WCAG 2, 1.4.3).
    fn contrast(one: Color32, other: Color32) -> f32 {
        let luminance = |color: Color32| {
            let [r, g, b, _] = egui::Rgba::from(color).to_array();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_both_themes() {
        for p in [LIGHT, DARK] {
            let on_surface = [p.text, p.muted, p.accent, p.busy, p.good, p.bad];
            let on_surface = on_surface.map(|color| (color, p.surface));
            let others = [
                (p.on_bar, p.bar),
                (p.on_accent, p.accent),
                (p.text, p.raised),
                (p.text, p.selection),
            ];
            for (color, ground) in on_surface.into_iter().chain(others) {
                let contrast = contrast(color, ground);
                assert!(contrast >= 4.5, "{color:?} on {ground:?}: {contrast}");
            }
        }
    }
}
