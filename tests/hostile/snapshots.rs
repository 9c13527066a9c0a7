//! What a snapshot takes: not what the commits behind it say.

use std::sync::Arc;

use chatvault_engine::{Archive, Custodian, Memory, MessageKey, Options, Origin, RecordKind};
use chatvault_support::Draft;
use chatvault_support::forge::host;

use crate::{ALLOCATOR, alone};

const COMMITS: i64 = 48;
/// Links that each commit adds: some 300 bytes of memory each.
const LINKS: usize = 400;
/// Bytes that all questions of one snapshot may take, one after the other.
const MOST_BYTES: usize = 64 << 10;

fn key(id: &str) -> MessageKey {
    let conversation = "19:one".to_owned();
    MessageKey { record: RecordKind::Message, conversation, reply_to: None, id: id.to_owned() }
}

/// One commit by somebody new: a message, and links of messages that nobody else links.
fn commit(archive: &Archive, at: i64) {
    let object = archive.put_object(&mut &b"a picture"[..]).unwrap();
    let mut batch = archive.batch(archive.begin_run(&format!("run {at}")).unwrap());
    let (custodian, origin) =
        (Custodian::user(&format!("user {at}")), Origin { source: "page.json", offset: 0 });
    batch.offer(
        &custodian,
        RecordKind::Message,
        Draft::chat("19:one", at).json().as_bytes(),
        origin,
    );
    for link in 0..LINKS {
        batch.link(&key(&format!("message {link} of commit {at}")), "attachment", object);
    }
    batch.checkpoint("position", &at.to_le_bytes());
    drop(batch.commit().unwrap());
}

/// Everything that is known beside rows, asked of a new snapshot.
fn ask(archive: &Archive, at: i64) {
    let snapshot = archive.snapshot().unwrap();
    let linked = key(&format!("message 7 of commit {at}"));
    assert_eq!(snapshot.links(&linked).unwrap().len(), 1);
    assert!(snapshot.has_links() && snapshot.commit().sequence == snapshot.sequence());
    let commits = usize::try_from(at).unwrap();
    assert_eq!(snapshot.custodians().unwrap().len(), commits);
    assert_eq!(archive.runs().unwrap().len(), commits);
    assert_eq!(archive.checkpoint("position").unwrap(), Some(at.to_le_bytes().to_vec()));
    assert_eq!(snapshot.quarantine().unwrap().count(), 0);
    assert_eq!(archive.stat().unwrap().messages, commits as u64);
}

#[test]
fn a_snapshot_after_each_commit_does_not_take_what_the_commits_say() {
    let _alone = alone();
    let mut options = Options::default();
    options.background_compaction = false;
    let archive = Archive::create(host(Arc::new(Memory::new())), options).unwrap();
    let empty = ALLOCATOR.current_usage();
    for at in 1..=COMMITS {
        commit(&archive, at);
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        ask(&archive, at);
        let bytes = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(bytes < MOST_BYTES, "behind commit {at} questions take {bytes} bytes");
    }
    let there = ALLOCATOR.current_usage() - empty;
    assert!(there > 50 * MOST_BYTES, "commits say so little that nothing is shown: {there} bytes");
}
