//! Whom the options of a command mean: ids for what people typed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Context;
use chatvault_engine::{Archive, Custodian, Scan, Snapshot, Timestamp};
use chatvault_ingest::sync::{self, Account};
use chatvault_query::people::{Conversations, People};
use chatvault_query::resolve::{Candidate, Unresolved, resolve};
use chatvault_query::statistics::{By, Statistics};
use chatvault_query::{Query, Record};

use crate::console::Console;
use crate::progress::Bar;

/// An account as somebody who can be meant.
pub(crate) fn account(account: &Account) -> Candidate {
    Candidate {
        id: account.custodian.to_string(),
        addresses: account.address.iter().cloned().collect(),
        names: account.name.iter().cloned().collect(),
    }
}

/// Finds whom the conditions of a question mean, and says so where an id was not typed.
///
/// An id that the archive has is looked up in its index. Only what is none is compared with the
/// accounts, and only what is called like none of them with the names in messages, which all are
/// read for that.
pub(crate) struct Meant<'a> {
    pub(crate) archive: &'a Archive,
    pub(crate) snapshot: &'a Snapshot,
    /// Whose conversations and senders are meant.
    pub(crate) record: Record,
}

impl<'a> Meant<'a> {
    /// Of messages.
    pub(crate) fn of_messages(archive: &'a Archive, snapshot: &'a Snapshot) -> Self {
        Self { archive, snapshot, record: Record::Message }
    }
}

