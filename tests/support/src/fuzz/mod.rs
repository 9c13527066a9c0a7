//! What the fuzz targets do with their bytes: promises that hold for any input.
//!
//! The targets in `fuzz/` call nothing else, and the ordinary test run replays their saved corpus
//! through the same functions. A broken promise is a panic.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a broken promise has to stop the fuzzer, and a page is a file"
)]

pub mod archive;
mod export;
mod service;
mod time;

use std::fs::File;
use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Counts, Custodian, Depth, Host, Memory, Options, Origin, RecordKind, Scan, Stored,
    Versions, go_on,
};
use chatvault_ingest::{ImportOptions, Progress, Source};

use crate::{SteppingClock, json};

pub use export::export;
pub use service::{envelope, filter, link};
pub use time::timestamp;

/// A fuzz target: its name, which is also its corpus's folder, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 16] = [
    ("page", page),
    ("message", message),
    ("canonical", canonical),
    ("filter", filter),
    ("link", link),
    ("timestamp", timestamp),
    ("envelope", envelope),
    ("export", export),
    ("archive_format", archive::format),
    ("archive_manifest", archive::manifest),
    ("archive_journal", archive::journal),
    ("archive_segment", archive::segment),
    ("archive_ledger", archive::ledger),
    ("archive_quarantine", archive::quarantine),
    ("archive_pack", archive::pack),
    ("archive_dictionary", archive::dictionary),
];

/// Any bytes as one document: they are given back exactly, from the journal and from a segment,
/// or they are in quarantine with a reason. White space around a document is not part of it.
pub fn message(bytes: &[u8]) {
    let archive = archive();
    let counts = offer(&archive, &[bytes, bytes]);
    check_law(counts, 2);
    assert_eq!(counts.variants, 0, "the same bytes twice are no variant");
    if counts.stored == 0 {
        let mut quarantine = archive.snapshot().unwrap().quarantine().unwrap().map(Result::unwrap);
        let kept = quarantine.find(|row| row.bytes == json::trim(bytes));
        assert!(!kept.unwrap().reason.is_empty(), "a reason is given");
        return check_sound(&archive);
    }
    assert_eq!((counts.stored, counts.duplicates), (1, 1), "the second copy is a duplicate");
    check_given_back(&archive, bytes);
    archive.seal().unwrap();
    check_given_back(&archive, bytes);
    check_sound(&archive);
}

/// Any bytes, and the same with other white space and escapes: one content address.
///
/// The first byte decides how the copy is spelled.
pub fn canonical(input: &[u8]) {
    let Some((&spelling, bytes)) = input.split_first() else { return };
    let archive = archive();
    let respelled = respell(bytes, spelling);
    let counts = offer(&archive, &[bytes, &respelled]);
    check_law(counts, 2);
    let same = (counts.stored, counts.duplicates) == (1, 1) || counts.quarantined == 2;
    let text = String::from_utf8_lossy(&respelled);
    assert!(same, "{counts:?} of {:?} and {text:?}", String::from_utf8_lossy(bytes));
    if counts.stored == 1 {
        check_given_back(&archive, bytes);
    }
}

/// Any bytes as the only file of an export: no copy is lost without a word, and importing the
/// file again stores nothing new.
pub fn page(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page-00001.json");
    File::create(&file).unwrap().write_all(bytes).unwrap();
    let archive = archive();
    let first = import(&archive, &file);
    check_law(first, first.offered);
    assert_eq!(rows(&archive), first.stored + first.variants, "{first:?}");
    let again = import(&archive, &file);
    check_law(again, first.offered);
    assert_eq!((again.stored, again.variants), (0, 0), "{first:?}, then {again:?}");
    check_sound(&archive);
}

/// Imports one file on one thread, so that a finding can be repeated.
fn import(archive: &Archive, file: &Path) -> Counts {
    let paths = vec![file.to_owned()];
    let source = Source::Files { custodian: Custodian::user("fuzz"), paths };
    let mut options = ImportOptions::default();
    options.threads = NonZeroUsize::MIN;
    let go_on = &mut |_: &Progress| ControlFlow::Continue(());
    let summary = chatvault_ingest::import(archive, vec![source], &options, go_on).unwrap();
    assert!(summary.finished, "nobody stopped it");
    summary.counts
}

/// Rows that a scan of everything gives.
fn rows(archive: &Archive) -> u64 {
    let scan = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    archive.snapshot().unwrap().count(&scan).unwrap()
}

