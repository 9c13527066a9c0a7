//! One account's turn: its feeds, each window by window.
//!
//! What goes wrong with one feed or window is told and counted, and the rest goes on. What concerns
//! everybody (credentials, a dead network, the archive) ends the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{Custodian, Timestamp};
use chatvault_graph::{
    Class, Failure, FailureKind, Feed, Filter, Link, Meter, Request, SentRange, fetch_once,
    route::{Export, first_page},
};

use super::account::Kept;
use super::chain::{End, Fetched};
use super::commit::Work;
use super::plan::{Position, Restarts, Round, Scope, Window};
use super::report::{AccountReport, Outcome, Trouble};
use super::run::{Halt, Run};
use super::{Plan, SyncError, store};

/// The plan's filter, by name.
const FETCH_ONCE: &str = "fetch-once";
/// A delta export reaches back eight months.
const DELTA_REACH_MS: i64 = 240 * 24 * 60 * 60 * 1000;

/// An account while it has its turn.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) run: &'a Arc<Run>,
    pub(super) custodian: Custodian,
    deleted: bool,
    pub(super) meter: Meter,
    pub(super) report: AccountReport,
    /// What each feed failed for in earlier runs.
    refused: Refused,
}

/// Feeds that fail for a reason that lasts, each with what to do about it.
pub(super) type Refused = BTreeMap<Feed, String>;

/// What to do about a window that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    AskForLess,
    Restart,
    Skip,
    GiveUp,
}

impl<'a> Turn<'a> {
    pub(super) fn new(run: &'a Arc<Run>, custodian: Custodian, kept: &Kept) -> Self {
        let (meter, report) = (Meter::default(), AccountReport::default());
        Self { run, custodian, deleted: kept.deleted, meter, report, refused: kept.refused.clone() }
    }

    /// Reads all feeds of the account.
    pub(super) async fn take(&mut self) -> Result<(), Halt> {
        let feeds: Vec<Feed> = self.run.feeds_of(&self.custodian).collect();
        let mut failed = 0;
        for feed in &feeds {
            if let Some(trouble) = self.run.switched_off(*feed) {
                self.report.trouble(trouble);
                failed += 1;
                continue;
            }
            match self.feed(*feed).await {
                Ok(()) => drop(self.refused.remove(feed)),
                Err(End::Halt(halt)) => {
                    self.report.worsen(Outcome::Stopped);
                    return Err(halt);
                }
                Err(End::Failed(failure)) => {
                    failed += 1;
                    self.note(*feed, &failure);
                    if failure.kind.lasts() {
                        let advice = failure.kind.advice().to_owned();
                        drop(self.refused.insert(*feed, advice));
                    }
                    self.run.consider(*feed, failure)?;
                }
            }
        }
        if failed > 0 && failed == feeds.len() && self.report.tally.pages == 0 {
            self.report.worsen(Outcome::Failed);
        }
        Ok(())
    }

    /// What the turn came to.
    pub(super) fn end(mut self) -> (AccountReport, Refused) {
        self.report.tally.count(self.run.committer.tallies().of(&self.custodian));
        self.report.tally.spend(self.meter.traffic());
        (self.report, self.refused)
    }

    fn note(&mut self, feed: Feed, failure: &Failure) {
        let mut trouble = Trouble::new(feed.name(), failure);
        trouble.known |= self.refused.get(&feed).is_some_and(|before| *before == trouble.advice);
        self.report.trouble(trouble);
    }

    async fn feed(&mut self, feed: Feed) -> Result<(), End> {
        let position = self.position(feed)?;
        if feed.windowed() {
            self.windows(feed, position).await
        } else {
            self.delta(feed, position).await
        }
    }

    /// Where a run goes on that asks for the same.
    fn position(&mut self, feed: Feed) -> Result<Position, SyncError> {
        let run = &self.run;
        if let Some((from, to)) = run.options.range {
            let settled_ms = run.started_ms - run.pace.settle_ms;
            return Ok(Position::once(from.ms(), to.ms().min(settled_ms)));
        }
        let filter = self.filter_in(feed);
        let name = store::position(&self.custodian, feed, &filter);
        let kept = if run.options.fresh { None } else { store::get(&run.archive, &name)? };
        let scope = Scope { filter, from_ms: run.options.start.ms() };
        let position = match kept {
            None => Position::new(scope),
            Some(kept) => {
                let (position, is_known) = Position::resume(kept, scope, feed.windowed());
                if !is_known {
                    self.report.begun_anew.push(feed);
                }
                position
            }
        };
        Ok(Position { name, ..position })
    }

    async fn windows(&mut self, feed: Feed, mut position: Position) -> Result<(), End> {
        loop {
            let mut round = position.begin(&self.run.pace, self.run.started_ms);
            self.round(feed, &mut position, &mut round).await?;
            if !round.resumed || self.run.options.range.is_some() {
                return Ok(());
            }
        }
    }

