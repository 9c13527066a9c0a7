//! Replies of a channel under their posts.
//!
//! Messages come in the order in which they were sent; a page that people read has a post and its
//! replies together. So entries wait until there are many bytes of them; a reply whose post has gone
//! stands where it was sent, and says what it answers. Where entries are let go depends on what they
//! hold alone.

use std::collections::HashMap;

use crate::entry::Entry;

/// Stored bytes of entries that wait: as much as nearly every channel has.
const WAITING_BYTES: usize = 32 << 20;

/// An entry in its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) entry: Entry,
    /// Does it stand under the post that it answers?
    pub(super) is_under: bool,
}

/// Entries that wait for replies.
#[derive(Debug, Default)]
pub(super) struct Threads {
    waiting: Vec<Entry>,
    bytes: usize,
}

impl Threads {
    /// Takes the next entry; gives those that wait no longer.
    pub(super) fn push(&mut self, entry: Entry) -> Vec<Placed> {
        self.bytes +=
            entry.versions.iter().map(|version| version.document.json().len()).sum::<usize>();
        self.waiting.push(entry);
        if self.bytes < WAITING_BYTES { Vec::new() } else { self.finish() }
    }

    /// All that wait: each post with its replies behind it.
    pub(super) fn finish(&mut self) -> Vec<Placed> {
        self.bytes = 0;
        let entries = std::mem::take(&mut self.waiting);
        let mut threads: Vec<Vec<Placed>> = Vec::new();
        let mut posts: HashMap<String, usize> = HashMap::new();
        for entry in entries {
            let post = entry.key.reply_to.as_ref().and_then(|root| posts.get(root).copied());
            if let Some(thread) = post.and_then(|at| threads.get_mut(at)) {
                thread.push(Placed { entry, is_under: true });
                continue;
            }
            if entry.key.reply_to.is_none() {
                let _twin = posts.insert(entry.key.id.clone(), threads.len());
            }
            threads.push(vec![Placed { entry, is_under: false }]);
        }
        threads.into_iter().flatten().collect()
    }
}
