//! Is the connection good? Tries each step that a sync takes, and changes nothing.

mod expiry;
mod needs;

use std::sync::Arc;

use chatvault_engine::{Custodian, Timestamp};
use chatvault_graph::{
    Answer, Class, Client, Failure, FailureKind, Feed, Filter, Items, Link, Meter, Page, Request,
    SentRange, read_page,
    route::{self, Export, first_page},
};

use super::content::{REFUSED_FILES, first_file};
use super::directory::{DirectoryEntry, List};
use super::options::{Service, SyncOptions};
use super::settle::settle;
use super::turn::id_of;
use super::{SyncError, drive};
pub(super) use expiry::Expiry;
use expiry::Registration;

/// Eight days: what is asked for of a feed. In one there may be no message.
const SAMPLE_MS: i64 = 8 * 24 * 60 * 60 * 1000;
/// Rows asked for.
const SAMPLE_ROWS: u32 = 10;
/// Entries of the directory asked for at once, and pages of them that are looked through.
const ENTRIES: u32 = 100;
const PAGES: usize = 20;
/// Accounts that are tried before a feed counts as bad: any of them may have no mailbox.
const CANDIDATES: usize = 5;

/// So many files that are all refused are no chance.
const ENOUGH_FILES: usize = 3;

/// One step, and what came of it.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// What was seen, or why it failed.
    pub outcome: Result<String, Failure>,
    /// It is good, and there is something to do all the same.
    pub warning: Option<String>,
}

impl Check {
    fn new(what: impl Into<String>, outcome: Result<String, Failure>) -> Self {
        Self { what: what.into(), outcome, warning: None }
    }
}

/// Tries to sign in, looks at the permissions and the credential's end, and asks for a page of the
/// directory and of each feed. Steps that cannot be tried any more are left out.
///
/// `accounts` are asked for their feeds; without one some of the directory are that are likely to
/// have a mailbox.
///
/// Blocks the calling thread, and owns a tokio runtime while it does: called from async code it
/// panics. [`check_async`] is for there.
///
/// # Errors
///
/// Only if the options make no sense or this machine cannot ask: what the service refuses is a step.
pub fn check(
    service: &Service,
    options: &SyncOptions,
    accounts: &[Custodian],
) -> Result<Vec<Check>, SyncError> {
    drive::start_runtime()?.block_on(check_async(service, options, accounts))
}

/// As [`check`], on the caller's tokio runtime, of which it needs the timer and the network.
///
/// # Errors
///
/// As [`check`].
pub async fn check_async(
    service: &Service,
    options: &SyncOptions,
    accounts: &[Custodian],
) -> Result<Vec<Check>, SyncError> {
    let options = &settle(options)?;
    let client = Client::new(service.app.clone(), &service.limits, Arc::clone(&service.clock))?;
    let now_ms = service.clock.now().ms();
    let checker = Checker { client, service, options, now_ms, meter: Meter::default() };
    Ok(checker.run(accounts).await)
}

struct Checker<'a> {
    client: Client,
    service: &'a Service,
    options: &'a SyncOptions,
    now_ms: i64,
    meter: Meter,
}

