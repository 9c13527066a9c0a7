//! Questions to an open store, and small commits.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use zstd::dict::EncoderDictionary;

use super::import::{Gathered, Taker};
use super::keys;
use super::known::Known;
use super::pack::{self, Unpacker};
use crate::peer::{Question, Reader, Result, Session, Table, Tables};

/// Rows that a thread of a scan takes at once.
const SCAN_ROWS: u32 = 4_096;

/// An open store behind the front end.
pub struct Open<T: Tables> {
    /// Dropped before the store that it reads, and before a commit, whose pages it would keep from reuse.
    reader: Option<T::Reader>,
    tables: T,
    unpacker: Unpacker,
    dictionary: Vec<u8>,
    writing: Option<Writing>,
}

/// What commits need, made by the first of them.
struct Writing {
    known: Known,
    dictionary: EncoderDictionary<'static>,
    gathered: Gathered,
}

impl<T: Tables> Open<T> {
    /// Over a store that was opened.
    pub fn new(tables: T, dictionary: Vec<u8>) -> Result<Self> {
        let (reader, unpacker) = (tables.reader()?, Unpacker::new(&dictionary)?);
        Ok(Self { reader: Some(reader), tables, unpacker, dictionary, writing: None })
    }

    /// Of the newest state, and how to unpack what it gives.
    fn reader(&mut self) -> Result<(&mut T::Reader, &mut Unpacker)> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.tables.reader()?,
        };
        Ok((self.reader.insert(reader), &mut self.unpacker))
    }

    fn rows(&mut self, question: &Question) -> Result<Vec<u32>> {
        let between = |name: &str| keys::prefixed(&keys::name(name));
        let (table, (from, to)) = match question {
            Question::Conversation(id) => (Table::Conversations, between(id)),
            Question::Sender(id) => (Table::Senders, between(id)),
            Question::Custodian(id) => return self.delivered_to(&between(id)),
            Question::Modified(from, to) => {
                let bound = |ms: &i64| keys::time(ms * 10_000).to_vec();
                (Table::Modified, (bound(from), bound(to)))
            }
            Question::Message(key) => {
                let (from, to) = keys::prefixed(&keys::message(key));
                let newest = self.reader()?.0.last(Table::Messages, (&from, &to))?;
                return Ok(newest.iter().map(|(_, row)| keys::row_in(row)).collect());
            }
        };
        let mut rows = Vec::new();
        self.reader()?.0.range(table, (&from, &to), &mut |key, _| {
            rows.push(keys::row_in(key));
            Ok(())
        })?;
        Ok(rows)
    }

    fn delivered_to(&mut self, (from, to): &(Vec<u8>, Vec<u8>)) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        self.reader()?.0.range(Table::Sightings, (from, to), &mut |_, list| {
            keys::rows_of_page(list, &mut rows);
            Ok(())
        })?;
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// The number behind the last row: a crash may have left gaps.
    fn next_row(&mut self) -> Result<u32> {
        let last = self.reader()?.0.last(Table::Rows, (&[0; 4], &[u8::MAX; 4]))?;
        Ok(last.map_or(0, |(row, _)| keys::row_in(&row) + 1))
    }

    fn start_writing(&mut self) -> Result<Writing> {
        let next_row = self.next_row()?;
        let next_page = u32::try_from(self.reader()?.0.len(Table::Sightings)?)?;
        Ok(Writing {
            known: Known::new(next_row),
            dictionary: pack::prepared(&self.dictionary),
            gathered: Gathered::new(next_row, next_page),
        })
    }
}

impl<T: Tables> Session for Open<T> {
    fn ask(&mut self, question: &Question, give: &mut dyn FnMut(&[u8])) -> Result<()> {
        let rows = self.rows(question)?;
        let (reader, unpacker) = self.reader()?;
        for row in rows {
            let mut on = |_: &[u8], packed: &[u8]| {
                give(unpacker.unpack(packed)?);
                Ok(())
            };
            if !reader.get(Table::Rows, &row.to_be_bytes(), &mut on)? {
                return Err(format!("row {row} is named and not there").into());
            }
        }
        Ok(())
    }

    fn scan(&mut self, threads: usize, give: &(dyn Fn(&[u8]) + Sync)) -> Result<bool> {
        let rows = self.next_row()?;
        let (dictionary, next) = (&self.dictionary, AtomicU32::new(0));
        let work = |mut reader: T::Reader| -> Result<()> {
            let mut unpacker = Unpacker::new(dictionary)?;
            loop {
                // One thread alone takes everything in one range.
                let length = if threads == 1 { rows.max(1) } else { SCAN_ROWS };
                let from = next.fetch_add(length, Ordering::Relaxed);
                if from >= rows {
                    return Ok(());
                }
                let bounds = (&from.to_be_bytes()[..], &(from + length).to_be_bytes()[..]);
                reader.range(Table::Rows, bounds, &mut |_, packed| {
                    give(unpacker.unpack(packed)?);
                    Ok(())
                })?;
            }
        };
        if threads == 1 {
            return work(self.tables.reader()?).map(|()| true);
        }
        let readers = (0..threads).map(|_| self.tables.reader()).collect::<Result<Vec<_>>>()?;
        thread::scope(|scope| {
            let work = &work;
            let start = |reader| scope.spawn(move || work(reader));
            let threads: Vec<_> = readers.into_iter().map(start).collect();
            for thread in threads {
                thread.join().map_err(|_| "a thread of a scan panicked")??;
            }
            Ok(true)
        })
    }

    fn count(&mut self) -> Result<u64> {
        self.reader()?.0.len(Table::Rows)
    }

    fn commit(&mut self, custodian: &str, documents: &[Vec<u8>]) -> Result<()> {
        if self.writing.is_none() {
            self.writing = Some(self.start_writing()?);
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let before = Some(self.reader.take().map_or_else(|| self.tables.reader(), Ok)?);
        let mut taker = Taker::new(&writing.known, before, &writing.dictionary)?;
        let documents: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
        writing.gathered.add(taker.take(custodian, &documents)?);
        drop(taker);
        self.tables.write(&writing.gathered.take())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { reader, tables, .. } = *self;
        drop(reader);
        tables.close()
    }
}
