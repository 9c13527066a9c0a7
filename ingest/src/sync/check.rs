//! Is the connection good? Tries each step that a sync takes, and changes nothing.

use std::sync::Arc;

use chatvault_engine::{Custodian, Timestamp};
use serde::Deserialize;

use super::directory::List;
use super::options::{Service, SyncOptions};
use super::settle::settle;
use super::turn::id_of;
use super::{SyncError, drive};
use crate::graph::client::{Client, Request};
use crate::graph::filter::Window;
use crate::graph::limits::Class;
use crate::graph::link::Link;
use crate::graph::meter::Meter;
use crate::graph::route::{Export, first_page};
use crate::graph::{Failure, FailureKind, Feed, Filter, read_page};

/// A day: what is asked for of a feed.
const SAMPLE_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows asked for.
const SAMPLE_ROWS: u32 = 10;

/// One step, and what came of it.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// What was seen, or why it failed.
    pub outcome: Result<String, Failure>,
}

/// Tries to sign in, looks at the permissions, and asks for a page of the directory and of each
/// feed. Steps that cannot be tried any more are left out.
///
/// `account` is asked for its feeds; without one the first user and team of the directory are.
pub fn check(
    service: &Service,
    options: &SyncOptions,
    accounts: &[Custodian],
) -> Result<Vec<Check>, SyncError> {
    let options = &settle(options)?;
    let client = Client::new(service.app.clone(), &service.limits, Arc::clone(&service.clock))?;
    let now_ms = service.clock.now().ms();
    let checker = Checker { client, options, now_ms, meter: Meter::default() };
    Ok(drive::start_runtime()?.block_on(checker.run(accounts)))
}

struct Checker<'a> {
    client: Client,
    options: &'a SyncOptions,
    now_ms: i64,
    meter: Meter,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

impl Checker<'_> {
    async fn run(&self, accounts: &[Custodian]) -> Vec<Check> {
        let roles = match self.client.sign_in().await {
            Ok(roles) => roles,
            Err(failure) => return vec![Check { what: "token".to_owned(), outcome: Err(failure) }],
        };
        let seen = if roles.is_empty() {
            "signed in; the token does not say which permissions it has".to_owned()
        } else {
            format!("signed in with {}", roles.join(", "))
        };
        let mut checks = vec![Check { what: "token".to_owned(), outcome: Ok(seen) }];
        if !roles.is_empty() {
            checks.extend(self.permissions(&roles));
        }
        let mut found = accounts.to_vec();
        for (list, teams) in [(List::Users, false), (List::Teams, true)] {
            if self.feeds().any(|feed| feed.of_team() == teams) {
                let outcome = self.first_of(list, &mut found, accounts.is_empty()).await;
                checks.push(Check { what: list.name().to_owned(), outcome });
            }
        }
        for custodian in &found {
            let is_team = custodian.as_str().starts_with("team:");
            for feed in self.feeds().filter(|feed| feed.of_team() == is_team) {
                let what = format!("{} of {custodian}", feed.name());
                checks.push(Check { what, outcome: self.page(feed, custodian).await });
            }
        }
        checks
    }

    fn feeds(&self) -> impl Iterator<Item = Feed> {
        self.options.feeds.iter().copied()
    }

    /// A permission that is missing is told before anything is asked for.
    fn permissions(&self, roles: &[String]) -> Vec<Check> {
        let mut permissions: Vec<&str> = self.feeds().map(Feed::permission).collect();
        permissions.dedup();
        let check = |permission: &str| {
            // What may write may read.
            let wider = permission.replace(".Read.", ".ReadWrite.");
            let has = roles.iter().any(|role| role == permission || *role == wider);
            let outcome = if has {
                Ok("granted".to_owned())
            } else {
                Err(Failure::new(
                    FailureKind::Permission,
                    format!("the app has no permission {permission}"),
                ))
            };
            Check { what: format!("permission {permission}"), outcome }
        };
        permissions.into_iter().map(check).collect()
    }

    async fn first_of(
        &self,
        list: List,
        found: &mut Vec<Custodian>,
        take: bool,
    ) -> Result<String, Failure> {
        let link = list.link(self.client.cloud(), SAMPLE_ROWS)?;
        let request = Request { link: &link, class: Class::Directory, resource: None };
        let answer = self.client.get(&request, &self.meter).await?;
        let page =
            read_page(&answer.body).map_err(|broken| Failure::astray(&link, broken.to_string()))?;
        let first = page.items.first().and_then(|item| serde_json::from_slice::<Entry>(item).ok());
        if let Some(entry) = first.filter(|_| take) {
            found.push(list.custodian(&entry.id));
        }
        let more = if page.next.is_some() { " and more" } else { "" };
        Ok(format!("{} entries{more}", page.items.len()))
    }

    async fn page(&self, feed: Feed, custodian: &Custodian) -> Result<String, Failure> {
        let from = Timestamp::from_ms(self.now_ms - SAMPLE_MS);
        let export = Export {
            feed,
            id: id_of(custodian),
            deleted_team: false,
            window: Some(Window::half_open(from, Timestamp::from_ms(self.now_ms))),
            filter: &Filter::default(),
            top: Some(SAMPLE_ROWS),
            model: self.options.model,
        };
        let link = first_page(self.client.cloud(), &export)?;
        let rows = self.rows(feed, &link).await?;
        Ok(format!("{rows} rows of the last day on a first page"))
    }

    async fn rows(&self, feed: Feed, link: &Link) -> Result<usize, Failure> {
        let request = Request { link, class: feed.class(), resource: None };
        let answer = self.client.get(&request, &self.meter).await?;
        let page = read_page(&answer.body);
        let broken = |broken: crate::graph::Broken| Failure::astray(link, broken.to_string());
        page.map(|page| page.items.len()).map_err(broken)
    }
}
