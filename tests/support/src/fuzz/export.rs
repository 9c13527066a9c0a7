//! Any message, handed out in every format.

use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Document, Memory, Storage, Timestamp};
use chatvault_export::check::Proof;
use chatvault_export::{Export, Format, Request, Run};
use chatvault_query::search::Search;

use super::{archive, offer};

/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;
/// Formats, without those whose rendering takes longest.
const FORMATS: [Format; 7] = [
    Format::Eml,
    Format::Mbox,
    Format::Csv,
    Format::Html,
    Format::Jsonl,
    Format::Rsmf,
    Format::Dat,
];

/// Any bytes as a message, twice with another version of it if it has one: every format hands out
/// what the archive stored, no file is damaged, and no renderer stops at it. Words can be looked for.
pub fn export(bytes: &[u8]) {
    let archive = archive();
    let counts = offer(&archive, &[bytes]);
    let newest = chatvault_engine::Scan { limit: Some(1), ..chatvault_engine::Scan::default() };
    let mut rows = archive.snapshot().unwrap().scan(&newest).unwrap();
    // What was not stored, and what was sent in the last millisecond that has a text.
    let created = rows.next().unwrap().map(|row| row.created().ms());
    assert_eq!(created.is_some(), counts.stored == 1);
    if created.is_none_or(|ms| ms >= LAST_MS) {
        return;
    }
    let words: Search = "a OR \"b c\" OR d*".parse().unwrap();
    let _found = words.matches(&Document::parse(bytes).unwrap());
    for format in FORMATS {
        let request = Request {
            format,
            name: "fuzz".to_owned(),
            all_time: true,
            window_days: 0,
            all_versions: true,
            raw_json: true,
            attachment_rows: true,
            part_bytes: 65_536,
            ..Request::default()
        };
        let snapshot = archive.snapshot().unwrap();
        let export = Export::new(&snapshot, request, Timestamp::from_ms(0)).unwrap();
        let folder: Arc<dyn Storage> = Arc::new(Memory::default());
        let how = Run { threads: 0, ..Run::default() };
        let go_on = &mut |_: &chatvault_export::Progress| ControlFlow::Continue(());
        let index = export.run(Arc::clone(&folder), how, go_on).unwrap();
        assert_eq!(index.counts.messages + index.counts.events, 1, "{format:?}");
        let scratch: Arc<dyn Storage> = Arc::new(Memory::default());
        let report = export.check((&folder, &scratch), how, &mut |_| ControlFlow::Continue(()));
        let report = report.unwrap();
        let is_whole = report.is_good() && report.proof == Proof::Bytes;
        assert!(is_whole, "{format:?}: {:?}", report.findings);
    }
}
