//! A run from its start to its report.
//!
//! Threads of two kinds: the runtime's, which wait for the network, and the committer's, which work
//! on what it brought. The caller's task watches them and tells how far they are. Only [`sync`]
//! starts a runtime; everything below it runs inside of one.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use chatvault_base::{OnProgress, threads};
use chatvault_engine::{Archive, Custodian, RunId};
use chatvault_graph::{Client, Feed, Meter};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::timeout;
use tracing::{Instrument, debug_span};

use super::account::{self, Kept, LastTurn};
use super::beside;
use super::check::Expiry;
use super::commit::{Committer, Queue, Tallies, Work, serve};
use super::content::ContentTally;
use super::directory::{self, Discovery};
use super::gaps::gaps;
use super::history;
use super::options::{Service, SyncOptions};
use super::places::{self, Told};
use super::progress::SyncProgress;
use super::report::{AccountReport, SyncReport, Tally, Trouble};
use super::run::{Halt, Run};
use super::settle::settle;
use super::turn::Turn;
use super::{Asked, SyncError, store, switch};

/// Time between two calls of the progress callback.
const TICK: Duration = Duration::from_millis(50);
/// Time between two looks whether more accounts can have their turns.
const LOOK: Duration = Duration::from_secs(1);
/// Accounts whose turns are kept in one commit.
const TURNS_AT_ONCE: usize = 256;
/// Threads that wait for the network.
const NETWORK_THREADS: usize = 2;
/// Threads that read the archive for contents, or look up names. More wait without work to do.
const BLOCKING_THREADS: usize = 16;

/// Whose messages an archive holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tenant {
    tenant: String,
    graph: String,
}

/// What is known of a run when it begins.
struct Known {
    label: String,
    asked: Asked,
    /// Different things in quarantine.
    quarantined: u64,
    /// What to know about the credential.
    expiry: Option<String>,
}

/// What the accounts' turns and the contents came to.
#[derive(Debug, Default)]
struct Outcomes {
    accounts: BTreeMap<Custodian, AccountReport>,
    /// The directory's requests.
    common: Tally,
    discovery: Discovery,
    /// What concerns more than one account.
    troubles: Vec<Trouble>,
    notes: Vec<String>,
    external: u64,
    halt: Option<Halt>,
}

/// Brings the archive up to date with the tenant, for every account that is active.
///
/// Blocks the calling thread, and owns a tokio runtime while it does: called from async code it
/// panics, as starting a runtime inside of another does; [`sync_async`] is for there. Beside the
/// runtime's two network threads and up to sixteen that read the archive, a thread for each core
/// commits. Memory is bounded by the pages in flight ([`Limits`](chatvault_graph::Limits)).
///
/// `progress` is called from the calling thread, about twenty times a second and once at the end;
/// when it breaks, the run ends at its next safe place and [`SyncReport::finished`] is false. What
/// was committed survives a power cut, also when an error ends the run or the process is killed:
/// the next run goes on there. The report is kept in the archive.
///
/// # Errors
///
/// An error means that nothing more could be done for anybody: bad credentials, a dead network, an
/// archive of another tenant, a full disk. What concerns one account is in the report.
pub fn sync(
    archive: &Archive,
    service: &Service,
    options: &SyncOptions,
    progress: OnProgress<'_, SyncProgress>,
) -> Result<SyncReport, SyncError> {
    start_runtime()?.block_on(sync_async(archive, service, options, progress))
}

/// As [`sync`], on the caller's tokio runtime, of which it needs the timer and the network.
///
/// `progress` is called from the task that waits for this. Reading the archive is done on the
/// runtime's blocking threads, committing on threads of its own, one for each core. Dropping the
/// future asks the run to end at its next safe place, and does not wait for it.
///
/// # Errors
///
/// As [`sync`].
pub async fn sync_async<F: FnMut(&SyncProgress) -> ControlFlow<()>>(
    archive: &Archive,
    service: &Service,
    options: &SyncOptions,
    progress: F,
) -> Result<SyncReport, SyncError> {
    let options = settle(options)?;
    let asked = Asked::of(&options);
    let label = format!("{}{}", history::LABEL, service.app.tenant);
    let Begun { id, client, bind, quarantined } = {
        let (archive, service, label) = (archive.clone(), service.clone(), label.clone());
        blocking(move || begin(&archive, &service, &label)).await?
    };
    let (committer, queue) = Committer::new();
    let tallies = Arc::clone(committer.tallies());
    let threads = start_committing(archive, id, queue, &tallies)?;
    let run = Arc::new(Run::new((id, archive.clone()), service, client, options, committer));
    let started_ms = run.started_ms;
    let ends_with_caller = EndsWithCaller(Arc::clone(&run));
    let span = debug_span!("sync", tenant = service.app.tenant);
    let work = tokio::spawn(drive(Arc::clone(&run), bind).instrument(span));
    let outcomes = watch(&run, work, progress).await;
    // The last way to the committing threads goes with the run, and they with it.
    drop((ends_with_caller, run));
    let times = (id, started_ms, service.clock.now().ms());
    let expiry = Expiry::known(service).and_then(|expiry| expiry.warning(times.2));
    let known = Known { label, asked, quarantined, expiry };
    let archive = archive.clone();
    blocking(move || {
        for thread in threads {
            thread.join().map_err(|_panic| broken("a committing thread"))?;
        }
        finish(&archive, known, times, (outcomes.map_err(broken_task)?, &tallies))
    })
    .await
}

