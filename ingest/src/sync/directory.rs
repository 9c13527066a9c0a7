//! Which users and teams the tenant has, asked of its directory.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chatvault_engine::{Custodian, RecordKind};
use chatvault_graph::{Class, Cloud, Failure, FailureKind, Link, Meter, Request, read_page, route};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::account::{Account, Kept, Rule};
use super::chain::{End, place};
use super::commit::{Page, Work};
use super::report::Trouble;
use super::run::{Halt, Run};
use super::{SyncError, places, store};

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
pub(super) struct DirectoryEntry {
    pub(super) id: String,
    #[serde(default, rename = "displayName")]
    name: Option<String>,
    #[serde(default, rename = "userPrincipalName")]
    principal: Option<String>,
    #[serde(default)]
    mail: Option<String>,
    #[serde(default, rename = "userType")]
    kind: Option<String>,
    #[serde(default, rename = "accountEnabled")]
    enabled: Option<bool>,
    #[serde(default, rename = "assignedLicenses")]
    licences: Option<Vec<IgnoredAny>>,
}

impl DirectoryEntry {
    /// Is there likely something to export? Not of guests, rooms and the like.
    pub(super) fn is_likely(&self) -> bool {
        let licensed = self.licences.as_ref().is_none_or(|licences| !licences.is_empty());
        licensed && self.enabled != Some(false) && self.kind.as_deref() != Some("Guest")
    }

    /// The principal name, or else the mail address. A deleted user's principal name has the id in
    /// front, so that others can have the name.
    fn address(&self, list: List) -> Option<String> {
        let id = self.id.replace('-', "");
        let principal = self.principal.as_deref().map(|name| match name.get(..id.len()) {
            Some(front) if list.is_deleted() && front.eq_ignore_ascii_case(&id) => {
                name.get(id.len()..).unwrap_or_default()
            }
            _ => name,
        });
        let known = [principal, self.mail.as_deref()].into_iter().flatten();
        known.into_iter().find(|text| !text.is_empty()).map(str::to_owned)
    }
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

    /// An entry as an account, of which nothing else is known.
    pub(super) fn account(self, item: &[u8]) -> Option<Account> {
        let mut alone = Discovery::default();
        let custodian = alone.add(self, serde_json::from_slice(item).ok()?)?;
        let kept = alone.accounts.remove(&custodian)?;
        Some(Account::of(custodian, kept, Vec::new(), 0))
    }

