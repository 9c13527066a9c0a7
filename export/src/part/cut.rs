//! Where groups go: into the open part, into the next, or piece by piece over several.

use std::io::{self, Read};

use super::accounts::{Load, Size};
use super::content::{Content, Meter, Packed, Ready, pack};
use super::group::{Position, Prepared, RecordFile, Slot, slot_load};
use super::open::Records;
use super::running::{Chunk, new_load, numbered};
use super::writer::Writer;
use crate::digest::{Hash, hex, sha256};
use crate::error::{Error, Result};
use crate::manifest::{Facts, Last, Slice};
use crate::name::PATH_CHARS;

/// A slice is at least so large: below it, what every part must have takes nearly all of it.
const LEAST_SLICE_BYTES: u64 = 1 << 10;
/// What slices add to a path at most: `.part` and the digits of any number of them.
const MARK_CHARS: usize = 15;
/// Digits of a hash that stand for the cut end of a path.
const HASH_DIGITS: usize = 8;

impl<'a> Writer<'a> {
    /// Places a group: whole if it can be. A resumed one goes on behind what is in finished parts.
    pub(super) fn place(&mut self, mut group: Prepared<'a>, mut at: Position) -> Result<()> {
        if (at.step, at.slice) == (0, 0)
            && let Some(records) = self.find_place(&mut group, at)?
        {
            return self.commit(group, records);
        }
        let done = at.step;
        for (step, piece) in (0_u64..).zip(group.pieces()) {
            if step < done {
                continue;
            }
            self.check_cancelled()?;
            at.step = step;
            self.place_piece(piece, &mut at)?;
            at.slice = 0;
        }
        Ok(())
    }

    fn place_piece(&mut self, mut piece: Prepared<'a>, at: &mut Position) -> Result<()> {
        if at.slice == 0
            && let Some(records) = self.find_place(&mut piece, *at)?
        {
            return self.commit(piece, records);
        }
        let record = piece.records.pop();
        let slot = match (piece.slots.pop(), &record) {
            (Some(slot), _) => slot,
            (None, Some(record)) => self.record_slot(&record.file, &record.bytes)?,
            (None, None) => return Err(self.too_small(&piece)?),
        };
        self.cut(&slot.settle()?, at)?;
        if let Some(record) = record {
            let number = self.next_number(&record.file);
            let _before = self.continued.insert(record.file.path.clone(), number + 1);
        }
        Ok(())
    }

    /// Makes room in the open part, or in the next if it fits in one alone; `None`: in neither.
    fn find_place(&mut self, group: &mut Prepared<'a>, at: Position) -> Result<Option<Records>> {
        if let Some(records) = self.fits(group)? {
            return Ok(Some(records));
        }
        group.settle()?;
        if !self.size_alone(group)?.fits(self.settings.part_bytes) {
            return Ok(None);
        }
        self.finish_part(Last::No, at)?;
        self.begin_part()?;
        self.fits(group)
    }

    /// The size of the next part if it held only this.
    fn size_alone(&self, group: &Prepared<'_>) -> Result<Size> {
        let slots = group.slots.iter().map(slot_load);
        let records = group.records.iter().map(|record| {
            let path = numbered(&record.file, self.next_number(&record.file));
            let raw = [record.file.header.as_slice(), &record.bytes].concat();
            let length = raw.len() as u64;
            let chunk = Chunk::new(raw.into(), self.settings.level);
            new_load(&path, length, chunk.bytes.len() as u64)
        });
        let more = slots.chain(records).fold(Load::default(), Load::plus);
        Ok(Size::of(&self.next_draft()?, &group.facts(), Load::default(), more))
    }

    /// The number of a file of records in the next part.
    fn next_number(&self, file: &RecordFile) -> u32 {
        let open = self.part.as_ref().and_then(|part| part.record_number(&file.path));
        let kept = || self.continued.get(&file.path).copied().unwrap_or(1);
        open.map_or_else(kept, |number| number + 1)
    }