/// Ends the run if nobody waits for it any more.
struct EndsWithCaller(Arc<Run>);

impl Drop for EndsWithCaller {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A run that has a number.
struct Begun {
    id: RunId,
    client: Client,
    /// The tenant, if the archive does not know it yet.
    bind: Option<Tenant>,
    /// Different things in quarantine.
    quarantined: u64,
}

fn begin(archive: &Archive, service: &Service, label: &str) -> Result<Begun, SyncError> {
    switch::need(archive)?;
    let tenant = Tenant {
        tenant: service.app.tenant.to_lowercase(),
        graph: service.app.cloud.graph().to_owned(),
    };
    let is_bound = is_bound_to(archive, &tenant)?;
    let quarantined = quarantined(archive)?;
    let client = Client::new(service.app.clone(), &service.limits, Arc::clone(&service.clock))?;
    let id = archive.begin_run(label)?;
    Ok(Begun { id, client, bind: (!is_bound).then_some(tenant), quarantined })
}

/// Threads that commit until the last [`Committer`] of the queue is gone.
fn start_committing(
    archive: &Archive,
    id: RunId,
    queue: Queue,
    tallies: &Arc<Tallies>,
) -> Result<Vec<std::thread::JoinHandle<()>>, SyncError> {
    let queue = Arc::new(queue);
    let start = |_| {
        let (archive, queue) = (archive.clone(), Arc::clone(&queue));
        let tallies = Arc::clone(tallies);
        threads::start("chatvault-commit", move || serve(&archive, id, &queue, &tallies))
    };
    let threads = (0..available_parallelism().map_or(1, usize::from)).map(start);
    threads.collect::<std::io::Result<_>>().map_err(|cause| SyncError::Local {
        path: "a committing thread".into(),
        action: "cannot be started",
        cause,
    })
}

/// Different things in the archive's quarantine.
fn quarantined(archive: &Archive) -> Result<u64, SyncError> {
    // Damage in it is for `verify` to tell, and no reason to bring nothing in.
    Ok(archive.snapshot()?.quarantine().map_or(0, |all| all.count() as u64))
}

/// Does the archive know its tenant already? An error if it is another one.
fn is_bound_to(archive: &Archive, asked: &Tenant) -> Result<bool, SyncError> {
    match store::get::<Tenant>(archive, store::TENANT)? {
        None => Ok(false),
        Some(known) if known == *asked => Ok(true),
        Some(known) => Err(SyncError::WrongTenant {
            archive: format!("{} at {}", known.tenant, known.graph),
            asked: format!("{} at {}", asked.tenant, asked.graph),
        }),
    }
}

pub(super) fn start_runtime() -> Result<Runtime, SyncError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    runtime.map_err(|cause| SyncError::Local {
        path: "the network stack".into(),
        action: "cannot be started",
        cause,
    })
}

pub(super) fn broken_task(cause: JoinError) -> SyncError {
    broken(cause)
}

fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SyncError {
    let cause = std::io::Error::other(cause);
    SyncError::Local { path: "a task of the run".into(), action: "ended without an answer", cause }
}

/// Tells the caller how far the run is, until it has ended.
async fn watch(
    run: &Run,
    mut work: JoinHandle<Outcomes>,
    mut progress: impl FnMut(&SyncProgress) -> ControlFlow<()>,
) -> Result<Outcomes, JoinError> {
    let mut ended = None;
    loop {
        let mut now = run.progress.read(run.committer.tallies().total());
        now.throttled = run.client.is_paused();
        if progress(&now).is_break() {
            run.stop();
        }
        if let Some(outcomes) = ended {
            return outcomes;
        }
        ended = timeout(TICK, &mut work).await.ok();
    }
}

async fn drive(run: Arc<Run>, bind: Option<Tenant>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    outcomes.halt = go(&run, bind, &mut outcomes).await.err();
    outcomes
}

