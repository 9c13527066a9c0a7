//! What can be said without opening a part: do the lists beside them agree with themselves?

use chatvault_engine::Storage;

use super::{CheckReport, Problem};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::manifest::{Counts, Index, read_small};
use crate::part::is_named_after;

/// The largest list of checksums that is read.
const MOST_SUMS_BYTES: u64 = 64 << 20;
/// The largest index that is read: it was read once already.
const MOST_INDEX_BYTES: u64 = 256 << 20;

/// The index and the list of checksums, byte by byte.
pub(super) fn check_lists(
    storage: &dyn Storage,
    export: &str,
    index: &Index,
    report: &mut CheckReport,
) -> Result<()> {
    let name = Index::file_name(export);
    let text = read_small(storage, &name, MOST_INDEX_BYTES)?.unwrap_or_default();
    if text != index.text().as_bytes() {
        let how = "not in the form that it is written in, or with fields that are none".to_owned();
        report.add(None, Some(&name), Problem::Rewritten(how));
    }
    let name = Index::sums_name(export);
    match read_small(storage, &name, MOST_SUMS_BYTES)? {
        None => report.add(None, Some(&name), Problem::Missing),
        Some(sums) if sums == index.sums(export).as_bytes() => {}
        Some(_) => {
            let how = "it does not list the index's parts with their hashes".to_owned();
            report.add(None, Some(&name), Problem::Rewritten(how));
        }
    }
    Ok(())
}

/// Is there a part under this export's names that its index does not have?
pub(super) fn check_names(
    storage: &dyn Storage,
    index: &Index,
    report: &mut CheckReport,
) -> Result<()> {
    let files = storage.list("").map_err(Error::folder("list", "the folder"))?;
    for file in files {
        let is_listed = || index.parts.iter().any(|part| part.name == file.name);
        if is_named_after(&file.name, &index.head.export_id) && !is_listed() {
            report.add(Some(&file.name), None, Problem::NotListed);
        }
    }
    Ok(())
}

/// The sums over parts and windows.
pub(super) fn check_totals(index: &Index, report: &mut CheckReport) {
    if !index.finished {
        report.add(None, None, Problem::Unfinished);
    }
    let mut expect = |problem: Option<Problem>| {
        if let Some(problem) = problem {
            report.add(None, None, problem);
        }
    };
    let counts = index.total_counts();
    expect(Problem::unless_equal("the sum of the parts' counts", &index.counts, &counts));
    match index.total_digest() {
        None => expect(Some(Problem::Unreadable("a fingerprint in the index".to_owned()))),
        Some(digest) => {
            let told = &index.digest;
            let sum = hex(&digest.subject_sum());
            let root = hex(&digest.merkle_root());
            expect(Problem::unless_equal(
                "the subject sum over the parts",
                &told.subject_sum,
                &sum,
            ));
            expect(Problem::unless_equal("the Merkle root", &told.merkle_root, &root));
            let subjects = digest.subjects();
            expect(Problem::unless_equal("the number of versions", &told.subjects, &subjects));
        }
    }
    if index.finished {
        check_windows(index, report);
    }
}

fn check_windows(index: &Index, report: &mut CheckReport) {
    for window in &index.windows {
        let parts: Vec<_> =
            index.parts.iter().filter(|part| part.window == window.window.k).collect();
        let counts = parts.iter().fold(Counts::default(), |sum, part| sum.plus(part.counts));
        let found = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let numbers_follow = parts.iter().zip(1..).all(|(part, k)| part.k == k);
        let problems = [
            Problem::unless_equal("the number of a window's parts", &window.parts, &found),
            Problem::unless_equal("the sum of a window's counts", &window.counts, &counts),
            Problem::unless_equal("the order of a window's parts", &true, &numbers_follow),
        ];
        problems.into_iter().flatten().for_each(|problem| report.add(None, None, problem));
    }
    let windowless = |part: &&crate::manifest::PartRecord| {
        !index.windows.iter().any(|window| window.window.k == part.window)
    };
    if let Some(part) = index.parts.iter().find(windowless) {
        let why = "its window is not in the index".to_owned();
        report.add(Some(&part.name), None, Problem::Unreadable(why));
    }
}
