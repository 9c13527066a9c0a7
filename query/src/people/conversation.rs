//! A conversation over time: what it was called, who took part, how much was said.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{Fact, Said, Timestamp};

use super::kind::ConversationKind;
use super::sorted::Sorted;

/// A conversation, as its messages and events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// What kind it is.
    pub kind: ConversationKind,
    /// The team of a channel.
    pub team: Option<String>,
    /// Messages in it, events included; 0 where nobody counted them.
    pub messages: u64,
    /// Events among them.
    pub events: u64,
    /// When its first message was created.
    pub first: Timestamp,
    /// When its last message was created.
    pub last: Timestamp,
    /// What it was called before anything told of another name.
    pub(super) original: Option<String>,
    /// What it was called from a time on; empty: nothing any more.
    pub(super) topics: Sorted<Timestamp, String>,
    /// What a channel's team was called from a time on; the first since ever.
    team_names: Arc<BTreeMap<Timestamp, String>>,
    pub(super) members: Sorted<Arc<str>, Presence>,
}

/// Somebody who takes or took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participant<'a> {
    /// Their id.
    pub id: &'a str,
    /// When an event first says that they came; `None`: nothing says so, they may always have been
    /// there.
    pub joined: Option<Timestamp>,
    /// When they left for good; `None`: nothing says so.
    pub left: Option<Timestamp>,
    /// When they first wrote.
    pub first_sent: Option<Timestamp>,
    /// When they last wrote.
    pub last_sent: Option<Timestamp>,
}

/// What is known of somebody's presence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// Came or left.
    pub(super) steps: Sorted<Timestamp, Step>,
    /// When they first and last wrote.
    pub(super) sent: Option<(Timestamp, Timestamp)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Came,
    Left,
}

impl Conversation {
    pub(super) fn new(id: &str) -> Self {
        // The two of a chat of two are in its id, and stay.
        let pair = ConversationKind::pair(id).into_iter().flat_map(|(left, right)| [left, right]);
        let members = pair.map(|who| (who.into(), Presence::default())).collect();
        Self {
            id: id.to_owned(),
            kind: ConversationKind::of(id),
            team: None,
            messages: 0,
            events: 0,
            first: Timestamp::MAX,
            last: Timestamp::MIN,
            original: None,
            topics: Sorted::default(),
            team_names: Arc::default(),
            members,
        }
    }

    /// Adds what its messages say of it and of who takes part.
    pub(super) fn add(&mut self, fact: &Fact<'_>, intern: &mut dyn FnMut(&str) -> Arc<str>) {
        let step = match fact.said {
            Said::Began => {
                (self.first, self.last) = (self.first.min(fact.first), self.last.max(fact.last));
                return;
            }
            Said::Sent => {
                return self.change(fact.id, intern, |presence| {
                    presence.send(fact.first);
                    presence.send(fact.last);
                });
            }
            Said::Came => Step::Came,
            Said::Left => Step::Left,
            _ => return,
        };
        self.change(fact.id, intern, |presence| presence.steps.insert(fact.first, step));
    }

    /// Changes what is known of somebody's presence.
    pub(super) fn change(
        &mut self,
        id: &str,
        intern: &mut dyn FnMut(&str) -> Arc<str>,
        change: impl FnOnce(&mut Presence),
    ) {
        if let Some(presence) = self.members.get_mut(id) {
            return change(presence);
        }
        let mut presence = Presence::default();
        change(&mut presence);
        self.members.insert(intern(id), presence);
    }

    pub(super) fn add_topic(&mut self, topic: &str, at: Timestamp) {
        self.topics.insert(at, topic.trim().to_owned());
    }

    /// Adds what its record said at a time: events tell when a name began, and a record tells those of
    /// which there is no event.
    pub(super) fn add_record(&mut self, topic: &str, at: Timestamp) {
        let topic = topic.trim();
        let known = self.topics.last_up_to(&at).is_some() || self.original.is_some();
        if known && self.topic_at(at).unwrap_or_default() != topic {
            self.add_topic(topic, at);
        }
        // An event that gives it this name later says that it had another one before.
        let is_given = || self.topics.first_from(&at).is_some_and(|(_, next)| next == topic);
        if !known && !topic.is_empty() && !is_given() {
            self.original = Some(topic.to_owned());
        }
    }

