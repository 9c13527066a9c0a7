//! One part after the other: its bytes, its members, what its manifest says.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use chatvault_engine::{ReadFile, Storage};
use serde_json::Value;

use super::{CheckReport, Problem};
use crate::digest::{Hash, Sha256, hex, sha256, unhex};
use crate::error::{Error, Result};
use crate::manifest::{
    FileRecord, Head, Index, MANIFEST, MOST_MANIFEST_BYTES, Manifest, PartRecord, SCHEMA, SUMS,
    Slice, sums_text,
};
use crate::name::fold;
use crate::part::hash_file;
use crate::zip::read::Archive;
use crate::zip::record::ZipEntry;

/// How much of a member is read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// What is known from the parts before.
pub(super) struct Parts<'a> {
    storage: &'a dyn Storage,
    index: &'a Index,
    previous: Option<String>,
    /// The paths of all members, as the first half of a hash: parts are unpacked into one folder.
    paths: HashSet<[u8; 16]>,
    /// Contents whose slices go on: the next slice, and what came so far.
    slices: HashMap<String, (u32, u64, Sha256)>,
    reasons: Reasons,
}

/// Why contents are missing, by message and attachment as manifests have them.
pub(crate) type Reasons = HashMap<(String, String), String>;

/// A part that could be opened.
struct OpenedPart<'a> {
    name: &'a str,
    archive: Archive,
    manifest: Manifest,
    manifest_hash: Hash,
}

impl<'a> Parts<'a> {
    pub(super) fn new(storage: &'a dyn Storage, index: &'a Index) -> Self {
        let (paths, slices, reasons) = (HashSet::new(), HashMap::new(), Reasons::new());
        Self { storage, index, previous: None, paths, slices, reasons }
    }

