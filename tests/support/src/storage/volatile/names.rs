//! Names of files and folders: what is there, what of that is durable, what a power cut may leave.
//!
//! A folder's names are durable after the sync of that folder, and a folder only with its own name
//! in the folder above. A rename changes one name or two folders in one step, but only a disk
//! that keeps the steps in order keeps it whole.

use std::collections::BTreeMap;

use crate::Random;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    /// A file, by its number on the disk.
    File(u64),
}

/// Which unsynced changes of names are on the disk after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// None.
    Synced,
    /// All.
    All,
    /// Those before some step.
    InOrder,
    /// Any subset of names: a rename may leave the old name, the new one, both or none.
    Some,
}

/// A name, and what it stands for from then on.
type Change = (String, Option<Node>);

/// The names of a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) now: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    /// Changes that no sync covers, in order; those of one step together.
    unsynced: Vec<Vec<Change>>,
}

/// The folder that a name is in; "" is the archive's own.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn apply(names: &mut BTreeMap<String, Node>, (path, node): &Change) {
    let _ = match node {
        Some(node) => names.insert(path.clone(), *node),
        None => names.remove(path),
    };
}

impl Names {
    pub(super) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.now.get(path) == Some(&Node::Folder)
    }

    /// Changes names in one step.
    pub(super) fn change(&mut self, changes: Vec<Change>) {
        for change in &changes {
            apply(&mut self.now, change);
        }
        self.unsynced.push(changes);
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync(&mut self, folder: &str) {
        let Self { durable, unsynced, .. } = self;
        for step in &mut *unsynced {
            step.retain(|change| {
                let is_inside = folder_of(&change.0) == folder;
                if is_inside {
                    apply(durable, change);
                }
                !is_inside
            });
        }
        unsynced.retain(|step| !step.is_empty());
    }

    /// The names as they are, all of them durable.
    pub(super) fn synced(&self) -> Self {
        Self::of(self.now.clone())
    }

    fn of(names: BTreeMap<String, Node>) -> Self {
        Self { durable: names.clone(), now: names, unsynced: Vec::new() }
    }

    /// What a power cut leaves.
    pub(super) fn after_power_cut(&self, kept: Kept, random: &mut Random) -> Self {
        let mut names = self.durable.clone();
        let steps = match kept {
            Kept::Synced => 0,
            Kept::InOrder => random.index(self.unsynced.len() + 1),
            Kept::All | Kept::Some => self.unsynced.len(),
        };
        let changes = self.unsynced.iter().take(steps).flatten();
        if kept == Kept::Some {
            self.keep_some(&mut names, random);
        } else {
            changes.for_each(|change| apply(&mut names, change));
        }
        // A folder that is lost takes with it what is inside.
        let is_there = |path: &String| {
            let folder = folder_of(path);
            folder.is_empty() || names.get(folder) == Some(&Node::Folder)
        };
        let left = names.iter().filter(|(path, _)| is_there(path));
        Self::of(left.map(|(path, node)| (path.clone(), *node)).collect())
    }

    /// Each name goes its own way: it stays as it was, or as some step made it.
    fn keep_some(&self, names: &mut BTreeMap<String, Node>, random: &mut Random) {
        let mut by_name: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in self.unsynced.iter().flatten() {
            by_name.entry(&change.0).or_default().push(change);
        }
        for changes in by_name.values() {
            if let Some(at) = random.index(changes.len() + 1).checked_sub(1) {
                apply(names, changes[at]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(names: &mut Names, path: &str, node: Node) {
        names.change(vec![(path.to_owned(), Some(node))]);
    }

    fn left(names: &Names, kept: Kept, seed: u64) -> Vec<String> {
        names.after_power_cut(kept, &mut Random::new(seed)).now.into_keys().collect()
    }

    /// Folder `a` and file `a/x` are durable, then `a/x` becomes `a/y`, then `a/z` is made.
    fn renamed() -> Names {
        let mut names = Names::default();
        add(&mut names, "a", Node::Folder);
        add(&mut names, "a/x", Node::File(1));
        names.sync("");
        names.sync("a");
        names.change(vec![("a/x".to_owned(), None), ("a/y".to_owned(), Some(Node::File(1)))]);
        add(&mut names, "a/z", Node::File(2));
        names
    }

    #[test]
    fn names_in_order_are_kept_up_to_some_step() {
        let found: std::collections::BTreeSet<_> =
            (0..50).map(|seed| left(&renamed(), Kept::InOrder, seed)).collect();
        let expected = [vec!["a", "a/x"], vec!["a", "a/y"], vec!["a", "a/y", "a/z"]];
        let owned = expected.map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(found, owned.into());
    }

    #[test]
    fn a_rename_may_be_half_done() {
        let found: std::collections::BTreeSet<_> =
            (0..100).map(|seed| left(&renamed(), Kept::Some, seed)).collect();
        assert_eq!(found.len(), 8, "each of three names is there or not: {found:?}");
        assert_eq!(left(&renamed(), Kept::Synced, 0), ["a", "a/x"]);
        assert_eq!(left(&renamed(), Kept::All, 0), ["a", "a/y", "a/z"]);
    }

    #[test]
    fn a_folder_that_was_not_synced_is_lost_with_what_is_in_it() {
        let mut names = Names::default();
        add(&mut names, "a", Node::Folder);
        add(&mut names, "a/x", Node::File(1));
        names.sync("a");
        assert!(left(&names, Kept::Synced, 0).is_empty());
        names.sync("");
        assert_eq!(left(&names, Kept::Synced, 0), ["a", "a/x"]);
    }
}
