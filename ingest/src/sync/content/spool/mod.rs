//! Downloads on their way to the archive: in memory while they are small, then in files that
//! outlive a killed process.
//!
//! Two files per unfinished download, named by the BLAKE3 of its address: the bytes, and a *note*
//! (JSON) that says what they are: `ETag`, total, how many bytes are proved by which BLAKE3. A download
//! goes on behind what its note proves; anything else starts anew. So neither a torn write nor a
//! power cut can put wrong bytes into the archive, and nothing has to be synced.
//!
//! Invariant: the memory of all downloads together is within [`MEMORY_BYTES`], and so is each
//! within [`SMALL_BYTES`].

#![expect(clippy::disallowed_methods, reason = "unfinished downloads are no files of the archive")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use chatvault_graph::download::Sink;

/// Contents of at most so many bytes go through memory.
pub(super) const SMALL_BYTES: usize = 4 << 20;
/// What downloads may hold in memory together; who finds it full goes to a file at once.
const MEMORY_BYTES: usize = 64 << 20;
/// A note is written as often: so much is downloaded twice after a kill.
const NOTE_BYTES: u64 = 4 << 20;

const BYTES: &str = "part";
const NOTE: &str = "note";

/// The folder of unfinished downloads; made when it is needed.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    memory: Arc<AtomicUsize>,
}

/// What is known of the bytes in a file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    etag: Option<String>,
    total: Option<u64>,
    bytes: u64,
    blake3: String,
}

