//! Lives of many short processes: what is merged when, in how many rows, and what a stop leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_base::{Progress, continue_if, go_on};

use super::choose::FANOUT;
use super::{SMALL, Span, span};
use crate::archive::tests::{Place, document, offer, options, place};
use crate::archive::{Archive, Batch, Depth, Origin};
use crate::format::names::FileKind;
use crate::manifest::FileEntry;
use crate::options::{Host, Options};
use crate::scan::Scan;
use crate::storage::bent::Bend;
use crate::storage::{Storage, WriteFile, whole};
use crate::types::{Custodian, RecordKind};

const SEGMENT_ROWS: u64 = SMALL.segment_rows;

fn open(place: &Place, merges: bool) -> Archive {
    let options = Options { background_compaction: merges, ..options() };
    let host = Host::new(Arc::clone(place));
    match Archive::open(host.clone(), options.clone()) {
        Ok(archive) => archive,
        Err(_) => Archive::create(host, options).unwrap(),
    }
}

/// A day's documents: later ones of the same chats, which delivers some of the day before again.
fn day(number: u64, rows: u64) -> Vec<String> {
    let first = (number * rows).saturating_sub(rows / 8);
    (first..(number + 1) * rows).map(|at| document(usize::try_from(at % 13).unwrap(), at)).collect()
}

/// A process a day.
fn live(place: &Place, days: std::ops::Range<u64>, rows: u64, merges: bool) {
    for number in days {
        let archive = open(place, merges);
        let _ = offer(&archive, if number % 2 == 0 { "ada" } else { "ben" }, &day(number, rows));
        archive.close().unwrap();
    }
}

fn segments(archive: &Archive) -> Vec<FileEntry> {
    archive.shared.state().segments.iter().map(|live| live.entry.clone()).collect()
}

fn spans(archive: &Archive) -> BTreeMap<u8, Vec<Span>> {
    let mut spans: BTreeMap<u8, Vec<Span>> = BTreeMap::new();
    for live in &archive.shared.state().segments {
        spans.entry(live.entry.level).or_default().push(span(live).unwrap());
    }
    spans
}

/// How many of these have rows of one place at most.
fn deepest(spans: &[Span]) -> usize {
    let over = |at: &Span| {
        spans.iter().filter(|span| span.first <= at.first && at.first <= span.last).count()
    };
    spans.iter().map(over).max().unwrap_or(0)
}

fn is_sound(archive: &Archive, rows: u64) {
    let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
    assert_eq!((report.damages, report.strangers), (Vec::new(), Vec::new()));
    assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), rows);
}

#[test]
fn short_processes_merge_at_their_end_and_files_stay_few() {
    let place = place();
    let (days, rows) = (200, 40);
    for number in 0..days {
        live(&place, number..number + 1, rows, true);
        let archive = open(&place, false);
        let spans = spans(&archive);
        for (level, spans) in &spans {
            assert!(deepest(spans) < FANOUT, "day {number}, level {level}: {spans:?}");
        }
        let files = &archive.shared.state().manifest.files;
        let others = files.len() - archive.shared.state().segments.len();
        assert!(others < 4 * FANOUT, "day {number}: {others} ledgers");
    }
    let archive = open(&place, false);
    assert_eq!(spans(&archive).keys().copied().collect::<Vec<u8>>(), [1, 2]);
    let largest = segments(&archive).iter().map(|entry| entry.rows).max().unwrap();
    assert!(largest <= SEGMENT_ROWS * 8 / 5, "{largest} rows in a segment");
    is_sound(&archive, days * rows);
}

#[test]
fn a_level_of_many_segments_is_merged_part_by_part() {
    let place = place();
    // So many rows that a run of level 1 has several segments, and eight of them more than a step.
    let rows = SEGMENT_ROWS / 2;
    live(&place, 0..64, rows, true);
    let archive = open(&place, false);
    is_sound(&archive, 64 * rows);
    let by_level = spans(&archive);
    assert_eq!(by_level.keys().copied().collect::<Vec<u8>>(), [2], "{by_level:?}");
    assert_eq!(deepest(&by_level[&2]), 1, "one run");
    assert!(64 * rows > 2 * SMALL.step_rows());
}

