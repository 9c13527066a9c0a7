//! Maintaining: commits are sealed, files are merged, summed up and disposed of, in the background.
//!
//! Building runs under `merging` or `sealing` and without `writer`, which publishing takes for a moment.

pub(super) mod background;
pub(super) mod compact;
pub(super) mod dictionaries;
pub(super) mod disposal;
pub(super) mod folded;
pub(super) mod health;
pub(super) mod merge;
pub(super) mod seal;
pub(super) mod sum_up;
