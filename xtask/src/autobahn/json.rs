//! As much of JSON as the suite's reports need: their objects and their texts.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::Result;

/// A value of a report.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Object(BTreeMap<String, Value>),
    /// A number, an array, `true`, `false` or `null`, which nobody asks for.
    Other,
}

impl Value {
    pub(super) fn parse(json: &str) -> Result<Self> {
        let mut parser = Parser {
            rest: json.chars().peekable(),
        };
        let value = parser.value(0)?;
        parser.skip_space();
        match parser.rest.next() {
            None => Ok(value),
            Some(found) => Err(format!("JSON ends before {found:?}").into()),
        }
    }

    pub(super) fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The text of a field; nothing if this is no object or has no such field.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.as_object()?.get(field)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Deeper values than any report has.
const DEPTH_MAX: usize = 100;

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err("JSON is nested too deep".into());
        }
        self.skip_space();
        match self.rest.peek() {
            Some('"') => Ok(Value::Text(self.text()?)),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        let mut fields = BTreeMap::new();
        self.expect('{')?;
        while !self.ends('}') {
            let name = self.text()?;
            self.expect(':')?;
            fields.insert(name, self.value(depth + 1)?);
            self.separator('}')?;
        }
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.expect('[')?;
        while !self.ends(']') {
            self.value(depth + 1)?;
            self.separator(']')?;
        }
        Ok(Value::Other)
    }

    /// A number, or one of the three words.
    fn word(&mut self) -> Result<Value> {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || "+-.".contains(*c);
        let mut size = 0;
        while self.rest.next_if(is_part).is_some() {
            size += 1;
        }
        match size {
            0 => Err("JSON has no value where one is due".into()),
            _ => Ok(Value::Other),
        }
    }

    fn text(&mut self) -> Result<String> {
        self.expect('"')?;
        let mut units = Vec::new();
        loop {
            let next = self.next()?;
            let character = match next {
                '"' => return Ok(String::from_utf16_lossy(&units)),
                '\\' => match self.next()? {
                    'u' => {
                        units.push(self.unit()?);
                        continue;
                    }
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => other,
                },
                other => other,
            };
            units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
        }
    }

    /// The four digits of `\u1234`.
    fn unit(&mut self) -> Result<u16> {
        let digits = (0..4).map(|_| self.next()).collect::<Result<String>>()?;
        Ok(u16::from_str_radix(&digits, 16)?)
    }

    fn separator(&mut self, end: char) -> Result<()> {
        self.skip_space();
        if self.rest.peek() == Some(&end) {
            return Ok(());
        }
        self.expect(',')?;
        self.skip_space();
        Ok(())
    }

    /// Whether the object or the array ends here.
    fn ends(&mut self, end: char) -> bool {
        self.skip_space();
        self.rest.next_if_eq(&end).is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        self.skip_space();
        match self.next()? {
            found if found == wanted => Ok(()),
            found => Err(format!("JSON has {found:?} in place of {wanted:?}").into()),
        }
    }

    fn next(&mut self) -> Result<char> {
        Ok(self.rest.next().ok_or("JSON ends too early")?)
    }

    fn skip_space(&mut self) {
        while self.rest.next_if(char::is_ascii_whitespace).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_beside_everything_else() {
        let json = r#" {"a": [1, -2.5e3, [], {"x": null}], "b": {}, "c": {"d": "e", "n": true}} "#;
        let value = Value::parse(json).unwrap();
        let fields = value.as_object().unwrap();
        assert_eq!(fields["a"], Value::Other);
        assert_eq!(fields["b"], Value::Object(BTreeMap::new()));
        assert_eq!(fields["c"].text("d"), Some("e"));
        assert_eq!(fields["c"].text("n"), None);
    }

    #[test]
    fn escapes_become_characters() {
        let json = r#""\"\\\/\n안\uc548\ud83d\ude00\ud83d""#;
        let text = Value::Text("\"\\/\n안안😀\u{fffd}".to_owned());
        assert_eq!(Value::parse(json).unwrap(), text);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(1_000_000);
        for json in [
            "",
            "{",
            "{\"a\"}",
            "[1",
            "\"a",
            "\"\\u12\"",
            "{} 1",
            "[1 2]",
            &deep,
        ] {
            assert!(Value::parse(json).is_err(), "{json:.20}");
        }
    }
}