async fn go(run: &Arc<Run>, bind: Option<Tenant>, outcomes: &mut Outcomes) -> Result<(), Halt> {
    let signed_in = run.unless_stopped(run.client.sign_in()).await?;
    drop(signed_in.map_err(SyncError::Service)?);
    if let Some(tenant) = bind {
        let checkpoints = vec![(store::TENANT.to_owned(), store::bytes(store::TENANT, &tenant)?)];
        run.commit(Work { page: None, checkpoints }).await?;
    }
    let meter = Meter::default();
    let known = account::kept(&run.archive)?;
    let discovered = directory::discover(run, known, &meter).await;
    outcomes.common.spend(meter.traffic());
    outcomes.discovery = discovered?;
    outcomes.troubles.append(&mut outcomes.discovery.troubles);
    let chosen = chosen(run, &outcomes.discovery.accounts)?;
    run.progress.set_total(chosen.len());
    if run.options.fresh {
        let run = Arc::clone(run);
        blocking(move || beside::forget(&run)).await?;
    }
    let deleted = deleted_teams(&outcomes.discovery.accounts);
    let (turns_go_on, contents) = beside::start(run, deleted.clone());
    let turns = take_turns(run, chosen, outcomes).await;
    let named = match &turns {
        Ok(()) if run.options.directory => name_places(run, &deleted, outcomes).await,
        _ => Ok(()),
    };
    // Contents of what came in last are still to be fetched.
    drop(turns_go_on);
    let fetched = contents.await.map_err(|cause| Halt::Error(broken_task(cause)))?;
    outcomes.add_contents(fetched.tallies);
    outcomes.troubles.extend(run.all_switched_off());
    outcomes.troubles.extend(fetched.troubles);
    outcomes.external = fetched.external;
    keep_turns(run, outcomes).await?;
    turns.and(named)?;
    fetched.halt.map_or(Ok(()), Err)
}

/// Asks what the conversations are called that have new messages.
async fn name_places(
    run: &Arc<Run>,
    deleted: &HashSet<String>,
    outcomes: &mut Outcomes,
) -> Result<(), Halt> {
    let meter = Arc::new(Meter::default());
    let told = places::ask(run, deleted, &meter).await;
    outcomes.common.spend(meter.traffic());
    let Told { troubles, notes } = told?;
    outcomes.troubles.extend(troubles);
    outcomes.notes.extend(notes);
    Ok(())
}

/// Work that waits for the archive.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SyncError> + Send + 'static,
) -> Result<T, SyncError> {
    tokio::task::spawn_blocking(work).await.map_err(broken_task)?
}

/// The active accounts, or those of them that were named.
fn chosen(
    run: &Run,
    accounts: &BTreeMap<Custodian, Kept>,
) -> Result<Vec<(Custodian, Kept)>, SyncError> {
    let named = &run.options.accounts;
    let is_active = |custodian: &Custodian| accounts.get(custodian).is_some_and(|kept| kept.active);
    if let Some(stranger) = named.iter().find(|custodian| !is_active(custodian)) {
        return Err(SyncError::Input(format!(
            "account {stranger} is not active: `account activate` it first"
        )));
    }
    let wanted = |custodian: &Custodian| named.is_empty() || named.contains(custodian);
    let active = accounts.iter().filter(|(custodian, kept)| kept.active && wanted(custodian));
    Ok(active.map(|(custodian, kept)| (custodian.clone(), kept.clone())).collect())
}

/// The ids of the teams that were deleted.
fn deleted_teams(accounts: &BTreeMap<Custodian, Kept>) -> HashSet<String> {
    let deleted = accounts.iter().filter(|(_, kept)| kept.deleted);
    deleted.filter_map(|(team, _)| Some(team.as_str().strip_prefix("team:")?.to_owned())).collect()
}

/// Lets the accounts have their turns, several at a time.
async fn take_turns(
    run: &Arc<Run>,
    chosen: Vec<(Custodian, Kept)>,
    outcomes: &mut Outcomes,
) -> Result<(), Halt> {
    let mut running = JoinSet::new();
    let mut halted = Ok(());
    let mut waiting = chosen.into_iter();
    loop {
        while halted.is_ok() && !run.is_stopped() && running.len() < run.at_once() {
            let Some((custodian, kept)) = waiting.next() else { break };
            let run = Arc::clone(run);
            let span = debug_span!("turn", account = custodian.as_str());
            let turn = async move {
                let mut turn = Turn::new(&run, custodian.clone(), &kept);
                let ended = turn.take().await;
                (custodian, turn.end(), ended)
            };
            let _handle = running.spawn(turn.instrument(span));
        }
        let Ok(turn) = timeout(LOOK, running.join_next()).await else { continue };
        let Some(turn) = turn else { break };
        let (custodian, (report, refused), ended) =
            turn.map_err(|cause| Halt::Error(broken_task(cause)))?;
        outcomes.discovery.accounts.entry(custodian.clone()).or_default().refused = refused;
        drop(outcomes.accounts.insert(custodian, report));
        run.progress.add_account();
        if let Err(halt) = ended {
            // The first reason counts: what it stops fails for another.
            run.stop();
            halted = halted.and(Err(halt));
        }
    }
    if halted.is_ok() && run.is_stopped() { Err(Halt::Stopped) } else { halted }
}