    /// Checks the next part.
    pub(super) fn check(&mut self, record: &PartRecord, report: &mut CheckReport) -> Result<()> {
        let name = record.name.as_str();
        report.subjects += record.digest.subjects;
        let previous = self.previous.replace(record.sha256.clone());
        let file = match self.storage.open(name) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                report.add(Some(name), None, Problem::Missing);
                return Ok(());
            }
            other => other.map_err(Error::folder("open", name))?,
        };
        report.parts += 1;
        self.check_file(record, &file, report)?;
        let Some(part) = open(name, file, report) else { return Ok(()) };
        self.check_manifest(record, previous.as_ref(), &part.manifest, report);
        self.check_members(&part, report);
        let reasons = part.manifest.unavailable.iter();
        self.reasons.extend(
            reasons.map(|one| ((one.message.clone(), one.attachment.clone()), one.reason.clone())),
        );
        check_sums(&part, report);
        Ok(())
    }

    /// What is wrong only once all parts were read. Gives why contents are missing.
    pub(super) fn finish(self, report: &mut CheckReport) -> Reasons {
        let mut unfinished: Vec<String> = self.slices.into_keys().collect();
        unfinished.sort();
        for path in unfinished {
            report.add(None, Some(&path), Problem::Slices("the last ones are missing".to_owned()));
        }
        self.reasons
    }

    fn check_file(
        &self,
        record: &PartRecord,
        file: &Arc<dyn ReadFile>,
        report: &mut CheckReport,
    ) -> Result<()> {
        let name = record.name.as_str();
        let bytes = file.bytes().map_err(Error::folder("measure", name))?;
        report.bytes += bytes;
        let hash = hex(&hash_file(file, bytes).map_err(Error::folder("read", name))?);
        let cap = self.index.part_bytes;
        let problems = [
            (bytes > cap).then_some(Problem::TooLarge { cap, found: bytes }),
            Problem::unless_equal("its size", &record.bytes, &bytes),
            Problem::unless_equal("its SHA-256", &record.sha256, &hash),
        ];
        problems.into_iter().flatten().for_each(|problem| report.add(Some(name), None, problem));
        Ok(())
    }

    /// Does the manifest say what the index says?
    fn check_manifest(
        &self,
        record: &PartRecord,
        previous: Option<&String>,
        manifest: &Manifest,
        report: &mut CheckReport,
    ) {
        let last = self.index.windows.iter().any(|window| {
            window.window.k == record.window && window.parts == record.k && self.index.finished
        });
        let of =
            if last { Some(record.k) } else { manifest.part.of.filter(|_| !self.index.finished) };
        let schema = SCHEMA.to_owned();
        let members = u32::try_from(manifest.files.len() + 2).unwrap_or(u32::MAX);
        let problems = [
            Problem::unless_equal("its schema", &schema, &manifest.schema),
            other_head(&self.index.head, &manifest.head),
            Problem::unless_equal("its counts", &record.counts, &manifest.counts),
            Problem::unless_equal("its fingerprint", &record.digest, &manifest.digest),
            Problem::unless_equal("its window", &record.window, &manifest.window.k),
            Problem::unless_equal(
                "its number",
                &(record.k, of),
                &(manifest.part.k, manifest.part.of),
            ),
            Problem::unless_equal("its number of members", &record.members, &members),
            Problem::unless_equal(
                "the part before",
                &previous,
                &manifest.previous_part_sha256.as_ref(),
            ),
        ];
        for problem in problems.into_iter().flatten() {
            report.add(Some(&record.name), Some(MANIFEST), problem);
        }
    }

    fn check_members(&mut self, part: &OpenedPart<'_>, report: &mut CheckReport) {
        let mut listed: HashMap<&str, &FileRecord> = HashMap::new();
        for file in &part.manifest.files {
            if listed.insert(&file.path, file).is_some() {
                report.add(Some(part.name), Some(&file.path), Problem::Doubled);
            }
        }
        let mut seen = HashSet::new();
        for entry in &part.archive.entries {
            let path = entry.name.as_str();
            if !seen.insert(path) {
                report.add(Some(part.name), Some(path), Problem::Doubled);
                continue;
            }
            if matches!(path, MANIFEST | SUMS) {
                continue;
            }
            match listed.remove(path) {
                None => report.add(Some(part.name), Some(path), Problem::Foreign),
                Some(file) => self.check_member(part, entry, file, report),
            }
        }
        let mut lost: Vec<&str> = listed.into_keys().collect();
        lost.sort_unstable();
        for path in lost {
            report.add(Some(part.name), Some(path), Problem::Lost);
        }
    }

    fn check_member(
        &mut self,
        part: &OpenedPart<'_>,
        entry: &ZipEntry,
        file: &FileRecord,
        report: &mut CheckReport,
    ) {
        report.members += 1;
        let mut add = |problem| report.add(Some(part.name), Some(&file.path), problem);
        let hash = sha256(fold(&file.path).as_bytes());
        let half = hash.first_chunk().copied().unwrap_or_default();
        if !self.paths.insert(half) {
            add(Problem::Doubled);
        }
        let size = u64::from(entry.raw);
        if size != file.size {
            let (expected, found) = (file.size.to_string(), size.to_string());
            add(Problem::Differs { what: "its size", expected, found });
            return;
        }
        let mut whole = file.slice.as_ref().and_then(|slice| self.slice_before(slice, &mut add));
        match hash_member(&part.archive, entry, whole.as_mut()) {
            Err(cause) => add(Problem::Damaged(cause.to_string())),
            Ok(hash) => Problem::unless_equal("its SHA-256", &file.sha256, &hex(&hash))
                .into_iter()
                .for_each(&mut add),
        }
        if let (Some(slice), Some(whole)) = (&file.slice, whole) {
            self.slice_behind(slice, size, whole, &mut add);
        }
    }

    /// The hash of a cut content so far; `None` if this is not the slice that comes next.
    fn slice_before(
        &mut self,
        slice: &Slice,
        add: &mut dyn FnMut(Problem),
    ) -> Option<(u64, Sha256)> {
        let before = self.slices.remove(&slice.path);
        let (next, bytes, hash) = before.unwrap_or_default();
        if slice.k == next.max(1) {
            return Some((bytes, hash));
        }
        add(Problem::Slices(format!("slice {} comes where {} should be", slice.k, next.max(1))));
        None
    }

    fn slice_behind(
        &mut self,
        slice: &Slice,
        size: u64,
        (bytes, hash): (u64, Sha256),
        add: &mut dyn FnMut(Problem),
    ) {
        let bytes = bytes.saturating_add(size);
        if slice.k < slice.of {
            let state = (slice.k.saturating_add(1), bytes, hash);
            let _none = self.slices.insert(slice.path.clone(), state);
            return;
        }
        let (found, expected) = ((bytes, hex(&hash.finish())), (slice.size, slice.sha256.clone()));
        if found != expected {
            add(Problem::Slices(format!("they make {found:?}, not {expected:?}")));
        }
    }
}

/// The field in which a manifest's head is not the index's.
pub(crate) fn other_head(index: &Head, manifest: &Head) -> Option<Problem> {
    let fields = |head: &Head| serde_json::to_value(head).unwrap_or_default();
    let (expected, found) = (fields(index), fields(manifest));
    let path = first_difference(&expected, &found, String::new())?;
    let text = |head: &Value| head.pointer(&path).map_or_else(|| "none".to_owned(), shown);
    let what = format!("its {}", path.trim_start_matches('/').replace('/', "."));
    Some(Problem::Field { what, expected: text(&expected), found: text(&found) })
}

