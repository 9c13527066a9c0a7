//! Which users and teams the tenant has, asked of its directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::Custodian;
use serde::Deserialize;

use super::account::Kept;
use super::chain::End;
use super::commit::Work;
use super::report::Trouble;
use super::run::{Halt, Run};
use super::{SyncError, store};
use crate::graph::client::Request;
use crate::graph::limits::Class;
use crate::graph::link::Link;
use crate::graph::meter::Meter;
use crate::graph::{Cloud, Failure, FailureKind, read_page, route};

/// Entries asked for at once, and how many if that is too much.
pub(super) const ROWS: [u32; 3] = [999, 100, 10];

/// One of the directory's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Users,
    Teams,
    DeletedUsers,
    DeletedTeams,
}

/// What is read of a directory's entry. Everything but the id may be missing.
#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    #[serde(default, rename = "displayName")]
    name: Option<String>,
    #[serde(default, rename = "userPrincipalName")]
    principal: Option<String>,
    #[serde(default)]
    mail: Option<String>,
}

impl List {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Users => "users of the directory",
            Self::Teams => "teams of the directory",
            Self::DeletedUsers => "deleted users",
            Self::DeletedTeams => "deleted teams",
        }
    }

    pub(super) fn link(self, cloud: &Cloud, rows: u32) -> Result<Link, Failure> {
        match self {
            Self::Users => route::users(cloud, rows),
            Self::Teams => route::teams(cloud, rows),
            Self::DeletedUsers => route::deleted_users(cloud, rows),
            Self::DeletedTeams => route::deleted_teams(cloud),
        }
    }

    fn is_deleted(self) -> bool {
        matches!(self, Self::DeletedUsers | Self::DeletedTeams)
    }

    pub(super) fn custodian(self, id: &str) -> Custodian {
        match self {
            Self::Users | Self::DeletedUsers => Custodian::user(id),
            Self::Teams | Self::DeletedTeams => Custodian::team(id),
        }
    }
}

/// The accounts as the directory has them now.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    pub(super) accounts: BTreeMap<Custodian, Kept>,
    /// Those that were not known before.
    pub(super) new: u64,
    /// Lists that could not be read.
    pub(super) troubles: Vec<Trouble>,
}

/// Reads the directory's lists and keeps what is new or has another name. A list that cannot be
/// read is a trouble; accounts are never removed, since what they have in the archive stays.
pub(super) async fn discover(
    run: &Arc<Run>,
    known: BTreeMap<Custodian, Kept>,
    meter: &Meter,
) -> Result<Discovery, Halt> {
    let mut discovery = Discovery { accounts: known, ..Discovery::default() };
    if !run.options.discover {
        return Ok(discovery);
    }
    let wants = |teams: bool| run.options.feeds.iter().any(|feed| feed.of_team() == teams);
    // Deleted ones last: an id that is in both lists is deleted.
    let lists = [
        (List::Users, wants(false)),
        (List::Teams, wants(true)),
        (List::DeletedUsers, wants(false) && run.options.deleted),
        (List::DeletedTeams, wants(true) && run.options.deleted),
    ];
    for (list, _) in lists.into_iter().filter(|(_, wanted)| *wanted) {
        match read(run, list, meter, &mut discovery).await {
            Ok(()) => {}
            Err(End::Halt(halt)) => return Err(halt),
            Err(End::Failed(failure)) if concerns_all(&failure) => {
                return Err(SyncError::Service(failure).into());
            }
            Err(End::Failed(failure)) => {
                discovery.troubles.push(Trouble::new(list.name(), &failure));
            }
        }
    }
    Ok(discovery)
}

fn concerns_all(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Credentials | FailureKind::Network | FailureKind::Local)
}