/// An archive in memory that does nothing behind the fuzzer's back.
fn archive() -> Archive {
    let storage = Arc::new(Memory::default());
    let mut options = Options::default();
    options.environment = Some(crate::with_cache(1 << 20));
    options.memtable_bytes = 1 << 20;
    options.recall_bytes = 1 << 20;
    options.document_bytes = 1 << 20;
    options.background_compaction = false;
    let host = Host { storage, clock: Arc::new(SteppingClock::new(1)) };
    Archive::create(host, options).unwrap()
}

/// Commits copies as one batch.
fn offer(archive: &Archive, copies: &[&[u8]]) -> Counts {
    let mut batch = archive.batch(archive.begin_run("fuzz").unwrap());
    let custodian = Custodian::user("fuzz");
    for (offset, copy) in (0..).zip(copies) {
        batch.offer(&custodian, RecordKind::Message, copy, Origin { source: "fuzz", offset });
    }
    batch.commit().unwrap().counts
}

/// Every copy offered ended somewhere.
fn check_law(counts: Counts, offered: u64) {
    assert_eq!(counts.offered, offered, "{counts:?}");
    let ended = counts.stored + counts.variants + counts.duplicates + counts.quarantined;
    assert_eq!(ended, offered, "{counts:?}");
}

/// The archive's only row.
fn stored(archive: &Archive) -> Stored {
    let snapshot = archive.snapshot().unwrap();
    let scan = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    let mut rows = snapshot.scan(&scan).unwrap();
    rows.next().unwrap().unwrap().to_stored().unwrap()
}

/// The archive's only row is `bytes` without the white space around, by scan, by address and by
/// key.
fn check_given_back(archive: &Archive, bytes: &[u8]) {
    let bytes = json::trim(bytes);
    let snapshot = archive.snapshot().unwrap();
    let scan = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    let mut rows = snapshot.scan(&scan).unwrap();
    let row = rows.next().unwrap().unwrap();
    assert_eq!(row.json(), bytes, "by scan");
    let stored = row.to_stored().unwrap();
    assert!(rows.next().unwrap().is_none(), "one row, not more");
    assert_eq!(stored.json, bytes, "owned");
    assert_eq!(snapshot.get(&stored.address).unwrap().unwrap(), stored, "by address");
    let history = snapshot.history(&stored.key).unwrap();
    assert_eq!(history, std::slice::from_ref(&stored), "by key");
    assert_eq!(snapshot.latest(&stored.key).unwrap(), Some(stored), "the latest");
}

/// `verify --deep` has nothing to say.
fn check_sound(archive: &Archive) {
    let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
    assert_eq!(report.damages, [], "damages");
    assert!(report.finished && report.strangers.is_empty(), "{report:?}");
}

/// The same document spelled in another way: white space behind marks, letters as escapes.
/// Knows no grammar beyond strings, so that what is no JSON stays none.
fn respell(bytes: &[u8], spelling: u8) -> Vec<u8> {
    const SPACES: [&[u8]; 4] = [b"", b" ", b"\r\n\t", b"    "];
    let mut out = Vec::with_capacity(bytes.len() * 2);
    let (mut rest, mut in_string, mut turn) = (bytes, false, spelling);
    while let Some((&byte, behind)) = rest.split_first() {
        turn = turn.wrapping_mul(5).wrapping_add(7);
        let escape = if in_string && byte == b'\\' { escape_length(rest) } else { 1 };
        let (token, behind) = if escape > 1 { rest.split_at(escape) } else { (&rest[..1], behind) };
        rest = behind;
        in_string ^= byte == b'"';
        if in_string && byte.is_ascii_alphanumeric() && turn > 200 {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            continue;
        }
        out.extend_from_slice(token);
        if !in_string && b"{}[],:".contains(&byte) && rest.iter().any(|left| !is_space(*left)) {
            out.extend_from_slice(SPACES[usize::from(turn >> 6)]);
        }
    }
    out
}

/// Bytes of the escape that a string goes on with.
fn escape_length(rest: &[u8]) -> usize {
    let digits = rest.iter().skip(2).take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let length = if rest.get(1) == Some(&b'u') { 2 + digits } else { 2 };
    length.min(rest.len())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_respelled_document_means_the_same() {
        let text = r#"{"a b":[1,2.50,"x\"{\u00e9\\"],"c":{"d":null}}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut spellings = Vec::new();
        for spelling in 0..=255 {
            let respelled = respell(text.as_bytes(), spelling);
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&respelled).unwrap(), value);
            spellings.push(respelled);
        }
        spellings.sort_unstable();
        spellings.dedup();
        assert!(spellings.len() > 50, "only {} spellings", spellings.len());
    }
}
