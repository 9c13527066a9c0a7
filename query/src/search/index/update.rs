//! Bringing the index up to a snapshot.
//!
//! The rows that arrived since the last commit of the index are added in steps of arrival; each step
//! ends in a commit that names the last commit of the archive that is in. A step that is not
//! finished leaves nothing but files that the next update removes.
//!
//! Transcripts are added with the last step, each when its text is there: that can come long after
//! its row. Which texts are in is asked of the index itself.

use chatvault_base::{OnProgress, Progress, Unit};
use chatvault_engine::{
    ContentAddress, LockGuard, RecordKind, Row, RowKeys, Scan, Sequence, Snapshot,
};
use tantivy::indexer::IndexWriterOptions;
use tantivy::{IndexSettings, IndexSortByField, IndexWriter, Order, TantivyDocument};

use super::folder::{FOLDER, Folder, LOCK};
use super::later::arrived;
use super::limits::Limits;
use super::schema::{About, CREATED, FORMAT, Fields, row_number, text_number, tokenizers};
use super::{archive_of, failed, guarded, is_there, open, unfit, unreadable};
use crate::error::{Error, Result};
use crate::record::{Text, Texts};

/// What the writer may hold in memory, over its two threads.
const HEAP_BYTES: usize = 64 << 20;
const THREADS: usize = 2;
/// Rows between two looks at whether to stop.
const PULSE_ROWS: u64 = 1_000;

/// What an update did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// False if it was stopped before the end.
    pub finished: bool,
    /// Rows that were added.
    pub added: u64,
    /// Rows that are in it now.
    pub rows: u64,
    /// The last commit whose rows are in it.
    pub sequence: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why an index that was there was thrown away and built anew.
    pub rebuilt: Option<String>,
}

pub(super) fn update(
    folder: &Folder,
    snapshot: &Snapshot,
    limits: Limits,
    on: OnProgress<'_>,
) -> Result<Update> {
    folder.0.make_folder(FOLDER).map_err(unreadable)?;
    folder.0.sync_folder("").map_err(unreadable)?;
    let guard = lock(folder)?;
    let result = guarded(|| locked(folder, snapshot, limits, on));
    drop(guard);
    result
}

pub(super) fn remove(folder: &Folder) -> Result<bool> {
    if folder.0.list(FOLDER).map_err(unreadable)?.is_empty() {
        return Ok(false);
    }
    let guard = lock(folder)?;
    let removed = folder.clear().map_err(unreadable)?;
    drop(guard);
    Ok(removed)
}

fn lock(folder: &Folder) -> Result<Box<dyn LockGuard>> {
    let held = folder.0.try_lock(&format!("{FOLDER}/{LOCK}"), "chatvault search index\n");
    held.map_err(unreadable)?
        .ok_or_else(|| unfit("is being built by another process: wait for it, or stop that one"))
}

fn locked(
    folder: &Folder,
    snapshot: &Snapshot,
    limits: Limits,
    on: OnProgress<'_>,
) -> Result<Update> {
    let Start { index, about, texts, rebuilt } = start(folder, snapshot)?;
    let mut work = Work {
        fields: Fields::new(),
        snapshot,
        known: texts,
        texts: Texts::new(snapshot),
        update: Update { rows: about.rows, sequence: about.sequence, rebuilt, ..Update::default() },
        about,
        total: 0,
        limits,
    };
    work.run(&index, on)?;
    work.update.bytes = folder.bytes().map_err(unreadable)?;
    Ok(work.update)
}

/// The index to go on with.
struct Start {
    index: tantivy::Index,
    about: About,
    /// The numbers of the transcripts that it has, in order.
    texts: Vec<u64>,
    /// Why it is a new one although one was there.
    rebuilt: Option<String>,
}

fn start(folder: &Folder, snapshot: &Snapshot) -> Result<Start> {
    let mut rebuilt = None;
    if is_there(folder)? {
        match reusable(folder, snapshot) {
            Ok(start) => return Ok(start),
            // That the archive cannot be read says nothing about its index.
            Err(error @ Error::Archive(_)) => return Err(error),
            Err(error) => rebuilt = Some(in_words(&error)),
        }
    }
    // What was there is derived, and it holds people's words: it is not worth keeping a copy of.
    let _ = folder.clear().map_err(unreadable)?;
    let fields = Fields::new();
    let sort = IndexSortByField { field: CREATED.to_owned(), order: Order::Desc };
    let settings = IndexSettings { sort_by_field: Some(sort), ..IndexSettings::default() };
    let mut index =
        tantivy::Index::create(folder.clone(), fields.schema, settings).map_err(failed)?;
    index.set_tokenizers(tokenizers());
    let about = About { format: FORMAT, archive: archive_of(snapshot), ..About::default() };
    Ok(Start { index, about, texts: Vec::new(), rebuilt })
}

/// An error and its cause on one line.
fn in_words(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// An index that is there, if it is of what the archive holds.
fn reusable(folder: &Folder, snapshot: &Snapshot) -> Result<Start> {
    let (tantivy, index) = open(folder, Limits::default())?;
    index.check(snapshot)?;
    if !tantivy.validate_checksum().map_err(failed)?.is_empty() {
        return Err(unfit("is damaged"));
    }
    let texts = index.texts()?;
    Ok(Start { index: tantivy, about: index.about, texts, rebuilt: None })
}

/// Kinds whose words are all in their rows.
const WORDS_IN_ROWS: [RecordKind; 3] =
    [RecordKind::Message, RecordKind::CopilotInteraction, RecordKind::CallRecording];

/// Adds a document; false to stop.
type Add<'a> = &'a mut dyn FnMut(TantivyDocument) -> Result<bool>;

/// An update under way.
struct Work<'s> {
    fields: Fields,
    snapshot: &'s Snapshot,
    /// The numbers of the transcripts that the index has, in order.
    known: Vec<u64>,
    texts: Texts,
    about: About,
    update: Update,
    /// Rows to be added.
    total: u64,
    limits: Limits,
}