    /// Adds a member of its roster.
    pub(super) fn add_member(
        &mut self,
        id: &str,
        sees_from: Option<Timestamp>,
        intern: &mut dyn FnMut(&str) -> Arc<str>,
    ) {
        let began = self.first;
        let came = sees_from.filter(|from| *from > began);
        self.change(id, intern, |presence| {
            if let Some(from) = came.filter(|_| presence.steps.is_empty()) {
                presence.steps.insert(from, Step::Came);
            }
        });
    }

    pub(super) fn set_team_names(&mut self, names: &Arc<BTreeMap<Timestamp, String>>) {
        self.team_names = Arc::clone(names);
    }

    pub(super) fn add_team(&mut self, team: &str) {
        if self.team.is_none() {
            self.team = Some(team.to_owned());
        }
        if self.kind == ConversationKind::Other {
            self.kind = ConversationKind::Channel;
        }
    }

    /// What it was called at a time; `None` if it had no name, or nothing tells it.
    pub fn topic_at(&self, at: Timestamp) -> Option<&str> {
        let topic = self.topics.last_up_to(&at).map(|(_, topic)| topic);
        let topic = topic.or(self.original.as_ref()).map(String::as_str);
        topic.filter(|topic| !topic.is_empty())
    }

    /// What a channel's team was called at a time.
    pub fn team_name_at(&self, at: Timestamp) -> Option<&str> {
        let newest = self.team_names.range(..=at).next_back();
        newest.or_else(|| self.team_names.iter().next()).map(|(_, name)| name.as_str())
    }

    /// Its title at a time: its topic, and before a channel's the name of its team.
    pub fn title_at(&self, at: Timestamp) -> Option<Cow<'_, str>> {
        let topic = self.topic_at(at)?;
        let team = self.team_name_at(at).filter(|_| self.kind == ConversationKind::Channel);
        Some(team.map_or(topic.into(), |team| format!("{team} / {topic}").into()))
    }

    /// Every title that it had and since when, ascending; the first since ever.
    pub fn titles(&self) -> Vec<(Timestamp, Option<String>)> {
        let mut times: Vec<Timestamp> = vec![Timestamp::MIN];
        times.extend(self.topics.iter().map(|(at, _)| *at));
        times.extend(self.team_names.keys().skip(1));
        times.sort_unstable();
        let title = |at: Timestamp| (at, self.title_at(at).map(Cow::into_owned));
        let mut titles: Vec<_> = times.into_iter().map(title).collect();
        titles.dedup_by(|next, before| next.1 == before.1);
        titles
    }

    /// What it was called last.
    pub fn topic(&self) -> Option<&str> {
        self.topic_at(Timestamp::MAX)
    }

    /// Every name that it was given and since when, oldest first; empty where it was taken away.
    pub fn topics(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.topics.iter().map(|(at, topic)| (*at, topic.as_str()))
    }

    /// Who takes or took part, by id.
    pub fn participants(&self) -> impl Iterator<Item = Participant<'_>> {
        self.members.iter().map(|(id, presence)| presence.participant(id))
    }

    /// How many take or took part.
    pub fn participant_count(&self) -> usize {
        self.members.len()
    }

    /// Who took part at a time, by id.
    ///
    /// Somebody of whom no event says that they came counts from the start, because coming later is
    /// an event; who wrote after an event says that they left is back.
    pub fn members_at(&self, at: Timestamp) -> Vec<&str> {
        let present = self.members.iter().filter(|(_, presence)| presence.holds(at));
        present.map(|(id, _)| &**id).collect()
    }
}

impl Presence {
    fn send(&mut self, at: Timestamp) {
        let (first, last) = self.sent.unwrap_or((at, at));
        self.sent = Some((first.min(at), last.max(at)));
    }