#[test]
fn a_merge_that_is_stopped_keeps_its_steps() {
    let place = place();
    let rows = SEGMENT_ROWS / 2;
    live(&place, 0..64, rows, false);
    let archive = open(&place, false);
    let total = 64 * rows;
    let mut last = (0, None);
    let report = archive.compact(&mut |progress| {
        last = (progress.done, progress.of);
        continue_if(progress.done < total * 3 / 2)
    });
    let report = report.unwrap();
    assert!(!report.finished && last.0 >= total * 3 / 2, "{report:?}, {last:?}");
    let hard = |archive: &Archive| {
        let hard = segments(archive).into_iter().filter(|entry| entry.level == 9);
        hard.map(|entry| entry.rows).sum::<u64>()
    };
    let kept = hard(&archive);
    assert!(kept > 0 && kept < total, "{kept} of {total} rows");
    is_sound(&archive, total);
    let again = archive.compact(&mut go_on).unwrap();
    assert!(
        again.finished && again.rows <= total - kept + SMALL.step_rows(),
        "{again:?} after {kept}"
    );
    assert_eq!((hard(&archive), deepest(&spans(&archive)[&9])), (total, 1));
    is_sound(&archive, total);
    assert_eq!(archive.compact(&mut go_on).unwrap().rows, 0);
}

#[test]
fn a_conversation_of_many_rows_is_cut_between_them() {
    let place = place();
    let archive = open(&place, false);
    for part in 0..4 {
        let rows = SEGMENT_ROWS * part..SEGMENT_ROWS * (part + 1);
        let _ = offer(&archive, "ada", &rows.map(|at| document(0, at)).collect::<Vec<_>>());
        archive.seal().unwrap();
    }
    assert!(archive.compact(&mut go_on).unwrap().finished);
    let found = segments(&archive);
    assert!((3..=4).contains(&found.len()), "{found:?}");
    assert_eq!(deepest(&spans(&archive)[&9]), 1);
    is_sound(&archive, 4 * SEGMENT_ROWS);
}

#[test]
fn ledgers_are_summed_up_in_their_order_and_what_was_taken_back_stays_so() {
    let place = place();
    let positions = |archive: &Archive| archive.checkpoints("").unwrap();
    let mut expected = BTreeMap::new();
    for number in 0..100_u8 {
        let archive = open(&place, true);
        let mut batch = archive.batch(archive.begin_run("positions").unwrap());
        let name = format!("window {}", number % 5);
        let value = if number % 7 == 3 { Vec::new() } else { vec![number] };
        batch.checkpoint(&name, &value);
        drop(batch.commit().unwrap());
        archive.close().unwrap();
        drop(expected.insert(name, value));
        let mut there: Vec<_> = expected.clone().into_iter().collect();
        there.retain(|(_, value)| !value.is_empty());
        assert_eq!(positions(&open(&place, false)), there, "after {number}");
    }
    let archive = open(&place, false);
    let ledgers = archive.shared.state().manifest.files.len();
    assert!(ledgers < 2 * FANOUT, "{ledgers} ledgers");
    assert_eq!(archive.runs().unwrap().len(), 100);
}

/// Counts how often a segment was begun.
#[derive(Debug)]
struct Begun {
    below: Place,
    segments: std::sync::atomic::AtomicU64,
}

impl Bend for Begun {
    fn below(&self) -> &dyn Storage {
        &*self.below
    }