    /// What its entries are kept as; the recycle bin knows less than was known before.
    fn record(self) -> Option<RecordKind> {
        match self {
            Self::Users => Some(RecordKind::User),
            Self::Teams => Some(RecordKind::Team),
            Self::DeletedUsers | Self::DeletedTeams => None,
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
    activate_new: Option<Rule>,
    listed: HashSet<Custodian>,
}

/// Reads the directory's lists and keeps what is new or has another name. A list that cannot be
/// read is a trouble; accounts are never removed, since what they have in the archive stays.
pub(super) async fn discover(
    run: &Arc<Run>,
    known: BTreeMap<Custodian, Kept>,
    meter: &Meter,
) -> Result<Discovery, Halt> {
    let activate_new = run.options.activate_new;
    let mut discovery = Discovery { accounts: known, activate_new, ..Discovery::default() };
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
    if discovery.troubles.is_empty() && run.options.deleted {
        let gone = |custodian: &Custodian| wants(custodian.as_str().starts_with("team:"));
        let checkpoints = discovery.mark_gone(gone)?;
        if !checkpoints.is_empty() {
            run.commit(Work { page: None, checkpoints }).await?;
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
        let body = answer.body.clone();
        let page = read_page(&body);
        let page = page.map_err(|broken| Failure::astray(&link, broken.to_string()))?;
        let mut checkpoints = Vec::new();
        let items = page.items.iter().map(|item| place(&body, item)).collect();
        for item in &page.items {
            let Ok(entry) = serde_json::from_slice::<DirectoryEntry>(item) else { continue };
            if let Some(changed) = discovery.add(list, entry) {
                let name = store::account(&changed);
                let kept = discovery.accounts.get(&changed).cloned().unwrap_or_default();
                checkpoints.push((name.clone(), store::bytes(&name, &kept)?));
            }
        }
        let next = page.next.filter(|next| next != link.as_str());
        let record = list.record().filter(|_| run.options.directory);
        let page = record.map(|record| Page {
            custodian: places::custodian(),
            record,
            conversation: None,
            source: "graph: directory".to_owned(),
            answer,
            items: Some(items),
        });
        if page.is_some() || !checkpoints.is_empty() {
            run.commit(Work { page, checkpoints }).await?;
        }
        let Some(next) = next else { return Ok(()) };
        link = Link::follow(run.client.cloud(), &next)?;
    }
}

impl Discovery {
    /// Marks accounts that were listed once and are on no list any more, of those that were looked
    /// for.
    fn mark_gone(
        &mut self,
        looked_for: impl Fn(&Custodian) -> bool,
    ) -> Result<Vec<(String, Vec<u8>)>, SyncError> {
        let mut checkpoints = Vec::new();
        for (custodian, kept) in &mut self.accounts {
            let was_listed = kept.name.is_some() || kept.address.is_some() || kept.deleted;
            let is_gone = was_listed && looked_for(custodian) && !self.listed.contains(custodian);
            if is_gone && !kept.gone {
                kept.gone = true;
                let name = store::account(custodian);
                checkpoints.push((name.clone(), store::bytes(&name, kept)?));
            }
        }
        Ok(checkpoints)
    }

    /// Takes over an entry; its custodian if something about it is new.
    fn add(&mut self, list: List, entry: DirectoryEntry) -> Option<Custodian> {
        if entry.id.is_empty() {
            return None;
        }
        let custodian = list.custodian(&entry.id);
        let before = self.accounts.get(&custodian);
        self.new += u64::from(before.is_none());
        let kept = before.cloned().unwrap_or_default();
        // The recycle bin knows less of a person, and of a team nothing: what was known stays.
        let licences = entry.licences.as_ref().filter(|_| !list.is_deleted());
        let mut now = Kept {
            address: entry.address(list).or(kept.address),
            name: entry.name.filter(|name| !name.is_empty()).or(kept.name),
            guest: entry.kind.map(|kind| kind == "Guest").or(kept.guest),
            enabled: entry.enabled.or(kept.enabled),
            licensed: licences.map(|licences| !licences.is_empty()).or(kept.licensed),
            deleted: list.is_deleted(),
            gone: false,
            ..kept
        };
        now.active |= self.activate_new.is_some_and(|rule| rule.activates(&custodian, &now));
        let _ = self.listed.insert(custodian.clone());
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

    fn entry(json: &str) -> DirectoryEntry {
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
    fn what_was_known_of_somebody_is_not_lost_with_the_account() {
        let mut discovery = Discovery::default();
        let bob = r#"{"id":"bb-11","displayName":"Bob","userPrincipalName":"bob@x.example"}"#;
        let team = r#"{"id":"t","displayName":"Finance","mail":"fin@x.example"}"#;
        drop(discovery.add(List::Users, entry(bob)).unwrap());
        drop(discovery.add(List::Teams, entry(team)).unwrap());
        let gone = r#"{"id":"bb-11","displayName":"Bob","userPrincipalName":"BB11bob@x.example"}"#;
        drop(discovery.add(List::DeletedUsers, entry(gone)).unwrap());
        drop(discovery.add(List::DeletedTeams, entry(r#"{"id":"t","displayName":""}"#)).unwrap());
        let eve = r#"{"id":"ee-22","userPrincipalName":"ee22eve@x.example","mail":null}"#;
        drop(discovery.add(List::DeletedUsers, entry(eve)).unwrap());
        let shown = |custodian: Custodian| {
            let kept = &discovery.accounts[&custodian];
            (kept.name.as_deref(), kept.address.as_deref(), kept.deleted)
        };
        assert_eq!(shown(Custodian::user("bb-11")), (Some("Bob"), Some("bob@x.example"), true));
        assert_eq!(shown(Custodian::team("t")), (Some("Finance"), Some("fin@x.example"), true));
        assert_eq!(shown(Custodian::user("ee-22")), (None, Some("eve@x.example"), true));
    }

    #[test]
    fn what_the_directory_says_decides_who_is_activated_and_only_if_nobody_has_decided() {
        let rule = Some(Rule::USERS);
        let mut discovery = Discovery { activate_new: rule, ..Discovery::default() };
        let left = Kept { decided: true, ..Kept::default() };
        drop(discovery.accounts.insert(Custodian::user("left"), left));
        let user = |id: &str, kind: &str, licences: &str| {
            entry(&format!(
                r#"{{"id":"{id}","userType":"{kind}","accountEnabled":true,"assignedLicenses":{licences}}}"#
            ))
        };
        let licence = r#"[{"skuId":"x"}]"#;
        for (id, kind, licences) in [
            ("new", "Member", licence),
            ("left", "Member", licence),
            ("guest", "Guest", "[]"),
            ("room", "Member", "[]"),
        ] {
            drop(discovery.add(List::Users, user(id, kind, licences)).unwrap());
        }
        let active = |id: &str| discovery.accounts[&Custodian::user(id)].active;
        assert_eq!(["new", "left", "guest", "room"].map(active), [true, false, false, false]);
        let room = &discovery.accounts[&Custodian::user("room")];
        assert_eq!(
            (room.guest, room.enabled, room.licensed),
            (Some(false), Some(true), Some(false))
        );
        // A licence comes later than the account.
        drop(discovery.add(List::Users, user("room", "Member", licence)).unwrap());
        assert!(discovery.accounts[&Custodian::user("room")].active);
        // The recycle bin does not know licences.
        drop(discovery.add(List::DeletedUsers, user("new", "Member", "[]")).unwrap());
        assert_eq!(discovery.accounts[&Custodian::user("new")].licensed, Some(true));
    }

    #[test]
    fn who_is_on_no_list_any_more_is_gone_and_back_when_listed_again() {
        let mut discovery = Discovery::default();
        let named = Kept { name: Some("Bob".to_owned()), ..Kept::default() };
        drop(discovery.accounts.insert(Custodian::user("bob"), named));
        drop(discovery.accounts.insert(Custodian::user("by hand"), Kept::default()));
        drop(discovery.add(List::Users, entry(r#"{"id":"a","displayName":"Ada"}"#)));
        assert_eq!(discovery.mark_gone(|_| true).unwrap().len(), 1);
        assert!(discovery.accounts[&Custodian::user("bob")].gone);
        assert_eq!(discovery.mark_gone(|_| true).unwrap().len(), 0, "once");
        drop(discovery.add(List::Users, entry(r#"{"id":"bob","displayName":"Bob"}"#)));
        assert!(!discovery.accounts[&Custodian::user("bob")].gone);
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
