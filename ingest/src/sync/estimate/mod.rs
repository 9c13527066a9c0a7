//! What a first run will cost, from a sample of accounts: requests, time, disk, each with its error.
//!
//! Of each sampled account and feed a page of all time is asked for; if there is more behind it, some
//! days of each part of the past stand for that part. What the sample says is scaled to all accounts,
//! with twice the standard error as the bounds. Nothing is stored.

mod numbers;

use std::sync::Arc;

use chatvault_engine::{Clock, Custodian, Timestamp};
use chatvault_graph::{
    Answer, Class, Client, Failure, Feed, Filter, Items, Limits, Link, Meter, Request, SentRange,
    read_page,
    route::{self, Export, first_page, hosted_in},
};
use tokio::time::Instant;

use super::account::{Account, Rule};
use super::content::first_file;
use super::directory::List;
use super::options::{Service, SyncOptions};
use super::settle::settle;
use super::turn::id_of;
use super::{SyncError, drive};
pub use numbers::Bounds;
use numbers::{Sample, float, scaled};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Accounts of each kind that are asked.
const SAMPLE: usize = 24;
/// Where parts of the past end, in days before now; the last one ends at the start.
const PARTS: [i64; 6] = [7, 30, 90, 365, 2 * 365, 4 * 365];
/// Days of a part that stand for it.
const SLICE_DAYS: i64 = 7;
/// Pages of a slice that are read before its rate counts as known.
const SLICE_PAGES: u32 = 4;
/// Files whose size is asked for.
const FILES: usize = 20;
/// What a version takes in the archive, with its share of indexes: measured, and rounded up.
const VERSION_BYTES: f64 = 100.0;
/// A picture in a message, where nobody has measured one.
const PICTURE_BYTES: f64 = 150_000.0;

/// What a first run will cost. Copies of one message in several mailboxes are counted as often as
/// they come, so what depends on different messages, disk above all, is at most this.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Accounts that would be exported.
    pub accounts: u64,
    /// Those of them that were asked.
    pub sampled: u64,
    /// Sampled accounts that the service has nothing of.
    pub without_mailbox: u64,
    /// Copies of messages.
    pub copies: Bounds,
    /// Requests for messages.
    pub requests: Bounds,
    /// Pictures and files that messages name; each is a request.
    pub contents: Bounds,
    /// Seconds at the allowed rates.
    pub seconds: Bounds,
    /// Bytes on disk, contents included.
    pub bytes: Bounds,
    /// Milliseconds that an answer took.
    pub latency_ms: u64,
}

/// Asks a sample of accounts: those that are active, or without one all that the directory names and
/// that are likely to have something.
///
/// Blocks the calling thread, and owns a tokio runtime while it does: called from async code it
/// panics. [`estimate_async`] is for there.
///
/// # Errors
///
/// If the options make no sense, or the service refuses or cannot be reached.
pub fn estimate(
    service: &Service,
    options: &SyncOptions,
    known: &[Account],
) -> Result<Estimate, SyncError> {
    drive::start_runtime()?.block_on(estimate_async(service, options, known))
}

/// As [`estimate`], on the caller's tokio runtime, of which it needs the timer and the network.
///
/// # Errors
///
/// As [`estimate`].
pub async fn estimate_async(
    service: &Service,
    options: &SyncOptions,
    known: &[Account],
) -> Result<Estimate, SyncError> {
    let options = &settle(options)?;
    let client = Client::new(service.app.clone(), &service.limits, Arc::clone(&service.clock))?;
    let now_ms = service.clock.now().ms();
    let estimator = Estimator { client, service, options, now_ms, meter: Meter::default() };
    estimator.run(known).await.map_err(SyncError::Service)
}

struct Estimator<'a> {
    client: Client,
    service: &'a Service,
    options: &'a SyncOptions,
    now_ms: i64,
    meter: Meter,
}

/// An account to be asked.
#[derive(Clone, Debug)]
struct Whose {
    custodian: Custodian,
    deleted: bool,
}

/// What was counted of an account, or of a part of one.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    rows: f64,
    requests: f64,
    pictures: f64,
    files: f64,
}

impl Counted {
    fn add(&mut self, other: Self, times: f64) {
        self.rows += other.rows * times;
        self.pictures += other.pictures * times;
        self.files += other.files * times;
        self.requests += other.requests;
    }
}

/// What is learned on the way.
#[derive(Debug, Default)]
struct Learned {
    files: Vec<String>,
    answers: u32,
    seconds: f64,
    nothing_of: u64,
}

