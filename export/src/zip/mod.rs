//! The zip container as parts use it: few features, every byte accounted for before it is written.
//!
//! Members lie one after the other from offset 0, each a local header and its bytes; then come the
//! central directory and the end record. Members are stored or deflated, sizes and checksum stand
//! in the local header (no data descriptor), there are no extra fields and no comments, every date
//! is 1980-01-01 and every mode 0644. A part never needs zip64: its cap is below 4 GiB and it has
//! at most [`MOST_ENTRIES`] members. So the size of a part is a plain sum, and the same members
//! make the same bytes anywhere.
//!
//! The deflate streams come from one pinned library; its output does not depend on the processor.

mod block;
pub(crate) mod deflate;
pub(crate) mod read;
pub(crate) mod record;
#[cfg(test)]
mod tests;

/// The most members of a part: below the 65,535 from where on readers would need zip64.
pub(crate) const MOST_ENTRIES: u32 = 60_000;
/// The largest part that needs no zip64, whatever its members are.
pub(crate) const MOST_PART_BYTES: u64 = u32::MAX as u64 - 1;
/// The smallest cap that parts can have.
pub(crate) const LEAST_PART_BYTES: u64 = 64 << 10;

/// The end record without a comment.
pub(crate) const END_BYTES: u64 = 22;
/// A local header without its name.
pub(crate) const LOCAL_BYTES: u64 = 30;
/// A central directory entry without its name.
pub(crate) const CENTRAL_BYTES: u64 = 46;

/// What a member adds to the size of a part, beside the manifest and the sums.
pub(crate) fn member_bytes(name: &str, packed: u64) -> u64 {
    LOCAL_BYTES + CENTRAL_BYTES + 2 * name.len() as u64 + packed
}

/// How a member's bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
}

/// Is a content of this name compressed already, so that deflating it would only cost time?
pub(crate) fn is_compressed(name: &str) -> bool {
    const EXTENSIONS: &str = " 7z aac avi avif br bz2 docm docx flac gif gz heic heif jar jpeg jpg \
        jxl lz4 m4a m4v mkv mov mp3 mp4 mpeg mpg odp ods odt ogg opus parquet pdf png potx pptm \
        pptx rar rsmf vsdx webm webp whiteboard wma wmv xlsm xlsx xz zip zst ";
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let short = !extension.is_empty() && extension.len() <= 10 && !extension.contains(' ');
    short && EXTENSIONS.contains(&format!(" {} ", extension.to_ascii_lowercase()))
}