    /// A file with a single record that is larger than a part.
    fn record_slot(&self, file: &RecordFile, record: &[u8]) -> Result<Slot<'a>> {
        let raw = [file.header.as_slice(), record].concat();
        let length = raw.len() as u64;
        let content = Ready::Now(pack(raw, self.settings.level, false));
        Slot::new(numbered(file, self.next_number(file)), None, length, content)
    }

    fn too_small(&self, group: &Prepared<'_>) -> Result<Error> {
        Ok(Error::TooSmall {
            part_bytes: self.settings.part_bytes,
            what: "what the manifest has to say".to_owned(),
            needed: self.size_alone(group)?.bytes,
        })
    }

    /// Cuts a content into slices, with a note beside the first that says how to join them.
    fn cut(&mut self, slot: &Slot<'a>, at: &mut Position) -> Result<()> {
        let Ready::Now(packed) = &slot.content else { return Err(Error::Worker) };
        let size = self.slice_bytes(slot)?;
        let of = u32::try_from(slot.raw.div_ceil(size)).unwrap_or(u32::MAX);
        let hash = whole_hash(slot, packed)?;
        let whole = Slice { k: 0, of, path: slot.path.clone(), sha256: hex(&hash), size: slot.raw };
        let stem = stem(&slot.path);
        if at.slice == 0 {
            let note = note(&stem, &whole);
            let path = format!("{stem}.REJOIN.txt");
            let length = note.len() as u64;
            let content = self.press().ready(&path, Content::Bytes(note.into_bytes()))?;
            let mut note = Prepared::of_slot(Slot::new(path, None, length, content)?);
            let records = self.find_place(&mut note, *at)?;
            self.commit(note, records.ok_or(Error::Order("a note has no place"))?)?;
            at.slice = 1;
        }
        let mut content = Metered { from: packed.raw(&slot.path)?, meter: Meter::default() };
        for k in 1..=of {
            let length = size.min(slot.raw - size * u64::from(k - 1));
            let mut content = content.by_ref().take(length);
            if u64::from(k) < at.slice {
                let skipped = io::copy(&mut content, &mut io::sink());
                let _bytes = skipped.map_err(Error::content(&slot.path))?;
                continue;
            }
            let part = format!("{stem}.part{k:0width$}", width = digits(of).max(3));
            let slice =
                Slot::slice(part, Slice { k, ..whole.clone() }, slot.source.clone(), length);
            self.place_slice(slice, &mut content, *at)?;
            at.slice = u64::from(k) + 1;
        }
        // One byte more than announced must be seen, and none is what a whole content gives.
        let more = io::copy(&mut content.by_ref().take(1), &mut io::sink());
        let _bytes = more.map_err(Error::content(&slot.path))?;
        content.meter.check(&slot.path, slot.raw, Some(hash)).map(drop)
    }

    fn place_slice(&mut self, slice: Slot<'a>, content: &mut dyn Read, at: Position) -> Result<()> {
        self.check_cancelled()?;
        let mut slice = Prepared::of_slot(slice);
        let _records =
            self.find_place(&mut slice, at)?.ok_or(Error::Order("a slice has no place"))?;
        let part = self.part.as_mut().ok_or(Error::Order("no part is open"))?;
        slice.slots.iter().try_for_each(|slot| part.add_now(slot, content))
    }

    /// How much of a content a part can hold that holds nothing else.
    fn slice_bytes(&self, slot: &Slot<'_>) -> Result<u64> {
        let widest = Slice {
            k: u32::MAX,
            of: u32::MAX,
            path: slot.path.clone(),
            sha256: hex(&[0; 32]),
            size: slot.raw,
        };
        let path = format!("{}{}", stem(&slot.path), "_".repeat(MARK_CHARS));
        let most = u64::from(u32::MAX);
        let slice = Slot::slice(path, widest, slot.source.clone(), most);
        let load = Load::one(slice.container_bytes() - most, slice.listed);
        let draft = self.draft(u32::MAX, Some(&[0; 32]))?;
        let without = Size::of(&draft, &Facts::default(), Load::default(), load).bytes;
        let part_bytes = self.settings.part_bytes;
        match part_bytes.checked_sub(without) {
            Some(bytes) if bytes >= LEAST_SLICE_BYTES => Ok(bytes),
            _ => {
                let what = "a slice of a large content".to_owned();
                Err(Error::TooSmall { part_bytes, what, needed: without + LEAST_SLICE_BYTES })
            }
        }
    }
}

