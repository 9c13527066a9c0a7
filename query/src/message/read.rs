//! Objects of a document as values of types: what is not as expected counts as absent.

use std::borrow::Cow;

use chatvault_engine::Value;

/// Something whose fields are filled in from the members of an object.
pub(crate) trait Fill<'d>: Default {
    /// Takes a member that is not null.
    fn fill(&mut self, name: &str, value: Value<'d>);
}

/// An object.
pub(crate) fn object<'d, T: Fill<'d>>(value: Value<'d>) -> Option<T> {
    value.is_object().then(|| {
        let mut object = T::default();
        let members = value.members().filter(|(_, value)| !value.is_null());
        members.for_each(|(name, value)| object.fill(name, value));
        object
    })
}

/// The objects of a list; what is none is an empty one, so that positions stay.
pub(crate) fn list<'d, T: Fill<'d>>(value: Value<'d>) -> Vec<T> {
    value.elements().map(|element| object(element).unwrap_or_default()).collect()
}

/// The texts of a list.
pub(crate) fn texts(value: Value<'_>) -> Vec<Cow<'_, str>> {
    value.elements().filter_map(Value::text).collect()
}
