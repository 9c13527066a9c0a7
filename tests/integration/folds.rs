//! A row that was stored beside an unreadable one is folded into it once both can be read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Counts, Custodian, Depth, ErrorKind, Memory, RecordKind, RunSummary, Sequence,
    Sighting, Storage, Stored, VerifyReport, repair, verify,
};
use chatvault_support::forge::{
    FileKind, Forge, Packing, Proofs, Shape, fields, put_block, put_varint, with_field,
};
use chatvault_support::storage::{Survival, Volatile, files_in, read_whole, write_whole};
use chatvault_support::{Draft, Random};

use crate::kit::{ORIGIN, ada, ben, commit, everything, go_on, host, rows, small};

/// Rows of the segment that could not be read for a while; of these came again.
const ROWS: u64 = 40;
const AGAIN: u64 = 10;

fn message(at: u64) -> String {
    let at = i64::try_from(at).unwrap();
    Draft::chat("19:one", at).text(&format!("{at} words of a message")).json()
}

fn messages(numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
    numbers.map(message).collect()
}

fn deliver(archive: &Archive, custodian: &Custodian, numbers: std::ops::RangeInclusive<u64>) {
    let texts = messages(numbers);
    commit(archive, custodian, &texts.iter().map(String::as_bytes).collect::<Vec<_>>());
}

fn eve() -> Custodian {
    Custodian::user("eve")
}

/// The files of a kind, by their paths.
fn sealed(storage: &dyn Storage, suffix: &str) -> Vec<String> {
    let files = files_in(storage, "segments").unwrap().into_iter().map(|(path, _)| path);
    files.filter(|path| path.ends_with(suffix)).collect()
}

/// Nothing of the file can be read any more; gives what it was.
fn wipe(storage: &dyn Storage, path: &str) -> Vec<u8> {
    let whole = read_whole(storage, path).unwrap();
    write_whole(storage, path, &vec![0x55; whole.len()]).unwrap();
    whole
}

/// Ada's rows could not be read when Eve and she delivered some again, and then Ben. By now they can.
fn stored_twice() -> Volatile {
    let disk = Volatile::new();
    let storage = disk.storage();
    let archive = Archive::create(host(&storage), small()).unwrap();
    deliver(&archive, &ada(), 1..=ROWS);
    deliver(&archive, &ben(), 1..=2);
    archive.close().unwrap();
    let path = sealed(&*storage, ".seg").remove(0);
    let whole = wipe(&*storage, &path);
    let archive = Archive::open(host(&storage), small()).unwrap();
    let mut batch = archive.batch(archive.begin_run("beside").unwrap());
    for text in messages(1..=AGAIN) {
        for custodian in [eve(), ada()] {
            batch.offer(&custodian, RecordKind::Message, text.as_bytes(), ORIGIN);
        }
    }
    let report = batch.commit().unwrap();
    assert_eq!((report.stored_beside, report.counts.stored), (AGAIN, AGAIN));
    deliver(&archive, &ben(), 1..=3);
    deliver(&archive, &eve(), 999..=999);
    archive.close().unwrap();
    write_whole(&*storage, &path, &whole).unwrap();
    disk.fork()
}

fn compact(storage: &Arc<dyn Storage>) {
    let archive = Archive::open(host(storage), small()).unwrap();
    assert!(archive.compact(&mut go_on).unwrap().finished);
    archive.close().unwrap();
}

fn check(storage: &Arc<dyn Storage>) -> VerifyReport {
    verify(&host(storage), &small(), Depth::Deep, &mut go_on).unwrap()
}

/// Everything that folding may change, and more.
#[derive(Debug, PartialEq)]
struct Told {
    rows: Vec<Stored>,
    custodians: BTreeMap<Custodian, Counts>,
    runs: Vec<RunSummary>,
    content: (u64, [u8; 32]),
    stored_beside: u64,
    folded: u64,
}

fn told(storage: &Arc<dyn Storage>) -> Told {
    let archive = Archive::open_read_only(host(storage), small()).unwrap();
    let (snapshot, stat) = (archive.snapshot().unwrap(), archive.stat().unwrap());
    assert_eq!(stat.versions + stat.variants, snapshot.count(&everything()).unwrap());
    Told {
        rows: rows(&snapshot, &everything()).unwrap(),
        custodians: snapshot.custodians().unwrap(),
        runs: archive.runs().unwrap(),
        content: snapshot.content(),
        stored_beside: stat.stored_beside,
        folded: stat.folded.iter().map(|folded| folded.rows).sum(),
    }
}

/// Equal rows as one: the first one's, with the first delivery of each custodian.
fn as_one(all: Vec<Stored>) -> Vec<Stored> {
    let mut one: Vec<Stored> = Vec::new();
    for row in all {
        match one.iter_mut().find(|there| there.address == row.address) {
            None => one.push(row),
            Some(there) => {
                let sightings = [&there.sightings[..], &row.sightings].concat();
                let first = if there.sequence < row.sequence { there.clone() } else { row };
                *there = Stored { sightings: first_of_each(sightings), ..first };
            }
        }
    }
    one
}

