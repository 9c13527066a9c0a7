//! Storage that fails: full disks, failed writes and syncs, and machines that go off.

use std::sync::Arc;

use chatvault_engine::{Archive, Error, ErrorKind, Host, Memory, RecordKind, Result, Storage};
use chatvault_support::storage::{Fault, Faulty, Operation, Survival, Volatile, files_in};
use chatvault_support::{Draft, Random, SteppingClock};

use crate::kit::{ORIGIN, ada, everything, go_on, host, rows, seeds, small};

const PER_BATCH: u64 = 12;

/// Commits a numbered batch.
fn write(archive: &Archive, number: u64) -> Result<()> {
    let mut batch = archive.batch(archive.begin_run("faults")?);
    for nth in 0..PER_BATCH {
        let at = i64::try_from((number + 1) * 1_000 + nth).unwrap();
        let text = Draft::chat(&format!("19:c{}", nth % 3), at).text(&"word ".repeat(60)).json();
        batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
    }
    batch.commit().map(|report| assert_eq!(report.counts.offered, PER_BATCH))
}

/// The batches found, each of them whole, and the archive sound.
fn batches(storage: &Arc<dyn Storage>) -> Vec<u64> {
    let archive = Archive::open(host(storage), small()).unwrap();
    let mut found = std::collections::BTreeMap::new();
    for row in rows(&archive.snapshot().unwrap(), &everything()).unwrap() {
        *found.entry(row.version / 1_000 - 1).or_insert(0) += 1;
    }
    assert!(found.values().all(|count| *count == PER_BATCH), "a commit in part: {found:?}");
    let report = archive.verify(chatvault_engine::Depth::Deep, &mut go_on).unwrap();
    assert_eq!(report.damages, []);
    // It takes new work too.
    write(&archive, 900_000).unwrap();
    archive.close().unwrap();
    found.into_keys().filter(|number| *number != 900_000).collect()
}

fn assert_told(error: &Error) {
    let told = [ErrorKind::Io, ErrorKind::NoSpace, ErrorKind::Stopped];
    assert!(told.contains(&error.kind()), "{error}");
}

/// Works until something fails; what was acknowledged, and what was being tried.
fn work(archive: &Archive, random: &mut Random, from: u64, steps: u64) -> (Vec<u64>, Option<u64>) {
    let mut acknowledged = Vec::new();
    for number in from..from + steps {
        let more = match random.below(12) {
            0 => archive.seal(),
            1 => archive.compact(&mut go_on).map(|report| assert!(report.finished)),
            _ => Ok(()),
        };
        let Err(error) = more.and_then(|()| write(archive, number)) else {
            acknowledged.push(number);
            continue;
        };
        assert_told(&error);
        return (acknowledged, Some(number));
    }
    (acknowledged, None)
}

/// All that was acknowledged, and of the rest at most the batch that was being tried.
fn assert_kept(found: &[u64], acknowledged: &[u64], tried: Option<u64>) {
    let extra: Vec<_> = found.iter().filter(|number| !acknowledged.contains(number)).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(extra.iter().all(|number| Some(**number) == tried), "never offered: {extra:?}");
}

#[test]
fn a_full_disk_loses_nothing_and_the_archive_opens_again() {
    for seed in seeds(12) {
        let mut random = Random::new(seed.0);
        let disk: Arc<dyn Storage> = Arc::new(Memory::new());
        let faulty = Faulty::over(Arc::clone(&disk));
        let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
        let (mut acknowledged, failed) = work(&archive, &mut random, 0, 6);
        assert_eq!(failed, None);
        faulty.fill_after(i64::try_from(random.below(60_000)).unwrap());
        let (more, tried) = work(&archive, &mut random, 6, 2_000);
        assert!(tried.is_some(), "the disk never was full");
        acknowledged.extend(more);
        // Without room nothing more is promised, and reading goes on.
        assert!(write(&archive, 5_000).is_err());
        assert!(archive.snapshot().unwrap().count(&everything()).unwrap() >= PER_BATCH * 6);
        drop(archive);
        faulty.release();
        let found = batches(&disk);
        assert_kept(&found, &acknowledged, tried);
        assert_eq!(batches(&disk), found);
    }
}

