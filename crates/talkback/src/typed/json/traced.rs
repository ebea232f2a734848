//! Reading JSON so that an error knows which field it is about, and repeats nothing of the message.
//!
//! serde's own errors quote what they have found, and name no field. So everything that a type reads, it reads
//! through [`Traced`], which passes all on as it is: to the type it hands out errors of its own kind, and on the
//! way up each object and array notes where the error came from.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt::{self, Display};

use serde_core::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use crate::error::codec::Segment;
use crate::typed::json::fault::{Fault, kind};

/// What goes from the inside of a value outwards, past the errors of what reads the JSON.
#[derive(Debug, Default)]
pub(super) struct Trace<'de> {
    /// All that is read.
    json: &'de [u8],
    /// Whether it is JSON, which is asked once, for an error.
    is_json: OnceCell<bool>,
    /// Whether the enum that was begun last has been read up to what stands behind its content.
    is_content_read: Cell<bool>,
    /// What a type has said, while an error of another kind stands for it.
    fault: RefCell<Option<Fault>>,
    /// What a type has told that it expects, which is asked only for an error.
    expected: RefCell<String>,
    /// The name of a field or a variant, if one was read just now.
    name: Cell<Option<&'de str>>,
}

impl<'de> Trace<'de> {
    pub(super) fn new(json: &'de [u8]) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// Reads a value.
    pub(super) fn read<T: Deserialize<'de>>(
        &self,
        json: impl Deserializer<'de>,
    ) -> Result<T, Fault> {
        T::deserialize(self.traced(json))
    }

    /// What an error of the JSON's kind stands for, or what it says itself.
    pub(super) fn fault(&self, error: impl Display) -> Fault {
        let told = error.to_string();
        let (what, position) = match told.rsplit_once(" at line ") {
            Some((what, position)) => (what, position.split_once(" column ")),
            None => (told.as_str(), None),
        };
        let fault = self.fault.take();
        let mut fault = fault.unwrap_or_else(|| self.fault_of_json(what));
        if let (None, Some((line, column))) = (fault.position, position) {
            fault.position = line.parse().ok().zip(column.parse().ok());
        }
        fault
    }

    /// Something else was expected, or it is no JSON; what is said of that has no word of the message.
    fn fault_of_json(&self, what: &str) -> Fault {
        let expected = self.expected.take();
        if expected.is_empty() {
            return Fault::syntax(what.to_owned());
        }
        let found = kind(what.strip_prefix("invalid type: ").unwrap_or_default());
        Fault::new(format!("expected {expected}, found {found}"))
    }

    /// A fault of the whole, in words for who wrote the message: is it no JSON at all?
    pub(super) fn explained(&self, fault: Fault) -> Fault {
        if !fault.is_syntax() {
            return fault;
        }
        if self.json.trim_ascii().is_empty() {
            return fault.told(|_| "it is empty".to_owned());
        }
        match self.is_json() {
            true => fault,
            false => fault.told(|what| format!("it is not JSON: {what}")),
        }
    }

    fn is_json(&self) -> bool {
        let is_json = || serde_json::from_slice::<IgnoredAny>(self.json).is_ok();
        *self.is_json.get_or_init(is_json)
    }

    /// Something else than an enum was found, of which serde_json says "expected value" alone.
    fn fault_of_enum(&self, error: impl Display, variants: &[&str]) -> Fault {
        let fault = self.fault(error);
        if !fault.is_no_variant() || !self.is_json() {
            return fault;
        }
        let first = fault.position.and_then(|position| self.byte(position));
        let found = match first {
            _ if self.is_content_read.get() => "an object with several members",
            Some(b'}') => "an empty object",
            Some(b'[') => "an array",
            Some(b'n') => "null",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        };
        let mut told = Fault::unlike(variants, found);
        told.position = fault.position;
        told
    }

    /// The byte at a line and a column.
    fn byte(&self, (line, column): (usize, usize)) -> Option<u8> {
        let mut lines = self.json.split(|byte| *byte == b'\n');
        let line = lines.nth(line.checked_sub(1)?)?;
        line.get(column.checked_sub(1)?).copied()
    }

    /// Has an error of the JSON's kind stand for one of a type's.
    fn keep<E: Error>(&self, fault: Fault) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("")
    }

    fn traced<T>(&self, inner: T) -> Traced<'_, 'de, T> {
        Traced { inner, trace: self }
    }

    /// What was read just now, as a part of what is around it.
    fn named(&self) -> Segment {
        let name = self.name.take();
        name.map_or(Segment::Key, |name| Segment::Name(name.into()))
    }
}

/// A part of what reads JSON, or of what is read, whose errors are traced.
struct Traced<'t, 'de, T> {
    inner: T,
    trace: &'t Trace<'de>,
}

