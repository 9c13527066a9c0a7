//! Writes HTML that is escaped by construction.
//!
//! Markup can only be a `&'static str`, so it is always our own; everything from outside goes
//! through [`Html::text`] or [`Html::attribute`], which escape. There is no third way in, so no
//! review of call sites is needed to know that a message cannot add an element.
//!
//! A writer instead of a template language: message bodies are trees of unknown depth, and one
//! growing string per page is the fastest thing there is.

use crate::format::markup::escape;

/// A piece of HTML: elements of ours, text of anyone's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl Html {
    /// An empty piece with room for `bytes`.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds markup of ours.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text from anywhere.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.0);
        self
    }

    /// Adds ` name="value"` inside an open tag.
    pub(crate) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape(value, &mut self.0);
        self.0.push('"');
        self
    }

    /// Adds a number with a comma between each three digits.
    pub(crate) fn count(&mut self, number: u64) -> &mut Self {
        let digits = number.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                self.0.push(',');
            }
            self.0.push(digit);
        }
        self
    }

    /// Adds a number as it is, for attributes.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// Adds a number with leading zeros up to `width` digits.
    pub(crate) fn digits(&mut self, number: i64, width: usize) -> &mut Self {
        let mut digits = [b'0'; 10];
        let mut rest = number;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            used += 1;
            if rest == 0 && used >= width {
                break;
            }
        }
        let shown = digits.get(10 - used..).and_then(|digits| str::from_utf8(digits).ok());
        self.0.push_str(shown.unwrap_or_default());
        self
    }

    /// Adds bytes as hexadecimal digits.
    pub(crate) fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.0.push(hex_digit(byte >> 4));
            self.0.push(hex_digit(byte & 15));
        }
        self
    }

    /// Adds another piece.
    pub(crate) fn append(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Adds the bytes of `other` from `from` to `to`; nothing when these are no positions in it.
    pub(crate) fn append_range(&mut self, other: &Self, from: usize, to: usize) -> &mut Self {
        self.0.push_str(other.0.get(from..to).unwrap_or_default());
        self
    }

    /// Takes back what was written behind a position that [`Html::len`] gave.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The finished text.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// The finished text as such.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// What was written so far, for tests.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A link that may be in a page: `http`, `https` or `mailto`, whatever stands behind it.
///
/// The prefix is compared as it is: anything a browser would first have to repair (white space,
/// control characters, a back slash) is no link.
pub(crate) fn web_link(url: &str) -> Option<&str> {
    let url = url.trim();
    let starts = |prefix: &str| {
        url.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && url.len() > prefix.len()
    };
    let clean = !url.chars().any(char::is_control);
    (clean && ["https://", "http://", "mailto:"].iter().any(|prefix| starts(prefix))).then_some(url)
}

/// A path below the part's root as a relative link: everything but plain characters is encoded.
///
/// `None` for a path that would leave the folder: such a link is not written.
pub(crate) fn relative_link(up: &str, path: &str) -> Option<String> {
    let safe = |segment: &str| !matches!(segment, "" | "." | "..");
    if !path.split('/').all(safe) {
        return None;
    }
    let segments: Vec<String> = path.split('/').map(encoded).collect();
    Some(format!("{up}{}", segments.join("/")))
}

/// A text as one step of an address: everything but plain characters is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut link = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            link.push('%');
            link.push(hex_digit(byte >> 4));
            link.push(hex_digit(byte & 15));
        }
    }
    link
}

/// The name that a message has as the target of links: `m` and its id.
///
/// Ids are digits in practice; what is not plain is written as its bytes, so that the name needs no
/// encoding in a link and no two ids share one.
pub fn anchor(id: &str) -> String {
    let mut name = String::with_capacity(id.len() + 1);
    name.push('m');
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-.".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push('_');
            name.push(hex_digit(byte >> 4));
            name.push(hex_digit(byte & 15));
        }
    }
    name
}

/// One hexadecimal digit of a number below 16.
pub(crate) fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble & 15), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut html = Html::default();
        html.raw("<p")
            .attribute("title", "\"'><script>")
            .raw(">")
            .text("a<b>&\"c\"\u{0}\r\n\u{7f}é");
        assert_eq!(
            html.as_str(),
            "<p title=\"&quot;&#39;&gt;&lt;script&gt;\">a&lt;b&gt;&amp;&quot;c&quot;\né"
        );
    }

    #[test]
    fn counts_are_grouped_by_threes() {
        for (number, written) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")]
        {
            let mut html = Html::default();
            html.count(number);
            assert_eq!(html.as_str(), written);
        }
    }

    #[test]
    fn only_plain_web_links_pass() {
        for url in ["https://a.example/x?y=1", " HTTP://a.example ", "mailto:ann@a.example"] {
            assert_eq!(web_link(url), Some(url.trim()));
        }
        for url in [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "//a.example/x",
            "/x",
            "https://",
            "https://a.example/\u{0}",
            "file:///etc/passwd",
            "vbscript:x",
            "",
        ] {
            assert_eq!(web_link(url), None, "{url}");
        }
    }

    #[test]
    fn relative_links_stay_below_the_root() {
        let link = |path| relative_link("../", path);
        assert_eq!(
            link("Attachments/a b#?%é.pdf").unwrap(),
            "../Attachments/a%20b%23%3f%25%c3%a9.pdf"
        );
        assert_eq!(link("javascript:x").unwrap(), "../javascript%3ax");
        for path in ["../x", "a/../../x", "/etc/passwd", "a//b", ""] {
            assert_eq!(link(path), None, "{path}");
        }
    }

    #[test]
    fn anchors_are_plain_and_distinct() {
        assert_eq!(anchor("1622762567000"), "m1622762567000");
        assert_eq!(anchor("a b\"<"), "ma_20b_22_3c");
        assert_ne!(anchor("_20"), anchor(" "));
    }
}