#[test]
fn compact_on_a_full_disk_frees_the_trash_and_merges_what_there_is_room_for() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let faulty = Faulty::over(Arc::clone(&disk));
    let clock = Arc::new(SteppingClock::new(1));
    let own = Host { storage: faulty.storage(), clock: Arc::<SteppingClock>::clone(&clock) };
    let archive = Archive::create(own, {
        let mut options = small();
        options.grace_seconds = 3_600;
        options
    })
    .unwrap();
    let fill = |from: u64| {
        for number in from..from + 8 {
            write(&archive, number).unwrap();
            archive.seal().unwrap();
        }
    };
    let segments = || archive.stat().unwrap().segments;
    let trashed = || files_in(&*disk, "trash").unwrap();
    fill(0);
    assert!(archive.compact(&mut go_on).unwrap().finished);
    fill(8);
    let (before, old) = (segments(), trashed());
    assert!(before == 9 && old.len() >= 8, "{before} segments, {old:?}");
    faulty.fill_after(500);
    let refused = archive.compact(&mut go_on).unwrap_err();
    assert_eq!((refused.kind(), segments()), (ErrorKind::NoSpace, before), "room for no merge");
    clock.advance_ms(2 * 3_600_000);
    let compacted = archive.compact(&mut go_on);
    let told = |error: &Error| error.kind() == ErrorKind::NoSpace;
    assert!(compacted.as_ref().err().is_none_or(told), "{compacted:?}");
    assert!(trashed().iter().all(|file| !old.contains(file)), "past its grace");
    assert!(segments() < before, "{} segments, {before} before", segments());
    drop(archive);
    faulty.release();
    assert_eq!(batches(&disk), (0..16).collect::<Vec<_>>());
}

#[test]
fn a_disk_without_any_room_opens_once_the_trash_is_past_its_grace() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let faulty = Faulty::over(Arc::clone(&disk));
    let clock = Arc::new(SteppingClock::new(1));
    let open = |grace_seconds: u64| {
        let mut options = small();
        options.grace_seconds = grace_seconds;
        let clock = Arc::<SteppingClock>::clone(&clock);
        Archive::open(Host { storage: faulty.storage(), clock }, options)
    };
    drop(Archive::create(host(&disk), small()).unwrap());
    let archive = open(3_600).unwrap();
    for number in 0..8 {
        write(&archive, number).unwrap();
        archive.seal().unwrap();
    }
    assert!(archive.compact(&mut go_on).unwrap().finished);
    archive.close().unwrap();
    let trashed = || files_in(&*disk, "trash").unwrap();
    let old = trashed();
    faulty.fill_after(0);
    assert_told(&open(3_600).unwrap_err());
    assert!(old.len() >= 8 && trashed() == old, "within its grace");
    let archive = open(0).unwrap();
    assert_eq!(trashed(), Vec::new());
    write(&archive, 8).unwrap();
    faulty.release();
    archive.close().unwrap();
    assert_eq!(batches(&disk), (0..9).collect::<Vec<_>>());
}

#[test]
fn room_again_means_work_again_or_a_clear_stop() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let faulty = Faulty::over(Arc::clone(&disk));
    let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
    write(&archive, 0).unwrap();
    faulty.fill_after(10);
    let error = write(&archive, 1).unwrap_err();
    assert_told(&error);
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let full = |cause: &&(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull)
    };
    assert!(causes.into_iter().any(|cause| full(&cause)), "{error:?} does not say why");
    faulty.release();
    let kept = match write(&archive, 2) {
        Ok(()) => vec![0, 2],
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
            vec![0]
        }
    };
    drop(archive);
    assert_kept(&batches(&disk), &kept, Some(1));
}

#[test]
fn a_failed_sync_stops_the_writer_for_good() {
    for after in 0..4 {
        let disk = Volatile::new();
        let faulty = Faulty::over(disk.storage());
        let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
        write(&archive, 0).unwrap();
        faulty.fail_after(Operation::Sync, after);
        let acknowledged: Vec<_> =
            (1..100).take_while(|number| write(&archive, *number).is_ok()).collect();
        let tried = Some(acknowledged.len() as u64 + 1);
        assert!(faulty.has_failed(Operation::Sync));
        for _ in 0..3 {
            let error = write(&archive, 700).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
        }
        assert_eq!(archive.seal().unwrap_err().kind(), ErrorKind::Stopped);
        assert!(archive.close().is_err(), "closing must not hide it");
        let survivors = disk.after_power_cut(Survival::OnlySynced).storage();
        let kept: Vec<_> = [0].into_iter().chain(acknowledged).collect();
        assert_kept(&batches(&survivors), &kept, tried);
    }
}

