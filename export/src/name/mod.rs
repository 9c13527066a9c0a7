//! Names that every file system can store, and that still say what a thing is called.
//!
//! A safe name is in composed form (NFC), has no character that any common system refuses or
//! hides, no dot or space at its ends, is no device of Windows, and has at most
//! [`NAME_BYTES`] bytes with its extension kept. Names that would fall together where case does not
//! count have one [`fold`]. A path inside a part has at most [`PATH_CHARS`] characters, so that it can
//! be unpacked below an ordinary folder on Windows.

#[cfg(test)]
mod tests;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::digest::{hex, sha256};

/// The longest safe name, in bytes of UTF-8.
pub(crate) const NAME_BYTES: usize = 120;
/// The longest path inside a part, in characters.
pub(crate) const PATH_CHARS: usize = 200;
/// The longest extension that is kept when a name is cut; a longer one is part of the name.
const EXTENSION_BYTES: usize = 16;
/// The longest readable half of a folder's name: a chat's topic, before its hash.
const SLUG_BYTES: usize = 60;
/// Hexadecimal digits of a chat's hash that tell folders of one topic apart.
const SLUG_DIGITS: usize = 8;

/// A safe name for a file or folder; `instead` if nothing of `wanted` can be kept.
pub(crate) fn safe(wanted: &str, instead: &str) -> String {
    safe_within(wanted, instead, NAME_BYTES)
}

fn safe_within(wanted: &str, instead: &str, bytes: usize) -> String {
    let clean: String = wanted.nfc().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    let clean = trim(&clean);
    if clean.is_empty() {
        return instead.to_owned();
    }
    let clean = if is_device(clean) { format!("_{clean}") } else { clean.to_owned() };
    let short = shorten(&clean, bytes);
    if short.is_empty() { instead.to_owned() } else { short }
}

/// A chat's folder: what it is called, as far as that can be kept, and eight digits of its id's
/// hash, so that two chats of one topic stay apart and a renamed one is still found.
pub(crate) fn slug(topic: &str, chat: &str) -> String {
    let words = safe_within(topic, "chat", SLUG_BYTES).replace(' ', "-");
    let digits = hex(&sha256(chat.as_bytes()));
    format!("{words}_{}", digits.get(..SLUG_DIGITS).unwrap_or(&digits))
}

/// Folders and a file as one path of at most [`PATH_CHARS`] characters: the file's name gives way,
/// its extension last. All parts must be safe already.
pub(crate) fn path(folders: &[&str], file: &str) -> String {
    let folder: String = folders.iter().flat_map(|folder| [*folder, "/"]).collect();
    let room = PATH_CHARS.saturating_sub(folder.chars().count()).max(1);
    let mut name = shorten_chars(file, room);
    name.insert_str(0, &folder);
    name
}

/// A path with `mark` before its file's extension, still of at most [`PATH_CHARS`] characters.
pub(crate) fn with_mark(path: &str, mark: &str) -> String {
    let (folder, file) = path.rfind('/').map_or(("", path), |slash| path.split_at(slash + 1));
    let (stem, extension) = split_extension(file);
    let used = [folder, mark, extension].iter().map(|text| text.chars().count()).sum();
    let stem: String = stem.chars().take(PATH_CHARS.saturating_sub(used)).collect();
    format!("{folder}{stem}{mark}{extension}")
}

/// The form in which names that some system takes for one are equal.
///
/// Upper case first: `ß` and `SS` fall together, as do the forms of sigma.
pub(crate) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Cuts a name to so many bytes, on a character's border, keeping the extension.
pub(crate) fn shorten(name: &str, bytes: usize) -> String {
    if name.len() <= bytes {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let room = bytes.saturating_sub(extension.len());
    let short = format!("{}{extension}", cut(stem, room));
    trim(cut(&short, bytes)).to_owned()
}

fn shorten_chars(name: &str, chars: usize) -> String {
    if name.chars().count() <= chars {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let room = chars.saturating_sub(extension.chars().count());
    let stem: String = stem.chars().take(room).collect();
    let short: String =
        stem.trim_end_matches(['.', ' ']).chars().chain(extension.chars()).collect();
    short.chars().take(chars).collect()
}

/// The name before its extension, and the extension with its dot; no extension if that is long
/// or all there is.
pub(crate) fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= EXTENSION_BYTES => name.split_at(dot),
        _ => (name, ""),
    }
}

/// The longest start of at most `bytes` bytes that ends on a character's border, without a dot or
/// space at its end.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text).trim_end_matches(['.', ' '])
}

fn trim(name: &str) -> &str {
    name.trim_matches(['.', ' '])
}

/// Does some system refuse, hide or misread this character in a name?
fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() || r#"<>:"/\|?*"#.contains(c);
    }
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

/// Windows gives these names to devices, whatever extension follows.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|number| {
        let mut digits = number.chars();
        matches!((digits.next(), digits.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
    })
}
