//! What the service says, and what people write about it: filters, links, pages.

use chatvault_ingest::graph::{Cloud, Filter, check_link, read_page};
use serde_json::Value;

/// Any text as a filter: it is refused with a place in the text, or renders to a text that means
/// the same and renders to itself.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let filter = match text.parse::<Filter>() {
        Ok(filter) => filter,
        Err(error) => return assert!(text.is_char_boundary(error.at), "{error} in {text:?}"),
    };
    let rendered = filter.to_string();
    assert_eq!(rendered.parse(), Ok(filter), "{text:?} as {rendered:?}");
    let again = rendered.parse::<Filter>().unwrap().to_string();
    assert_eq!(again, rendered, "of {text:?}");
}

/// Any text as a link, and behind the cloud's own host: what is accepted goes to that host, and
/// says there what it said.
pub fn link(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    check_accepted(text);
    check_accepted(&format!("{ORIGIN}{text}"));
}

const ORIGIN: &str = "https://graph.microsoft.com";

fn check_accepted(text: &str) {
    let Ok(sent) = check_link(&Cloud::global(), text) else { return };
    let rest = sent.strip_prefix(ORIGIN).unwrap();
    assert!(rest.starts_with('/') && rest.bytes().all(|byte| byte.is_ascii_graphic()), "{sent:?}");
    let origin = text.len() - text.split_once("://").unwrap().1.len();
    let behind = origin + text[origin..].find('/').unwrap();
    assert!(text[..behind].is_ascii() && !text[..behind].contains('@'), "{text:?}");
    let written = &text[behind..];
    assert_eq!(decoded(rest), decoded(written), "{text:?} is sent as {sent:?}");
    // What could stand as it was stood as it was: escapes are of the documented bytes only.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>^`{|}".contains(&byte);
    if written.bytes().all(plain) {
        assert_eq!(rest, written);
    }
}

/// Without percent-encoding, byte for byte.
fn decoded(text: &str) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let escaped = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2)));
        match escaped.filter(|_| byte == b'%') {
            Some((high, low)) => out.push(u8::try_from(high * 16 + low).unwrap()),
            None => out.push(byte),
        }
        at += if byte == b'%' && escaped.is_some() { 3 } else { 1 };
    }
    out
}

/// Any bytes as the body of an answer: what is taken as a page has the items and links that a
/// whole parse finds in it.
pub fn envelope(bytes: &[u8]) {
    let page = match read_page(bytes) {
        Ok(page) => page,
        Err(broken) => return assert!(broken.offset <= bytes.len(), "{broken}"),
    };
    // Within the body, in order, apart from each other.
    let mut end = bytes.as_ptr() as usize;
    for item in &page.items {
        let start = item.as_ptr() as usize;
        assert!(start > end && item.starts_with(b"{") && item.ends_with(b"}"), "items in order");
        end = start + item.len();
    }
    assert!(end <= bytes.as_ptr() as usize + bytes.len(), "inside of the body");
    // A whole parse refuses more: deep nesting, huge numbers, halves of surrogate pairs.
    let Ok(Value::Object(whole)) = serde_json::from_slice(bytes) else { return };
    let items: Vec<Value> =
        page.items.iter().map(|item| serde_json::from_slice(item).unwrap()).collect();
    assert_eq!(Some(&Value::Array(items)), whole.get("value"));
    let text = |key| whole.get(key).and_then(Value::as_str).map(str::to_owned);
    assert_eq!((page.next, page.delta), (text("@odata.nextLink"), text("@odata.deltaLink")));
    assert!(whole.get("error").is_none_or(Value::is_null), "an error is no page");
    if let Some(Value::Number(count)) = whole.get("@odata.count") {
        assert_eq!(page.count, count.as_u64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_off_and_nothing_else() {
        assert_eq!(decoded("a%2Fb%2f%%4%zz%41"), b"a/b/%%4%zzA");
    }
}
