//! Committing: copies become a batch, a batch a journal frame and slabs, until a segment has them.
//!
//! What looks rows up, encodes and publishes runs under the `writer` lock; parsing, before it, under none.

pub(super) mod batch;
pub(super) mod committing;
pub(super) mod lookup;
pub(super) mod moves;
pub(super) mod put_object;
pub(super) mod recall;
pub(super) mod record;
pub(super) mod slab;
pub(super) mod summary;
