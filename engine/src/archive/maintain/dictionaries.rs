//! Which dictionary new segments are packed with, and when another one is trained.
//!
//! Invariant: a dictionary is an immutable file that manifests name as long as a segment needs it. The
//! newest is for what is built next; it is trained again once so many rows come together that it would
//! be another one.

use std::sync::Arc;

use crate::archive::Shared;
use crate::archive::state::{Live, State};
use crate::error::Result;
use crate::format::multiset::Multiset;
use crate::format::names::FileKind;
use crate::manifest::{FileEntry, Manifest};
use crate::segment::{Dictionary, RowReader, Samples, Trained, encode_dictionary};
use crate::storage::{Storage, whole};
use crate::types::Sequence;

/// Another dictionary is trained for so many times the rows that the newest one was trained for.
const MORE: u64 = 2;
/// For that about so many rows of a merge are read.
const SAMPLED_ROWS: u64 = 100_000;

/// A dictionary to pack with, and its file if no manifest names it yet.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) dictionary: Option<Trained>,
    pub(crate) file: Option<FileEntry>,
}

impl Shared {
    /// The dictionary to pack so many rows with, texts at this level. A new one is written under a new
    /// number and trained on what `sample` offers, which is one of so many rows.
    pub(crate) fn dictionary(
        &self,
        state: &State,
        (rows, level): (u64, i32),
        number: &mut dyn FnMut() -> Result<u64>,
        sample: &mut dyn FnMut(&mut Samples) -> usize,
    ) -> Result<Chosen> {
        let newest = newest(&state.manifest);
        let least = newest.map_or(1, |entry| entry.rows.saturating_mul(MORE));
        let known = newest.and_then(|entry| {
            let number = entry.number;
            // One that cannot be read is damage, and `verify` tells it; rows can be packed all the same.
            let bytes = Dictionary::find(&*self.host.storage, number).read().ok()?;
            Trained::new(number, &bytes, level)
        });
        if known.is_some() && rows < least {
            return Ok(Chosen { dictionary: known, file: None });
        }
        let mut samples = Samples::default();
        let times = sample(&mut samples);
        let Some(bytes) = samples.train(times) else {
            return Ok(Chosen { dictionary: known, file: None });
        };
        self.need_lock()?;
        let number = number()?;
        let file = write(&*self.host.storage, (self.archive, number), &bytes, rows)?;
        Ok(Chosen { dictionary: Trained::new(number, &bytes, level), file: Some(file) })
    }
}

/// Writes a dictionary that was trained for so many rows under its name, durably.
pub(crate) fn write(
    storage: &dyn Storage,
    (archive, number): ([u8; 16], u64),
    dictionary: &[u8],
    rows: u64,
) -> Result<FileEntry> {
    let (kind, file) = (FileKind::Dictionary, encode_dictionary(archive, number, dictionary)?);
    whole::write_new(storage, &kind.path(number), &file)?;
    Ok(FileEntry {
        kind,
        number,
        level: 0,
        bytes: file.len() as u64,
        hash: *blake3::hash(&file).as_bytes(),
        rows,
        multiset: Multiset::default(),
        first: Sequence(0),
        last: Sequence(0),
    })
}

/// Offers rows of segments here and there; one of how many.
pub(crate) fn sample(lives: &[Arc<Live>], samples: &mut Samples) -> usize {
    let rows: u64 = lives.iter().map(|live| live.entry.rows).sum();
    let step = usize::try_from(rows.div_ceil(SAMPLED_ROWS)).unwrap_or(usize::MAX).max(1);
    let mut document = Vec::new();
    for segment in lives.iter().filter_map(|live| live.segment().ok()) {
        // What cannot be read meets the merge itself.
        let Ok(mut reader) = RowReader::new(Arc::clone(segment)) else { continue };
        for group in segment.meta.groups.iter().step_by(step) {
            for row in group.first_row..group.end_row() {
                document.clear();
                if reader.render(row, &mut document).is_ok() {
                    samples.offer(&document);
                }
            }
        }
    }
    step
}

fn newest(manifest: &Manifest) -> Option<&FileEntry> {
    manifest.files.iter().rfind(|entry| entry.kind == FileKind::Dictionary)
}

