//! chatvault itself, by its public calls and with its default options.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chatvault_engine::{
    Archive, Custodian, Host, MessageKey, Options, Origin, RecordKind, RunId, Scan, Snapshot,
    TimeRange, Timestamp, Versions, go_on,
};
use chatvault_ingest::{ImportOptions, Progress, Source};

use crate::peer::{Key, Mode, Peer, Place, Question, Result, Session};

/// Stored rows that a thread takes at once, about.
const SCAN_ROWS: u64 = 8_192;

/// The archive engine that this project is.
#[derive(Debug)]
pub struct Chatvault;

impl Peer for Chatvault {
    fn name(&self) -> &'static str {
        "chatvault"
    }

    fn settings(&self) -> &'static str {
        "`Options::default()` and `ImportOptions::default()`; questions are scans with `Versions::EveryVariant` in \
         the default order, a message is `Snapshot::latest_json`. It does more than the others are asked for: who delivered \
         each row in which commit, counters of each run, a quarantine, checksums over every byte, a chain of \
         manifests, and each row is rendered back and compared before it is sealed."
    }

    fn import(&self, place: &Place, pages: &Path, abort_after: Option<u64>) -> Result<()> {
        let archive = Archive::create(Host::disk(&place.folder), Options::default())?;
        let go_on = &mut |progress: &Progress| {
            if abort_after.is_some_and(|after| progress.copies >= after) {
                std::process::abort();
            }
            ControlFlow::Continue(())
        };
        let sources = vec![Source::Folders(pages.to_owned())];
        let summary =
            chatvault_ingest::import(&archive, sources, &ImportOptions::default(), go_on)?;
        if !summary.failures.is_empty() || summary.counts.quarantined > 0 {
            let counts = summary.counts;
            return Err(format!("not all came in: {:?}, {counts:?}", summary.failures).into());
        }
        Ok(archive.close()?)
    }

    fn open(&self, place: &Place, mode: Mode) -> Result<Box<dyn Session>> {
        let host = Host::disk(&place.folder);
        let archive = match mode {
            Mode::Read => Archive::open_read_only(host, Options::default())?,
            Mode::Write => Archive::open(host, Options::default())?,
        };
        let snapshot = archive.snapshot()?;
        Ok(Box::new(Open { archive, snapshot, run: None }))
    }

    fn compact(&self, place: &Place) -> Result<()> {
        let archive = Archive::open(Host::disk(&place.folder), Options::default())?;
        let report = archive.compact(&mut go_on)?;
        if !report.finished {
            return Err("the compaction did not finish".into());
        }
        Ok(archive.close()?)
    }

    fn passing_folders(&self) -> &'static [&'static str] {
        &["trash"]
    }
}

/// An open archive.
struct Open {
    archive: Archive,
    snapshot: Snapshot,
    run: Option<RunId>,
}

impl Session for Open {
    fn ask(&mut self, question: &Question, give: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut scan = everything();
        match question {
            Question::Conversation(id) => scan.conversations.push(id.clone()),
            Question::Sender(id) => scan.senders.push(id.clone()),
            Question::Custodian(id) => scan.custodians.push(Custodian::user(id)),
            Question::Modified(from, to) => {
                let [from, to] = [from, to].map(|ms| Some(Timestamp::from_ms(*ms)));
                scan.modified = TimeRange { from, to };
            }
            Question::Message(key) => {
                if let Some(json) = self.snapshot.latest_json(&message_key(key))? {
                    give(&json);
                }
                return Ok(());
            }
        }
        let mut rows = self.snapshot.scan(&scan)?;
        while let Some(row) = rows.next()? {
            give(row.json());
        }
        Ok(())
    }

    fn scan(&mut self, threads: usize, give: &(dyn Fn(&[u8]) + Sync)) -> Result<bool> {
        let parts = match threads {
            1 => vec![everything()],
            _ => self.snapshot.split(&everything(), SCAN_ROWS)?,
        };
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut rows = self.snapshot.scan(part)?;
                while let Some(row) = rows.next()? {
                    give(row.json());
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
            work()?;
            for other in others {
                other.join().map_err(|_| "a thread of a scan panicked")??;
            }
            Ok(true)
        })
    }

    fn count(&mut self) -> Result<u64> {
        Ok(self.snapshot.count(&everything())?)
    }

    fn commit(&mut self, custodian: &str, documents: &[Vec<u8>]) -> Result<()> {
        let run = match self.run {
            Some(run) => run,
            None => *self.run.insert(self.archive.begin_run("commits")?),
        };
        let (custodian, mut batch) = (Custodian::user(custodian), self.archive.batch(run));
        for document in documents {
            let origin = Origin { source: "commit", offset: 0 };
            batch.offer(&custodian, RecordKind::Message, document, origin);
        }
        let counts = batch.commit()?.counts;
        if counts.quarantined > 0 {
            return Err(format!("a commit was refused in part: {counts:?}").into());
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { archive, snapshot, .. } = *self;
        drop(snapshot);
        Ok(archive.close()?)
    }
}

fn everything() -> Scan {
    Scan { versions: Versions::EveryVariant, ..Scan::default() }
}

fn message_key(key: &Key) -> MessageKey {
    let (conversation, reply_to) = (key.conversation.clone(), key.reply_to.clone());
    MessageKey { record: RecordKind::Message, conversation, reply_to, id: key.id.clone() }
}
