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
    sums_line(&[0; 32], path).len() as u64
}

/// A whole list, in the order of the paths' bytes.
pub(crate) fn sums_text(mut files: Vec<(&str, Hash)>) -> String {
    files.sort_unstable_by_key(|(path, _)| *path);
    files.iter().map(|(path, hash)| sums_line(hash, path)).collect()
}
