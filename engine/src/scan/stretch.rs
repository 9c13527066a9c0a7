//! Parts of a scan, by conversation, for several threads or machines.

use std::collections::BTreeMap;

use super::Scan;
use crate::archive::State;

/// A part of all conversations, in their order: [`Snapshot::split`] makes them. The default is all.
///
/// [`Snapshot::split`]: crate::Snapshot::split
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The first name.
    pub(super) from: Option<String>,
    /// The first name behind it.
    pub(super) to: Option<String>,
}

/// Cuts a scan into stretches of so many stored rows, about.
pub(crate) fn split(state: &State, scan: &Scan, rows: u64) -> Vec<Scan> {
    let whole = &scan.stretch;
    let inside = |name: &str| {
        let is_behind = |to: &String| name >= to.as_str();
        whole.from.as_deref() < Some(name) && !whole.to.as_ref().is_some_and(is_behind)
    };
    let mut rows_of: BTreeMap<&str, u64> = BTreeMap::new();
    for segment in state.segments.iter().filter_map(|live| live.segment().ok()) {
        for (name, rows) in segment.rows_by_page() {
            *rows_of.entry(name).or_default() += rows;
        }
    }
    let part = |from, to| Scan { stretch: Stretch { from, to }, ..scan.clone() };
    let (mut parts, mut from, mut found) = (Vec::new(), whole.from.clone(), 0);
    for (name, more) in rows_of.into_iter().filter(|(name, _)| inside(name)) {
        if found >= rows {
            let to = Some(name.to_owned());
            parts.push(part(std::mem::replace(&mut from, to.clone()), to));
            found = 0;
        }
        found += more;
    }
    parts.push(part(from, whole.to.clone()));
    parts
}