/// The path of the first field that differs, as deep as objects go.
fn first_difference(left: &Value, right: &Value, path: String) -> Option<String> {
    match (left, right) {
        (left, right) if left == right => None,
        (Value::Object(left), Value::Object(right)) => {
            let differs = |key: &&String| left.get(*key) != right.get(*key);
            let key = left.keys().chain(right.keys()).find(differs)?;
            let (left, right) = (left.get(key), right.get(key));
            let path = format!("{path}/{key}");
            let none = Value::Null;
            first_difference(left.unwrap_or(&none), right.unwrap_or(&none), path.clone())
                .or(Some(path))
        }
        _ => Some(path),
    }
}

/// A value in a line: enough to recognise it.
fn shown(value: &Value) -> String {
    const SHOWN_CHARS: usize = 80;
    let text = value.to_string();
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// Opens a part as far as that goes: `None` if its manifest cannot be had.
fn open<'a>(
    name: &'a str,
    file: Arc<dyn ReadFile>,
    report: &mut CheckReport,
) -> Option<OpenedPart<'a>> {
    let archive = match Archive::open(file) {
        Ok(archive) => archive,
        Err(cause) => {
            report.add(Some(name), None, Problem::Unreadable(cause.to_string()));
            return None;
        }
    };
    for oddity in &archive.oddities {
        report.add(Some(name), None, Problem::Rewritten(oddity.clone()));
    }
    if archive.overlaps() {
        report.add(Some(name), None, Problem::Unreadable("its members overlap".to_owned()));
        return None;
    }
    let bytes = match read_own(&archive, MANIFEST, MOST_MANIFEST_BYTES) {
        Ok(bytes) => bytes,
        Err(problem) => {
            report.add(Some(name), Some(MANIFEST), problem);
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(manifest) => Some(OpenedPart { name, archive, manifest, manifest_hash: sha256(&bytes) }),
        Err(cause) => {
            report.add(Some(name), Some(MANIFEST), Problem::Damaged(cause.to_string()));
            None
        }
    }
}

/// Reads one of the part writer's own members whole.
fn read_own(archive: &Archive, name: &str, most: u64) -> std::result::Result<Vec<u8>, Problem> {
    let entry = archive.entries.iter().find(|entry| entry.name == name).ok_or(Problem::Lost)?;
    if u64::from(entry.raw) > most {
        return Err(Problem::Damaged(format!("{} bytes, more than {most}", entry.raw)));
    }
    let mut bytes = Vec::new();
    let content = archive.content(entry).map_err(|cause| Problem::Damaged(cause.to_string()))?;
    let read = content.take(most.saturating_add(1)).read_to_end(&mut bytes);
    let _length = read.map_err(|cause| Problem::Damaged(cause.to_string()))?;
    let whole = bytes.len() as u64 == u64::from(entry.raw) && crc32fast::hash(&bytes) == entry.crc;
    if whole { Ok(bytes) } else { Err(Problem::Damaged("its checksum is wrong".to_owned())) }
}

/// Reads a member to its end: its hash, if size and checksum are right.
fn hash_member(
    archive: &Archive,
    entry: &ZipEntry,
    mut whole: Option<&mut (u64, Sha256)>,
) -> std::io::Result<Hash> {
    let mut content = archive.content(entry)?;
    let (mut hash, mut crc) = (Sha256::default(), crc32fast::Hasher::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        let read = content.read(&mut buffer)?;
        let filled = buffer.get(..read).unwrap_or_default();
        if filled.is_empty() {
            break;
        }
        bytes += filled.len() as u64;
        hash.update(filled);
        crc.update(filled);
        if let Some((_, whole)) = &mut whole {
            whole.update(filled);
        }
    }
    if bytes != u64::from(entry.raw) {
        return Err(std::io::Error::other("fewer bytes than it says"));
    }
    if crc.finalize() != entry.crc {
        return Err(std::io::Error::other("its checksum is wrong"));
    }
    Ok(hash.finish())
}

/// Are the sums those of the manifest's members, so that stock tools come to the same result?
fn check_sums(part: &OpenedPart<'_>, report: &mut CheckReport) {
    let hash = |file: &FileRecord| unhex(&file.sha256).unwrap_or_default();
    let files = part.manifest.files.iter().map(|file| (file.path.as_str(), hash(file)));
    let own = std::iter::once((MANIFEST, part.manifest_hash));
    let expected = sums_text(files.chain(own).collect());
    match read_own(&part.archive, SUMS, 2 * expected.len() as u64 + 1_000) {
        Ok(sums) if sums == expected.as_bytes() => {}
        Ok(_) => {
            let how = "it does not list the manifest's members with their hashes".to_owned();
            report.add(Some(part.name), Some(SUMS), Problem::Rewritten(how));
        }
        Err(problem) => report.add(Some(part.name), Some(SUMS), problem),
    }
}