#[test]
fn every_waiter_learns_of_a_failed_sync() {
    let disk = Volatile::new();
    let faulty = Faulty::over(disk.storage());
    let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
    write(&archive, 0).unwrap();
    faulty.fail_after(Operation::Sync, 5);
    let until_it_fails = |thread: u64| {
        let numbers = 1 + thread * 1_000..(thread + 1) * 1_000;
        numbers.take_while(|number| write(&archive, *number).is_ok()).collect::<Vec<_>>()
    };
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|thread| scope.spawn(move || until_it_fails(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(faulty.has_failed(Operation::Sync));
    assert!(acknowledged.len() < 100, "commits went on after the failure");
    let found = batches(&disk.after_power_cut(Survival::OnlySynced).storage());
    let lost: Vec<_> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// A bit of everything, until something fails: what was acknowledged, what was being tried.
///
/// Whoever is still open after the failure is asked for one commit more: what it acknowledges then
/// counts as well.
fn live(storage: &Arc<dyn Storage>) -> (Vec<u64>, Vec<u64>) {
    let (mut kept, mut tried) = (Vec::new(), Vec::new());
    let mut archive = None;
    if let Err(error) = live_until_it_fails(storage, &mut archive, &mut kept, &mut tried) {
        assert_told(&error);
        tried.push(99);
        if archive.as_ref().is_some_and(|archive| write(archive, 99).is_ok()) {
            kept.push(99);
        }
    }
    (kept, tried)
}

fn live_until_it_fails(
    storage: &Arc<dyn Storage>,
    archive: &mut Option<Archive>,
    kept: &mut Vec<u64>,
    tried: &mut Vec<u64>,
) -> Result<()> {
    for round in 0..3 {
        let open = archive.insert(Archive::open(host(storage), small())?);
        for number in round * 3 + 1..=round * 3 + 3 {
            tried.push(number);
            write(open, number)?;
            kept.push(number);
            match number % 3 {
                1 => open.seal()?,
                2 if round == 1 => assert!(open.compact(&mut go_on)?.finished),
                _ => {}
            }
        }
        let found = rows(&open.snapshot()?, &everything())?;
        assert_eq!(found.len() as u64, (kept.len() as u64 + 1) * PER_BATCH, "a shorter answer");
        let open = archive.take();
        // Once with everything in the journal, else closed.
        if let Some(open) = open.filter(|_| round != 1) {
            open.close()?;
        }
    }
    Ok(())
}

/// Plans a fault for each operation of a sort in turn; gives how many there were.
fn fail_each(operation: Operation, fault: Fault, origin: &Volatile) -> u64 {
    for after in 0.. {
        let disk = origin.fork();
        let faulty = Faulty::over_disk(&disk);
        faulty.plan(operation, after, fault);
        let (mut kept, tried) = live(&faulty.storage());
        if !faulty.has_failed(operation) {
            return after;
        }
        kept.push(0);
        let place = format!("{operation:?} {after} {fault:?}");
        let random = Random::new(after + 1);
        for survival in [Survival::OnlySynced, Survival::Everything, Survival::Some(random)] {
            let found = batches(&disk.after_power_cut(survival).storage());
            let lost: Vec<_> = kept.iter().filter(|number| !found.contains(number)).collect();
            assert!(lost.is_empty(), "{place}: acknowledged and lost: {lost:?}");
            let mut offered = found.iter().filter(|number| **number > 0);
            assert!(offered.all(|number| tried.contains(number)), "{place}: {found:?}");
        }
    }
    u64::MAX
}

fn each_fault_of(operations: &[Operation]) -> u64 {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    write(&archive, 0).unwrap();
    archive.close().unwrap();
    let mut runs = 0;
    for operation in operations {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.fits(*operation)) {
            let positions = fail_each(*operation, fault, &disk);
            assert!(positions > 0, "{operation:?} never happens");
            runs += positions;
        }
    }
    runs
}

#[test]
fn each_failed_write_or_sync_is_told_and_loses_nothing() {
    use Operation::{Create, Remove, Rename, Sync, SyncFolder, Write};
    assert!(each_fault_of(&[Create, Write, Sync, Rename, SyncFolder, Remove]) > 300);
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    for seed in seeds(40) {
        let mut random = Random::new(seed.0);
        let disk = Volatile::new();
        let faulty = Faulty::over(disk.storage());
        let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
        let (mut kept, _) = work(&archive, &mut random, 0, 3);
        faulty.stop_after(random.below(150));
        let (more, tried) = work(&archive, &mut random, 3, 400);
        assert!(faulty.has_stopped());
        kept.extend(more);
        for survival in [Survival::OnlySynced, Survival::Some(random.split())] {
            let survivors = disk.after_power_cut(survival).storage();
            assert_kept(&batches(&survivors), &kept, tried);
        }
    }
}

#[test]
fn a_power_cut_while_an_archive_is_made_leaves_none_or_a_whole_one() {
    for steps in 0..40 {
        let disk = Volatile::new();
        let faulty = Faulty::over(disk.storage());
        faulty.stop_after(steps);
        let made = Archive::create(host(&faulty.storage()), small());
        let is_made = made.is_ok();
        drop(made);
        let after = disk.after_power_cut(Survival::OnlySynced).storage();
        match Archive::open(host(&after), small()) {
            Ok(archive) => write(&archive, 0).unwrap(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "after {steps} steps: {error}");
                assert!(!is_made, "made and acknowledged, but not there");
                // The rest of the attempt is in nobody's way.
                drop(Archive::create(host(&after), small()).unwrap());
            }
        }
    }
}
