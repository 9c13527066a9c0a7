//! Accounts: the users and teams of a tenant, and which of them are backed up.
//!
//! Invariant: nothing is asked for an account before somebody has activated it.

use std::collections::BTreeMap;

use chatvault_engine::{Archive, Custodian};
use chatvault_graph::Feed;
use serde::{Deserialize, Serialize};

use super::plan::Position;
use super::report::{Outcome, Tally, Trouble};
use super::turn::Refused;
use super::{Asked, SyncError, content, store, switch};

/// A user or team of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id, typed.
    pub custodian: Custodian,
    /// Its name in the directory.
    pub name: Option<String>,
    /// A user's principal name, or a team's mail address.
    pub address: Option<String>,
    /// Is it backed up?
    pub active: bool,
    /// It is in the directory's recycle bin.
    pub deleted: bool,
    /// It was in the directory, and is not even in its recycle bin any more.
    pub gone: bool,
    /// A user of another tenant; `None`: the directory did not say.
    pub guest: Option<bool>,
    /// Its user can sign in.
    pub enabled: Option<bool>,
    /// Its user has a licence of some kind.
    pub licensed: Option<bool>,
    /// Its last turn.
    pub last: Option<LastTurn>,
    /// All of its feeds, without a filter, are in up to this time, in milliseconds since 1970.
    pub up_to_ms: Option<i64>,
    /// How far each feed is, and each part of one that a filter lets through.
    pub feeds: Vec<FeedState>,
    /// Contents of it that could not be had.
    pub missing: u64,
}

/// How far a feed of an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// The feed.
    pub feed: Feed,
    /// Of it only what passes this; `None`: everything.
    pub filter: Option<String>,
    /// From this time on, in milliseconds since 1970; `None`: an earlier version did not keep it.
    pub from_ms: Option<i64>,
    /// It is in up to this time.
    pub up_to_ms: Option<i64>,
}

impl FeedState {
    fn of(feed: Feed, position: &Position) -> Self {
        let scope = position.scope.as_ref();
        let filter = scope.map(|scope| scope.filter.clone()).filter(|filter| !filter.is_empty());
        let (from_ms, up_to_ms) = (scope.map(|scope| scope.from_ms), position.complete_up_to_ms());
        Self { feed, filter, from_ms, up_to_ms }
    }
}

impl Account {
    /// An account of which nothing is known.
    pub fn new(custodian: Custodian) -> Self {
        Self::of(custodian, Kept::default(), Vec::new(), 0)
    }

    pub(super) fn of(
        custodian: Custodian,
        kept: Kept,
        feeds: Vec<FeedState>,
        missing: u64,
    ) -> Self {
        let whole = feeds.iter().filter(|state| state.filter.is_none());
        Self {
            up_to_ms: whole.map(|state| state.up_to_ms).min().flatten(),
            feeds,
            missing,
            name: kept.name,
            address: kept.address,
            active: kept.active,
            deleted: kept.deleted,
            gone: kept.gone,
            guest: kept.guest,
            enabled: kept.enabled,
            licensed: kept.licensed,
            last: kept.last,
            custodian,
        }
    }
}

/// An account's last turn in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTurn {
    /// The run.
    pub run: u32,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its sums.
    pub tally: Tally,
    /// What could not be had.
    pub troubles: Vec<Trouble>,
    /// What it was asked for; `None`: an earlier version did not keep it.
    #[serde(default)]
    pub asked: Option<Asked>,
}

/// An account as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Kept {
    pub(super) name: Option<String>,
    pub(super) address: Option<String>,
    pub(super) guest: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) licensed: Option<bool>,
    /// It was listed before, and is not any more.
    pub(super) gone: bool,
    /// Somebody has decided about `active`.
    pub(super) decided: bool,
    pub(super) refused: Refused,
    pub(super) active: bool,
    pub(super) deleted: bool,
    pub(super) last: Option<LastTurn>,
}

/// Which accounts are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one that is known.
    All,
    /// Every user.
    Users,
    /// Every team.
    Teams,
    /// Those that a rule fits.
    By(Rule),
    /// Those that were deleted.
    Deleted,
    /// These; those that are not known yet are added when they are activated.
    These(Vec<Custodian>),
}

/// Accounts by what the directory says about them. What it does not say is no reason to leave one out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says yes or no to accounts of its own")]
pub struct Rule {
    /// Users.
    pub users: bool,
    /// Teams.
    pub teams: bool,
    /// Guests among the users: they have no mailbox here.
    pub guests: bool,
    /// Users without any licence, such as rooms: the service exports nothing of them.
    pub unlicensed: bool,
    /// Users who cannot sign in any more. What they wrote is exported like that of others.
    pub disabled: bool,
}