impl Checker<'_> {
    async fn run(&self, accounts: &[Custodian]) -> Vec<Check> {
        let roles = match self.client.sign_in().await {
            Ok(roles) => roles,
            Err(failure) => return vec![Check::new("token", Err(failure))],
        };
        let seen = match &roles {
            None => "signed in; the token does not say which permissions it has".to_owned(),
            Some(roles) if roles.is_empty() => {
                return vec![Check::new("token", Err(no_consent()))];
            }
            Some(roles) => format!("signed in with {}", roles.join(", ")),
        };
        let mut checks = vec![Check::new("token", Ok(seen))];
        checks.push(self.expiry(roles.as_deref()).await);
        checks.extend(roles.iter().flat_map(|roles| needs::permissions(self.options, roles)));
        for (list, teams) in [(List::Users, false), (List::Teams, true)] {
            let feeds: Vec<Feed> = self.feeds_of(teams).collect();
            if feeds.is_empty() {
                continue;
            }
            let is_of = |custodian: &&Custodian| custodian.as_str().starts_with("team:") == teams;
            let named: Vec<Custodian> = accounts.iter().filter(is_of).cloned().collect();
            let mut found = named.clone();
            let outcome = self.candidates(list, &mut found).await;
            checks.push(Check::new(list.name(), outcome));
            for feed in feeds {
                checks.extend(self.feed(feed, &found, !named.is_empty()).await);
            }
        }
        checks
    }

    fn feeds_of(&self, teams: bool) -> impl Iterator<Item = Feed> {
        self.options.feeds.iter().copied().filter(move |feed| feed.of_team() == teams)
    }

    /// Until when the app can prove itself, as far as that can be known.
    async fn expiry(&self, roles: Option<&[String]>) -> Check {
        if let Some(known) = Expiry::known(self.service) {
            return known.check(self.now_ms);
        }
        let reads = ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"];
        let may = roles.is_some_and(|roles| roles.iter().any(|role| reads.contains(&&**role)));
        let unknown = "it is not known when it ends: say --secret-expires, or grant the app \
                       Application.Read.All";
        if !may {
            return Check::new("credential", Ok(unknown.to_owned()));
        }
        let app = &self.service.app;
        let asked = async {
            let link = route::application(self.client.cloud(), &app.client_id)?;
            let answer = self.get(&link, Class::Directory).await?;
            let registration = serde_json::from_slice::<Registration>(&answer.body).ok();
            Ok::<_, Failure>(
                registration.and_then(|registration| registration.ends(&app.credential)),
            )
        };
        match asked.await {
            Ok(Some(ends)) => Expiry::of_secret(ends).check(self.now_ms),
            Ok(None) => Check::new("credential", Ok(unknown.to_owned())),
            Err(failure) => Check::new("credential", Err(failure)),
        }
    }

    /// Looks through a list of the directory until there are accounts that are likely to have
    /// something; if some are named, they are asked and no others.
    async fn candidates(&self, list: List, found: &mut Vec<Custodian>) -> Result<String, Failure> {
        let (named, mut entries) = (!found.is_empty(), 0);
        let mut link = list.link(self.client.cloud(), ENTRIES)?;
        for _ in 0..PAGES {
            let answer = self.get(&link, Class::Directory).await?;
            let page = page(&answer, &link)?;
            entries += page.items.len();
            let likely = page.items.iter().filter_map(|item| serde_json::from_slice(item).ok());
            let likely = likely.filter(|entry: &DirectoryEntry| !named && entry.is_likely());
            let room = CANDIDATES.saturating_sub(found.len());
            found.extend(likely.map(|entry| list.custodian(&entry.id)).take(room));
            let next = page.next.as_deref().filter(|next| *next != link.as_str());
            match next {
                None => return Ok(format!("{entries} entries")),
                Some(_) if !found.is_empty() => return Ok(format!("{entries} entries and more")),
                Some(next) => link = Link::follow(self.client.cloud(), next)?,
            }
        }
        Ok(format!("{entries} entries and more, none of which seems to have a mailbox"))
    }

    /// A page of a feed, and a file that it names. Of named accounts each must answer, of others one.
    async fn feed(&self, feed: Feed, found: &[Custodian], named: bool) -> Vec<Check> {
        let mut checks = Vec::new();
        for (at, custodian) in found.iter().enumerate() {
            let what = format!("{feed} of {custodian}");
            match self.page(feed, custodian).await {
                // Somebody may have no mailbox, no licence, no policy; the next one has.
                Err(failure) if !named && at + 1 < found.len() && is_of_one(&failure) => {}
                Err(failure) => {
                    checks.push(Check::new(what, Err(failure)));
                    if !named {
                        break;
                    }
                }
                Ok((rows, files)) => {
                    let seen = format!("{rows} rows of the last days on a first page");
                    checks.push(Check::new(what, Ok(seen)));
                    if !files.is_empty() {
                        checks.push(self.files(feed, &files).await);
                    }
                    if !named {
                        break;
                    }
                }
            }
        }
        checks
    }

    async fn page(
        &self,
        feed: Feed,
        custodian: &Custodian,
    ) -> Result<(usize, Vec<String>), Failure> {
        let from = Timestamp::from_ms(self.now_ms - SAMPLE_MS);
        let export = Export {
            feed,
            id: id_of(custodian),
            deleted_team: false,
            window: Some(SentRange::half_open(from, Timestamp::from_ms(self.now_ms))),
            filter: &Filter::default(),
            top: Some(SAMPLE_ROWS),
            model: self.options.model,
        };
        let link = first_page(self.client.cloud(), &export)?;
        let answer = self.get(&link, feed.class()).await?;
        let page = page(&answer, &link)?;
        let wanted = self.options.content.files && feed.items() == Items::Messages;
        let items = page.items.iter().filter(|_| wanted);
        let files = items.filter_map(|item| first_file(self.client.cloud(), item));
        Ok((page.items.len(), files.take(CANDIDATES).collect()))
    }

    /// Whether files may be read is an open question of the service's own pages, so it is tried.
    async fn files(&self, feed: Feed, addresses: &[String]) -> Check {
        let what = format!("files in {feed}");
        let mut refused = None;
        for address in addresses {
            match self.file(address).await {
                Ok(_) => return Check::new(what, Ok("can be read".to_owned())),
                // It was deleted: the service looked for it, so the app may.
                Err(failure) if failure.kind == FailureKind::NotFound => {
                    return Check::new(what, Ok("may be looked for".to_owned()));
                }
                Err(failure) => refused = Some(failure),
            }
        }
        let Some(failure) = refused else { return Check::new(what, Ok("none".to_owned())) };
        if addresses.len() >= ENOUGH_FILES {
            return Check::new(what, Err(failure));
        }
        // One file can be refused for reasons of its own.
        let warning = Some(REFUSED_FILES.to_owned());
        Check { warning, ..Check::new(what, Ok(failure.to_string())) }
    }

    async fn file(&self, address: &str) -> Result<Answer, Failure> {
        let link = route::share_item(self.client.cloud(), address)?;
        self.get(&link, Class::Files).await
    }

    async fn get(&self, link: &Link, class: Class) -> Result<Answer, Failure> {
        self.client.get(&Request { link, class, resource: None }, &self.meter).await
    }
}

fn page<'a>(answer: &'a Answer, link: &Link) -> Result<Page<'a>, Failure> {
    read_page(&answer.body).map_err(|broken| Failure::astray(link, broken.to_string()))
}

/// Does it say nothing about others?
fn is_of_one(failure: &Failure) -> bool {
    failure.kind.lasts() && !failure.names_a_role()
}

fn no_consent() -> Failure {
    let told = "signed in, but the app has no application permission at all: an administrator has to \
                grant admin consent (Entra admin center, App registrations, API permissions)";
    Failure::new(FailureKind::Permission, told)
}
