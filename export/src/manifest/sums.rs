//! Lists of checksums as `sha256sum` writes and checks them.

use crate::digest::{Hash, hex};

/// A line of such a list: the hash, two spaces, the path. A path with a backslash or a line break is
/// escaped, and a backslash at the line's start says so.
pub fn sums_line(hash: &Hash, path: &str) -> String {
    let digits = hex(hash);
    if !path.contains(['\\', '\n', '\r']) {
        return format!("{digits}  {path}\n");
    }
    let escaped = path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("\\{digits}  {escaped}\n")
}

/// The length of a path's line, whatever its hash will be.
pub(crate) fn sums_line_bytes(path: &str) -> u64 {
    /// The hash's digits, two spaces and the line's end.
    const FIXED: u64 = 64 + 2 + 1;
    let escaped = path.bytes().filter(|byte| matches!(byte, b'\\' | b'\n' | b'\r')).count();
    FIXED + path.len() as u64 + escaped as u64 + u64::from(escaped > 0)
}

/// A whole list, in the order of the paths' bytes.
pub(crate) fn sums_text(mut files: Vec<(&str, Hash)>) -> String {
    files.sort_unstable_by_key(|(path, _)| *path);
    let bytes = files.iter().map(|(path, _)| sums_line_bytes(path)).sum::<u64>();
    let mut text = String::with_capacity(usize::try_from(bytes).unwrap_or(0));
    text.extend(files.iter().map(|(path, hash)| sums_line(hash, path)));
    text
}
