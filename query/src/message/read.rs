//! Tolerant reading of JSON objects in one pass: what is not as expected counts as absent.
//!
//! A value of an unexpected type is skipped without recursion, however deep it is; values that are
//! read nest only as deep as the types do. Of a key that comes twice the last one holds.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::json::Reader;
use chatvault_engine::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Something whose fields are filled in as the keys come.
pub(crate) trait Fill<'a>: Default {
    /// Takes the value of `key` from `field`, or skips it.
    fn fill<A: MapAccess<'a>>(&mut self, key: &str, field: Field<'_, A>) -> Result<(), A::Error>;
}

/// The value that comes next. Exactly one of its methods must be called.
pub(crate) struct Field<'m, A>(&'m mut A);

impl<'a, A: MapAccess<'a>> Field<'_, A> {
    /// A text.
    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, A::Error> {
        self.0.next_value_seed(Any::<Text>::new())
    }

    /// A text that is a time.
    pub(crate) fn time(self) -> Result<Option<Timestamp>, A::Error> {
        Ok(self.text()?.and_then(|text| text.parse().ok()))
    }

    /// A whole number, or a text that is one.
    pub(crate) fn integer(self) -> Result<Option<i64>, A::Error> {
        self.0.next_value_seed(Any::<Integer>::new())
    }

    /// True or false.
    pub(crate) fn boolean(self) -> Result<Option<bool>, A::Error> {
        self.0.next_value_seed(Any::<Boolean>::new())
    }

    /// The texts of an array.
    pub(crate) fn texts(self) -> Result<Vec<Cow<'a, str>>, A::Error> {
        let texts = self.0.next_value_seed(Any::<List<Text>>::new())?;
        Ok(texts.into_iter().flatten().collect())
    }

    /// An object.
    pub(crate) fn object<T: Fill<'a>>(self) -> Result<Option<T>, A::Error> {
        self.0.next_value_seed(Any::<Object<T>>::new())
    }

    /// The objects of an array; what is none is an empty one, so that positions stay.
    pub(crate) fn list<T: Fill<'a>>(self) -> Result<Vec<T>, A::Error> {
        let objects = self.0.next_value_seed(Any::<List<Object<T>>>::new())?;
        Ok(objects.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Nothing of it.
    pub(crate) fn skip(self) -> Result<(), A::Error> {
        self.0.next_value::<IgnoredAny>().map(drop)
    }
}

/// Reads a whole document that is one object, borrowing from it; `None` if it is anything else.
pub(super) fn document<'a, T: Fill<'a>>(json: &'a [u8]) -> serde_json::Result<Option<T>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = Any::<Object<T>>::new().deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// Reads a document that is known to be JSON; `None` if there is any doubt about it.
pub(super) fn trusted<'a, T: Fill<'a>>(json: &'a [u8]) -> Option<T> {
    let mut reader = Reader::new(json)?;
    let read = Any::<Object<T>>::new().deserialize(&mut reader).ok()?;
    read.filter(|_| reader.is_at_end())
}

/// Reads a document as [`document`] does, copying every text out of it.
pub(super) fn copied_document<'a, T: Fill<'a>>(json: &[u8]) -> serde_json::Result<Option<T>> {
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let read = Any::<Object<T>>::new().deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// What is made of a JSON value of each type; by default nothing.
trait Shape<'a> {
    type Value;

    fn absent() -> Self::Value;

    fn text(_text: Cow<'a, str>) -> Self::Value {
        Self::absent()
    }

    fn integer(_number: i64) -> Self::Value {
        Self::absent()
    }

    fn boolean(_value: bool) -> Self::Value {
        Self::absent()
    }

    fn list<S: SeqAccess<'a>>(mut items: S) -> Result<Self::Value, S::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::absent())
    }

    fn object<M: MapAccess<'a>>(mut entries: M) -> Result<Self::Value, M::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::absent())
    }
}

/// A value of any type, of which a [`Shape`] is made.
struct Any<S>(PhantomData<S>);

impl<S> Any<S> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'a, S: Shape<'a>> DeserializeSeed<'a> for Any<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a, S: Shape<'a>> Visitor<'a> for Any<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<S::Value, E> {
        Ok(S::text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        Ok(S::text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<S::Value, E> {
        Ok(S::integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<S::Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| S::absent(), S::integer))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<S::Value, E> {
        Ok(S::absent())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<S::Value, E> {
        Ok(S::boolean(value))
    }

    fn visit_unit<E: Error>(self) -> Result<S::Value, E> {
        Ok(S::absent())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, items: A) -> Result<S::Value, A::Error> {
        S::list(items)
    }

    fn visit_map<A: MapAccess<'a>>(self, entries: A) -> Result<S::Value, A::Error> {
        S::object(entries)
    }
}

struct Text;

impl<'a> Shape<'a> for Text {
    type Value = Option<Cow<'a, str>>;

    fn absent() -> Self::Value {
        None
    }

    fn text(text: Cow<'a, str>) -> Self::Value {
        Some(text)
    }
}

struct Integer;

impl<'a> Shape<'a> for Integer {
    type Value = Option<i64>;

    fn absent() -> Self::Value {
        None
    }

    fn integer(number: i64) -> Self::Value {
        Some(number)
    }

    fn text(text: Cow<'a, str>) -> Self::Value {
        text.parse().ok()
    }
}

struct Boolean;

impl Shape<'_> for Boolean {
    type Value = Option<bool>;

    fn absent() -> Self::Value {
        None
    }

    fn boolean(value: bool) -> Self::Value {
        Some(value)
    }
}

struct List<S>(PhantomData<S>);

impl<'a, S: Shape<'a>> Shape<'a> for List<S> {
    type Value = Vec<S::Value>;

    fn absent() -> Self::Value {
        Vec::new()
    }

    fn list<A: SeqAccess<'a>>(mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Any::<S>::new())? {
            list.push(item);
        }
        Ok(list)
    }
}

struct Object<T>(PhantomData<T>);

impl<'a, T: Fill<'a>> Shape<'a> for Object<T> {
    type Value = Option<T>;

    fn absent() -> Self::Value {
        None
    }

    fn object<A: MapAccess<'a>>(mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = T::default();
        while let Some(key) = entries.next_key_seed(Any::<Text>::new())? {
            object.fill(key.as_deref().unwrap_or_default(), Field(&mut entries))?;
        }
        Ok(Some(object))
    }
}

/// Reads an object out of a text that is JSON; `None` if it is none.
pub(crate) fn read_object<'a, T: Fill<'a>>(json: &'a str) -> Option<T> {
    let read = document(json.as_bytes());
    read.or_else(|_| copied_document(&super::repair::repaired(json.as_bytes()))).ok().flatten()
}
