//! Which addresses a document may hold.

use super::ImageAt;

/// A link's address, if it leads to a page or a mailbox.
pub(super) fn link(href: &str) -> Option<String> {
    // A browser ignores control characters anywhere in an address, and spaces around it.
    let url: String = href.trim().chars().filter(|c| !c.is_control()).collect();
    let (scheme, rest) = url.split_once(':')?;
    let is_page = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let may = is_page && rest.starts_with("//") || scheme.eq_ignore_ascii_case("mailto");
    may.then_some(url)
}

/// Where a picture is.
pub(super) fn image(source: &str) -> ImageAt {
    if let Some(id) = hosted(source) {
        return ImageAt::Hosted(id);
    }
    let url = link(source).filter(|url| !url.get(..7).is_some_and(is_mail));
    ImageAt::Remote(url.unwrap_or_default())
}

fn is_mail(start: &str) -> bool {
    start.eq_ignore_ascii_case("mailto:")
}

/// The id in `…/hostedContents/{id}/$value`, decoded as the archive names it.
pub(super) fn hosted(source: &str) -> Option<String> {
    let (_, behind) = source.split_once("/hostedContents/")?;
    let (id, _) = behind.split_once("/$value")?;
    let is_id = !id.is_empty() && !id.contains(['/', '\\', '?', '#']);
    is_id.then(|| decoded(id))
}

/// Without percent signs, if what they stand for is text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(hex);
        bytes.push(escaped.unwrap_or(*first));
        rest = tail.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let are_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if are_hex { u8::from_str_radix(digits, 16).ok() } else { None }
}
