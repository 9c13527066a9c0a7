//! Many archives in one process: what they share is bounded, and idle ones cost next to nothing.

use std::path::Path;
use std::time::Duration;

use chatvault_engine::{Archive, Environment, EnvironmentOptions, Host, Options, Scan};
use chatvault_support::Draft;

use crate::kit::child::{self, Other};
use crate::kit::{ada, commit, everything, files, go_on, rows, small, texts};

const ARCHIVES: i64 = 120;
const OPEN_FILES: usize = 64;

fn options(environment: &Environment) -> Options {
    let mut options = small();
    options.environment = Some(environment.clone());
    options.grace_seconds = 0;
    options
}

fn environment(open_files: usize, background_threads: usize) -> Environment {
    let cache_bytes = 4 << 20;
    let mut options = EnvironmentOptions::default();
    options.cache_bytes = cache_bytes;
    options.background_threads = background_threads;
    options.open_files = open_files;
    Environment::new(options)
}

fn document(chat: i64, at: i64) -> String {
    Draft::chat(&format!("19:{chat}"), at).text("some words").json()
}

/// An archive of a few sealed segments.
fn create(folder: &Path, number: i64, options: &Options) -> Archive {
    let host = Host::disk(folder.join(number.to_string()));
    let archive = Archive::create(host, options.clone()).unwrap();
    for at in 1..4 {
        commit(&archive, &ada(), &[document(number, at).as_bytes()]);
        archive.seal().unwrap();
    }
    archive
}

#[test]
fn idle_writers_hold_a_lock_each_and_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let test = "environment::many_writers_in_a_process_of_their_own";
    assert!(Other::start(test, folder.path(), 0).has_passed());
}

#[test]
#[ignore = "started by a test in another process"]
fn many_writers_in_a_process_of_their_own() {
    let folder = child::folder();
    let environment = environment(OPEN_FILES, 2);
    let mut options = options(&environment);
    options.background_compaction = true;
    let now = || ["task", "fd"].map(|list| files::count(&Path::new("/proc/self").join(list)));
    let [threads, open] = now();
    let mut archives: Vec<Archive> =
        (0..ARCHIVES).map(|number| create(&folder, number, &options)).collect();
    // A thread that has nothing to do ends soon, not at once.
    let idle = || {
        for _ in 0..2_000 {
            if now()[0] <= threads {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        now()
    };
    let is_bounded = |what: &str| {
        if cfg!(target_os = "linux") {
            let [more_threads, more_open] = idle();
            assert!(more_threads <= threads, "{what}: {more_threads} threads");
            let limit = open + archives.len() + OPEN_FILES;
            assert!(more_open <= limit, "{what}: {more_open} files");
        }
    };
    is_bounded("sealed");
    for (number, archive) in (0..).zip(&archives) {
        let expected: Vec<String> = (1..4).map(|at| document(number, at)).collect();
        assert_eq!(texts(&archive.snapshot().unwrap(), &Scan::default()), expected);
    }
    is_bounded("asked");
    for (number, archive) in (0..).zip(&archives) {
        commit(archive, &ada(), &[document(number, 4).as_bytes()]);
    }
    for (number, archive) in (0..).zip(&archives) {
        commit(archive, &ada(), &[document(number, 5).as_bytes()]);
        assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), 5);
    }
    is_bounded("with commits in their journals");
    assert!(archives[0].stat().unwrap().cache.bytes <= 4 << 20);
    std::thread::scope(|scope| {
        for part in archives.chunks(usize::try_from(ARCHIVES / 4).unwrap()) {
            let _closing = scope.spawn(|| part.iter().for_each(|one| one.clone().close().unwrap()));
        }
    });
    archives.clear();
    assert_eq!(environment.cache_use().bytes, 0, "what they had is forgotten");
    if cfg!(target_os = "linux") {
        assert_eq!(idle(), [threads, open]);
    }
    for number in [0, ARCHIVES - 1] {
        let host = Host::disk(folder.join(number.to_string()));
        let archive = Archive::open_read_only(host, options.clone()).unwrap();
        assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), 5);
    }
}

#[test]
fn archives_that_close_at_once_do_not_wait_for_a_busy_pool() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(8, 1);
    let mut options = options(&environment);
    options.background_compaction = true;
    let archives: Vec<Archive> = (0..12)
        .map(|number| {
            let archive = create(folder.path(), number, &options);
            for at in 4..10 {
                commit(&archive, &ada(), &[document(number, at).as_bytes()]);
                archive.seal().unwrap();
            }
            commit(&archive, &ada(), &[document(number, 10).as_bytes()]);
            archive
        })
        .collect();
    std::thread::scope(|scope| {
        for archive in archives {
            let _closing = scope.spawn(|| archive.close().unwrap());
        }
    });
    for number in 0..12 {
        let host = Host::disk(folder.path().join(number.to_string()));
        let archive = Archive::open(host, options.clone()).unwrap();
        assert_eq!(archive.stat().unwrap().journal_rows, 0);
        assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), 10);
    }
}

/// The files of a snapshot are closed while others are read, then replaced and removed.
#[test]
fn a_snapshot_keeps_its_files_though_few_can_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(8, 1);
    let options = options(&environment);
    let archives: Vec<Archive> =
        (0..6).map(|number| create(folder.path(), number, &options)).collect();
    let snapshots: Vec<_> = archives.iter().map(|one| one.snapshot().unwrap()).collect();
    let readers: Vec<_> = (0..6)
        .map(|number: i64| {
            let host = Host::disk(folder.path().join(number.to_string()));
            Archive::open_read_only(host, options.clone()).unwrap().snapshot().unwrap()
        })
        .collect();
    for archive in &archives {
        assert!(archive.compact(&mut go_on).unwrap().finished);
    }
    for (number, snapshot) in (0..6_i64).zip(&snapshots).chain((0..).zip(&readers)) {
        let found = rows(snapshot, &everything()).unwrap();
        let expected: Vec<_> = (1..4).map(|at| document(number, at).into_bytes()).collect();
        assert_eq!(found.into_iter().map(|row| row.json).collect::<Vec<_>>(), expected);
    }
    let trash = folder.path().join("0/trash");
    assert_eq!(files::below(&trash), Vec::<std::path::PathBuf>::new(), "removed all the same");
}