impl Spool {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), memory: Arc::default() }
    }

    /// Starts the download of an address, or goes on with what is there of it. One at a time for
    /// each address. Blocks: what is there is read.
    pub(super) fn open(&self, address: &str) -> io::Result<Download> {
        let name = blake3::hash(address.as_bytes()).to_hex();
        let path = |end| self.folder.join(format!("{name}.{end}"));
        let files = Files { bytes: path(BYTES), note: path(NOTE) };
        let mut download = Download {
            folder: self.folder.clone(),
            files,
            memory: Arc::clone(&self.memory),
            kept: Kept::Memory(Vec::new()),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            noted: 0,
            etag: None,
            total: None,
            failure: None,
        };
        download.resume()?;
        Ok(download)
    }

    /// What downloads hold in memory now.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// Removes what no download has touched since a time. Gives the number of files.
    pub(super) fn sweep(&self, before_ms: i64) -> io::Result<u64> {
        let entries = match fs::read_dir(&self.folder) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut removed = 0;
        for entry in entries {
            let entry = entry?;
            let ours = is_ours(&entry.file_name().to_string_lossy());
            if ours && modified_ms(&entry.metadata()?) < before_ms {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Is it a name that this module gives? Other files in the folder are not touched.
fn is_ours(name: &str) -> bool {
    let Some((hash, end)) = name.split_once('.') else { return false };
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash && [BYTES, NOTE, "note.tmp"].contains(&end)
}

fn modified_ms(metadata: &fs::Metadata) -> i64 {
    let age = metadata.modified().ok();
    let age = age.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    age.map_or(i64::MAX, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// The files of one download.
#[derive(Clone, Debug)]
pub(super) struct Files {
    bytes: PathBuf,
    note: PathBuf,
}

impl Files {
    pub(super) fn remove(&self) -> io::Result<()> {
        for path in [&self.note, &self.bytes] {
            match fs::remove_file(path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(())
    }

    /// The bytes that a note proves, with it; `None` if there is nothing to go on with.
    fn proved(&self) -> io::Result<Option<(File, Note, blake3::Hasher)>> {
        let note = match fs::read(&self.note) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            note => note?,
        };
        let Ok(mut note) = serde_json::from_slice::<Note>(&note) else { return Ok(None) };
        let file = match OpenOptions::new().read(true).write(true).open(&self.bytes) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut hasher = hash_start(&file, note.bytes)?;
        let proved = hasher.count() == note.bytes && *hasher.finalize().to_hex() == *note.blake3;
        // Without an ETag nobody can tell whether the rest belongs to these bytes.
        if !proved || note.etag.is_none() {
            return Ok(None);
        }
        if note.total == Some(note.bytes) && note.bytes > 0 {
            // The last byte is asked for again: the answer says whether the whole is still that.
            note.bytes -= 1;
            hasher = hash_start(&file, note.bytes)?;
        }
        file.set_len(note.bytes)?;
        let _ = (&file).seek(SeekFrom::Start(note.bytes))?;
        Ok(Some((file, note, hasher)))
    }
}

/// One download. Dropped before its end it leaves in its file what it has, to go on with.
#[derive(Debug)]
pub(super) struct Download {
    folder: PathBuf,
    files: Files,
    memory: Arc<AtomicUsize>,
    kept: Kept,
    hasher: blake3::Hasher,
    bytes: u64,
    noted: u64,
    etag: Option<String>,
    total: Option<u64>,
    /// Why this machine could not keep the bytes.
    failure: Option<io::Error>,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    File(File),
    /// It was taken out, or could not be kept.
    Nothing,
}

/// A download that is complete.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Bytes,
    memory: Arc<AtomicUsize>,
    files: Option<Files>,
}

#[derive(Debug)]
enum Bytes {
    Memory(io::Cursor<Vec<u8>>),
    File(File),
}

impl Sink for Download {
    fn kept(&self) -> u64 {
        self.bytes
    }

    fn validator(&self) -> Option<String> {
        self.etag.clone()
    }

    fn begin(&mut self, validator: Option<&str>, total: Option<u64>) -> io::Result<()> {
        let begun = self.begin_anew(validator, total);
        self.remember(begun)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let kept = self.keep(bytes);
        self.remember(kept)
    }
}

impl Download {
    /// Why this machine could not keep the bytes, if that is what ended the download.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Bytes that are here.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the bytes out to be read from their start. Its files stay until they are removed.
    pub(super) fn finish(mut self) -> io::Result<Whole> {
        let bytes = match std::mem::replace(&mut self.kept, Kept::Nothing) {
            Kept::Memory(bytes) => Bytes::Memory(io::Cursor::new(bytes)),
            Kept::File(mut file) => {
                self.note()?;
                let _ = file.seek(SeekFrom::Start(0))?;
                Bytes::File(file)
            }
            Kept::Nothing => return Err(io::Error::other("the download failed before")),
        };
        let files = matches!(bytes, Bytes::File(_)).then(|| self.files.clone());
        Ok(Whole { bytes, memory: Arc::clone(&self.memory), files })
    }

    fn resume(&mut self) -> io::Result<()> {
        let Some((file, note, hasher)) = self.files.proved()? else { return Ok(()) };
        self.kept = Kept::File(file);
        self.hasher = hasher;
        (self.bytes, self.noted) = (note.bytes, note.bytes);
        (self.etag, self.total) = (note.etag, note.total);
        Ok(())
    }

    fn begin_anew(&mut self, validator: Option<&str>, total: Option<u64>) -> io::Result<()> {
        // A weak one does not promise the same bytes.
        self.etag = validator.filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
        self.total = total;
        self.hasher = blake3::Hasher::new();
        (self.bytes, self.noted) = (0, 0);
        self.release();
        match &mut self.kept {
            // The note must not speak of bytes that are being replaced.
            Kept::File(_) => {
                self.kept = Kept::Nothing;
                self.files.remove()?;
            }
            Kept::Memory(bytes) => *bytes = Vec::new(),
            Kept::Nothing => {}
        }
        self.kept = Kept::Memory(Vec::new());
        let small = total.is_none_or(|total| total <= SMALL_BYTES as u64);
        if small { Ok(()) } else { self.spill() }
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if matches!(self.kept, Kept::Memory(_)) && !self.reserve(bytes.len()) {
            self.spill()?;
        }
        match &mut self.kept {
            Kept::Memory(kept) => kept.extend_from_slice(bytes),
            Kept::File(file) => file.write_all(bytes)?,
            Kept::Nothing => return Err(io::Error::other("the download failed before")),
        }
        let _ = self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes - self.noted >= NOTE_BYTES { self.note() } else { Ok(()) }
    }

    /// Asks for memory; false if this download or all together would have too much.
    fn reserve(&self, more: usize) -> bool {
        let Kept::Memory(kept) = &self.kept else { return false };
        if kept.len() + more > SMALL_BYTES {
            return false;
        }
        let before = self.memory.fetch_add(more, Ordering::Relaxed);
        let granted = before + more <= MEMORY_BYTES;
        if !granted {
            let _ = self.memory.fetch_sub(more, Ordering::Relaxed);
        }
        granted
    }

    /// Gives its memory back to the others.
    fn release(&self) {
        if let Kept::Memory(bytes) = &self.kept {
            let _ = self.memory.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
    }

    /// Goes on in a file.
    fn spill(&mut self) -> io::Result<()> {
        make_folder(&self.folder)?;
        self.files.remove()?;
        let mut file = make_file(&self.files.bytes)?;
        if let Kept::Memory(bytes) = &self.kept {
            file.write_all(bytes)?;
        }
        self.release();
        self.kept = Kept::File(file);
        Ok(())
    }

    /// Says on disk what the bytes in the file are.
    fn note(&mut self) -> io::Result<()> {
        if matches!(self.kept, Kept::Memory(_)) {
            return Ok(());
        }
        let note = Note {
            etag: self.etag.clone(),
            total: self.total,
            bytes: self.bytes,
            blake3: self.hasher.finalize().to_hex().to_string(),
        };
        let temporary = self.files.note.with_extension("note.tmp");
        make_file(&temporary)?.write_all(&serde_json::to_vec(&note)?)?;
        fs::rename(&temporary, &self.files.note)?;
        self.noted = self.bytes;
        Ok(())
    }

    fn remember(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|cause| {
            let told = io::Error::new(cause.kind(), cause.to_string());
            self.failure = Some(cause);
            told
        })
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.release();
        if matches!(self.kept, Kept::File(_)) && self.bytes > self.noted {
            // Should this fail, the older note proves fewer bytes.
            self.note().unwrap_or_default();
        }
    }
}

impl Whole {
    /// What is left on disk of it, to be removed once the bytes are safe elsewhere.
    pub(super) fn into_files(mut self) -> Option<Files> {
        self.files.take()
    }
}

impl Read for Whole {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Bytes::Memory(bytes) => bytes.read(out),
            Bytes::File(file) => file.read(out),
        }
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Bytes::Memory(bytes) = &self.bytes {
            let _ = self.memory.fetch_sub(bytes.get_ref().len(), Ordering::Relaxed);
        }
    }
}

fn hash_start(mut file: &File, bytes: u64) -> io::Result<blake3::Hasher> {
    let mut hasher = blake3::Hasher::new();
    let _ = file.seek(SeekFrom::Start(0))?;
    let _ = hasher.update_reader(file.take(bytes))?;
    Ok(hasher)
}

/// Only the owner may read what is in it.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    let _ = builder.recursive(true);
    #[cfg(unix)]
    let _ = std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn make_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let _ = options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    let _ = std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