fn first_of_each(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.sort_by_key(|sighting| (sighting.custodian.clone(), sighting.sequence));
    sightings.dedup_by_key(|sighting| sighting.custodian.clone());
    sightings.sort();
    sightings
}

/// Copies of one custodian or run that are duplicates now.
fn moved(counts: Counts, copies: u64) -> Counts {
    Counts { stored: counts.stored - copies, duplicates: counts.duplicates + copies, ..counts }
}

#[test]
fn a_row_stored_beside_is_folded_into_the_one_that_it_equals() {
    let disk = stored_twice();
    let storage = disk.storage();
    let mut expected = told(&storage);
    // A new row that nothing could be compared with is marked, too.
    assert_eq!((expected.rows.len() as u64, expected.stored_beside), (ROWS + AGAIN + 1, AGAIN + 1));
    let earlier = |at: Sequence| {
        let archive = Archive::open_read_only(host(&storage), small()).unwrap();
        rows(&archive.snapshot().unwrap().as_of(at), &everything()).unwrap()
    };
    let before = [Sequence(1), Sequence(2)].map(earlier);
    expected.rows = as_one(expected.rows);
    for (custodian, counts) in &mut expected.custodians {
        *counts = moved(*counts, if *custodian == ada() { AGAIN } else { 0 });
    }
    for run in &mut expected.runs {
        run.counts = moved(run.counts, if run.label == "beside" { AGAIN } else { 0 });
    }
    (expected.stored_beside, expected.folded) = (1, AGAIN);
    compact(&storage);
    for _ in 0..2 {
        assert_eq!(told(&storage), expected);
        assert_eq!([Sequence(1), Sequence(2)].map(earlier), before);
        let report = check(&storage);
        assert_eq!((report.damages, report.folded, report.stored_beside), (vec![], AGAIN, 1));
        // Nothing is folded a second time, and sums of ledgers keep what was moved.
        let archive = Archive::open(host(&storage), small()).unwrap();
        deliver(&archive, &ada(), 5..=5);
        archive.close().unwrap();
        compact(&storage);
        let counts = expected.custodians.get_mut(&ada()).unwrap();
        (counts.offered, counts.duplicates) = (counts.offered + 1, counts.duplicates + 1);
        let archive = Archive::open_read_only(host(&storage), small()).unwrap();
        expected.runs = archive.runs().unwrap();
        assert!(expected.runs.iter().all(|run| run.counts.balance()));
    }
}

#[test]
fn what_is_delivered_while_rows_are_folded_is_kept_once() {
    let disk = stored_twice();
    let storage = disk.storage();
    let expected = as_one(told(&storage).rows);
    let archive = Archive::open(host(&storage), small()).unwrap();
    let mut came = None;
    let report = archive.compact(&mut |_| {
        if came.is_none() {
            // Of some rows there are two to deliver; Ben, Eve and Ada have delivered some.
            for custodian in [ben(), eve()] {
                deliver(&archive, &custodian, 1..=20);
            }
            archive.seal().unwrap();
            came = Some(archive.snapshot().unwrap().sequence());
            deliver(&archive, &ada(), 1..=20);
        }
        ControlFlow::Continue(())
    });
    assert!(report.unwrap().finished && came.is_some());
    archive.close().unwrap();
    let found = told(&storage);
    assert_eq!(found.rows.len(), expected.len());
    for (row, before) in found.rows.iter().zip(&expected) {
        let known = |sighting: &Sighting| before.sightings.contains(sighting);
        let fresh: Vec<_> = row.sightings.iter().filter(|sighting| !known(sighting)).collect();
        let is_new = |sighting: &&&Sighting| {
            !before.sightings.iter().any(|there| there.custodian == sighting.custodian)
        };
        assert_eq!(fresh.iter().filter(is_new).count(), fresh.len(), "{row:?} was {before:?}");
        assert_eq!(row.sightings.len(), before.sightings.len() + fresh.len());
    }
    assert_eq!(check(&storage).damages, []);
}

#[test]
fn a_crash_at_any_operation_of_a_compaction_folds_rows_or_leaves_them() {
    let disk = stored_twice();
    let (before, compacted) = (told(&disk.storage()), disk.fork());
    compact(&compacted.storage());
    let after = told(&compacted.storage());
    disk.record();
    compact(&disk.storage());
    let mut seen = [0, 0];
    for moment in 0..disk.moments() {
        let random = Random::new(moment as u64);
        for survival in [Survival::OnlySynced, Survival::Everything, Survival::Some(random)] {
            let left = disk.at(moment).after_power_cut(survival);
            let storage = left.storage();
            drop(Archive::open(host(&storage), small()).unwrap());
            let found = told(&storage);
            seen[usize::from(found.folded > 0)] += 1;
            assert_eq!(&found, if found.folded > 0 { &after } else { &before }, "{moment}");
            assert_eq!(check(&storage).damages, [], "{moment}");
        }
    }
    assert!(seen.iter().all(|states| *states > 10), "{seen:?}");
}

