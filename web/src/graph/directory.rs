//! Users and teams: what the directory said of them, and those that it said nothing of.
//!
//! An account whose entry the archive has is given as that entry; any other as what is known of it.
//! Deleted accounts are in the lists of deleted ones; their entries stay in the others too, since the
//! archive has them. Who delivers the directory itself is nobody's account.

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::response::Response;
use chatvault_engine::{Archive, CommitId, Custodian, MessageKey, RecordKind, Scan, Snapshot};
use chatvault_ingest::sync::{self, Account};
use serde_json::{Value, json};

use super::Call;
use super::link::{Question, Size};
use super::page::{Page, entity};
use super::refusal::{Refusal, Result};
use crate::failure::Failure;

/// Who delivers what is no account's own.
const DIRECTORY: &str = "directory";

/// The accounts of an archive, as of a commit.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) commit: Option<CommitId>,
    users: BTreeMap<String, Account>,
    teams: BTreeMap<String, Account>,
}

/// A list of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Users,
    Teams,
    DeletedUsers,
    DeletedTeams,
}

impl Directory {
    pub(super) fn read(archive: &Archive, snapshot: &Snapshot) -> Result<Self> {
        let mut directory = Self { commit: Some(snapshot.commit()), ..Self::default() };
        for account in sync::accounts(archive).map_err(Failure::from)? {
            directory.add(account);
        }
        for custodian in snapshot.custodians()?.into_keys() {
            directory.add(Account::new(custodian));
        }
        for (record, of) in [
            (RecordKind::User, Custodian::user as fn(&str) -> Custodian),
            (RecordKind::Team, Custodian::team),
        ] {
            let scan = Scan { record, ..Scan::default() };
            let _rows = snapshot.keys(&scan, &mut |row| {
                directory.add(Account::new(of(row.conversation())));
            })?;
        }
        let _nobody = directory.users.remove(DIRECTORY);
        Ok(directory)
    }

    /// What is known already stays.
    fn add(&mut self, account: Account) {
        let Some((kind, id)) = account.custodian.as_str().split_once(':') else { return };
        let list = if kind == "team" { &mut self.teams } else { &mut self.users };
        let _known = list.entry(id.to_owned()).or_insert(account);
    }

    /// A user by id or address.
    pub(super) fn user(&self, text: &str) -> Option<Custodian> {
        find(&self.users, text)
    }

    /// A team by id.
    pub(super) fn team(&self, text: &str) -> Option<Custodian> {
        find(&self.teams, text)
    }
}

fn find(all: &BTreeMap<String, Account>, text: &str) -> Option<Custodian> {
    let is_it = |account: &&Account| {
        let id = account.custodian.as_str().split_once(':').map(|(_, id)| id);
        let mut names = id.into_iter().chain(account.address.as_deref());
        names.any(|name| name.eq_ignore_ascii_case(text))
    };
    let found = all.get(text).or_else(|| all.values().find(is_it));
    found.map(|account| account.custodian.clone())
}

impl List {
    fn is_deleted(self) -> bool {
        matches!(self, Self::DeletedUsers | Self::DeletedTeams)
    }

    fn record(self) -> RecordKind {
        match self {
            Self::Users | Self::DeletedUsers => RecordKind::User,
            Self::Teams | Self::DeletedTeams => RecordKind::Team,
        }
    }

    fn context(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Teams => "groups",
            Self::DeletedUsers => "directoryObjects/microsoft.graph.user",
            Self::DeletedTeams => "teamwork/deletedTeams",
        }
    }

    /// A page of it.
    pub(super) fn page(self, call: &Call) -> Result<Response> {
        let snapshot = call.known.snapshot()?;
        let size = Size { usual: 100, most: 999, is_strict: false };
        let question = Question::of(call, &snapshot, size)?;
        self.check(&question)?;
        let directory = call.known.directory(&snapshot)?;
        let all = match self.record() {
            RecordKind::User => &directory.users,
            _ => &directory.teams,
        };
        let start = question.behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = Page::new(self.context(), question.select()?);
        let mut last = None;
        for (id, account) in all.range::<str, _>((start, Bound::Unbounded)) {
            if self.is_deleted() && !account.deleted {
                continue;
            }
            if page.is_full(question.top) {
                page.next = last.map(|id| question.next(call, &snapshot, id));
                break;
            }
            page.push(&self.item(&snapshot, id, account)?);
            last = Some(id.clone());
        }
        Ok(page.answer(call, &question.at))
    }

    /// Of the directory's filters only the one that everybody uses is known: which groups are teams.
    fn check(self, question: &Question) -> Result<()> {
        let Some(filter) = &question.filter else { return Ok(()) };
        let filter = filter.replace(' ', "").to_lowercase();
        let is_teams = "resourceprovisioningoptions/any(x:xeq'team')" == filter;
        if self == Self::Teams && is_teams {
            return Ok(());
        }
        Err(Refusal::bad("Unsupported or invalid query filter clause specified."))
    }

    /// One of it.
    pub(super) fn one(self, call: &Call) -> Result<Response> {
        let snapshot = call.known.snapshot()?;
        let directory = call.known.directory(&snapshot)?;
        let text = call.address.step(1);
        let (all, found, what) = match self.record() {
            RecordKind::User => (&directory.users, directory.user(text), "user"),
            _ => (&directory.teams, directory.team(text), "team"),
        };
        let missing = || Refusal::missing(what);
        let found = found.ok_or_else(missing)?;
        let id = found.as_str().split_once(':').map_or("", |(_, id)| id);
        let account = all.get(id).ok_or_else(missing)?;
        Ok(entity(call, &self.item(&snapshot, id, account)?))
    }

    fn item(self, snapshot: &Snapshot, id: &str, account: &Account) -> Result<Vec<u8>> {
        let (record, own) = (self.record(), id.to_owned());
        let key = MessageKey { record, conversation: own.clone(), reply_to: None, id: own };
        if !self.is_deleted()
            && let Some(json) = snapshot.latest_json(&key)?
        {
            return Ok(json);
        }
        Ok(self.described(id, account).to_string().into_bytes())
    }

    /// What is known of an account, as an entry of the directory.
    fn described(self, id: &str, account: &Account) -> Value {
        let (name, address) = (&account.name, account.address.as_deref());
        if self.record() == RecordKind::Team {
            return json!({"id": id, "displayName": name, "mail": address});
        }
        // The service puts a deleted user's id in front, so that others can have the name.
        let front = if self == Self::DeletedUsers { id.replace('-', "") } else { String::new() };
        let principal = address.map(|address| format!("{front}{address}"));
        let mut user = json!({
            "id": id, "displayName": name, "userPrincipalName": principal, "mail": null,
        });
        let known = [
            ("userType", account.guest.map(|guest| json!(if guest { "Guest" } else { "Member" }))),
            ("accountEnabled", account.enabled.map(Value::from)),
            ("assignedLicenses", account.licensed.filter(|licensed| !licensed).map(|_| json!([]))),
        ];
        for (name, value) in known {
            if let (Some(value), Some(members)) = (value, user.as_object_mut()) {
                drop(members.insert(name.to_owned(), value));
            }
        }
        user
    }
}
