//! The conversations as they are listed, the one with the latest message first, and how they are found.
//!
//! Of each this keeps a row of fixed size and its title; what else is shown of those of a page is read
//! from the packed conversations.

use chatvault_engine::Timestamp;
use chatvault_query::people::{Conversation, ConversationKind, Conversations};
use chatvault_query::resolve::{Called, Candidate};

use super::texts::Texts;

/// All rows of the list.
#[derive(Debug, Default)]
pub(crate) struct List {
    rows: Vec<Row>,
    titles: Texts,
    /// Titles in lower case.
    words: Texts,
    /// What everybody who takes part is called, in lower case, in the order of their numbers.
    labels: Texts,
    /// The rows of each of them, one after the other, and where those of each end.
    rows_of: Vec<u32>,
    ends: Vec<u32>,
}

#[derive(Debug)]
struct Row {
    /// Where the conversation is, in the order of ids.
    place: u32,
    kind: ConversationKind,
    people: u32,
    messages: u64,
    last: Timestamp,
}

/// A conversation in the list.
#[derive(Debug)]
pub(crate) struct Listed<'k> {
    pub(crate) id: &'k str,
    pub(crate) title: &'k str,
    pub(crate) kind: ConversationKind,
    pub(crate) people: u64,
    pub(crate) messages: u64,
    pub(crate) last: Timestamp,
}

/// What is looked for in the list.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'w> {
    /// Who takes part, by id.
    pub(crate) person: Option<&'w str>,
    /// Each is in the title or in somebody's name; in lower case.
    pub(crate) words: Vec<&'w str>,
    /// The name of a kind; empty: any.
    pub(crate) kind: &'w str,
}

impl List {
    /// `title` and `label` say what a conversation and a person are called.
    pub(super) fn of(
        all: &Conversations,
        title: impl Fn(&Conversation) -> String,
        label: impl Fn(&str) -> String,
    ) -> Self {
        let row = |(place, one): (u32, &Conversation)| Row {
            place,
            kind: one.kind,
            people: narrow(one.participant_count()),
            messages: one.messages,
            last: one.last,
        };
        let mut rows: Vec<Row> = (0..).zip(all.iter()).map(|(at, one)| row((at, &one))).collect();
        rows.sort_by_key(|one| std::cmp::Reverse(one.last));
        rows.shrink_to_fit();
        let mut list = Self { rows, ..Self::default() };
        let mut members: Vec<(u32, u32)> = Vec::new();
        for (at, row) in (0_u32..).zip(&list.rows) {
            let Some(one) = all.at(row.place as usize) else { continue };
            let title = title(&one);
            list.titles.push(&title);
            list.words.push(&title.to_lowercase());
            let numbers = one.participants().filter_map(|person| all.participant(person.id));
            members.extend(numbers.map(|person| (narrow(person), at)));
        }
        list.index(members);
        for id in all.participants() {
            list.labels.push(&label(id).to_lowercase());
        }
        for texts in [&mut list.titles, &mut list.words, &mut list.labels] {
            texts.shrink();
        }
        list
    }

    /// Sorts pairs of a person and a row by person.
    fn index(&mut self, mut members: Vec<(u32, u32)>) {
        members.sort_unstable();
        self.rows_of = members.iter().map(|(_, row)| *row).collect();
        let last = members.last().map_or(0, |(person, _)| person + 1);
        let end = |person| members.partition_point(|(own, _)| *own <= person);
        self.ends = (0..last).map(|person| narrow(end(person))).collect();
    }

    /// The rows of a person by number, in the order of the list.
    fn rows_of(&self, person: usize) -> &[u32] {
        let start = person.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let Some(end) = self.ends.get(person) else { return &[] };
        self.rows_of.get(start.unwrap_or_default() as usize..*end as usize).unwrap_or_default()
    }

    /// The rows in which something is found, in order.
    pub(super) fn find(&self, all: &Conversations, wanted: &Wanted<'_>) -> Vec<u32> {
        let mut rows: Vec<u32> = match wanted.person {
            Some(person) => {
                all.participant(person).map(|one| self.rows_of(one).to_vec()).unwrap_or_default()
            }
            None => (0..narrow(self.rows.len())).collect(),
        };
        for word in &wanted.words {
            let has_it = self.rows_with(all, word);
            rows.retain(|row| has_it.get(*row as usize).copied().unwrap_or_default());
        }
        let kind = wanted.kind;
        rows.retain(|at| {
            let row = self.rows.get(*at as usize);
            kind.is_empty() || row.is_some_and(|row| row.kind.name() == kind)
        });
        rows
    }

    /// Of each row: is the word in its title, in somebody's name, or its id?
    fn rows_with(&self, all: &Conversations, word: &str) -> Vec<bool> {
        let is_id = |row: &Row| all.id_at(row.place as usize) == Some(word);
        let titles = self.words.iter().zip(&self.rows);
        let mut with: Vec<bool> =
            titles.map(|(title, row)| title.contains(word) || is_id(row)).collect();
        let called = self.labels.iter().enumerate().filter(|(_, label)| label.contains(word));
        for row in called.flat_map(|(person, _)| self.rows_of(person)) {
            with.get_mut(*row as usize).into_iter().for_each(|has_it| *has_it = true);
        }
        with
    }

    pub(super) fn at<'k>(&'k self, all: &'k Conversations, row: u32) -> Option<Listed<'k>> {
        let Row { place, kind, people, messages, last } = *self.rows.get(row as usize)?;
        let (id, title) = (all.id_at(place as usize)?, self.titles.get(row as usize));
        Some(Listed { id, title, kind, people: people.into(), messages, last })
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.titles, &self.words, &self.labels];
        self.rows.capacity() * size_of::<Row>()
            + texts.map(Texts::bytes).iter().sum::<usize>()
            + (self.rows_of.capacity() + self.ends.capacity()) * size_of::<u32>()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Called for Listed<'_> {
    fn id(&self) -> &str {
        self.id
    }

    fn is_any_address(&self, _is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }

    fn is_any_name(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        is_meant(self.title)
    }

    fn to_candidate(&self) -> Candidate {
        let names = vec![self.title.to_owned()];
        Candidate { id: self.id.to_owned(), addresses: Vec::new(), names }
    }
}

/// A number of conversations or people: there are no four thousand million.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
