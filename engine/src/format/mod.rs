//! Bytes and values: how things look on disk. No file system here.

pub(crate) mod bytes;
#[cfg(test)]
pub(crate) mod document;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod limits;
pub(crate) mod merkle;
pub(crate) mod multiset;
pub(crate) mod names;
pub(crate) mod unpack;