    async fn round(
        &mut self,
        feed: Feed,
        position: &mut Position,
        round: &mut Round,
    ) -> Result<(), End> {
        let pace = self.run.pace;
        let mut restarts = Restarts::default();
        let mut skipped: Option<Failure> = None;
        while position.next_window(round, &pace).is_some() {
            let failure = match self.window(feed, position).await {
                Ok(()) => {
                    restarts = Restarts::default();
                    continue;
                }
                Err(End::Failed(failure)) => failure,
                Err(halt) => return Err(halt),
            };
            let (now_ms, can_choose) = (self.run.now_ms(), feed.max_top().is_some());
            match remedy(&failure, position.open.as_ref(), &mut restarts) {
                Remedy::AskForLess if position.ask_for_less(&pace, can_choose, now_ms) => {}
                Remedy::Restart => position.restart(now_ms),
                Remedy::AskForLess | Remedy::Skip => {
                    position.skip();
                    self.save(position).await?;
                    if let Some(before) = skipped.replace(failure) {
                        self.note(feed, &before);
                    }
                }
                Remedy::GiveUp => return Err(failure.into()),
            }
        }
        skipped.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Reads the open window to the end of its chain, and closes it with its last page.
    async fn window(&mut self, feed: Feed, position: &mut Position) -> Result<(), End> {
        let first = self.link_of(feed, position)?;
        let pace = self.run.pace;
        let now_ms = self.run.now_ms();
        let advance = &mut |position: &mut Position, page: &mut Fetched| match &page.next {
            // A chain without rows is endless, not long.
            Some(next) => {
                if position.follow(next, page.has_rows(), now_ms) {
                    page.next = None;
                }
            }
            None => position.close(&pace),
        };
        self.chain(feed, first, position, advance).await
    }

    /// Reads what changed since the last round, or everything of the last months the first time.
    async fn delta(&mut self, feed: Feed, mut position: Position) -> Result<(), End> {
        let cloud = self.run.client.cloud();
        let mut restarts = Restarts::default();
        loop {
            let open = position.open.as_ref().and_then(|window| window.next.as_deref());
            let first = if let Some(link) = open.or(position.delta.as_deref()) {
                Link::follow(cloud, link)?
            } else {
                let reach = self.run.started_ms - DELTA_REACH_MS;
                let from = self.run.options.start.max(Timestamp::from_ms(reach));
                self.first_page(feed, Some((from, Timestamp::MAX)), None)?
            };
            let now_ms = self.run.started_ms;
            let turn = &mut |position: &mut Position, page: &mut Fetched| match &page.next {
                Some(next) => position.follow_delta(next, now_ms),
                None => position.end_delta(page.delta.as_deref(), now_ms),
            };
            match self.chain(feed, first, &mut position, turn).await {
                // The token has expired: everything from the start, as the service asks for.
                Err(End::Failed(failure)) if is_expired(&failure) && restarts.allow() => {
                    (position.open, position.delta) = (None, None);
                }
                other => return other,
            }
        }
    }

    /// Where the open window goes on.
    fn link_of(&self, feed: Feed, position: &Position) -> Result<Link, End> {
        let cloud = self.run.client.cloud();
        let window = position.open.as_ref();
        if let Some(next) = window.and_then(|window| window.next.as_deref()) {
            return Ok(Link::follow(cloud, next)?);
        }
        let range = window
            .map(|window| (Timestamp::from_ms(window.from_ms), Timestamp::from_ms(window.to_ms)));
        self.first_page(feed, range, position.rows)
    }

    /// The first address of a window `from <= t < to`.
    fn first_page(
        &self,
        feed: Feed,
        range: Option<(Timestamp, Timestamp)>,
        rows: Option<u32>,
    ) -> Result<Link, End> {
        let options = &self.run.options;
        let export = Export {
            feed,
            id: id_of(&self.custodian),
            deleted_team: self.deleted,
            window: range.map(|(from, to)| SentRange::half_open(from, to)),
            filter: &self.filter(),
            top: Some(rows.unwrap_or(options.page_rows)),
            model: options.model,
        };
        Ok(first_page(self.run.client.cloud(), &export)?)
    }

    /// What is asked for; feeds leave out what they cannot be asked.
    fn filter(&self) -> Filter {
        let options = &self.run.options;
        let senders = match (&options.filter, options.plan) {
            (Some(filter), _) => filter.clone(),
            (None, Plan::FetchOnce) => fetch_once(id_of(&self.custodian)),
            (None, Plan::EveryCopy) => Filter::default(),
        };
        options.app_classes.iter().fold(senders, |filter, class| filter.or_app_class(class))
    }

    /// What of a feed passes, as its position keeps it: empty for everything.
    fn filter_in(&self, feed: Feed) -> String {
        let (options, part) = (&self.run.options, feed.part_of(&self.filter()));
        let by_plan = options.filter.is_none() && options.plan == Plan::FetchOnce;
        // Its filter is long, and another one for each user.
        if by_plan && !part.senders().is_empty() { FETCH_ONCE.to_owned() } else { part.to_string() }
    }

    /// What a page counts as. Meetings and the like are limited by user.
    pub(super) fn request<'r>(&'r self, feed: Feed, link: &'r Link) -> Request<'r> {
        let class = feed.class();
        let resource = (class == Class::Other).then(|| self.custodian.as_str());
        Request { link, class, resource }
    }

    async fn save(&self, position: &Position) -> Result<(), End> {
        let checkpoints: Vec<_> = position.checkpoint()?.into_iter().collect();
        if checkpoints.is_empty() {
            return Ok(());
        }
        Ok(self.run.commit(Work { page: None, checkpoints }).await?)
    }
}

/// The id without its type.
pub(super) fn id_of(custodian: &Custodian) -> &str {
    custodian.as_str().split_once(':').map_or("", |(_, id)| id)
}

fn is_expired(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Gone | FailureKind::Refused)
}

fn remedy(failure: &Failure, open: Option<&Window>, restarts: &mut Restarts) -> Remedy {
    let goes_on = open.is_some_and(|window| window.next.is_some());
    match failure.kind {
        FailureKind::TimedOut | FailureKind::TooLarge => Remedy::AskForLess,
        // What names the place in a chain is no longer good: the window again.
        FailureKind::Refused | FailureKind::Gone | FailureKind::NotFound if goes_on => {
            if restarts.allow() { Remedy::Restart } else { Remedy::Skip }
        }
        FailureKind::Hostile => Remedy::Skip,
        _ => Remedy::GiveUp,
    }
}
