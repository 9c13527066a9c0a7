//! A source of values for serde that trusts its document: what is skipped is not looked into.
//!
//! Any doubt is an error, without a word about what it was: whoever asks reads the document again
//! with a reader that knows.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{blank, string_end, value_end};

/// Reads a document.
pub(crate) struct Reader<'a> {
    json: &'a str,
    at: usize,
}

/// The document is not as it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt;

impl<'a> Reader<'a> {
    /// `None` if the bytes are no text.
    pub(crate) fn new(json: &'a [u8]) -> Option<Self> {
        Some(Self { json: std::str::from_utf8(json).ok()?, at: 0 })
    }

    /// Is nothing left?
    pub(crate) fn is_at_end(&self) -> bool {
        blank(self.json.as_bytes(), self.at) == self.json.len()
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<u8, Doubt> {
        self.at = blank(self.json.as_bytes(), self.at);
        self.json.as_bytes().get(self.at).copied().ok_or(Doubt)
    }

    fn take(&mut self, byte: u8) -> Result<(), Doubt> {
        if self.peek()? != byte {
            return Err(Doubt);
        }
        self.at += 1;
        Ok(())
    }

    fn token(&mut self) -> Result<&'a str, Doubt> {
        let end = value_end(self.json.as_bytes(), self.at);
        let token = self.json.get(self.at..end).ok_or(Doubt)?;
        self.at = end;
        Ok(token)
    }

    fn string<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Doubt> {
        let end = string_end(self.json.as_bytes(), self.at);
        let quoted = self.json.get(self.at..end).ok_or(Doubt)?;
        self.at = end;
        let bare = quoted.get(1..).and_then(|rest| rest.strip_suffix('"')).ok_or(Doubt)?;
        if memchr::memchr(b'\\', bare.as_bytes()).is_none() {
            return visitor.visit_borrowed_str(bare);
        }
        let text = serde_json::from_str::<String>(quoted).map_err(|_no_text| Doubt)?;
        visitor.visit_string(text)
    }

    fn number<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Doubt> {
        let token = self.token()?;
        if let Ok(number) = token.parse::<i64>() {
            return visitor.visit_i64(number);
        }
        let number = serde_json::from_str::<f64>(token).map_err(|_no_number| Doubt)?;
        visitor.visit_f64(number)
    }

    /// Goes to the next item of a list, or over its end.
    fn next_item(&mut self, is_first: &mut bool, close: u8) -> Result<bool, Doubt> {
        let byte = self.peek()?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            self.take(b',')?;
        }
        Ok(true)
    }
}

impl<'a> Deserializer<'a> for &mut Reader<'a> {
    type Error = Doubt;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Doubt> {
        match self.peek()? {
            b'"' => self.string(visitor),
            b'{' => {
                self.at += 1;
                visitor.visit_map(Items { reader: self, is_first: true })
            }
            b'[' => {
                self.at += 1;
                visitor.visit_seq(Items { reader: self, is_first: true })
            }
            b'-' | b'0'..=b'9' => self.number(visitor),
            _ => match self.token()? {
                "null" => visitor.visit_unit(),
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(Doubt),
            },
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Doubt> {
        let _byte = self.peek()?;
        let _skipped = self.token()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// What is in an object or array.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    is_first: bool,
}

impl<'a> MapAccess<'a> for Items<'_, 'a> {
    type Error = Doubt;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Doubt> {
        if !self.reader.next_item(&mut self.is_first, b'}')? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Doubt);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Doubt> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = Doubt;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Doubt> {
        if !self.reader.next_item(&mut self.is_first, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl de::Error for Doubt {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl std::error::Error for Doubt {}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document is not as it should be")
    }
}