#[test]
fn counters_that_are_lost_with_a_ledger_are_made_again_behind_a_fold() {
    let storage = stored_twice().storage();
    compact(&storage);
    let rows = told(&storage).rows;
    for path in sealed(&*storage, ".led") {
        drop(wipe(&*storage, &path));
    }
    let target: Arc<dyn Storage> = Arc::new(Memory::new());
    let report = repair(&host(&storage), &host(&target), &[], &mut go_on).unwrap();
    assert!(report.finished && report.recounted > ROWS, "{report:?}");
    assert_eq!(check(&target).damages, []);
    assert_eq!(told(&target).rows.len(), rows.len());
    compact(&target);
    assert_eq!(check(&target).damages, []);
}

/// A fold as its record and the manifest's *disposed* say it.
#[derive(Clone)]
struct Fold {
    rows: u64,
    multiset: [u8; 32],
    /// Run, custodian, rows.
    moved: Vec<[u64; 3]>,
    disposed: (u64, [u8; 32]),
}

/// The newest manifest with another fold in it.
fn forged(forge: &Forge, fold: &Fold) -> Arc<dyn Storage> {
    let mut forge = forge.clone();
    let body = forge.named(FileKind::Manifest, "body").pop().unwrap();
    let mut record = Vec::new();
    for number in [1, fold.rows, 1, 1] {
        put_varint(&mut record, number);
    }
    record.extend_from_slice(&fold.multiset);
    put_varint(&mut record, fold.moved.len() as u64);
    fold.moved.iter().flatten().for_each(|number| put_varint(&mut record, *number));
    let mut records = vec![1, 2];
    put_block(&mut records, &record);
    let mut disposed = vec![1, 1];
    put_varint(&mut disposed, fold.disposed.0);
    disposed.extend_from_slice(&fold.disposed.1);
    disposed.push(0);
    for (name, list) in [("records", records), ("disposed rows", disposed)] {
        let contents = forge.contents(&body).to_vec();
        let found = fields(forge.shape(&body), &contents).unwrap();
        let is_it = |shape| matches!(shape, Shape::List(of, _) if of == name);
        let at = found.iter().position(|field| is_it(field.shape)).unwrap();
        forge.put(&body, &with_field(&contents, &found, at, &list), Packing::Tight);
    }
    Arc::new(forge.make(Proofs::All).unwrap())
}

#[test]
fn a_fold_that_does_not_account_for_its_rows_is_damage() {
    let disk = stored_twice();
    disk.record();
    compact(&disk.storage());
    // The newest manifest is the one that dropped the rows.
    let mut moments = (0..disk.moments()).map(|moment| disk.at(moment).fork());
    let disk = moments.find(|disk| told(&disk.storage()).folded > 0).unwrap();
    let forge = Forge::take(&disk).unwrap();
    let archive = Archive::open_read_only(host(&disk.storage()), small()).unwrap();
    let run = archive.runs().unwrap().into_iter().find(|run| run.label == "beside").unwrap();
    let multiset = multiset_of(&archive);
    let run = u64::from(run.run.0);
    let moved = vec![[run, 0, AGAIN]];
    let sound = Fold { rows: AGAIN, multiset, moved, disposed: (AGAIN, multiset) };
    let is_sound = |fold: &Fold| check(&forged(&forge, fold)).damages.is_empty();
    assert!(is_sound(&sound), "{:?}", check(&forged(&forge, &sound)).damages);
    let other = [7; 32];
    let fewer = vec![[run, 0, AGAIN - 1]];
    for (what, fold) in [
        ("other sums", Fold { rows: AGAIN + 1, ..sound.clone() }),
        ("fewer rows", Fold { rows: AGAIN - 1, moved: fewer.clone(), ..sound.clone() }),
        (
            "fewer rows, disposed likewise",
            Fold {
                rows: AGAIN - 1,
                moved: fewer,
                disposed: (AGAIN - 1, multiset),
                ..sound.clone()
            },
        ),
        ("another custodian", Fold { moved: vec![[run, 1, AGAIN]], ..sound.clone() }),
        ("another run", Fold { moved: vec![[run + 1, 0, AGAIN]], ..sound.clone() }),
        ("a place twice", Fold { moved: vec![[run, 0, 5], [run, 0, 5]], ..sound.clone() }),
        ("other rows", Fold { multiset: other, disposed: (AGAIN, other), ..sound.clone() }),
    ] {
        let damages = check(&forged(&forge, &fold)).damages;
        let named = damages.iter().any(|damage| damage.file.starts_with("manifest/"));
        assert!(named, "{what}: {damages:?}");
        assert!(damages.iter().all(|damage| damage.kind == ErrorKind::Corrupt), "{what}");
    }
}

/// The sum of the addresses of the rows that came again.
fn multiset_of(archive: &Archive) -> [u8; 32] {
    let snapshot = archive.snapshot().unwrap();
    let mut sum = [0_u8; 32];
    for text in messages(1..=AGAIN) {
        let address = snapshot.address_of(text.as_bytes()).unwrap();
        let mut carry = 0;
        for (byte, more) in sum.iter_mut().zip(address.0) {
            let all = u16::from(*byte) + u16::from(more) + carry;
            (*byte, carry) = ((all & 0xff) as u8, all >> 8);
        }
    }
    sum
}