    fn participant<'a>(&self, id: &'a str) -> Participant<'a> {
        let came = self.steps.iter().next().filter(|(_, step)| **step == Step::Came);
        let left = self.steps.iter().next_back().filter(|(_, step)| **step == Step::Left);
        let (first_sent, last_sent) = self.sent.unzip();
        let before = |at: &Timestamp| first_sent.is_none_or(|sent| sent >= *at);
        let after = |at: &Timestamp| last_sent.is_none_or(|sent| sent <= *at);
        Participant {
            id,
            // Who wrote before they came was there already, and after they left is back.
            joined: came.map(|(at, _)| *at).filter(before),
            left: left.map(|(at, _)| *at).filter(after),
            first_sent,
            last_sent,
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        match self.steps.last_up_to(&at) {
            Some((_, Step::Came)) => true,
            Some((left, Step::Left)) => {
                self.sent.is_some_and(|(_, last)| *left < last && last <= at)
            }
            None => match self.steps.iter().next() {
                Some((_, Step::Came)) => self.sent.is_some_and(|(first, _)| first <= at),
                Some((_, Step::Left)) | None => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(at: i64) -> Timestamp {
        Timestamp::from_ms(at)
    }

    fn presence(steps: &[(i64, Step)], sent: &[i64]) -> Presence {
        let steps = steps.iter().map(|(at, step)| (time(*at), *step)).collect();
        let mut presence = Presence { steps, sent: None };
        for at in sent {
            presence.send(time(*at));
        }
        presence
    }

    #[test]
    fn presence_follows_events_and_what_was_written() {
        let (came, left) = (Step::Came, Step::Left);
        for (steps, sent, expected) in [
            (&[][..], &[][..], [true; 5]),
            (&[], &[30], [true; 5]),
            (&[(20, came)], &[], [false, true, true, true, true]),
            (&[(20, came), (40, left)], &[], [false, true, true, false, false]),
            (&[(30, left)], &[], [true, true, false, false, false]),
            (&[(20, came), (30, left), (40, came)], &[], [false, true, false, true, true]),
            (&[(30, left)], &[45], [true, true, false, false, true]),
            (&[(30, came)], &[10], [true; 5]),
        ] {
            let presence = presence(steps, sent);
            let found = [10, 20, 30, 40, 50].map(|at| presence.holds(time(at)));
            assert_eq!(found, expected, "{steps:?} {sent:?}");
        }
    }

    #[test]
    fn a_participant_has_the_times_that_events_tell() {
        let steps = [(20, Step::Came), (30, Step::Left), (35, Step::Came), (40, Step::Left)];
        let times = |presence: &Presence| {
            let one = presence.participant("ann");
            [one.joined, one.left, one.first_sent, one.last_sent].map(|at| at.map(Timestamp::ms))
        };
        assert_eq!(times(&presence(&steps, &[25, 38])), [Some(20), Some(40), Some(25), Some(38)]);
        assert_eq!(times(&presence(&steps, &[10, 50])), [None, None, Some(10), Some(50)]);
        assert_eq!(times(&presence(&[(20, Step::Left)], &[])), [None, Some(20), None, None]);
        assert_eq!(times(&presence(&[], &[])), [None; 4]);
    }

    #[test]
    fn a_topic_holds_until_the_next_one() {
        let mut chat = Conversation::new("19:a_b@unq.gbl.spaces");
        for (at, topic) in [(20, "Tea"), (40, ""), (60, " Lunch ")] {
            chat.add_topic(topic, time(at));
        }
        let topics = [10, 20, 39, 40, 59, 60].map(|at| chat.topic_at(time(at)));
        assert_eq!(topics, [None, Some("Tea"), Some("Tea"), None, None, Some("Lunch")]);
        assert_eq!((chat.topic(), chat.topics().count()), (Some("Lunch"), 3));
        assert_eq!(chat.members_at(time(0)), ["a", "b"]);
    }
}