/// Dictionaries that no segment needs any more, once `segments` are all that there are; the newest one
/// of `manifest` and `new` is for what comes. None, if a segment cannot be asked.
pub(crate) fn unused<'s>(
    manifest: &Manifest,
    new: Option<&FileEntry>,
    segments: impl Iterator<Item = &'s Arc<Live>>,
) -> Vec<u64> {
    let needed = segments.map(|live| live.segment().ok().map(|segment| segment.meta.dictionary));
    let Some(needed) = needed.collect::<Option<Vec<u64>>>() else { return Vec::new() };
    let newest = new.or_else(|| newest(manifest)).map(|entry| entry.number);
    let dictionaries = manifest.files.iter().filter(|entry| entry.kind == FileKind::Dictionary);
    let numbers = dictionaries.map(|entry| entry.number);
    numbers.filter(|number| Some(*number) != newest && !needed.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use chatvault_base::go_on;

    use super::*;
    use crate::archive::tests::{Place, offer, options, place};
    use crate::archive::{Archive, Depth};
    use crate::format::names::TRASH;
    use crate::options::{Host, Options};
    use crate::scan::Scan;

    /// Documents with enough text in common to pay for a dictionary.
    fn documents(rows: std::ops::Range<u64>) -> Vec<String> {
        const WORDS: [&str; 5] = ["budget", "meeting", "tomorrow", "please", "review"];
        let one = |row: u64| {
            let word = |at: u64| WORDS[usize::try_from((row * 7 + at * row % 11) % 5).unwrap()];
            let words = (0..24).map(word);
            let text = words.collect::<Vec<_>>().join(" ");
            let (ms, chat) = (1_700_000_000_000 + row * 1000, row % 5);
            format!(
                r#"{{"id":"{ms}","etag":"{ms}","chatId":"19:{chat}@thread.v2","createdDateTime":"2023-11-14T22:13:20Z","lastModifiedDateTime":"2023-11-14T22:13:20Z","body":{{"content":"{text} {row}"}}}}"#
            )
        };
        rows.map(one).collect()
    }

    fn open(place: &Place) -> Archive {
        let options = Options { background_compaction: false, ..options() };
        let host = Host::new(Arc::clone(place));
        Archive::open(host.clone(), options.clone())
            .unwrap_or_else(|_| Archive::create(host, options).unwrap())
    }

    fn import(place: &Place, rows: std::ops::Range<u64>) {
        let archive = open(place);
        let _ = offer(&archive, "ada", &documents(rows));
        archive.close().unwrap();
    }

    /// The dictionaries that the manifest names, and the one that each segment names.
    fn named(archive: &Archive) -> (Vec<u64>, Vec<u64>) {
        let state = archive.shared.state();
        let dictionaries = state.manifest.files.iter();
        let dictionaries = dictionaries.filter(|entry| entry.kind == FileKind::Dictionary);
        let segments = state.segments.iter().map(|live| live.segment().unwrap().meta.dictionary);
        (dictionaries.map(|entry| entry.number).collect(), segments.collect())
    }

    fn rows(archive: &Archive) -> Vec<Vec<u8>> {
        let snapshot = archive.snapshot().unwrap();
        let (mut rows, mut all) = (snapshot.scan(&Scan::default()).unwrap(), Vec::new());
        while let Some(row) = rows.next().unwrap() {
            all.push(row.json().to_owned());
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn segments_share_a_dictionary_until_twice_the_rows_are_packed_and_the_last_one_takes_it_along()
    {
        let place = place();
        import(&place, 0..300);
        import(&place, 300..600);
        let archive = open(&place);
        let (first, segments) = named(&archive);
        assert_eq!((first.len(), &segments[..]), (1, &[first[0], first[0]][..]));
        let (pinned, all) = (archive.snapshot().unwrap(), rows(&archive));
        let report = archive.compact(&mut go_on).unwrap();
        assert!(report.finished);
        let (second, segments) = named(&archive);
        assert_eq!((second.len(), segments.contains(&second[0])), (1, true));
        assert!(second > first, "twice the rows");
        let trash = place.list(TRASH).unwrap();
        let gone = FileKind::Dictionary.name(first[0]);
        assert!(trash.iter().any(|file| file.name.ends_with(&gone)));
        assert_eq!(rows(&archive), all);
        let (mut old, mut count) = (pinned.scan(&Scan::default()).unwrap(), 0);
        while old.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 600, "a snapshot reads on under the dictionary in the trash");
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!((report.damages, report.strangers), (Vec::new(), Vec::new()));
        drop(archive);
        import(&place, 600..900);
        let archive = open(&place);
        assert_eq!(named(&archive).0, second, "fewer rows take the one that is there");
    }

    #[test]
    fn a_damaged_dictionary_is_told_and_takes_rows_only_if_two_of_its_pieces_are_gone() {
        let place = place();
        import(&place, 0..3000);
        let archive = open(&place);
        let (path, all) = (FileKind::Dictionary.path(named(&archive).0[0]), rows(&archive));
        archive.close().unwrap();
        let bytes = whole::read(&*place, &path, u64::MAX).unwrap();
        let damage = |places: &[usize]| {
            let mut bytes = bytes.clone();
            for at in places {
                bytes[*at] ^= 1;
            }
            place.remove(&path).unwrap();
            whole::write_new(&*place, &path, &bytes).unwrap();
        };
        damage(&[100]);
        let archive = open(&place);
        assert_eq!(rows(&archive), all);
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        let files: Vec<&str> = report.damages.iter().map(|damage| &*damage.file).collect();
        assert_eq!(files, [&*path]);
        archive.close().unwrap();
        damage(&[100, bytes.len() - 20]);
        let archive = open(&place);
        let snapshot = archive.snapshot().unwrap();
        assert_eq!(snapshot.count(&Scan::default()).unwrap(), 3000, "keys need no dictionary");
        let mut scan = snapshot.scan(&Scan::default()).unwrap();
        let error = scan.next().unwrap_err();
        assert!(
            error.to_string().contains(&path) || format!("{error:?}").contains(&path),
            "{error:?}"
        );
        // Commits go on, with another dictionary.
        drop(archive);
        import(&place, 3000..6000);
        let archive = open(&place);
        assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), 6000);
    }

    #[test]
    fn small_archives_have_none() {
        let place = place();
        import(&place, 0..100);
        assert_eq!(named(&open(&place)), (vec![], vec![0]));
    }
}
