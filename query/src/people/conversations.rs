//! All conversations of an archive, from what their messages say and from the records of chats,
//! channels, members and teams.
//!
//! They come one by one: the present one is open, all others are packed. So what is kept of each is
//! about as large as what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chatvault_base::OnProgress;
use chatvault_engine::{
    Facts, MessageKind, Path, RecordKind, RowKeys, Said, Scan, Snapshot, Timestamp, Value, Wanted,
};

use super::conversation::Conversation;
use super::ids::Ids;
use super::kind::ConversationKind;
use super::packed::{pack, unpack};
use super::{People, each, record};
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
    /// Some conversations, or all if none is named, and from the index how many messages they have. `None`
    /// if it was stopped.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn collect(
        snapshot: &Snapshot,
        conversations: &[String],
        on_progress: OnProgress<'_>,
    ) -> Result<Option<Self>> {
        let Some(mut open) = Collector::read(snapshot, conversations, None, on_progress)? else {
            return Ok(None);
        };
        open.count(snapshot, conversations)?;
        open.finish(snapshot).map(Some)
    }

    /// The same without the number of messages, and whom [`People::collect`] finds. What is said of
    /// conversations that are named is read once, and nothing else of them, however long they are.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn with_people(
        snapshot: &Snapshot,
        conversations: &[String],
        on_progress: OnProgress<'_>,
    ) -> Result<Option<(Self, People)>> {
        let mut people = People::default();
        let open = Collector::read(snapshot, conversations, Some(&mut people), on_progress)?;
        let Some(open) = open else { return Ok(None) };
        people.finish(snapshot, conversations)?;
        Ok(Some((open.finish(snapshot)?, people)))
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
    /// What messages and records say, to `people` too; `None` if it was stopped.
    fn read(
        snapshot: &Snapshot,
        conversations: &[String],
        mut people: Option<&mut People>,
        on_progress: OnProgress<'_>,
    ) -> Result<Option<Self>> {
        let (mut open, mut channels) = (Self::default(), Vec::new());
        let wanted = if people.is_some() { Wanted::Everything } else { Wanted::Presence };
        let mut on = |id: &str, facts: &Facts| {
            open.add(id, facts, &mut channels);
            if let Some(people) = &mut people {
                people.add(facts);
            }
        };
        if !each(snapshot, (conversations, wanted), on_progress, &mut on)? {
            return Ok(None);
        }
        for (channel, topic, at) in channels {
            if let Some((one, _)) = open.open(&channel) {
                one.add_topic(&topic, at);
            }
        }
        open.find_teams(snapshot)?;
        open.read_records(snapshot, conversations)?;
        Ok(Some(open))
    }

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
            // They mostly come in the order of ids: the place is behind all others.
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

    fn finish(mut self, snapshot: &Snapshot) -> Result<Conversations> {
        self.close();
        let Self { mut done, .. } = self;
        done.all.shrink_to_fit();
        done.people.shrink();
        done.name_teams(snapshot)?;
        Ok(done)
    }

    /// From the index: how many messages, and how many of them are events.
    fn count(&mut self, snapshot: &Snapshot, conversations: &[String]) -> Result<()> {
        let scan = Scan { conversations: conversations.to_vec(), ..Scan::default() };
        let mut on = |row: RowKeys<'_>| {
            if let Some((one, _)) = self.open(row.conversation()) {
                one.messages += 1;
                one.events += u64::from(row.kind() == MessageKind::System);
            }
        };
        let _ = snapshot.keys(&scan, &mut on).map_err(Error::Archive)?;
        Ok(())
    }

    /// Adds what the messages of a conversation say; names of other channels are left for later.
    fn add(&mut self, id: &str, facts: &Facts, channels: &mut Vec<(String, String, Timestamp)>) {
        self.close();
        let people = &mut self.done.people;
        let mut one = Conversation::new(id);
        for fact in facts.iter() {
            match fact.said {
                Said::Topic(topic) if fact.id.is_empty() || fact.id == id => {
                    one.add_topic(topic, fact.first);
                }
                // The event of a channel's name stands in the team's general channel.
                Said::Topic(topic) => {
                    channels.push((fact.id.to_owned(), topic.to_owned(), fact.first));
                }
                _ => one.add(&fact, &mut |id| people.keep(id)),
            }
        }
        if one.first <= one.last {
            self.open = Some(one);
        }
    }

    /// Looks into a message of each channel: it says whose it is.
    fn find_teams(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.close();
        let team = Path::new("channelIdentity/teamId");
        let may_have_team =
            |kind| matches!(kind, ConversationKind::Channel | ConversationKind::Other);
        for place in 0..self.done.len() {
            let one = self.done.at(place).filter(|one| may_have_team(one.kind));
            let Some(Conversation { id, .. }) = one else { continue };
            let scan = Scan { conversations: vec![id.clone()], limit: Some(1), ..Scan::default() };
            let mut rows = snapshot.scan(&scan).map_err(Error::Archive)?;
            let Some(row) = rows.next().map_err(Error::Archive)? else { continue };
            let document = row.document().map_err(Error::Archive)?;
            let team = document.get(&team).and_then(Value::text).filter(|team| !team.is_empty());
            if let (Some(team), Some((one, _))) = (team, self.open(&id)) {
                one.add_team(&team);
            }
        }
        Ok(())
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