/// The hash of the whole, which the note beside the first slice must have: a content that nobody
/// hashed yet is read once more.
fn whole_hash(slot: &Slot<'_>, packed: &Packed<'_>) -> Result<Hash> {
    if let Some(hash) = packed.sha256() {
        return Ok(hash);
    }
    let mut content = Metered { from: packed.raw(&slot.path)?, meter: Meter::default() };
    let copied = io::copy(&mut content.by_ref().take(slot.raw.saturating_add(1)), &mut io::sink());
    let _bytes = copied.map_err(Error::content(&slot.path))?;
    Ok(content.meter.check(&slot.path, slot.raw, None)?.sha256)
}

/// What the slices' paths begin with: the content's own path, or as much of it as leaves room.
fn stem(path: &str) -> String {
    let most = PATH_CHARS - MARK_CHARS;
    if path.chars().count() <= most {
        return path.to_owned();
    }
    let hash = hex(&sha256(path.as_bytes()));
    let hash = hash.get(..HASH_DIGITS).unwrap_or(&hash);
    let (folder, file) = path.rfind('/').map_or(("", path), |slash| path.split_at(slash + 1));
    let room = most.saturating_sub(folder.chars().count() + 1 + HASH_DIGITS);
    let start: String = file.chars().take(room).collect();
    format!("{folder}{start}~{hash}")
}

fn digits(number: u32) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// What tells people how to join slices.
fn note(stem: &str, whole: &Slice) -> String {
    let file_of = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let (stem, file) = (file_of(stem), file_of(&whole.path));
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let first = format!("{stem}.part{:0width$}", 1, width = digits(whole.of).max(3));
    format!(
        "{file} is larger than one part of this export and was cut into {of} slices,\n\
         {first} and so on, in this part and those that follow.\n\n\
         Unpack all parts into one folder, go to the folder of the slices and join them:\n\n\
         \x20 Linux, macOS:  cat {stem_quoted}.part* > {file_quoted}\n\
         \x20 Windows:       copy /b \"{stem}.part*\" \"{file}\"\n\n\
         The joined file has\n\n\
         \x20 {size} bytes\n\
         \x20 SHA-256 {sha256}\n",
        of = whole.of,
        stem_quoted = quoted(&stem),
        file_quoted = quoted(&file),
        size = whole.size,
        sha256 = whole.sha256,
    )
}

/// Lets a content through and measures it.
struct Metered<R> {
    from: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.meter.update(out.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_no_room_is_cut_and_stays_its_own() {
        assert_eq!(stem("Attachments/0001_a.bin"), "Attachments/0001_a.bin");
        let [a, b] = ["a", "b"].map(|end| format!("Attachments/{}{end}", "x".repeat(187)));
        assert_eq!(a.chars().count(), PATH_CHARS);
        assert_ne!(stem(&a), stem(&b));
        assert_eq!(stem(&a).chars().count(), PATH_CHARS - MARK_CHARS);
    }

    #[test]
    fn a_note_quotes_names_for_a_shell() {
        let whole = Slice {
            k: 0,
            of: 12,
            path: "a/o'brien.iso".to_owned(),
            sha256: String::new(),
            size: 7,
        };
        let note = note("a/o'brien.iso", &whole);
        assert!(note.contains(r"cat 'o'\''brien.iso'.part* > 'o'\''brien.iso'"), "{note}");
        assert!(note.contains("o'brien.iso.part001 and so on"), "{note}");
    }
}