impl Meant<'_> {
    /// Puts ids into the place of what was typed.
    pub(crate) fn settle(
        &self,
        (custodians, senders, chats): (&mut Vec<String>, &mut Vec<String>, &mut Vec<String>),
        console: &mut Console<'_>,
    ) -> anyhow::Result<()> {
        for custodian in custodians {
            *custodian = self.custodian(custodian, console)?;
        }
        for sender in senders {
            *sender = self.sender(sender, console)?;
        }
        *chats = self.chats(chats, console)?;
        Ok(())
    }

    /// The same where several kinds are asked for: an id of any of them is as it was typed, and names
    /// are those of the first.
    pub(crate) fn settle_kinds(
        &self,
        records: &[Record],
        (custodians, senders, chats): (&mut Vec<String>, &mut Vec<String>, &mut Vec<String>),
        console: &mut Console<'_>,
    ) -> anyhow::Result<()> {
        let is_known = |scan: &Scan| {
            let mut kinds = records.iter().map(|record| Self { record: *record, ..*self });
            kinds.try_fold(false, |is_known, kind| Ok(is_known || kind.is_there(scan.clone())?))
        };
        for sender in senders {
            let scan = Scan { senders: vec![sender.clone()], ..Scan::default() };
            let is_known: anyhow::Result<bool> = is_known(&scan);
            if !is_known? {
                *sender = self.sender(sender, console)?;
            }
        }
        for chat in chats {
            let scan = Scan { conversations: vec![chat.clone()], ..Scan::default() };
            let is_known: anyhow::Result<bool> = is_known(&scan);
            if !is_known? {
                *chat = self.chat(chat, console)?;
            }
        }
        self.settle((custodians, &mut Vec::new(), &mut Vec::new()), console)
    }

    /// The conversations that are meant.
    pub(crate) fn chats(
        &self,
        typed: &[String],
        console: &mut Console<'_>,
    ) -> anyhow::Result<Vec<String>> {
        typed.iter().map(|typed| self.chat(typed, console)).collect()
    }

    fn custodian(&self, typed: &str, console: &mut Console<'_>) -> anyhow::Result<String> {
        let known = self.snapshot.custodians()?;
        if Custodian::try_parse(typed).is_ok_and(|custodian| known.contains_key(&custodian)) {
            return Ok(typed.to_owned());
        }
        let delivered =
            known.keys().map(|one| Candidate { id: one.to_string(), ..Candidate::default() });
        let mut candidates = joined(delivered.chain(self.accounts()?));
        self.find("custodian", typed, (&mut candidates, "user:"), console)
    }

    fn sender(&self, typed: &str, console: &mut Console<'_>) -> anyhow::Result<String> {
        if self.is_there(Scan { senders: vec![typed.to_owned()], ..Scan::default() })? {
            return Ok(typed.to_owned());
        }
        let senders = self.ids(By::Sender)?.into_iter();
        let users = self.accounts()?.filter_map(|one| {
            Some(Candidate { id: one.id.strip_prefix("user:")?.to_owned(), ..one })
        });
        let mut candidates = joined(senders.chain(users));
        self.find("sender", typed, (&mut candidates, ""), console)
    }

    /// The conversation that is meant.
    pub(crate) fn chat(&self, typed: &str, console: &mut Console<'_>) -> anyhow::Result<String> {
        if self.is_there(Scan { conversations: vec![typed.to_owned()], ..Scan::default() })? {
            return Ok(typed.to_owned());
        }
        if self.record != Record::Message {
            let candidates = self.ids(By::Conversation)?;
            return self.accept(
                "conversation",
                typed,
                resolve("conversation", typed, &candidates),
                console,
            );
        }
        let all = {
            let progress = Bar::in_words(console);
            let mut on = progress.count("events");
            Conversations::collect(self.snapshot, &[], &mut on)?.context("stopped")?
        };
        let candidates: Vec<Candidate> = all
            .iter()
            .map(|one| {
                let title = one.title_at(Timestamp::MAX).map(Cow::into_owned);
                let mut names: Vec<String> = title.into_iter().collect();
                names.extend(one.topic().map(str::to_owned));
                names.extend(one.topics().map(|(_, topic)| topic.to_owned()));
                Candidate { id: one.id.clone(), addresses: Vec::new(), names }
            })
            .collect();
        self.accept("chat", typed, resolve("chat", typed, &candidates), console)
    }

    fn is_there(&self, scan: Scan) -> anyhow::Result<bool> {
        let one = Scan { record: self.record.into(), limit: Some(1), ..scan };
        Ok(self.snapshot.count(&one)? > 0)
    }

    /// Everybody, or every conversation, by id only.
    fn ids(&self, by: By) -> anyhow::Result<Vec<Candidate>> {
        let query = Query { record: self.record, ..Query::default() };
        let groups = Statistics::count(&query, by, self.snapshot)?.groups;
        let ids = groups.into_iter().filter_map(|group| group.key);
        Ok(ids.map(|id| Candidate { id, ..Candidate::default() }).collect())
    }

    fn accounts(&self) -> anyhow::Result<impl Iterator<Item = Candidate> + use<>> {
        let accounts: Vec<Candidate> = sync::accounts(self.archive)?.iter().map(account).collect();
        Ok(accounts.into_iter())
    }

    /// Among those that the archive has, then by the names that messages give them.
    fn find(
        &self,
        kind: &'static str,
        typed: &str,
        (candidates, prefix): (&mut BTreeMap<String, Candidate>, &str),
        console: &mut Console<'_>,
    ) -> anyhow::Result<String> {
        let known: Vec<Candidate> = candidates.values().cloned().collect();
        let found = resolve(kind, typed, &known).cloned();
        if !matches!(found, Err(Unresolved::Nobody { .. })) {
            return self.accept(kind, typed, found.as_ref().map_err(Clone::clone), console);
        }
        let people = {
            let progress = Bar::in_words(console);
            let mut on = progress.count("messages for names");
            People::collect(self.snapshot, &[], &mut on)?.context("stopped")?
        };
        for person in people.iter() {
            let Some(one) = candidates.get_mut(&format!("{prefix}{}", person.id)) else { continue };
            one.addresses.extend(person.addresses.iter().cloned());
            one.names.extend(person.name().map(str::to_owned));
            one.names.extend(person.names().iter().map(|known| known.name.clone()));
        }
        let candidates: Vec<Candidate> = candidates.values().cloned().collect();
        self.accept(kind, typed, resolve(kind, typed, &candidates), console)
    }

    /// Says who was found. In a damaged archive somebody may be there and not be seen.
    fn accept(
        &self,
        kind: &'static str,
        typed: &str,
        found: Result<&Candidate, Unresolved>,
        console: &mut Console<'_>,
    ) -> anyhow::Result<String> {
        match found {
            Ok(one) => {
                if !one.id.eq_ignore_ascii_case(typed) {
                    console.remark(format!("{kind} {typed}: {one}"))?;
                }
                Ok(one.id.clone())
            }
            Err(Unresolved::Nobody { .. }) if !self.snapshot.missing().is_empty() => {
                Ok(typed.to_owned())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// One candidate for each id.
fn joined(candidates: impl Iterator<Item = Candidate>) -> BTreeMap<String, Candidate> {
    let mut all: BTreeMap<String, Candidate> = BTreeMap::new();
    for one in candidates {
        let known = all
            .entry(one.id.clone())
            .or_insert_with(|| Candidate { id: one.id.clone(), ..Candidate::default() });
        known.addresses.extend(one.addresses);
        known.names.extend(one.names);
    }
    all
}