impl Rule {
    /// Users, without guests and those who have no licence.
    pub const USERS: Self =
        Self { users: true, teams: false, guests: false, unlicensed: false, disabled: true };
    /// Teams.
    pub const TEAMS: Self = Self { users: false, teams: true, ..Self::USERS };
    /// Both.
    pub const ALL: Self = Self { teams: true, ..Self::USERS };

    /// Does it mean this account?
    pub fn fits(self, account: &Account) -> bool {
        let is_user = account.custodian.as_str().starts_with("user:");
        let (guest, licensed) = (account.guest == Some(true), account.licensed != Some(false));
        let kind = if is_user { self.users } else { self.teams };
        kind && (self.guests || !guest)
            && (self.unlicensed || licensed || guest)
            && (self.disabled || account.enabled != Some(false))
    }

    fn fits_kept(self, custodian: &Custodian, kept: &Kept) -> bool {
        self.fits(&Account::of(custodian.clone(), kept.clone(), Vec::new(), 0))
    }

    /// Is it to be activated because nobody has decided otherwise?
    pub(super) fn activates(self, custodian: &Custodian, kept: &Kept) -> bool {
        let is_new = !kept.active && !kept.decided && kept.last.is_none();
        is_new && !kept.deleted && self.fits_kept(custodian, kept)
    }
}

/// All accounts that are known, by custodian.
///
/// `Archive` if the archive cannot be read.
pub fn accounts(archive: &Archive) -> Result<Vec<Account>, SyncError> {
    let missing = content::missing_counts(archive)?;
    let mut feeds: BTreeMap<Custodian, Vec<FeedState>> = BTreeMap::new();
    for (custodian, feed, position) in store::positions_of_all::<Position>(archive)? {
        feeds.entry(custodian).or_default().push(FeedState::of(feed, &position));
    }
    let account = |(custodian, kept): (Custodian, Kept)| {
        let feeds = feeds.remove(&custodian).unwrap_or_default();
        let missing = missing.get(custodian.as_str()).copied().unwrap_or_default();
        Account::of(custodian, kept, feeds, missing)
    };
    Ok(kept(archive)?.into_iter().map(account).collect())
}

/// All accounts as they are kept.
pub(super) fn kept(archive: &Archive) -> Result<BTreeMap<Custodian, Kept>, SyncError> {
    let all = store::list(archive, store::ACCOUNTS)?;
    Ok(all.into_iter().map(|(name, kept)| (Custodian::parse(&name), kept)).collect())
}

/// Activates accounts, or deactivates them; gives those that changed.
///
/// A custodian that is not known yet is added when it is activated, so a list of ids does without the
/// directory. `Input` if it is to be deactivated, or if the backup of private chats is switched off;
/// nothing is changed then.
/// What a deactivated account has in the archive stays, and it goes on there when it is activated.
///
/// `Archive` if the archive cannot be read or takes no commits.
pub fn activate(
    archive: &Archive,
    which: &Which,
    active: bool,
) -> Result<Vec<Custodian>, SyncError> {
    if active {
        switch::need(archive)?;
    }
    let mut all = kept(archive)?;
    let chosen = choose(&all, which, active)?;
    let mut changed = Vec::new();
    let mut batch = archive.batch(archive.begin_run("accounts")?);
    for custodian in chosen {
        let kept = all.entry(custodian.clone()).or_default();
        if kept.active != active {
            (kept.active, kept.decided) = (active, true);
            store::put(&mut batch, &store::account(&custodian), kept)?;
            changed.push(custodian);
        }
    }
    if !changed.is_empty() {
        drop(batch.commit()?);
    }
    Ok(changed)
}

