//! Daily life: many processes that open, commit and close. What it costs is counted, not timed.

use std::sync::Arc;

use chatvault_engine::{Archive, Stat, Storage};
use chatvault_support::{Draft, Random};

use crate::kit::{ada, ben, commit, everything, host, rows, small};

/// Processes, commits of each, messages of each of these.
const LIVES: u64 = 64;
const COMMITS: u64 = 3;
const MESSAGES: u64 = 20;

fn memory() -> Arc<dyn Storage> {
    Arc::new(chatvault_engine::Memory::default())
}

/// Messages of a day in a few of many chats.
fn messages(number: u64) -> Vec<String> {
    let random = &mut Random::new(number);
    let message = |at: u64| {
        let created = i64::try_from(1_700_000_000_000 + (number * MESSAGES + at) * 60_000).unwrap();
        let words = ["the", "offer", "is", "due", "on", "monday", "please", "look", "at", "page"];
        let text: Vec<&str> = (0..8).map(|_| *random.pick(&words).unwrap()).collect();
        Draft::chat(&format!("19:chat{}", random.below(40)), created).text(&text.join(" ")).json()
    };
    (0..MESSAGES).map(message).collect()
}

/// A process; gives what it wrote, its end included, and what it left.
fn live(storage: &Arc<dyn Storage>, life: u64) -> Stat {
    let mut options = small();
    options.background_compaction = true;
    let archive = match life {
        0 => Archive::create(host(storage), options).unwrap(),
        _ => Archive::open(host(storage), options).unwrap(),
    };
    for at in 0..COMMITS {
        let texts = messages(life * COMMITS + at);
        let custodian = if at == 2 { ben() } else { ada() };
        commit(&archive, &custodian, &texts.iter().map(String::as_bytes).collect::<Vec<_>>());
    }
    let closed = archive.clone();
    archive.close().unwrap();
    closed.stat().unwrap()
}

/// What stays: nothing that is derived, and no trash.
fn kept(stat: &Stat) -> u64 {
    let parts = ["segments", "ledger", "journal", "manifest"];
    parts.iter().filter_map(|part| stat.bytes_by_part.get(*part)).sum()
}

#[test]
fn many_short_processes_leave_few_files_and_write_each_row_a_few_times() {
    let storage = memory();
    let mut most = 0;
    let mut last = Stat::default();
    for life_number in 0..LIVES {
        last = live(&storage, life_number);
        most = most.max(last.segments);
    }
    assert_eq!(last.versions, LIVES * COMMITS * MESSAGES);
    assert!(most <= 14, "seven of level 0 and seven of level 1, but {most}");
    assert_eq!(last.segments, 1, "eight times eight lives are one segment of level 2");
    let files = storage.list("segments").unwrap();
    let ledgers = files.iter().filter(|file| file.name.ends_with("led")).count();
    assert_eq!(ledgers, 1, "and one ledger");
    // A life's own floor: two journal files' headers, zeros ahead, four manifests.
    let each = last.bytes_written / LIVES;
    assert!(each < 130_000, "{each} bytes a life");
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    let told = archive.stat().unwrap().bytes_written;
    assert!(
        told.abs_diff(last.bytes_written) < 16_384,
        "all lives, as a reader tells them: {told}"
    );
    let expected: Vec<String> = (0..LIVES * COMMITS).flat_map(messages).collect();
    let found = rows(&archive.snapshot().unwrap(), &everything()).unwrap();
    let mut found: Vec<String> =
        found.into_iter().map(|row| String::from_utf8(row.json).unwrap()).collect();
    found.sort_unstable();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    assert!(kept(&last) < 120 * last.versions, "{:?}", last.bytes_by_part);
}

#[test]
fn a_life_late_in_a_year_writes_no_more_than_an_early_one_but_for_its_merges() {
    let storage = memory();
    let totals: Vec<u64> = (0..LIVES).map(|number| live(&storage, number).bytes_written).collect();
    let before = [0].into_iter().chain(totals.iter().copied());
    let written: Vec<u64> = totals.iter().zip(before).map(|(all, before)| all - before).collect();
    let quiet = |lives: &[u64]| lives.iter().copied().min().unwrap_or(0);
    let (early, late) = (quiet(&written[..8]), quiet(&written[56..]));
    assert!(late < early + 16_384, "{early} bytes at first, {late} at last: {written:?}");
}