macro_rules! deserialize {
    ($($name:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $name<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Fault> {
            let Self { inner, trace } = self;
            let read = inner.$name($($argument,)* trace.traced(visitor));
            read.map_err(|error| trace.fault(error))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Traced<'_, 'de, D> {
    type Error = Fault;

    deserialize! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_ignored_any()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { inner, trace } = self;
        trace.is_content_read.set(false);
        let read = inner.deserialize_enum(name, variants, trace.traced(visitor));
        read.map_err(|error| trace.fault_of_enum(error, variants))
    }

    /// The name of a field or of a variant. If nothing is wrong with the name, what is wrong behind it is so with
    /// one that the type knows.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, trace } = self;
        let read = inner.deserialize_identifier(Name(trace.traced(visitor)));
        read.map_err(|error| trace.fault(error))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// What reads the name of a field or of a variant.
struct Name<'t, 'de, V>(Traced<'t, 'de, V>);

impl<'de, V: Visitor<'de>> Visitor<'de> for Name<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    /// One with escapes comes to the other method, and has no place in a text.
    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<V::Value, E> {
        self.0.trace.name.set(Some(name));
        self.0.visit_borrowed_str(name)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.0.visit_str(name)
    }
}

macro_rules! visit {
    ($($name:ident($($value:ident: $type:ty)?))*) => {$(
        fn $name<E: Error>(self $(, $value: $type)?) -> Result<V::Value, E> {
            self.inner.$name($($value)?).map_err(|fault: Fault| self.trace.keep(fault))
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Traced<'_, 'de, V> {
    type Value = V::Value;

    /// It is asked for the text of an error alone.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// What a type says that it expects.
        struct Expected<'v, V>(&'v V);

        impl<'de, V: Visitor<'de>> Display for Expected<'_, V> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.expecting(f)
            }
        }

        let expected = Expected(&self.inner).to_string();
        f.write_str(&expected)?;
        *self.trace.expected.borrow_mut() = expected;
        Ok(())
    }

    visit! {
        visit_bool(value: bool) visit_i64(value: i64) visit_u64(value: u64) visit_f64(value: f64)
        visit_i128(value: i128) visit_u128(value: u128)
        visit_str(value: &str) visit_borrowed_str(value: &'de str) visit_string(value: String)
        visit_bytes(value: &[u8]) visit_borrowed_bytes(value: &'de [u8]) visit_byte_buf(value: Vec<u8>)
        visit_none() visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        let read = self.inner.visit_some(self.trace.traced(json));
        read.map_err(|fault| self.trace.keep(fault))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        let read = self.inner.visit_newtype_struct(self.trace.traced(json));
        read.map_err(|fault| self.trace.keep(fault))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, json: A) -> Result<V::Value, A::Error> {
        let elements = Elements {
            json: self.trace.traced(json),
            index: 0,
        };
        let read = self.inner.visit_seq(elements);
        read.map_err(|fault| self.trace.keep(fault))
    }

    fn visit_map<A: MapAccess<'de>>(self, json: A) -> Result<V::Value, A::Error> {
        let members = Members {
            json: self.trace.traced(json),
            name: Segment::Key,
        };
        let read = self.inner.visit_map(members);
        read.map_err(|fault| self.trace.keep(fault))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, json: A) -> Result<V::Value, A::Error> {
        let read = self.inner.visit_enum(self.trace.traced(json));
        self.trace.is_content_read.set(read.is_ok());
        read.map_err(|fault| self.trace.keep(fault))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Traced<'_, 'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<S::Value, D::Error> {
        let read = self.inner.deserialize(self.trace.traced(json));
        read.map_err(|fault| self.trace.keep(fault))
    }
}

/// The elements of an array.
struct Elements<'t, 'de, A> {
    json: Traced<'t, 'de, A>,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, 'de, A> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Traced { inner, trace } = &mut self.json;
        let read = inner.next_element_seed(trace.traced(seed));
        let index = self.index;
        self.index += 1;
        read.map_err(|error| trace.fault(error).within(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        self.json.inner.size_hint()
    }
}

/// The members of an object.
struct Members<'t, 'de, A> {
    json: Traced<'t, 'de, A>,
    /// What the value is called that is read next.
    name: Segment,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, 'de, A> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Traced { inner, trace } = &mut self.json;
        trace.name.set(None);
        let read = inner.next_key_seed(trace.traced(seed));
        let read = read.map_err(|error| trace.fault(error));
        self.name = trace.named();
        read
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Traced { inner, trace } = &mut self.json;
        let read = inner.next_value_seed(trace.traced(seed));
        read.map_err(|error| trace.fault(error).within(self.name.clone()))
    }

    fn size_hint(&self) -> Option<usize> {
        self.json.inner.size_hint()
    }
}

impl<'t, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Traced<'t, 'de, A> {
    type Error = Fault;
    type Variant = Content<'t, 'de, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Fault> {
        let Self { inner, trace } = self;
        let read = inner.variant_seed(trace.traced(seed));
        let (value, json) = read.map_err(|error| trace.fault(error))?;
        let content = Content {
            json: trace.traced(json),
            name: trace.named(),
        };
        Ok((value, content))
    }
}

/// What stands behind the name of a variant.
struct Content<'t, 'de, A> {
    json: Traced<'t, 'de, A>,
    name: Segment,
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Content<'_, 'de, A> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let Traced { inner, trace } = self.json;
        let read = inner.unit_variant();
        read.map_err(|error| trace.fault(error).within(self.name))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let Traced { inner, trace } = self.json;
        let read = inner.newtype_variant_seed(trace.traced(seed));
        read.map_err(|error| trace.fault(error).within(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        let Traced { inner, trace } = self.json;
        let read = inner.tuple_variant(length, trace.traced(visitor));
        read.map_err(|error| trace.fault(error).within(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Traced { inner, trace } = self.json;
        let read = inner.struct_variant(fields, trace.traced(visitor));
        read.map_err(|error| trace.fault(error).within(self.name))
    }
}
