//! A thousand archives of two hundred messages in one process: opened, idle, asked, written, closed.
//!
//! Prints memory, threads, open files and, over a second in which nothing happens, how often threads
//! woke up. Run it under `ulimit -n 1024` with `CHATVAULT_ARCHIVES=900`: each is open as its writer.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on should stop, prints what it finds, and reads the system's files"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chatvault_engine::{Archive, Custodian, Environment, Host, Options, Origin, RecordKind, Scan};
use chatvault_support::Draft;
use tempfile::TempDir;

const ARCHIVES: usize = 1000;
const MESSAGES: i64 = 200;

fn main() {
    let number = std::env::var("CHATVAULT_ARCHIVES").ok().and_then(|number| number.parse().ok());
    let number = number.unwrap_or(ARCHIVES);
    // Another process makes them, so that its memory is not counted here.
    let folder = match std::env::var_os("CHATVAULT_ARCHIVES_IN") {
        Some(folder) => return make(Path::new(&folder), number),
        None => tempfile::tempdir().unwrap(),
    };
    let made = std::process::Command::new(std::env::current_exe().unwrap())
        .env("CHATVAULT_ARCHIVES_IN", folder.path())
        .env("CHATVAULT_ARCHIVES", number.to_string())
        .status();
    assert!(made.unwrap().success());
    measure(&folder, number);
}

fn make(folder: &Path, number: usize) {
    let environment = Environment::default();
    for at in 0..number {
        let archive = Archive::create(host(folder, at), options(&environment)).unwrap();
        write(&archive, 1);
        archive.close().unwrap();
    }
}

fn measure(folder: &TempDir, number: usize) {
    let environment = Environment::default();
    let open = |at| Archive::open(host(folder.path(), at), options(&environment)).unwrap();
    let archives: Vec<Archive> = timed("open", || (0..number).map(open).collect());
    let before = switches();
    std::thread::sleep(Duration::from_secs(1));
    println!("idle for a second: {} switches of threads", switches() - before - 1);
    timed("ask", || {
        for archive in &archives {
            let rows = archive.snapshot().unwrap().count(&Scan::default()).unwrap();
            assert_eq!(rows, MESSAGES.unsigned_abs());
        }
    });
    timed("write", || archives.iter().for_each(|archive| write(archive, 1_000_000)));
    timed("close", || archives.into_iter().for_each(|archive| archive.close().unwrap()));
}

fn host(folder: &Path, at: usize) -> Host {
    Host::disk(folder.join(at.to_string()))
}

fn options(environment: &Environment) -> Options {
    let mut options = Options::default();
    options.environment = Some(environment.clone());
    options
}

fn write(archive: &Archive, from: i64) {
    let mut batch = archive.batch(archive.begin_run("bench").unwrap());
    for at in from..from + MESSAGES {
        let text = format!("Order {at} is packed and leaves at eight, who takes it?");
        let message = Draft::chat(&format!("19:{}", at % 10), at).text(&text).json();
        let origin = Origin { source: "feed", offset: 0 };
        batch.offer(&Custodian::user("ada"), RecordKind::Message, message.as_bytes(), origin);
    }
    drop(batch.commit().unwrap());
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    let (time, status) = (start.elapsed(), fs::read_to_string("/proc/self/status").unwrap());
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let files = fs::read_dir("/proc/self/fd").unwrap().count();
    println!("{what}: {time:.1?}, {} {}, {files} files", line("VmRSS"), line("Threads"));
    done
}

/// How often threads of this process gave up a processor so far.
fn switches() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let status = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let of_task = |status: String| {
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.and_then(|line| line.rsplit('\t').next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    status.map(of_task).sum()
}
