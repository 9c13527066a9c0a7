//! Binary objects: hosted contents, files, recordings, in packs of checked chunks.
//!
//! An object is named by the BLAKE3-256 of its bytes. It is streamed in and out in chunks of
//! 256 KiB and never whole in memory: a recording has 350 MB.
//!
//! Invariants: a pack is written as `objects/{number:016}.tmp` and gets the name `.pack` only
//! when it is complete and synced; after that it never changes. What a `.tmp` holds was never
//! acknowledged. An object's frames stand in one run, so its place is an offset and a length.
//!
//! Bytes: FORMAT.md, "Pack".

mod layout;
mod pack;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use pack::Pack;
pub(crate) use read::ObjectReader;
pub(crate) use write::{PackSummary, PackWriter};

/// Where packs are.
pub(crate) const FOLDER: &str = "objects";

/// Bytes of an object in one frame: large enough that a frame's 16 bytes do not count, small
/// enough that a reader holds little.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// The path of a sealed pack.
pub(crate) fn pack_path(number: u64) -> String {
    format!("{FOLDER}/{number:016}.pack")
}

/// The path of a pack that is being written.
pub(crate) fn temporary_path(number: u64) -> String {
    format!("{FOLDER}/{number:016}.tmp")
}