impl Estimator<'_> {
    async fn run(&self, known: &[Account]) -> Result<Estimate, Failure> {
        drop(self.client.sign_in().await?);
        let mut learned = Learned::default();
        let (mut samples, mut accounts, mut asked) = (Vec::new(), 0, 0);
        for (list, teams) in [(List::Users, false), (List::Teams, true)] {
            if !self.options.feeds.iter().any(|feed| feed.of_team() == teams) {
                continue;
            }
            let all = self.all(list, teams, known).await?;
            let chosen = chosen(&all, &*self.service.clock);
            let mut counted = Vec::new();
            for whose in &chosen {
                counted.push(self.account(whose, teams, &mut learned).await?);
            }
            accounts += all.len() as u64;
            asked += chosen.len() as u64;
            samples.push((all.len(), counted));
        }
        let file_bytes = self.file_bytes(&learned.files).await;
        Ok(self.sum(&samples, (accounts, asked), (&learned, file_bytes)))
    }

    /// Every account of a kind that would be exported.
    async fn all(&self, list: List, teams: bool, known: &[Account]) -> Result<Vec<Whose>, Failure> {
        let whose = |account: &Account| Whose {
            custodian: account.custodian.clone(),
            deleted: account.deleted,
        };
        let is_of = |account: &&Account| {
            account.active && account.custodian.as_str().starts_with("team:") == teams
        };
        if known.iter().any(|account| account.active) {
            return Ok(known.iter().filter(is_of).map(whose).collect());
        }
        let rule = Rule::ALL;
        let mut all = Vec::new();
        let mut link = list.link(self.client.cloud(), super::directory::ROWS[0])?;
        loop {
            let answer = self.get(&link, Class::Directory).await?;
            let page = read_page(&answer.body)
                .map_err(|broken| Failure::astray(&link, broken.to_string()))?;
            let entries = page.items.iter().filter_map(|item| list.account(item));
            all.extend(entries.filter(|one| rule.fits(one)).map(|one| whose(&one)));
            match page.next.filter(|next| next != link.as_str()) {
                Some(next) => link = Link::follow(self.client.cloud(), &next)?,
                None => return Ok(all),
            }
        }
    }

    async fn account(
        &self,
        whose: &Whose,
        teams: bool,
        learned: &mut Learned,
    ) -> Result<Counted, Failure> {
        let of_messages = |feed: &&Feed| feed.windowed() && feed.items() == Items::Messages;
        let feeds = self.options.feeds.iter().filter(of_messages);
        let mut sum = Counted::default();
        for feed in feeds.filter(|feed| feed.of_team() == teams) {
            match self.feed(*feed, whose, learned).await {
                Ok(counted) => sum.add(counted, 1.0),
                // Nothing of it will be read in the run either.
                Err(failure) if failure.kind.lasts() => {
                    sum.requests += 1.0;
                    learned.nothing_of += 1;
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(sum)
    }

    async fn feed(
        &self,
        feed: Feed,
        whose: &Whose,
        learned: &mut Learned,
    ) -> Result<Counted, Failure> {
        let start_ms = self.options.start.ms();
        let all_time = (start_ms, self.now_ms);
        let (mut counted, is_all) = self.slice(feed, whose, all_time, (1, learned)).await?;
        let mut requests = 1.0;
        if !is_all {
            counted = Counted::default();
            let mut to = self.now_ms;
            let ends = PARTS.map(|days| self.now_ms - days * DAY_MS).into_iter().chain([start_ms]);
            for from in ends.filter(|from| *from >= start_ms) {
                let (slice, times) = self.slice_of((from, to));
                let (part, _) = self.slice(feed, whose, slice, (SLICE_PAGES, learned)).await?;
                counted.add(part, times);
                to = from;
            }
            // Windows grow from days to years, and each ends with a page that is not full.
            requests = 6.0;
        }
        let pages = counted.rows / f64::from(self.options.page_rows.min(250));
        Ok(Counted { requests: requests + pages, ..counted })
    }

    /// Some days of a part, anywhere in it, and how often the part has them.
    fn slice_of(&self, (from, to): (i64, i64)) -> ((i64, i64), f64) {
        let width = (to - from).clamp(1, SLICE_DAYS * DAY_MS);
        let room = (to - from - width).max(0);
        let random = u64::from_le_bytes(first_half(self.service.clock.random()));
        let at = from + i64::try_from(random % (room.unsigned_abs() + 1)).unwrap_or(0);
        ((at, at + width), float(minutes(to - from)) / float(minutes(width)))
    }

    /// Counts what a range of time has, up to some pages; false: there is more.
    async fn slice(
        &self,
        feed: Feed,
        whose: &Whose,
        (from, to): (i64, i64),
        (most, learned): (u32, &mut Learned),
    ) -> Result<(Counted, bool), Failure> {
        let (from, to) = (Timestamp::from_ms(from), Timestamp::from_ms(to));
        let export = Export {
            feed,
            id: id_of(&whose.custodian),
            deleted_team: whose.deleted,
            window: Some(SentRange::half_open(from, to)),
            filter: &Filter::default(),
            top: Some(self.options.page_rows),
            model: self.options.model,
        };
        let mut link = first_page(self.client.cloud(), &export)?;
        let mut counted = Counted::default();
        for _ in 0..most {
            let sent = Instant::now();
            let answer = self.get(&link, feed.class()).await?;
            learned.answers += 1;
            learned.seconds += sent.elapsed().as_secs_f64();
            let page = read_page(&answer.body)
                .map_err(|broken| Failure::astray(&link, broken.to_string()))?;
            for item in &page.items {
                self.count(item, &mut counted, learned);
            }
            match page.next.filter(|next| next != link.as_str()) {
                Some(next) => link = Link::follow(self.client.cloud(), &next)?,
                None => return Ok((counted, true)),
            }
        }
        Ok((counted, false))
    }

    fn count(&self, item: &[u8], counted: &mut Counted, learned: &mut Learned) {
        let content = self.options.content;
        counted.rows += 1.0;
        if content.hosted {
            let text = String::from_utf8_lossy(item).replace("\\/", "/");
            counted.pictures += float(hosted_in(self.client.cloud(), &text).len());
        }
        if content.files
            && let Some(file) = first_file(self.client.cloud(), item)
        {
            counted.files += 1.0;
            if learned.files.len() < FILES {
                learned.files.push(file);
            }
        }
    }

    /// What files are like; nothing if none can be asked about.
    async fn file_bytes(&self, files: &[String]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for file in files {
            let Ok(link) = route::share_item(self.client.cloud(), file) else { continue };
            let Ok(answer) = self.get(&link, Class::Files).await else { continue };
            let item = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
            if let Some(size) = item.and_then(|item| item.get("size")?.as_f64()) {
                sum += size;
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    fn sum(
        &self,
        samples: &[(usize, Vec<Counted>)],
        (accounts, asked): (u64, u64),
        (learned, file_bytes): (&Learned, f64),
    ) -> Estimate {
        let of = |value: &dyn Fn(&Counted) -> f64| {
            let samples: Vec<Sample> = samples
                .iter()
                .map(|(all, counted)| Sample {
                    all: *all,
                    values: counted.iter().map(value).collect(),
                })
                .collect();
            scaled(&samples)
        };
        let latency = learned.seconds / f64::from(learned.answers.max(1));
        let limits = &self.service.limits;
        let pace = pace(limits, latency);
        let seconds = |one: &Counted| {
            let messages = one.requests / pace;
            let hosted = one.pictures / (limits.hosted_per_second * limits.sustained);
            let files = one.files / (limits.other_per_second * limits.sustained);
            messages.max(hosted).max(files)
        };
        let bytes = |one: &Counted| {
            one.rows * VERSION_BYTES + one.pictures * PICTURE_BYTES + one.files * file_bytes
        };
        Estimate {
            accounts,
            sampled: asked,
            without_mailbox: learned.nothing_of,
            copies: of(&|one| one.rows),
            requests: of(&|one| one.requests),
            contents: of(&|one| one.pictures + one.files),
            seconds: of(&seconds),
            bytes: of(&bytes),
            latency_ms: numbers::whole(latency * 1_000.0),
        }
    }

    async fn get(&self, link: &Link, class: Class) -> Result<Answer, Failure> {
        self.client.get(&Request { link, class, resource: None }, &self.meter).await
    }
}

/// Requests for messages a second: what is allowed, or what comes back in time.
fn pace(limits: &Limits, latency: f64) -> f64 {
    let allowed = limits.export_per_second * limits.sustained;
    let at_once = float(limits.most_concurrency);
    allowed.min(at_once / latency.max(1e-3))
}

/// Some of all, spread by chance.
fn chosen(all: &[Whose], clock: &dyn Clock) -> Vec<Whose> {
    let step = all.len().div_ceil(SAMPLE).max(1);
    let random = u64::from_le_bytes(first_half(clock.random()));
    let start = usize::try_from(random % step as u64).unwrap_or(0);
    all.iter().skip(start).step_by(step).cloned().collect()
}

fn minutes(ms: i64) -> usize {
    usize::try_from(ms / 60_000).unwrap_or(0).max(1)
}

fn first_half(bytes: [u8; 16]) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(bytes.split_at(8).0);
    half
}