fn choose(
    all: &BTreeMap<Custodian, Kept>,
    which: &Which,
    active: bool,
) -> Result<Vec<Custodian>, SyncError> {
    let of = |kind: &str| {
        let fits = |custodian: &&Custodian| custodian.as_str().starts_with(kind);
        Ok(all.keys().filter(fits).cloned().collect())
    };
    match which {
        Which::All => of(""),
        Which::Users => of("user:"),
        Which::Teams => of("team:"),
        Which::By(rule) => {
            let fits = all.iter().filter(|(custodian, kept)| rule.fits_kept(custodian, kept));
            Ok(fits.map(|(custodian, _)| custodian.clone()).collect())
        }
        Which::Deleted => {
            let gone = all.iter().filter(|(_, kept)| kept.deleted || kept.gone);
            Ok(gone.map(|(custodian, _)| custodian.clone()).collect())
        }
        Which::These(custodians) => {
            let is_strange = |one: &&Custodian| !active && !all.contains_key(one);
            match custodians.iter().find(is_strange) {
                Some(one) => Err(SyncError::Input(format!("there is no account {one}"))),
                None => Ok(custodians.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatvault_engine::{Host, Memory, Options};

    use super::*;

    fn archive() -> Archive {
        let archive =
            Archive::create(Host::new(Arc::new(Memory::default())), Options::default()).unwrap();
        let mut batch = archive.batch(archive.begin_run("test").unwrap());
        let mut add = |id: &str, name: &str, address: Option<&str>| {
            let custodian = Custodian::parse(id);
            let (name, address) = (Some(name.to_owned()), address.map(str::to_owned));
            let kept = Kept { name, address, ..Kept::default() };
            store::put(&mut batch, &store::account(&custodian), &kept).unwrap();
        };
        add("user:a1", "Ada Lo", Some("ada@x.example"));
        add("user:b2", "Ben", Some("ben@x.example"));
        add("user:b3", "Ben", None);
        add("team:t1", "Sales", Some("sales@x.example"));
        drop(batch.commit().unwrap());
        archive
    }

    fn names(changed: Result<Vec<Custodian>, SyncError>) -> String {
        match changed {
            Ok(changed) => changed.iter().map(Custodian::as_str).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn accounts_are_activated_known_or_not() {
        let archive = archive();
        let on =
            |id: &str| names(activate(&archive, &Which::These(vec![Custodian::parse(id)]), true));
        assert!(accounts(&archive).unwrap().iter().all(|account| !account.active));
        assert_eq!(on("user:a1"), "user:a1");
        assert_eq!(on("user:a1"), "", "it is active already");
        assert_eq!(on("team:t9"), "team:t9");
        let active: Vec<_> = accounts(&archive).unwrap();
        let active: Vec<_> =
            active.iter().filter(|account| account.active).map(|a| a.custodian.as_str()).collect();
        assert_eq!(active, ["team:t9", "user:a1"]);
    }

    #[test]
    fn a_rule_leaves_out_who_has_nothing_to_export_and_nobody_of_whom_it_does_not_know() {
        let of = |guest, enabled, licensed| {
            let (guest, enabled, licensed) = (Some(guest), Some(enabled), Some(licensed));
            Account { guest, enabled, licensed, ..Account::new(Custodian::user("u")) }
        };
        let (plain, unknown) = (of(false, true, true), Account::new(Custodian::user("x")));
        let (guest, room, left) =
            (of(true, true, false), of(false, false, false), of(false, false, true));
        let team = Account::new(Custodian::team("t"));
        let users = Rule::USERS;
        for (rule, expected) in [
            (users, [true, true, false, false, true, false]),
            (Rule { guests: true, ..users }, [true, true, true, false, true, false]),
            (Rule { unlicensed: true, ..users }, [true, true, false, true, true, false]),
            (Rule { disabled: false, ..users }, [true, true, false, false, false, false]),
            (Rule::ALL, [true, true, false, false, true, true]),
        ] {
            let fits = [&plain, &unknown, &guest, &room, &left, &team].map(|one| rule.fits(one));
            assert_eq!(fits, expected, "{rule:?}");
        }
    }

    #[test]
    fn deleted_accounts_are_deactivated_together() {
        let archive = archive();
        drop(activate(&archive, &Which::All, true).unwrap());
        let mut batch = archive.batch(archive.begin_run("test").unwrap());
        for (id, deleted, gone) in [("user:a1", true, false), ("user:b2", false, true)] {
            let kept = Kept { active: true, deleted, gone, ..Kept::default() };
            store::put(&mut batch, &format!("{}{id}", store::ACCOUNTS), &kept).unwrap();
        }
        drop(batch.commit().unwrap());
        assert_eq!(names(activate(&archive, &Which::Deleted, false)), "user:a1 user:b2");
    }

    #[test]
    fn many_accounts_are_activated_at_once_or_none_at_all() {
        let archive = archive();
        assert_eq!(names(activate(&archive, &Which::Users, true)), "user:a1 user:b2 user:b3");
        assert_eq!(names(activate(&archive, &Which::All, true)), "team:t1");
        assert_eq!(names(activate(&archive, &Which::Teams, false)), "team:t1");
        let some = Which::These(["a1", "eve"].map(Custodian::user).to_vec());
        assert_eq!(names(activate(&archive, &some, false)), "there is no account user:eve");
        let ada = &accounts(&archive).unwrap()[1];
        assert!(ada.active && ada.custodian.as_str() == "user:a1", "{ada:?}");
    }
}
