//! Runs as the archive remembers them.
//!
//! A run's whole report is an object, since it names every account; what is listed is a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chatvault_engine::{Archive, ContentAddress};
use serde::{Deserialize, Serialize};

use super::gaps::gaps;
use super::report::{Outcome, SyncReport, SyncRun, Tally};
use super::{SyncError, store};

/// What the label of a run of `sync` starts with.
pub(super) const LABEL: &str = "sync of ";
/// A report of more bytes was not written by us.
const REPORT_BYTES: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    run: SyncRun,
    /// The content address of the whole report.
    report: String,
}

/// What the service never exports of what any run asked for.
///
/// `Archive` if the archive cannot be read.
pub fn known_gaps(archive: &Archive) -> Result<Vec<String>, SyncError> {
    let runs = runs(archive)?;
    let asked = runs.iter().filter_map(|run| run.asked.as_ref());
    let gaps: BTreeSet<String> =
        asked.flat_map(|asked| gaps(&asked.feeds, asked.start_ms)).collect();
    Ok(gaps.into_iter().collect())
}

/// The runs of `sync`, newest first. One that has no outcome was killed, or goes on elsewhere.
///
/// `Archive` if the archive cannot be read.
pub fn runs(archive: &Archive) -> Result<Vec<SyncRun>, SyncError> {
    let ended: Vec<(String, Kept)> = store::list(archive, store::RUNS)?;
    let mut ended: BTreeMap<u32, SyncRun> =
        ended.into_iter().map(|(_, kept)| (kept.run.run, kept.run)).collect();
    let all = archive.runs()?.into_iter().rev();
    let known = all.filter(|run| run.label.starts_with(LABEL)).map(|run| {
        ended.remove(&run.run.0).unwrap_or_else(|| {
            let mut tally = Tally::default();
            tally.count(run.counts);
            SyncRun {
                run: run.run.0,
                label: run.label,
                asked: None,
                started_ms: run.started.ms(),
                ended_ms: None,
                outcome: None,
                tally,
                accounts: 0,
                incomplete: 0,
            }
        })
    });
    Ok(known.collect())
}

/// The whole report of a run; `None` if there is no such run or it was killed.
///
/// `Archive` if the archive cannot be read.
pub fn report(archive: &Archive, run: u32) -> Result<Option<SyncReport>, SyncError> {
    let name = store::run(run);
    let Some(kept) = store::get::<Kept>(archive, &name)? else { return Ok(None) };
    let address: ContentAddress = kept.report.parse()?;
    let Some(object) = archive.snapshot()?.object(&address)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = object.take(REPORT_BYTES).read_to_end(&mut bytes);
    let local = |cause| SyncError::Local {
        path: "the report".into(),
        action: "cannot be read back from the archive",
        cause,
    };
    let _length = read.map_err(local)?;
    let report = serde_json::from_slice(&bytes);
    report.map(Some).map_err(|cause| SyncError::Kept { name, cause })
}

/// Keeps a run's report; durable on return.
pub(super) fn keep(archive: &Archive, label: &str, report: &SyncReport) -> Result<(), SyncError> {
    let name = store::run(report.run);
    let json = store::bytes(&name, report)?;
    let address = archive.put_object(&mut &json[..])?;
    // An object that no message links to is durable when the archive is sealed.
    archive.seal()?;
    let incomplete = |account: &&super::AccountReport| account.outcome != Outcome::Complete;
    let run = SyncRun {
        run: report.run,
        label: label.to_owned(),
        asked: report.asked.clone(),
        started_ms: report.started_ms,
        ended_ms: Some(report.ended_ms),
        outcome: Some(report.outcome()),
        tally: report.total,
        accounts: report.accounts.len() as u64,
        incomplete: report.accounts.values().filter(incomplete).count() as u64,
    };
    let kept = Kept { run, report: address.to_string() };
    let mut batch = archive.batch(chatvault_engine::RunId(report.run));
    store::put(&mut batch, &name, &kept)?;
    drop(batch.commit()?);
    Ok(())
}
