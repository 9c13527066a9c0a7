//! Pages in: workers read, split, tell duplicates apart and pack; one writer commits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, available_parallelism};

use zstd::dict::EncoderDictionary;

use super::keys;
use super::known::Known;
use super::pack::{self, Packer};
use crate::document::{Facts, split};
use crate::peer::{Puts, Reader, Result, Table, Tables};

/// A commit at every so many copies, as chatvault's own import has it.
const COMMIT_COPIES: u64 = 16_384;
/// Pages that may wait for the writer.
const WAITING_PAGES: usize = 256;

/// A version that is new.
pub struct Fresh {
    pub row: u32,
    pub facts: Facts,
    pub packed: Vec<u8>,
}

/// What came of a page.
pub struct Page {
    pub custodian: String,
    /// The row of every copy.
    pub rows: Vec<u32>,
    pub fresh: Vec<Fresh>,
}

/// Takes documents to their rows; one a thread.
pub struct Taker<'a, R> {
    known: &'a Known,
    /// The store as it was before, unless it was empty: a reader that stays keeps old pages from reuse.
    before: Option<R>,
    packer: Packer<'a>,
    canonical: Vec<u8>,
}

impl<'a, R: Reader> Taker<'a, R> {
    /// With nothing taken yet.
    pub fn new(
        known: &'a Known,
        before: Option<R>,
        dictionary: &'a EncoderDictionary<'a>,
    ) -> Result<Self> {
        Ok(Self { known, before, packer: Packer::new(dictionary)?, canonical: Vec::new() })
    }

    /// Takes a page's documents.
    pub fn take(&mut self, custodian: &str, documents: &[&[u8]]) -> Result<Page> {
        let rows = Vec::with_capacity(documents.len());
        let mut page = Page { custodian: custodian.to_owned(), rows, fresh: Vec::new() };
        for document in documents {
            let row = self.row(document, &mut page.fresh)?;
            page.rows.push(row);
        }
        Ok(page)
    }

    fn row(&mut self, document: &[u8], fresh: &mut Vec<Fresh>) -> Result<u32> {
        let raw = digest(blake3::hash(document).as_bytes());
        if let Some(row) = self.known.raw(raw) {
            return Ok(row);
        }
        let facts = Facts::of(document, &mut self.canonical)?;
        let stored = self.stored(&facts)?;
        let (row, is_new) = self.known.canonical(digest(&facts.address), stored);
        if is_new {
            fresh.push(Fresh { row, facts, packed: self.packer.pack(document)? });
        }
        self.known.remember(raw, row);
        Ok(row)
    }

    fn stored(&mut self, facts: &Facts) -> Result<Option<u32>> {
        let Some(before) = &mut self.before else { return Ok(None) };
        let (from, to) = keys::prefixed(&keys::message(&facts.key));
        let (address, mut found) = (keys::address(facts), None);
        before.range(Table::Messages, (&from, &to), &mut |key, value| {
            if keys::address_in(key) == address {
                found = Some(keys::row_in(value));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Gathers pages for commits.
///
/// A page is written when every row up to its last one has come, so that no sighting is durable before
/// its row.
pub struct Gathered {
    puts: Puts,
    copies: u64,
    next_page: u32,
    /// Every row below this one has come.
    complete: u32,
    /// Rows that came before those below them.
    early: std::collections::BTreeSet<u32>,
    waiting: Vec<Page>,
}

impl Gathered {
    /// With the numbers that are free.
    pub fn new(next_row: u32, next_page: u32) -> Self {
        Self {
            puts: Puts::default(),
            copies: 0,
            next_page,
            complete: next_row,
            early: std::collections::BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// Adds a page.
    pub fn add(&mut self, mut page: Page) {
        self.copies += page.rows.len() as u64;
        for Fresh { row, facts, packed } in page.fresh.drain(..) {
            keys::put_row(&mut self.puts, row, &facts, &packed);
            let _ = self.early.insert(row);
        }
        while self.early.remove(&self.complete) {
            self.complete += 1;
        }
        self.waiting.push(page);
    }

    /// What is to be written now.
    pub fn take(&mut self) -> Puts {
        let complete = self.complete;
        let is_whole = |page: &mut Page| page.rows.iter().all(|row| *row < complete);
        for page in self.waiting.extract_if(.., is_whole) {
            keys::put_page(&mut self.puts, &page.custodian, self.next_page, page.rows);
            self.next_page += 1;
        }
        self.copies = 0;
        let mut puts = std::mem::take(&mut self.puts);
        puts.sort();
        puts
    }
}

/// Imports page files into an empty store and closes it.
pub fn import<T: Tables>(
    mut tables: T,
    dictionary: &[u8],
    pages: &Path,
    abort_after: Option<u64>,
) -> Result<()> {
    let files = crate::corpus::page_files(pages)?;
    let (known, next_file) = (Known::new(0), AtomicUsize::new(0));
    let dictionary = pack::prepared(dictionary);
    let threads = available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = sync_channel(WAITING_PAGES);
    let work = |sender: SyncSender<Result<Page>>| {
        let mut taker = match Taker::<T::Reader>::new(&known, None, &dictionary) {
            Ok(taker) => taker,
            Err(error) => return drop(sender.send(Err(error))),
        };
        while let Some((custodian, path)) = files.get(next_file.fetch_add(1, Ordering::Relaxed)) {
            // The writer hangs up when it fails.
            if sender.send(page(&mut taker, custodian, path)).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, work) = (sender.clone(), &work);
            drop(scope.spawn(move || work(sender)));
        }
        drop(sender);
        write(&mut tables, receiver, abort_after)
    })?;
    tables.flush()?;
    tables.close()
}

fn page<R: Reader>(taker: &mut Taker<'_, R>, custodian: &str, path: &PathBuf) -> Result<Page> {
    let bytes = std::fs::read(path)?;
    taker.take(custodian, &split(&bytes)?)
}

fn write<T: Tables>(
    tables: &mut T,
    pages: Receiver<Result<Page>>,
    abort_after: Option<u64>,
) -> Result<()> {
    let (mut gathered, mut copies) = (Gathered::new(0, 0), 0);
    for page in pages {
        let page = page?;
        copies += page.rows.len() as u64;
        gathered.add(page);
        if gathered.copies >= COMMIT_COPIES {
            tables.write(&gathered.take())?;
        }
        if abort_after.is_some_and(|after| copies >= after) {
            std::process::abort();
        }
    }
    tables.write(&gathered.take())
}

fn digest(bytes: &[u8; 32]) -> u128 {
    bytes.first_chunk().map_or(0, |first| u128::from_le_bytes(*first))
}