impl Work<'_> {
    fn run(&mut self, index: &tantivy::Index, on: OnProgress<'_>) -> Result<()> {
        let last = self.snapshot.sequence().0;
        let ends = self.steps(last)?;
        if self.total == 0 && self.about.sequence == last && self.update.rebuilt.is_none() {
            let is_new = index.load_metas().map_err(failed)?.payload.is_none();
            self.update.finished = true;
            if !is_new {
                return Ok(());
            }
        }
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(HEAP_BYTES / THREADS)
            .num_worker_threads(THREADS)
            .num_merge_threads(1)
            .build();
        let mut writer: IndexWriter = index.writer_with_options(options).map_err(failed)?;
        self.update.finished = true;
        for end in ends {
            if !self.step(&mut writer, end, on)? {
                self.update.finished = false;
                break;
            }
        }
        writer.wait_merging_threads().map_err(failed)
    }

    /// The commits at which steps end, the last one of the archive at the end.
    fn steps(&mut self, last: u64) -> Result<Vec<u64>> {
        let mut seen = 0_usize;
        let mut sample = Vec::new();
        let mut on = |row: RowKeys<'_>| {
            if seen.is_multiple_of(self.limits.sample) {
                sample.push(row.sequence().0);
            }
            seen += 1;
        };
        for record in WORDS_IN_ROWS {
            let scan = Scan { record, ..self.since(last) };
            self.total += self.snapshot.keys(&scan, &mut on).map_err(Error::Archive)?;
        }
        let mut unread = 0;
        self.each_text(last, &mut |_, _| {
            unread += 1;
            Ok(())
        })?;
        self.total += unread;
        sample.sort_unstable();
        let mut ends: Vec<u64> = sample
            .chunks(self.limits.step_rows / self.limits.sample)
            .filter_map(|step| step.last().copied())
            .collect();
        ends.push(last);
        ends.dedup();
        Ok(ends)
    }

    /// What arrived since the last commit of the index, up to a commit of the archive.
    fn since(&self, last: u64) -> Scan {
        arrived(self.about.sequence, last)
    }

    /// Adds what arrived up to a commit; false if it was told to stop.
    fn step(&mut self, writer: &mut IndexWriter, end: u64, on: OnProgress<'_>) -> Result<bool> {
        let mut added = 0;
        let mut add = |document: TantivyDocument| {
            let _ = writer.add_document(document).map_err(failed)?;
            added += 1;
            let now = Progress::new(self.update.added + added, self.total, Unit::Rows);
            Ok(added % PULSE_ROWS != 0 || on(&now).is_continue())
        };
        let is_done = self.add_rows(end, &mut add)?
            && (end != self.snapshot.sequence().0 || self.add_texts(end, &mut add)?);
        if !is_done {
            let _ = writer.rollback().map_err(failed)?;
            return Ok(false);
        }
        let rows = self.about.rows + added;
        let commit = self.snapshot.commit_id(Sequence(end)).map_err(Error::Archive)?;
        let commit = commit.unwrap_or_default().to_string();
        let about = About { sequence: end, rows, commit, ..self.about.clone() };
        let payload = serde_json::to_string(&about).map_err(|cause| unreadable(cause.into()))?;
        let mut commit = writer.prepare_commit().map_err(failed)?;
        commit.set_payload(&payload);
        let _ = commit.commit().map_err(failed)?;
        self.about = about;
        self.update.added += added;
        (self.update.rows, self.update.sequence) = (self.about.rows, self.about.sequence);
        let now = Progress::new(self.update.added, self.total, Unit::Rows);
        Ok(on(&now).is_continue() || end == self.snapshot.sequence().0)
    }

    /// Adds the rows of a step; false if it was told to stop.
    fn add_rows(&self, end: u64, add: Add<'_>) -> Result<bool> {
        for record in WORDS_IN_ROWS {
            let scan = Scan { record, ..self.since(end) };
            let mut rows = self.snapshot.scan(&scan).map_err(Error::Archive)?;
            while let Some(row) = rows.next().map_err(Error::Archive)? {
                if !add(self.fields.document((record, &row), None)?)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Adds the transcripts whose texts the index does not have, whenever they came; false if it was
    /// told to stop.
    fn add_texts(&self, end: u64, add: Add<'_>) -> Result<bool> {
        let mut goes_on = true;
        self.each_text(end, &mut |row, file| {
            let text = self.texts.read(Some(file))?;
            if goes_on && let Text::Here(_) = &text {
                let spoken = Some((&text, file));
                goes_on = add(self.fields.document((RecordKind::CallTranscript, row), spoken)?)?;
            }
            Ok(())
        })?;
        Ok(goes_on)
    }

    /// Calls `on` for each transcript with a text that the index does not have.
    fn each_text(
        &self,
        end: u64,
        on: &mut dyn FnMut(&Row<'_>, &ContentAddress) -> Result<()>,
    ) -> Result<()> {
        let record = RecordKind::CallTranscript;
        let scan = Scan { record, ..arrived(0, end) };
        let mut rows = self.snapshot.scan(&scan).map_err(Error::Archive)?;
        while let Some(row) = rows.next().map_err(Error::Archive)? {
            let Some(file) = self.texts.file(&row.key())? else { continue };
            let number = text_number(row_number(&row), &file);
            if self.known.binary_search(&number).is_err() {
                on(&row, &file)?;
            }
        }
        Ok(())
    }
}
