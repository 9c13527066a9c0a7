//! Contents are fetched while accounts have their turns, and until nothing is new behind them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chatvault_engine::Custodian;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::SyncError;
use super::content::{self, ContentTally, Contents, Kind, Pass, Settings};
use super::report::Trouble;
use super::run::{Halt, Run};

/// Time between two looks while nothing was new.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often the progress of a pass is told.
const TELL: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) tallies: BTreeMap<Custodian, ContentTally>,
    /// Kinds of content that nobody may fetch.
    pub(super) troubles: Vec<Trouble>,
    /// Things of other sites, which are not fetched.
    pub(super) external: u64,
    /// Why it ended before its end.
    pub(super) halt: Option<Halt>,
}

/// Contents of everything are looked for again, those that were given up too.
pub(super) fn forget(run: &Run) -> Result<(), SyncError> {
    let mut batch = run.archive.batch(run.id);
    content::forget(&run.archive, &mut batch, run.started_ms)?;
    drop(batch.commit()?);
    Ok(())
}

/// Starts to fetch. It goes on until the sender is dropped and nothing is left.
pub(super) fn start(
    run: &Arc<Run>,
    deleted_teams: HashSet<String>,
) -> (oneshot::Sender<()>, JoinHandle<Fetched>) {
    let (turns, turns_over) = oneshot::channel();
    let run = Arc::clone(run);
    (turns, tokio::spawn(fetch(run, deleted_teams, turns_over)))
}

async fn fetch(
    run: Arc<Run>,
    deleted_teams: HashSet<String>,
    mut turns_over: oneshot::Receiver<()>,
) -> Fetched {
    let kinds = kinds(&run);
    if kinds.is_empty() {
        drop(turns_over.await);
        return Fetched::default();
    }
    let contents = Contents::new(Settings {
        archive: run.archive.clone(),
        client: Arc::clone(&run.client),
        run: run.id,
        kinds,
        deleted_teams,
        content_days: run.options.content_days,
        spool: run.options.spool.clone(),
        clock: Arc::clone(&run.clock),
        stop: run.stop_sign(),
    });
    let halt = passes(&run, &contents, &mut turns_over).await.err();
    if halt.is_some() {
        run.stop();
    }
    let closed = contents.closed().into_iter();
    Fetched {
        tallies: contents.tallies(),
        external: contents.external(),
        troubles: closed.map(|(kind, failure)| Trouble::new(kind.name(), &failure)).collect(),
        halt,
    }
}

async fn passes(
    run: &Run,
    contents: &Arc<Contents>,
    turns_over: &mut oneshot::Receiver<()>,
) -> Result<(), Halt> {
    let mut is_over = false;
    loop {
        // Looked at before the pass: what came in until then is in the pass.
        let last = is_over;
        let pass = watched(run, contents).await?;
        if pass.stopped {
            return Err(Halt::Stopped);
        }
        if pass.rows == 0 && last {
            // A download that nobody wants any more is no reason to fail.
            drop(contents.sweep());
            return Ok(());
        }
        let wait = if pass.rows == 0 { LOOK_AGAIN } else { Duration::ZERO };
        is_over = is_over || timeout(wait, &mut *turns_over).await.is_ok();
    }
}

/// One pass, which can take hours, with its progress told.
async fn watched(run: &Run, contents: &Arc<Contents>) -> Result<Pass, SyncError> {
    let pass = contents.pass();
    tokio::pin!(pass);
    loop {
        let done = timeout(TELL, &mut pass).await;
        run.progress.set_contents(&contents.total());
        if let Ok(pass) = done {
            return pass;
        }
    }
}

fn kinds(run: &Run) -> Vec<Kind> {
    let content = run.options.content;
    let chosen = [
        (Kind::Hosted, content.hosted),
        (Kind::Files, content.files),
        (Kind::Meetings, content.meetings),
    ];
    chosen.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect()
}
