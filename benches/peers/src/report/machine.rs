//! Where it was measured: the machine and the versions of what was compared.

use std::fs;
use std::path::Path;
use std::process::Command;

/// This workspace's own lock file: what was built.
const LOCK: &str = include_str!("../../Cargo.lock");
/// Packages whose versions matter, and what they are called.
const PACKAGES: [(&str, &str); 7] = [
    ("libsqlite3-sys", "SQLite (libsqlite3-sys)"),
    ("rusqlite", "rusqlite"),
    ("lmdb-master-sys", "LMDB (lmdb-master-sys)"),
    ("heed", "heed"),
    ("redb", "redb"),
    ("fjall", "fjall"),
    ("zstd-sys", "zstd (zstd-sys)"),
];

/// Lines of a list.
pub fn told(work: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let gib = memory.split(' ').next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let versions: Vec<String> = PACKAGES
        .iter()
        .filter_map(|(package, name)| Some(format!("{name} {}", locked(package)?)))
        .collect();
    let commit = printed("git", &["rev-parse", "--short", "HEAD"]);
    let rustc = printed("rustc", &["--version"]);
    let system = file_system(work).unwrap_or_else(|| "unknown".to_owned());
    format!(
        "- {processor}, {cores} cores, {gib} GiB of memory, Linux {}, file system {system}\n\
         - chatvault at commit {commit}, {rustc}, release profile, mimalloc for all\n\
         - {}\n",
        kernel.trim(),
        versions.join(", ")
    )
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn locked(package: &str) -> Option<&'static str> {
    let entry = LOCK
        .split("[[package]]")
        .find(|entry| entry.lines().any(|line| line == format!("name = \"{package}\"")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

/// What a command says, or that nobody knows.
fn printed(program: &str, words: &[&str]) -> String {
    let home = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program).args(words).current_dir(home).output().ok();
    let text = output.filter(|output| output.status.success()).map(|output| output.stdout);
    text.map_or("unknown".to_owned(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

/// The type of the longest mount point above a folder.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        folder.starts_with(point).then_some((point.len(), kind))
    });
    above.max().map(|(_, kind)| kind.to_owned())
}
