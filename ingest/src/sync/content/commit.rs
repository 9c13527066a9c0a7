//! Links and what is missing, on their way into the archive: in batches, because a commit that
//! links makes packs durable and publishes a manifest.
//!
//! Order of durability: the object is put, then linked and struck off the missing in one commit,
//! and only then its spool files go. A kill anywhere repeats work and loses nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chatvault_engine::{ContentAddress, MessageKey};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::missing::{self, Record, Try};
use super::spool::Files;
use super::{Contents, Item, blocking};
use crate::sync::{SyncError, Trouble};

/// Most outcomes in one commit.
pub(super) const BATCH: usize = 256;
/// How long the first of them waits for more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of one content.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) item: Arc<Item>,
    /// The link's name.
    pub(super) name: String,
    /// What people call it.
    pub(super) title: Option<String>,
    pub(super) result: Result<Stored, Refusal>,
}

/// It is in a pack.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) address: ContentAddress,
    /// Downloaded for it.
    pub(super) bytes: u64,
    pub(super) spool: Option<Files>,
}

/// It could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Arc<str>,
    pub(super) status: Option<u16>,
    /// What to do about it.
    pub(super) advice: &'static str,
}

/// What a pass brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) linked: u64,
    pub(super) failures: u64,
}

/// Commits outcomes until nobody sends any more.
pub(super) async fn run(
    contents: Arc<Contents>,
    mut outcomes: mpsc::Receiver<Outcome>,
) -> Result<Sums, SyncError> {
    let mut sums = Sums::default();
    while let Some(first) = outcomes.recv().await {
        let batch = gather(first, &mut outcomes).await;
        let contents = Arc::clone(&contents);
        let brought = blocking(move || commit(&contents, batch)).await?;
        sums.linked += brought.linked;
        sums.failures += brought.failures;
    }
    Ok(sums)
}

async fn gather(first: Outcome, outcomes: &mut mpsc::Receiver<Outcome>) -> Vec<Outcome> {
    let until = Instant::now() + PATIENCE;
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match timeout_at(until, outcomes.recv()).await {
            Ok(Some(outcome)) => batch.push(outcome),
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// What is counted of a content.
enum Came {
    Linked(u64),
    Missing(Trouble),
    /// It was missing in an earlier run, too.
    StillMissing,
}

/// A batch as it grows: what of its outcomes is news.
#[derive(Default)]
struct News {
    linked: HashSet<(MessageKey, String)>,
    /// `None`: not missing any more.
    missing: BTreeMap<String, Option<Record>>,
    spool: Vec<Files>,
    counted: Vec<(Arc<Item>, Came)>,
}

fn commit(contents: &Contents, outcomes: Vec<Outcome>) -> Result<Sums, SyncError> {
    let settings = &contents.settings;
    let snapshot = settings.archive.snapshot()?;
    let mut batch = settings.archive.batch(settings.run);
    let mut news = News::default();
    for Outcome { item, name, title, result } in outcomes {
        // Links are read as of now, not as of the snapshot.
        let links = snapshot.links(&item.key)?;
        let place = (item.key.clone(), name);
        let is_linked =
            news.linked.contains(&place) || links.iter().any(|(name, _)| *name == place.1);
        let checkpoint = missing::name(&item.key, &place.1);
        let known = match news.missing.get(&checkpoint) {
            Some(there) => there.clone(),
            None => missing::find(&settings.archive, &checkpoint)?,
        };
        match result {
            Ok(stored) => {
                news.spool.extend(stored.spool);
                if known.is_some() {
                    drop(news.missing.insert(checkpoint, None));
                }
                if !is_linked {
                    batch.link(&item.key, &place.1, stored.address);
                    let _ = news.linked.insert(place);
                    news.counted.push((item, Came::Linked(stored.bytes)));
                }
            }
            Err(refusal) if !is_linked => {
                // Several versions of a message name the same content: a run counts it once.
                let before = known.as_ref().map(|known| known.run);
                let named = (&*item, &*place.1, title);
                let record = record(contents, known, named, &refusal);
                let what = record.title.clone().unwrap_or(place.1);
                drop(news.missing.insert(checkpoint, Some(record)));
                match before {
                    Some(run) if run == settings.run.0 => {}
                    Some(_) => news.counted.push((item, Came::StillMissing)),
                    None => news.counted.push((item, Came::Missing(trouble(what, &refusal)))),
                }
            }
            Err(_) => {}
        }
    }
    for (name, record) in &news.missing {
        let value = record.as_ref().map(Record::to_bytes).unwrap_or_default();
        batch.checkpoint(name, &value);
    }
    if !batch.is_empty() {
        drop(batch.commit()?);
    }
    Ok(news.finish(contents))
}

impl News {
    /// It is durable: counts it, and clears up.
    fn finish(self, contents: &Contents) -> Sums {
        let mut sums = Sums::default();
        for (item, result) in self.counted {
            match result {
                Came::Linked(bytes) => {
                    sums.linked += 1;
                    contents.count_object(&item.tally, bytes);
                }
                Came::Missing(trouble) => {
                    sums.failures += 1;
                    contents.count_failure(&item.tally, trouble);
                }
                Came::StillMissing => {
                    sums.failures += 1;
                    contents.count_known(&item.tally);
                }
            }
        }
        for files in self.spool {
            // What stays is removed by a later sweep.
            files.remove().unwrap_or_default();
        }
        sums
    }
}

fn trouble(what: String, refusal: &Refusal) -> Trouble {
    let (reason, advice) = (refusal.reason.to_string(), refusal.advice.to_owned());
    Trouble { what, reason, advice, known: false }
}

fn record(
    contents: &Contents,
    known: Option<Record>,
    (item, name, title): (&Item, &str, Option<String>),
    refusal: &Refusal,
) -> Record {
    let settings = &contents.settings;
    let failed = Try {
        reason: &refusal.reason,
        status: refusal.status,
        now_ms: settings.clock.now().ms(),
        run: settings.run.0,
        content_days: settings.content_days,
    };
    let title = title.or_else(|| known.as_ref()?.title.clone());
    Record { title, ..Record::after(known, (&item.custodian, &item.key, name), failed) }
}
