//! What types show of a marked secret, and which public types were asked.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The secret: wherever it is shown, something leaks.
///
/// It is a token, so that it may stand in every place that has a grammar.
pub const SECRET: &str = "hunter2";

/// Collects what values show, and fails on the secret.
///
/// At the end [`finish`](Self::finish) compares the types that were asked with the list of public names,
/// so that a new one cannot be forgotten.
#[derive(Debug, Default)]
pub struct Shown {
    /// Types as `crate::Type`, each with the trait that it was shown by.
    asked: BTreeSet<(String, &'static str)>,
    /// Variants as `Type::Variant`.
    variants: BTreeSet<String>,
    leaks: Vec<String>,
}

impl Shown {
    /// Shows by both forms of `Debug`.
    pub fn debug<T: Debug + ?Sized>(&mut self, value: &T) {
        self.asked.insert((name_of::<T>(), "Debug"));
        self.text(name_of::<T>(), &format!("{value:?}"));
        self.text(name_of::<T>(), &format!("{value:#?}"));
    }

    /// Shows by `Display`.
    pub fn display<T: Display + ?Sized>(&mut self, value: &T) {
        self.asked.insert((name_of::<T>(), "Display"));
        self.text(name_of::<T>(), &value.to_string());
    }

    /// Shows by `Display`, which is the content itself: who calls it wants the secret.
    ///
    /// # Panics
    /// If it is not: then it is to be listed no more.
    pub fn content<T: Display + ?Sized>(&mut self, value: &T) {
        self.asked.insert((name_of::<T>(), "Display"));
        let name = name_of::<T>();
        assert!(value.to_string().contains(SECRET), "{name} hides it");
    }

    /// Shows an error and all that is below it, by `Debug` and `Display`.
    pub fn error<E: Error>(&mut self, error: &E) {
        self.debug(error);
        self.display(error);
        let mut below = error.source();
        while let Some(error) = below {
            self.text("a source", &format!("{error:?} {error:#?} {error}"));
            below = error.source();
        }
    }

    /// Shows what a panic says that `unwrap` begins.
    ///
    /// # Panics
    /// If there is nothing wrong with it.
    pub fn unwrap<T, E: Error>(&mut self, failed: Result<T, E>) {
        let failed = failed.map(drop);
        match &failed {
            Ok(()) => panic!("it did not fail"),
            Err(error) => self.error(error),
        }
        let panic = catch_unwind(AssertUnwindSafe(|| failed.unwrap()));
        let panic = panic.expect_err("it is an error");
        let said = panic.downcast_ref::<String>().expect("it is formatted");
        self.text("a panic", said);
    }

    /// Looks for the secret in any text: as it is, in base64, and as the numbers of its bytes.
    pub fn text(&mut self, what: impl Display, text: &str) {
        let numbers = format!("{:?}", SECRET.as_bytes());
        let numbers = numbers.trim_matches(['[', ']']).replace(' ', "");
        let dense: String = text.split_whitespace().collect();
        // In base64 it looks otherwise, by how many bytes are before it.
        let encoded = ["aHVudGVyM", "h1bnRlcj", "odW50ZXIy"];
        if dense.contains(SECRET)
            || dense.contains(&numbers)
            || encoded.iter().any(|part| dense.contains(part))
        {
            self.leaks.push(format!("{what}: {text}"));
        }
    }

    /// Notes that a variant of an enum was shown.
    pub fn variant(&mut self, variant: impl Into<String>) {
        self.variants.insert(variant.into());
    }

