//! All conversations of an archive: messages and senders from its index, the rest from events and
//! from the records of chats, channels, members and teams.
//!
//! Rows come conversation by conversation: one at a time is open, all others are packed. So what is
//! kept of each is about as large as what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chatvault_base::{OnProgress, Progress, Unit, go_on};
use chatvault_engine::{
    Document, MessageKind, RecordKind, RowKeys, Scan, Snapshot, Timestamp, Versions,
};

use super::conversation::Conversation;
use super::ids::Ids;
use super::kind::ConversationKind;
use super::packed::{pack, unpack};
use super::{PROGRESS_ROWS, record, seen};
use crate::error::{Error, Result};

/// Conversations by id.
///
/// Each is made of its packed form when it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Conversations {
    /// By id.
    all: Vec<Packed>,
    /// Who takes part: most people are in several conversations.
    people: Ids,
    teams: Ids,
    /// What teams were called, by their ids.
    names: HashMap<String, Arc<BTreeMap<Timestamp, String>>>,
}

#[derive(Clone, Debug)]
struct Packed {
    id: Box<str>,
    rest: Box<[u8]>,
}

impl Conversations {
    /// Looks at some conversations, or at all if none is named. Reads system events, records, and one
    /// message of a channel. `None` if it was stopped.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn collect(
        snapshot: &Snapshot,
        conversations: &[String],
        on_progress: OnProgress<'_>,
    ) -> Result<Option<Self>> {
        let scan = Scan { conversations: conversations.to_vec(), ..Scan::default() };
        let mut open = Collector::default();
        open.count(snapshot, &scan)?;
        let kinds = vec![MessageKind::System];
        let events = Scan { kinds, versions: Versions::All, ..scan };
        if !open.read_events(snapshot, &events, on_progress)? {
            return Ok(None);
        }
        open.find_teams(snapshot)?;
        open.read_records(snapshot, conversations)?;
        let mut all = open.finish();
        all.name_teams(snapshot)?;
        Ok(Some(all))
    }

    /// What so many rows and events of each say, and records: where all of them are too many.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn sample(snapshot: &Snapshot, conversations: &[String], rows: u64) -> Result<Self> {
        let mut open = Collector::default();
        for chat in conversations {
            let (chat, limit) = (vec![chat.clone()], Some(rows));
            let scan = Scan { conversations: chat, limit, ..Scan::default() };
            open.count(snapshot, &scan)?;
            let kinds = vec![MessageKind::System];
            let events = Scan { kinds, versions: Versions::All, ..scan };
            let _is_whole = open.read_events(snapshot, &events, &mut go_on)?;
        }
        open.find_teams(snapshot)?;
        open.read_records(snapshot, conversations)?;
        let mut all = open.finish();
        all.name_teams(snapshot)?;
        Ok(all)
    }

    /// A conversation by its id.
    pub fn get(&self, id: &str) -> Option<Conversation> {
        self.at(self.place(id).ok()?)
    }

    /// Is there one with an id?
    pub fn has(&self, id: &str) -> bool {
        self.place(id).is_ok()
    }

    /// The one at a place, in the order of ids.
    pub fn at(&self, place: usize) -> Option<Conversation> {
        let Packed { id, rest } = self.all.get(place)?;
        let mut one = unpack(id, rest, &self.people, &self.teams);
        if let Some(names) = one.team.as_ref().and_then(|team| self.names.get(team)) {
            one.set_team_names(names);
        }
        Some(one)
    }

    /// The id of the one at a place.
    pub fn id_at(&self, place: usize) -> Option<&str> {
        self.all.get(place).map(|one| &*one.id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = Conversation> {
        (0..self.all.len()).filter_map(|place| self.at(place))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The ids of everybody who takes or took part in any of them, in the order of their numbers.
    pub fn participants(&self) -> impl Iterator<Item = &str> {
        self.people.iter()
    }

    /// The number of somebody in [`Conversations::participants`].
    pub fn participant(&self, id: &str) -> Option<usize> {
        Some(self.people.number(id)? as usize)
    }

    /// Bytes that are kept of them, without ids of people and teams.
    pub fn bytes(&self) -> usize {
        let one = |one: &Packed| size_of::<Packed>() + one.id.len() + one.rest.len();
        self.all.iter().map(one).sum()
    }

    fn place(&self, id: &str) -> std::result::Result<usize, usize> {
        self.all.binary_search_by(|one| (*one.id).cmp(id))
    }
}

/// Conversations while they are collected.
#[derive(Default)]
struct Collector {
    done: Conversations,
    /// The present one.
    open: Option<Conversation>,
}

impl Collector {
    /// Puts the present one in its place.
    fn close(&mut self) {
        let Some(one) = self.open.take() else { return };
        let Conversations { people, teams, .. } = &mut self.done;
        let rest = pack(&one, people, teams);
        match self.done.place(&one.id) {
            Ok(place) => {
                if let Some(own) = self.done.all.get_mut(place) {
                    own.rest = rest;
                }
            }
            // Rows come in the order of ids: the place is behind all others.
            Err(place) => self.done.all.insert(place, Packed { id: one.id.into(), rest }),
        }
    }

    /// Opens one, if it is known, with what keeps the ids of people.
    fn open(&mut self, id: &str) -> Option<(&mut Conversation, &mut Ids)> {
        if self.open.as_ref().is_none_or(|one| one.id != id) {
            self.close();
            self.open = self.done.get(id);
        }
        Some((self.open.as_mut()?, &mut self.done.people))
    }

    fn finish(mut self) -> Conversations {
        self.close();
        let Self { mut done, .. } = self;
        done.all.shrink_to_fit();
        done.people.shrink();
        done
    }

    /// From the index: how many messages, when, and from whom.
    fn count(&mut self, snapshot: &Snapshot, scan: &Scan) -> Result<()> {
        let mut on = |row: RowKeys<'_>| {
            if self.open.as_ref().is_none_or(|one| one.id != row.conversation()) {
                self.close();
                let known = self.done.get(row.conversation());
                self.open = known.or_else(|| Some(Conversation::new(row.conversation())));
            }
            if let Some(conversation) = &mut self.open {
                conversation.add_row(row, &mut |id| self.done.people.keep(id));
            }
        };
        let _ = snapshot.keys(scan, &mut on).map_err(Error::Archive)?;
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
            let is_told = done % PROGRESS_ROWS == 0;
            if is_told && on_progress(&Progress::new(done, None, Unit::Rows)).is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, id: &str, message: &Document<'_>, at: Timestamp) {
        let (event, team) = seen::event(message);
        let Some((conversation, people)) = self.open(id) else { return };
        if let Some(team) = &team {
            conversation.add_team(team);
        }
        let Some(event) = event else { return };
        conversation.add_event(&event, at, &mut |id| people.keep(id));
        // The event of a channel's name stands in the team's general channel.
        let named = event.channel.as_deref().unwrap_or(id);
        if let (Some(topic), Some((conversation, _))) = (&event.topic, self.open(named)) {
            conversation.add_topic(topic, at);
        }
    }

    /// Names and rosters, as their records have them.
    fn read_records(&mut self, snapshot: &Snapshot, conversations: &[String]) -> Result<()> {
        let of = |record| Scan { record, conversations: conversations.to_vec(), ..Scan::default() };
        record::each(snapshot, of(RecordKind::Chat), &mut |id, document, at, _| {
            if let (Some((one, _)), Some(topic)) = (self.open(id), record::name(document)) {
                one.add_record(&topic, at);
            }
        })?;
        record::each(snapshot, of(RecordKind::Member), &mut |id, document, _, _| {
            if let (Some((one, people)), Some(told)) = (self.open(id), record::member(document)) {
                one.add_member(&told.id, told.sees_from, &mut |id| people.keep(id));
            }
        })
    }

    /// Looks into one message of each channel whose team no event told.
    fn find_teams(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.close();
        let may_have_team =
            |kind| matches!(kind, ConversationKind::Channel | ConversationKind::Other);
        for place in 0..self.done.len() {
            let one = self.done.at(place);
            let Some(one) = one.filter(|one| one.team.is_none() && may_have_team(one.kind)) else {
                continue;
            };
            let conversations = vec![one.id.clone()];
            let scan = Scan { conversations, limit: Some(1), ..Scan::default() };
            let mut rows = snapshot.scan(&scan).map_err(Error::Archive)?;
            let Some(row) = rows.next().map_err(Error::Archive)? else { continue };
            let document = row.document().map_err(Error::Archive)?;
            if let ((_, Some(team)), Some((one, _))) = (seen::event(&document), self.open(&one.id))
            {
                one.add_team(&team);
            }
        }
        Ok(())
    }
}

impl Conversations {
    /// The names of the teams of all channels.
    fn name_teams(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut conversations: Vec<String> = self.teams.iter().map(str::to_owned).collect();
        if conversations.is_empty() {
            return Ok(());
        }
        conversations.sort_unstable();
        let mut names: BTreeMap<String, BTreeMap<Timestamp, String>> = BTreeMap::new();
        let scan = Scan { record: RecordKind::Team, conversations, ..Scan::default() };
        record::each(snapshot, scan, &mut |team, document, at, _| {
            let name = record::name(document).filter(|name| !name.trim().is_empty());
            let Some(name) = name else { return };
            drop(names.entry(team.to_owned()).or_default().insert(at, name.trim().to_owned()));
        })?;
        self.names = names.into_iter().map(|(team, names)| (team, Arc::new(names))).collect();
        Ok(())
    }
}
