//! What a form or an address says: names with values, in order, a name several times if it likes.

use url::form_urlencoded;

/// The fields of a form, or what stands behind the `?` of an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// A field's value without white space around it; `None` if it is empty or not there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fits = self.0.iter().filter(|(own, _)| own == name);
        fits.find_map(|(_, value)| Some(value.trim()).filter(|value| !value.is_empty()))
    }

    /// All values of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let fits = self.0.iter().filter(move |(own, _)| own == name);
        fits.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Is a box ticked?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The same with one field changed, as an address has it; `None` takes it away.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (own, kept) in self.0.iter().filter(|(own, kept)| own != name && !kept.is_empty()) {
            let _ = text.append_pair(own, kept);
        }
        if let Some(value) = value {
            let _ = text.append_pair(name, value);
        }
        text.finish()
    }

    /// Every field, for a form that carries them on.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A text as one step of an address: everything but plain characters is encoded.
pub(crate) fn step(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut step, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            step.push(char::from(byte));
        } else {
            step.push('%');
            for nibble in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or_default();
                step.push(digit.to_ascii_uppercase());
            }
        }
        step
    })
}

/// The step of a conversation: calls that were no meeting have none of their own.
pub(crate) fn conversation_step(id: &str) -> String {
    if id.is_empty() { "-".to_owned() } else { step(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_carried_on() {
        let fields = Fields::of(b"q=a+b&who=ann&who=%20&who=ben&empty=");
        assert_eq!((fields.get("q"), fields.get("empty")), (Some("a b"), None));
        assert_eq!(fields.all("who").collect::<Vec<_>>(), ["ann", "ben"]);
        assert_eq!(fields.with("who", None), "q=a+b");
        assert_eq!(Fields::of(b"q=x&page=2").with("page", Some("3")), "q=x&page=3");
    }

    #[test]
    fn a_step_cannot_leave_its_place() {
        assert_eq!(step("19:a/b@thread.v2"), "19%3Aa%2Fb%40thread.v2");
        assert_eq!(step("é\"?#"), "%C3%A9%22%3F%23");
    }
}