    /// Holds it all against the public names of a crate, as `docs/api` has them.
    ///
    /// `plain` are types that hold no text: numbers, flags and names of their own.
    /// `enums` are those whose every variant has to be shown; with the variants that cannot be made here.
    ///
    /// # Panics
    /// If something showed the secret, or was not asked.
    pub fn finish(self, api: &str, plain: &[&str], enums: &[(&str, &[&str])]) {
        assert!(self.leaks.is_empty(), "{}", self.leaks.join("\n"));
        let mut missing = Vec::new();
        for (name, by) in api.lines().filter_map(shown_type) {
            let is_plain = plain
                .iter()
                .any(|plain| name.ends_with(&format!("::{plain}")));
            let is_asked = self.asked.contains(&(name.clone(), by));
            if is_plain == is_asked {
                missing.push(format!("{by} of {name}"));
            }
        }
        for (name, elsewhere) in enums {
            let prefix = format!("::{name}::");
            for variant in api.lines().filter_map(|line| variant(line, &prefix)) {
                let is_asked = self.variants.contains(&format!("{name}::{variant}"));
                if is_asked == elsewhere.contains(&variant) {
                    missing.push(format!("{name}::{variant}"));
                }
            }
        }
        assert!(
            missing.is_empty(),
            "neither asked nor listed, or both: {missing:#?}"
        );
    }
}

/// The type of `impl<…> core::fmt::Debug for crate::module::Type<…>`, as `crate::Type`.
fn shown_type(line: &str) -> Option<(String, &'static str)> {
    let rest = line.strip_prefix("impl")?;
    ["Debug", "Display"].into_iter().find_map(|by| {
        let (_, path) = rest.split_once(&format!(" core::fmt::{by} for "))?;
        Some((short(path), by))
    })
}

/// The variant of `pub crate::Enum::Variant`, perhaps with fields in parentheses.
fn variant<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let (_, rest) = line.strip_prefix("pub ")?.split_once(prefix)?;
    let name = rest.split('(').next()?;
    let is_variant = name.starts_with(|first: char| first.is_ascii_uppercase());
    (is_variant && !name.contains([':', ' ', '<'])).then_some(name)
}

fn name_of<T: ?Sized>() -> String {
    short(std::any::type_name::<T>())
}

/// `crate::Type` of a path with modules and parameters.
fn short(path: &str) -> String {
    let path = path.split('<').next().unwrap_or(path);
    let first = path.split("::").next().unwrap_or(path);
    let last = path.rsplit("::").next().unwrap_or(path);
    format!("{first}::{last}")
}

/// Names the variant of an enum, and notes it: `variant!(shown, error => Enum: One, Two)`.
#[macro_export]
macro_rules! shown_variant {
    ($shown:expr, $value:expr => $type:ident: $($variant:ident),+ $(,)?) => {
        $shown.variant(match &$value {
            $($type::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)+
            other => panic!("a new variant: {other:?}"),
        })
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for text in [
            "a hunter2 b",
            "[104, 117, 110, 116, 101, 114, 50]",
            "[\n    104,\n    117,\n    110,\n    116,\n    101,\n    114,\n    50,\n]",
            "aHVudGVyMg==",
            "dXNlcjpodW50ZXIy",
            "YTpodW50ZXIy",
            "YWh1bnRlcjI=",
        ] {
            let mut shown = Shown::default();
            shown.text("it", text);
            assert_eq!(shown.leaks.len(), 1, "{text}");
        }
    }

    const API: &str = "\
pub enum one::a::E
pub one::a::E::First
pub one::a::E::First::field: u8
pub one::a::E::Second(u8)
impl core::fmt::Debug for one::a::E
impl<T> core::fmt::Display for one::b::S<T>
";

    #[test]
    #[should_panic(expected = "Display of one::S")]
    fn a_type_that_was_not_asked_is_missed() {
        Shown::default().finish(API, &["E"], &[]);
    }

    #[test]
    #[should_panic(expected = "E::Second")]
    fn a_variant_that_was_not_asked_is_missed() {
        let mut shown = Shown::default();
        shown.variant("E::First");
        shown.finish(API, &["E", "S"], &[("E", &[])]);
    }

    #[test]
    fn all_that_is_listed_is_enough() {
        let mut shown = Shown::default();
        shown.variant("E::First");
        shown.finish(API, &["E", "S"], &[("E", &["Second"])]);
    }
}
