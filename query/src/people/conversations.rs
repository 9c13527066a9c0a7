//! All conversations of an archive: messages and senders from its index, the rest from events and
//! from the records of chats, channels, members and teams.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chatvault_engine::{Document, MessageKind, RecordKind, Scan, Snapshot, Timestamp, Versions};

use super::conversation::Conversation;
use super::kind::ConversationKind;
use super::{OnProgress, PROGRESS_ROWS, record, seen};
use crate::error::{Error, Result};

/// Conversations by id.
#[derive(Clone, Debug, Default)]
pub struct Conversations {
    all: BTreeMap<String, Conversation>,
    /// Ids of people: most are in several conversations.
    ids: HashSet<Arc<str>>,
}

impl Conversations {
    /// Looks at some conversations, or at all if none is named. Reads system events, records, and one
    /// message of a channel. `None` if it was stopped.
    pub fn collect(
        snapshot: &Snapshot,
        conversations: &[String],
        on_progress: OnProgress<'_>,
    ) -> Result<Option<Self>> {
        let scan = Scan { conversations: conversations.to_vec(), ..Scan::default() };
        let mut all = Self::default();
        all.count(snapshot, &scan)?;
        let kinds = vec![MessageKind::System];
        let events = Scan { kinds, versions: Versions::All, ..scan };
        if !all.read_events(snapshot, &events, on_progress)? {
            return Ok(None);
        }
        all.find_teams(snapshot)?;
        all.read_records(snapshot, conversations)?;
        all.name_teams(snapshot)?;
        Ok(Some(all))
    }

    /// A conversation by its id.
    pub fn get(&self, id: &str) -> Option<&Conversation> {
        self.all.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Conversation> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// From the index: how many messages, when, and from whom.
    fn count(&mut self, snapshot: &Snapshot, scan: &Scan) -> Result<()> {
        let Self { all, ids } = self;
        // Rows come conversation by conversation: the present one is not looked up again.
        let mut present: Option<Conversation> = None;
        let mut on = |row: chatvault_engine::RowKeys<'_>| {
            if present.as_ref().is_none_or(|one| one.id != row.conversation()) {
                let next = Conversation::new(row.conversation());
                all.extend(present.replace(next).map(|one| (one.id.clone(), one)));
            }
            if let Some(conversation) = &mut present {
                conversation.add_row(row, &mut |id| interned(ids, id));
            }
        };
        let _ = snapshot.keys(scan, &mut on).map_err(Error::Archive)?;
        all.extend(present.map(|one| (one.id.clone(), one)));
        Ok(())
    }

    /// Topics and members; false if it was stopped.
    fn read_events(
        &mut self,
        snapshot: &Snapshot,
        scan: &Scan,
        on_progress: OnProgress<'_>,
    ) -> Result<bool> {
        let mut rows = snapshot.scan(scan).map_err(Error::Archive)?;
        let mut done = 0;
        while let Some(row) = rows.next().map_err(Error::Archive)? {
            let document = row.document().map_err(Error::Archive)?;
            self.add(row.conversation(), &document, row.created());
            done += 1;
            if done % PROGRESS_ROWS == 0 && !on_progress(done) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, id: &str, message: &Document<'_>, at: Timestamp) {
        let Self { all, ids } = self;
        let (event, team) = seen::event(message);
        if let (Some(team), Some(conversation)) = (&team, all.get_mut(id)) {
            conversation.add_team(team);
        }
        let Some(event) = event else { return };
        if let Some(conversation) = all.get_mut(id) {
            conversation.add_event(&event, at, &mut |id| interned(ids, id));
        }
        // The event of a channel's name stands in the team's general channel.
        let named = event.channel.as_deref().unwrap_or(id);
        if let (Some(topic), Some(conversation)) = (&event.topic, all.get_mut(named)) {
            conversation.add_topic(topic, at);
        }
    }

    /// Names and rosters, as their records have them.
    fn read_records(&mut self, snapshot: &Snapshot, conversations: &[String]) -> Result<()> {
        let of = |record| Scan { record, conversations: conversations.to_vec(), ..Scan::default() };
        let Self { all, ids } = self;
        record::each(snapshot, of(RecordKind::Chat), &mut |id, document, at, _| {
            if let (Some(one), Some(topic)) = (all.get_mut(id), record::name(document)) {
                one.add_record(&topic, at);
            }
        })?;
        record::each(snapshot, of(RecordKind::Member), &mut |id, document, _, _| {
            if let (Some(one), Some(told)) = (all.get_mut(id), record::member(document)) {
                one.add_member(&told.id, told.sees_from, &mut |id| interned(ids, id));
            }
        })
    }

    /// The names of the teams of all channels.
    fn name_teams(&mut self, snapshot: &Snapshot) -> Result<()> {
        let teams: BTreeSet<&String> =
            self.all.values().filter_map(|one| one.team.as_ref()).collect();
        let conversations: Vec<String> = teams.into_iter().cloned().collect();
        if conversations.is_empty() {
            return Ok(());
        }
        let mut names: BTreeMap<String, BTreeMap<Timestamp, String>> = BTreeMap::new();
        let scan = Scan { record: RecordKind::Team, conversations, ..Scan::default() };
        record::each(snapshot, scan, &mut |team, document, at, _| {
            let name = record::name(document).filter(|name| !name.trim().is_empty());
            let Some(name) = name else { return };
            drop(names.entry(team.to_owned()).or_default().insert(at, name.trim().to_owned()));
        })?;
        for one in self.all.values_mut() {
            let known = one.team.as_ref().and_then(|team| names.get(team));
            if let Some(names) = known {
                one.add_team_names(names);
            }
        }
        Ok(())
    }

    /// Looks into one message of each channel whose team no event told.
    fn find_teams(&mut self, snapshot: &Snapshot) -> Result<()> {
        let may_have_team =
            |kind| matches!(kind, ConversationKind::Channel | ConversationKind::Other);
        let open = self.all.values_mut();
        for conversation in open.filter(|one| one.team.is_none() && may_have_team(one.kind)) {
            let conversations = vec![conversation.id.clone()];
            let scan = Scan { conversations, limit: Some(1), ..Scan::default() };
            let mut rows = snapshot.scan(&scan).map_err(Error::Archive)?;
            let Some(row) = rows.next().map_err(Error::Archive)? else { continue };
            if let (_, Some(team)) = seen::event(&row.document().map_err(Error::Archive)?) {
                conversation.add_team(&team);
            }
        }
        Ok(())
    }
}

/// The one copy of an id.
fn interned(ids: &mut HashSet<Arc<str>>, id: &str) -> Arc<str> {
    if let Some(known) = ids.get(id) {
        return Arc::clone(known);
    }
    let new: Arc<str> = id.into();
    let _ = ids.insert(Arc::clone(&new));
    new
}
