//! egui's meshes as pixels, made by the processor: without a graphics card or a driver, and so the
//! same on every machine.
//!
//! It does what egui asks of a painter: triangles, a colour at each corner, a texture, blended
//! with premultiplied alpha in gamma space, each mesh within its clip rectangle.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use eframe::egui::epaint::{ImageDelta, Primitive, Vertex, textures::TexturesDelta};
use eframe::egui::{self, ColorImage, ImageData, Rect, TextureId};
use egui_kittest::TestRenderer;
use image::RgbaImage;

/// Points lie on a grid of this fineness, in parts of a pixel, so that triangles that share an edge
/// agree exactly on which of them has a pixel.
const GRID: i64 = 256;

/// The painter, with the textures that the window has handed it. Its clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raster {
    textures: Rc<RefCell<Textures>>,
}

#[derive(Debug, Default)]
struct Textures(HashMap<TextureId, ColorImage>);

impl Raster {
    /// Paints what the window has drawn.
    pub(crate) fn paint(&self, ctx: &egui::Context, output: &egui::FullOutput) -> RgbaImage {
        let textures = self.textures.borrow();
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let mut canvas = Canvas::new(size.x.round() as usize, size.y.round() as usize);
        for clipped in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = &clipped.primitive else {
                panic!("the window paints with meshes only");
            };
            let texture = &textures.0[&mesh.texture_id];
            let clip = canvas.pixels_of(clipped.clip_rect * scale);
            for corners in mesh.indices.chunks_exact(3) {
                let corner = |place: usize| {
                    let vertex: Vertex = mesh.vertices[corners[place] as usize];
                    (on_grid(vertex.pos * scale), vertex)
                };
                let triangle = [corner(0), corner(1), corner(2)];
                canvas.paint(&clip, triangle, texture);
            }
        }
        canvas.into_image()
    }
}

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut textures = self.textures.borrow_mut();
        for (id, changes) in delta.set.drain() {
            for change in changes {
                textures.change(id, &change);
            }
        }
        // They go with the painter, as they are wanted until the frame is painted.
        delta.free.clear();
    }
}

impl Textures {
    fn change(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let Some([left, top]) = delta.pos else {
            self.0.insert(id, ColorImage::clone(image));
            return;
        };
        let texture = self.0.get_mut(&id).expect("a part has its whole");
        for y in 0..image.height() {
            for x in 0..image.width() {
                texture[(left + x, top + y)] = image[(x, y)];
            }
        }
    }
}

/// A point in parts of a pixel.
type Point = [i64; 2];

fn on_grid(point: egui::Pos2) -> Point {
    [point.x, point.y].map(|value| (value * GRID as f32).round() as i64)
}

/// Twice the area of a triangle: positive if it is drawn clockwise, as y grows downwards.
fn area([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point) -> i64 {
    (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}

/// Whether pixels on an edge of a clockwise triangle belong to it: those on its top and on its left.
fn owns_its_pixels([ax, ay]: Point, [bx, by]: Point) -> bool {
    by < ay || (by == ay && bx > ax)
}

/// Columns and rows.
type Pixels = [Range<usize>; 2];

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        let pixels = vec![[0.0; 4]; width * height];
        Self {
            width,
            height,
            pixels,
        }
    }

    fn pixels_of(&self, rect: Rect) -> Pixels {
        let range = |min: f32, max: f32, end: usize| {
            (min.round().max(0.0) as usize)..(max.round().max(0.0) as usize).min(end)
        };
        let columns = range(rect.left(), rect.right(), self.width);
        [columns, range(rect.top(), rect.bottom(), self.height)]
    }

    fn paint(&mut self, clip: &Pixels, corners: [(Point, Vertex); 3], texture: &ColorImage) {
        let [a, mut b, mut c] = corners;
        if area(a.0, b.0, c.0) < 0 {
            std::mem::swap(&mut b, &mut c);
        }
        let points = [a.0, b.0, c.0];
        let whole = area(a.0, b.0, c.0);
        if whole == 0 {
            return;
        }
        let [columns, rows] = [0, 1].map(|axis| {
            let values = points.map(|point| point[axis].div_euclid(GRID).max(0) as usize);
            let (min, max) = (values.iter().min(), values.iter().max());
            let end = max.map_or(0, |max| max + 1).min(clip[axis].end);
            min.copied().unwrap_or(0).max(clip[axis].start)..end
        });
        for y in rows {
            for x in columns.clone() {
                let center = [x, y].map(|value| value as i64 * GRID + GRID / 2);
                let Some(weights) = weights(points, center) else {
                    continue;
                };
                let shares = weights.map(|weight| weight as f32 / whole as f32);
                let color = shade(shares, [a.1, b.1, c.1], texture);
                self.blend(x, y, color);
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, color: [f32; 4]) {
        let pixel = &mut self.pixels[y * self.width + x];
        let rest = 1.0 - color[3];
        for (below, above) in pixel.iter_mut().zip(color) {
            *below = above + *below * rest;
        }
    }

    fn into_image(self) -> RgbaImage {
        let bytes = self.pixels.iter().flatten();
        let bytes = bytes.map(|value| (value * 255.0).round() as u8).collect();
        let image = RgbaImage::from_raw(self.width as u32, self.height as u32, bytes);
        image.expect("there are four bytes a pixel")
    }
}

/// How much each corner counts at a point; nothing if the point is not within the triangle.
fn weights([a, b, c]: [Point; 3], point: Point) -> Option<[i64; 3]> {
    let weight = |from, to| {
        let weight = area(from, to, point);
        let is_within = weight > 0 || (weight == 0 && owns_its_pixels(from, to));
        is_within.then_some(weight)
    };
    Some([weight(b, c)?, weight(c, a)?, weight(a, b)?])
}

/// The colour within a triangle, from 0 to 1.
fn shade(shares: [f32; 3], corners: [Vertex; 3], texture: &ColorImage) -> [f32; 4] {
    let mut color = [0.0; 4];
    let mut place = [0.0; 2];
    for (share, corner) in shares.into_iter().zip(corners) {
        for (sum, value) in color.iter_mut().zip(corner.color.to_array()) {
            *sum += share * f32::from(value) / 255.0;
        }
        place[0] += share * corner.uv.x;
        place[1] += share * corner.uv.y;
    }
    let texel = sample(texture, place);
    std::array::from_fn(|channel| color[channel] * texel[channel])
}

/// The texture at a place, between its four nearest pixels.
fn sample(texture: &ColorImage, [u, v]: [f32; 2]) -> [f32; 4] {
    let along = |part: f32, count: usize| {
        let place = (part * count as f32 - 0.5).clamp(0.0, count as f32 - 1.0);
        let first = place as usize;
        (first, (first + 1).min(count - 1), place.fract())
    };
    let (left, right, x) = along(u, texture.width());
    let (top, bottom, y) = along(v, texture.height());
    let at = |column, row| {
        let bytes = texture[(column, row)].to_array();
        bytes.map(|value| f32::from(value) / 255.0)
    };
    let mix = |from: [f32; 4], to: [f32; 4], share: f32| -> [f32; 4] {
        std::array::from_fn(|channel| egui::lerp(from[channel]..=to[channel], share))
    };
    let upper = mix(at(left, top), at(right, top), x);
    let lower = mix(at(left, bottom), at(right, bottom), x);
    mix(upper, lower, y)
}