/// Reads a list, with smaller pages if the service has no time for large ones.
async fn read(
    run: &Arc<Run>,
    list: List,
    meter: &Meter,
    discovery: &mut Discovery,
) -> Result<(), End> {
    let mut timed_out = None;
    for rows in ROWS {
        let link = list.link(run.client.cloud(), rows)?;
        match pages(run, list, (link, meter), discovery).await {
            Err(End::Failed(failure)) if failure.kind == FailureKind::TimedOut => {
                timed_out = Some(failure);
            }
            other => return other,
        }
    }
    timed_out.map_or(Ok(()), |failure| Err(failure.into()))
}

async fn pages(
    run: &Arc<Run>,
    list: List,
    (mut link, meter): (Link, &Meter),
    discovery: &mut Discovery,
) -> Result<(), End> {
    loop {
        let request = Request { link: &link, class: Class::Directory, resource: None };
        let answer = run.unless_stopped(run.client.get(&request, meter)).await??;
        let page = read_page(&answer.body);
        let page = page.map_err(|broken| Failure::astray(&link, broken.to_string()))?;
        let mut checkpoints = Vec::new();
        for item in &page.items {
            let Ok(entry) = serde_json::from_slice::<Entry>(item) else { continue };
            if let Some(changed) = discovery.add(list, entry) {
                let name = store::account(&changed);
                let kept = discovery.accounts.get(&changed).cloned().unwrap_or_default();
                checkpoints.push((name.clone(), store::bytes(&name, &kept)?));
            }
        }
        let next = page.next.filter(|next| next != link.as_str());
        drop(answer);
        if !checkpoints.is_empty() {
            run.commit(Work { page: None, checkpoints }).await?;
        }
        let Some(next) = next else { return Ok(()) };
        link = Link::follow(run.client.cloud(), &next)?;
    }
}

impl Discovery {
    /// Takes over an entry; its custodian if something about it is new.
    fn add(&mut self, list: List, entry: Entry) -> Option<Custodian> {
        if entry.id.is_empty() {
            return None;
        }
        let custodian = list.custodian(&entry.id);
        let before = self.accounts.get(&custodian);
        self.new += u64::from(before.is_none());
        let now = Kept {
            name: entry.name,
            address: entry.principal.or(entry.mail),
            deleted: list.is_deleted(),
            ..before.cloned().unwrap_or_default()
        };
        if before == Some(&now) {
            return None;
        }
        drop(self.accounts.insert(custodian.clone(), now));
        Some(custodian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Entry {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_entry_is_new_once_and_changed_when_something_about_it_is() {
        let mut discovery = Discovery::default();
        let ada =
            r#"{"id":"a","displayName":"Ada","userPrincipalName":"ada@x.example","mail":null}"#;
        let custodian = Some(Custodian::user("a"));
        assert_eq!(discovery.add(List::Users, entry(ada)), custodian);
        assert_eq!(discovery.add(List::Users, entry(ada)), None);
        assert_eq!(
            discovery.add(List::Users, entry(r#"{"id":"a","displayName":"Ada L"}"#)),
            custodian
        );
        assert_eq!(
            discovery.add(List::DeletedUsers, entry(r#"{"id":"a","displayName":"Ada L"}"#)),
            custodian
        );
        assert_eq!(discovery.new, 1);
        assert!(discovery.accounts[&Custodian::user("a")].deleted);
        assert_eq!(discovery.add(List::Users, entry(r#"{"id":""}"#)), None);
    }

    #[test]
    fn an_account_that_is_active_stays_active() {
        let active = Kept { active: true, ..Kept::default() };
        let mut discovery = Discovery::default();
        drop(discovery.accounts.insert(Custodian::team("t"), active));
        let team = r#"{"id":"t","displayName":"Sales","mail":"sales@x.example"}"#;
        assert_eq!(discovery.add(List::Teams, entry(team)), Some(Custodian::team("t")));
        let kept = &discovery.accounts[&Custodian::team("t")];
        assert!(kept.active && kept.address.as_deref() == Some("sales@x.example"), "{kept:?}");
        assert_eq!(discovery.new, 0);
    }
}