/// Keeps with each account how its turn ended.
async fn keep_turns(run: &Arc<Run>, outcomes: &mut Outcomes) -> Result<(), Halt> {
    let ended_ms = run.now_ms();
    let asked = Asked::of(&run.options);
    let accounts = &mut outcomes.discovery.accounts;
    let reports: Vec<_> = outcomes.accounts.iter().collect();
    for some in reports.chunks(TURNS_AT_ONCE) {
        let mut checkpoints = Vec::with_capacity(some.len());
        for (custodian, report) in some {
            let kept = accounts.entry((*custodian).clone()).or_default();
            kept.last = Some(LastTurn {
                run: run.id.0,
                ended_ms,
                outcome: report.outcome,
                tally: report.tally,
                troubles: report.troubles.clone(),
                asked: Some(asked.clone()),
            });
            let name = store::account(custodian);
            checkpoints.push((name.clone(), store::bytes(&name, kept)?));
        }
        run.commit(Work { page: None, checkpoints }).await?;
    }
    Ok(())
}

/// Turns that the run's report sums up, or the error that ended it.
fn finish(
    archive: &Archive,
    known: Known,
    (id, started_ms, ended_ms): (RunId, i64, i64),
    (outcomes, tallies): (Outcomes, &Tallies),
) -> Result<SyncReport, SyncError> {
    if let Some(error) = tallies.take_error() {
        return Err(SyncError::Archive(error));
    }
    let mut troubles = outcomes.troubles;
    if let Some(Halt::Error(SyncError::Service(failure))) = &outcomes.halt {
        troubles.push(Trouble::new("run", failure));
    }
    let mut total = outcomes.common;
    total.count(tallies.of(&places::custodian()));
    for report in outcomes.accounts.values() {
        total += report.tally;
    }
    let newly_quarantined = quarantined(archive)?.saturating_sub(known.quarantined);
    let notes = known.expiry.into_iter().chain(notes(&outcomes.accounts)).chain(outcomes.notes);
    let notes = notes.collect();
    let inactive = outcomes.discovery.accounts.values().filter(|kept| !kept.active).count();
    let accounts = outcomes.accounts.into_iter();
    let report = SyncReport {
        run: id.0,
        finished: outcomes.halt.is_none(),
        started_ms,
        ended_ms,
        accounts: accounts.map(|(custodian, report)| (custodian.to_string(), report)).collect(),
        total,
        troubles,
        discovered: outcomes.discovery.new,
        inactive: inactive as u64,
        external: outcomes.external,
        gaps: gaps(&known.asked.feeds, known.asked.start_ms),
        asked: Some(known.asked),
        notes,
        newly_quarantined,
    };
    history::keep(archive, &known.label, &report)?;
    match outcomes.halt {
        Some(Halt::Error(error)) => Err(error),
        Some(Halt::Refused) => Err(SyncError::Input("the archive took no more".to_owned())),
        Some(Halt::Stopped) | None => Ok(report),
    }
}

/// What accounts have to tell that is no failure: each thing once, with their number.
fn notes(accounts: &BTreeMap<Custodian, AccountReport>) -> Vec<String> {
    let mut counts: BTreeMap<Feed, u64> = BTreeMap::new();
    for feed in accounts.values().flat_map(|report| &report.begun_anew) {
        *counts.entry(*feed).or_default() += 1;
    }
    let note = |(feed, count): (Feed, u64)| {
        format!(
            "{feed}: read from the start of {count} {}, because an earlier version did not keep \
             what it had been asked for",
            if count == 1 { "account" } else { "accounts" }
        )
    };
    counts.into_iter().map(note).collect()
}

impl Outcomes {
    /// Adds what was fetched, and what could not be, to the accounts that it belongs to.
    fn add_contents(&mut self, tallies: BTreeMap<Custodian, ContentTally>) {
        for (custodian, tally) in tallies {
            let report = self.accounts.entry(custodian).or_default();
            report.tally.objects += tally.objects;
            report.tally.object_bytes += tally.object_bytes;
            report.tally.spend(tally.traffic);
            let told = tally.troubles.len() as u64;
            tally.troubles.into_iter().for_each(|trouble| report.trouble(trouble));
            report.tally.failures += tally.failures.saturating_sub(told) + tally.known;
            report.tally.known += tally.known;
        }
    }
}
