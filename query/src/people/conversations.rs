//! All conversations of an archive: messages and senders from its index, the rest from events.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chatvault_engine::{MessageKind, Scan, Snapshot, Timestamp, Versions};

use super::conversation::Conversation;
use super::kind::ConversationKind;
use super::{OnProgress, PROGRESS_ROWS, seen};
use crate::error::{Error, Result};

/// Conversations by id.
#[derive(Clone, Debug, Default)]
pub struct Conversations {
    all: BTreeMap<String, Conversation>,
    /// Ids of people: most are in several conversations.
    ids: HashSet<Arc<str>>,
}

impl Conversations {
    /// Looks at some conversations, or at all if none is named. Reads system events, and one
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
            self.add(row.conversation(), row.json(), row.created());
            done += 1;
            if done % PROGRESS_ROWS == 0 && !on_progress(done) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, id: &str, message: &[u8], at: Timestamp) {
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
            if let (_, Some(team)) = seen::event(row.json()) {
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
