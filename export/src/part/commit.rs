//! Whether a group still fits into the open part, and putting it there.

use std::sync::Arc;

use super::content::Store;
use super::file::LaneHash;
use super::group::{Prepared, Record, RecordFile};
use super::open::Records;
use super::running::{Chunk, Running, numbered};
use super::writer::Writer;
use crate::error::{Error, Result};

impl<'a> Writer<'a> {
    /// Would the open part still fit with a group? Bounds are tried first, then exact sizes; what
    /// the answer is does not depend on how far the threads are.
    pub(super) fn fits(&mut self, group: &mut Prepared<'a>) -> Result<Option<Records>> {
        let Some(part) = &mut self.part else { return Ok(None) };
        let cap = self.settings.part_bytes;
        let continued = &self.continued;
        let next =
            |file: &RecordFile| numbered(file, continued.get(&file.path).copied().unwrap_or(1));
        if part.size_with(group, &Records::Pending, &next).fits(cap) {
            return Ok(Some(Records::Pending));
        }
        part.settle()?;
        group.settle()?;
        if part.size_with(group, &Records::Pending, &next).fits(cap) {
            return Ok(Some(Records::Pending));
        }
        part.end_chunks(&self.jobs, self.settings.level)?;
        if part.size_with(group, &Records::Pending, &next).fits(cap) {
            return Ok(Some(Records::Pending));
        }
        let chunk = |record: &Record| {
            let raw = part.bytes_of(&record.file, &record.bytes);
            Chunk::new(Arc::new(raw.into_owned()), self.settings.level)
        };
        let chunks = Records::Chunks(group.records.iter().map(chunk).collect());
        Ok(part.size_with(group, &chunks, &next).fits(cap).then_some(chunks))
    }

    /// Puts a group that fits into the open part.
    pub(super) fn commit(&mut self, mut group: Prepared<'a>, records: Records) -> Result<()> {
        let slots = std::mem::take(&mut group.slots);
        self.commit_facts(&group)?;
        match records {
            Records::Pending => {
                for record in &group.records {
                    self.commit_record(record, None)?;
                }
            }
            Records::Chunks(chunks) => {
                for (record, chunk) in group.records.iter().zip(chunks) {
                    self.commit_record(record, Some(chunk))?;
                }
            }
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        slots.into_iter().try_for_each(|slot| part.add_slot(slot))
    }

    fn commit_facts(&mut self, group: &Prepared<'_>) -> Result<()> {
        let part = self.part.as_mut().ok_or(Error::Order("no part is open"))?;
        part.add_facts(group);
        group.subjects.iter().for_each(|subject| self.total.add(subject));
        Ok(())
    }

    fn commit_record(&mut self, record: &Record, chunk: Option<Chunk>) -> Result<()> {
        let part = self.part.as_mut().ok_or(Error::Order("no part is open"))?;
        let path = &record.file.path;
        let bytes = part.bytes_of(&record.file, &record.bytes);
        if part.records(path).is_none() {
            let number = self.continued.get(path).copied().unwrap_or(1);
            let spool = self.folder.temporary();
            let store = Store::new(&self.folder.storage, spool);
            let hash = LaneHash::new(&self.lane);
            part.begin_records(Running::new(Arc::clone(&record.file), number, hash, store))?;
        }
        let Some(running) = part.records(path) else { return Ok(()) };
        match chunk {
            Some(chunk) => running.add_chunk(chunk),
            None => running.add(&bytes, &self.jobs, self.settings.level),
        }
    }
}