    fn created(&self, path: &str) -> std::io::Result<Box<dyn WriteFile>> {
        if path.ends_with(".seg.tmp") {
            let _before = self.segments.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        self.below.create(path)
    }
}

#[test]
fn no_merge_is_thrown_away_and_each_row_is_rewritten_once_a_level() {
    let begun = Arc::new(Begun { below: place(), segments: 0.into() });
    let place: Place = Arc::clone(&begun) as Place;
    let (days, rows) = (64 + 32, 30);
    let mut published = BTreeMap::new();
    for number in 0..days {
        live(&place, number..number + 1, rows, true);
        let archive = open(&place, false);
        published.extend(segments(&archive).into_iter().map(|it| (it.number, (it.level, it.rows))));
    }
    // The trash keeps what was there only in between.
    let trash = place.list("trash").unwrap().into_iter();
    let trash = trash.filter(|file| file.name.split('.').next_back() == Some("seg")).count() as u64;
    let there = segments(&open(&place, false)).len() as u64;
    assert_eq!(begun.segments.load(std::sync::atomic::Ordering::SeqCst), trash + there);
    let of_level = |level: u8| {
        published.values().filter(|(of, _)| *of == level).map(|(_, rows)| rows).sum::<u64>()
    };
    assert!(of_level(1) <= days * rows, "{published:?}");
    assert!(of_level(2) <= days * rows, "{published:?}");
}

#[test]
fn what_a_merge_has_built_and_not_named_yet_is_not_cleared_out() {
    let place = place();
    live(&place, 0..2, 40, false);
    let archive = open(&place, false);
    let path = FileKind::Segment.path(archive.shared.file_number().unwrap());
    whole::write_new(&*place, &path, b"built by a merge beside").unwrap();
    // Later files are named meanwhile, and others are not needed any more.
    let _ = offer(&archive, "ada", &day(3, 40));
    archive.seal().unwrap();
    assert!(archive.shared.sum_up(true).unwrap());
    assert!(place.open(&path).is_ok(), "{path} is not in its place");
}

#[test]
fn a_process_that_writes_for_long_remembers_few_moves_and_copies_still_find_their_rows() {
    let (place, rows, days) = (place(), 40_u64, 120_u64);
    let archive = open(&place, true);
    let copies = |number: u64| {
        (number * rows..(number + 1) * rows)
            .map(|at| document(usize::try_from(at % 13).unwrap(), at))
            .collect::<Vec<String>>()
    };
    let offered = |batch: &mut Batch, name: &str, number: u64| {
        let origin = Origin { source: "test", offset: 0 };
        for document in copies(number) {
            let copy = document.as_bytes();
            batch.offer(&Custodian::user(name), RecordKind::Message, copy, origin);
        }
    };
    let run = archive.begin_run("test").unwrap();
    let mut kept = Vec::new();
    for number in 0..days {
        let mut batch = archive.batch(run);
        offered(&mut batch, "ada", number);
        if number > 30 {
            // Long sealed and merged, and still known by what the process remembers.
            offered(&mut batch, "ben", number - 30);
        }
        drop(batch.commit().unwrap());
        if number % 40 == 20 {
            // A batch that waits for some days has places of rows that move meanwhile.
            let mut batch = archive.batch(run);
            offered(&mut batch, "eve", number);
            kept.push((number + 12, batch));
        }
        archive.seal().unwrap();
        if number % 8 == 7 {
            let _rows = compacted(&archive);
        }
        for (_, batch) in kept.extract_if(.., |(until, _)| *until == number) {
            assert_eq!(batch.commit().unwrap().counts.duplicates, rows, "day {number}");
        }
        // Nobody has places of before any more: two seals give back what has moved.
        if number % 40 == 39 {
            let moved = archive.shared.moves.rows();
            assert!(moved <= SMALL.moved_rows + 4 * rows, "day {number}: {moved} moves");
        }
    }
    assert!(kept.is_empty());
    let count = |name: &str| {
        let custodians = vec![Custodian::user(name)];
        archive.snapshot().unwrap().count(&Scan { custodians, ..Scan::default() }).unwrap()
    };
    assert_eq!([count("ada"), count("ben"), count("eve")], [days, days - 31, 3].map(|n| n * rows));
    is_sound(&archive, days * rows);
}

/// Compacts; gives how many rows were packed anew.
fn compacted(archive: &Archive) -> u64 {
    let mut told = 0;
    let mut ends = |_: &Progress| {
        told += 1;
        continue_if(told < 10_000)
    };
    let report = archive.compact(&mut ends).unwrap();
    assert!(report.finished, "it goes on and on");
    report.rows
}

#[test]
fn a_compaction_ends_wherever_rows_lie_and_leaves_nothing_to_do() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    for round in 0..10 {
        let place = place();
        let archive = open(&place, false);
        let mut numbers = std::collections::BTreeSet::new();
        for _ in 0..5 {
            for _ in 0..=below(9) {
                let (chat, chats, rows) = (below(9), 1 + below(3), 1 + below(4) * SEGMENT_ROWS);
                let new: Vec<u64> = (0..rows).map(|_| below(1 << 20)).collect();
                let new = new.into_iter().filter(|number| numbers.insert(*number));
                let chat = |number: u64| usize::try_from(chat + number % chats).unwrap();
                let documents: Vec<String> =
                    new.map(|number| document(chat(number), number)).collect();
                let _ = offer(&archive, "ada", &documents);
                archive.seal().unwrap();
            }
            let _rows = compacted(&archive);
            assert_eq!(compacted(&archive), 0, "round {round}: packed twice");
        }
        is_sound(&archive, numbers.len() as u64);
    }
}
