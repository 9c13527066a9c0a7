//! What is measured: time, processor time, bytes through system calls, memory, size on disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::peer::Result;

/// What something took, all threads of the process together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub wall_s: f64,
    /// User and system.
    pub cpu_s: f64,
    /// Bytes that `read` and its like gave.
    pub read_bytes: u64,
    /// Bytes that `write` and its like took.
    pub written_bytes: u64,
}

/// Measures from its making on.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    cpu: Duration,
    io: (u64, u64),
}

impl Meter {
    /// Starts.
    pub fn start() -> Result<Self> {
        Ok(Self { io: io()?, cpu: cpu(), started: Instant::now() })
    }

    /// What it took since.
    pub fn spent(&self) -> Result<Spent> {
        let (wall, cpu) = (self.started.elapsed(), cpu().saturating_sub(self.cpu));
        let (read, written) = io()?;
        Ok(Spent {
            wall_s: wall.as_secs_f64(),
            cpu_s: cpu.as_secs_f64(),
            read_bytes: read - self.io.0,
            written_bytes: written - self.io.1,
        })
    }
}

/// The processor time of this process: what `getrusage` adds up, to the nanosecond.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::from_secs(time.tv_sec.cast_unsigned())
        + Duration::from_nanos(time.tv_nsec.cast_unsigned())
}

/// Bytes read and written so far; reading the counters counts, too, and is too little to matter.
fn io() -> Result<(u64, u64)> {
    let counters = fs::read_to_string("/proc/self/io")?;
    Ok((number(&counters, "rchar:")?, number(&counters, "wchar:")?))
}

/// The most memory that this process had.
pub fn peak_bytes() -> Result<u64> {
    Ok(number(&fs::read_to_string("/proc/self/status")?, "VmHWM:")? << 10)
}

fn number(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok());
    Ok(number.ok_or_else(|| format!("/proc/self has no {name}"))?)
}

/// The bytes of all files below a folder, but for `left_out` folders; holes are no bytes.
pub fn folder_bytes(folder: &Path, left_out: &[&str]) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if !metadata.is_dir() {
            bytes += metadata.len().min(metadata.blocks() * 512);
        } else if !left_out.iter().any(|name| entry.file_name() == *name) {
            bytes += folder_bytes(&entry.path(), &[])?;
        }
    }
    Ok(bytes)
}

/// The middle of some numbers; of two middles the lower one.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get((numbers.len().max(1) - 1) / 2).copied().unwrap_or(f64::NAN)
}
