//! How many messages each group has: answered from the archive's index, without reading messages,
//! unless a filter or a search has to look at them.
//!
//! Invariant: memory is bounded by the groups, not by the messages.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use chatvault_base::time::format_time;
use chatvault_engine::{Custodian, MessageKind, Snapshot, Timestamp};

use crate::error::{Error, Result};
use crate::names::Kind;
use crate::plan::Plan;
use crate::query::Query;
use crate::search::Index;

const TICKS_PER_DAY: i64 = 86_400 * 10_000_000;

/// What messages are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The chat or channel.
    Conversation,
    /// Who sent it.
    Sender,
    /// Whose export delivered it. A message that several delivered counts for each of them.
    Custodian,
    /// Message, system event or other.
    Kind,
    /// The UTC day of its creation.
    Day,
    /// The UTC month of its creation.
    Month,
}

impl By {
    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 6] =
        ["conversation", "sender", "custodian", "kind", "day", "month"];

    const ALL: [Self; 6] =
        [Self::Conversation, Self::Sender, Self::Custodian, Self::Kind, Self::Day, Self::Month];

    /// Its name.
    pub fn name(self) -> &'static str {
        let at = Self::ALL.iter().position(|by| *by == self);
        at.and_then(|at| Self::NAMES.get(at)).copied().unwrap_or_default()
    }
}

impl FromStr for By {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::value("by", text, "conversation, sender, custodian, kind, day or month");
        Self::ALL.into_iter().find(|by| by.name() == text).ok_or_else(wrong)
    }
}

/// Some messages that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// What they have in common: an id, a kind, `2024-05-01` or `2024-05`. `None`: no sender.
    pub key: Option<String>,
    /// How many there are.
    pub count: u64,
}

/// How many messages answer a query, as a whole and in groups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// What they are grouped by.
    pub by: By,
    /// How many there are; only custodians count a message more than once.
    pub total: u64,
    /// Groups that have any: days and months in order, others from the largest to the smallest.
    pub groups: Vec<Group>,
}

impl Statistics {
    /// Counts what answers a query. A limit or a cursor would cut groups at random and is refused.
    ///
    /// A custodian's group has exactly what the query gives with that custodian: as many looks at
    /// the index as there are custodians.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn count(query: &Query, by: By, snapshot: &Snapshot) -> Result<Self> {
        Self::count_with(query, by, (snapshot, None))
    }

    /// The same, a search with the help of an index.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn count_with(query: &Query, by: By, held: (&Snapshot, Option<&Index>)) -> Result<Self> {
        let counted = Self::count_each(query, &[by], held)?;
        Ok(counted.into_iter().next().unwrap_or(Self { by, total: 0, groups: Vec::new() }))
    }

    /// The same by several things, each with its own groups, over the rows as they are looked at once.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn count_each(
        query: &Query,
        each: &[By],
        (snapshot, index): (&Snapshot, Option<&Index>),
    ) -> Result<Vec<Self>> {
        let conflict = "cuts what is to be counted in groups";
        if query.limit.is_some() {
            return Err(Error::Conflict { field: "limit", conflict });
        }
        if query.cursor.is_some() {
            return Err(Error::Conflict { field: "cursor", conflict });
        }
        let held = (snapshot, index);
        let of_rows = || each.iter().filter(|by| **by != By::Custodian);
        let mut tallies: Vec<Tally> = of_rows().map(|by| Tally::new(*by)).collect();
        let total = if tallies.is_empty() { 0 } else { count_rows(query, held, &mut tallies)? };
        let mut counted: Vec<Self> = Vec::with_capacity(each.len());
        let mut tallies = tallies.into_iter();
        for by in each {
            counted.push(match by {
                By::Custodian => of_custodians(query, held)?,
                by => {
                    let groups = tallies.next().map(Tally::groups).unwrap_or_default();
                    Self { by: *by, total, groups }
                }
            });
        }
        Ok(counted)
    }
}

/// Counts rows: without reading them, unless a filter or a search has to look at them.
fn count_rows(
    query: &Query,
    (snapshot, index): (&Snapshot, Option<&Index>),
    tallies: &mut [Tally],
) -> Result<u64> {
    query.check_commits(snapshot)?;
    let mut add = |keys: &Keys<'_>| tallies.iter_mut().for_each(|tally| tally.add(keys));
    if let Plan::Rows(rows) = &query.plan()?
        && let (scan, None) = &**rows
    {
        let mut on = |row: chatvault_engine::RowKeys<'_>| {
            add(&Keys {
                conversation: row.conversation(),
                sender: row.sender(),
                kind: row.kind(),
                created: row.created(),
            });
        };
        return snapshot.keys(scan, &mut on).map_err(Error::Archive);
    }
    let mut answer = query.run_with(snapshot, index)?;
    let mut total = 0;
    while let Some(row) = answer.next()? {
        total += 1;
        add(&Keys {
            conversation: row.conversation(),
            sender: row.sender(),
            kind: row.kind(),
            created: row.created(),
        });
    }
    Ok(total)
}

fn of_custodians(
    query: &Query,
    (snapshot, index): (&Snapshot, Option<&Index>),
) -> Result<Statistics> {
    let asked: Vec<Custodian> = query.custodians.iter().map(|id| Custodian::parse(id)).collect();
    let all = snapshot.custodians().map_err(Error::Archive)?;
    let mut groups = Vec::new();
    for custodian in all.keys().filter(|one| asked.is_empty() || asked.contains(one)) {
        let own = Query { custodians: vec![custodian.to_string()], ..query.clone() };
        let count = own.count_with(snapshot, index)?;
        groups.push(Group { key: Some(custodian.to_string()), count });
    }
    groups.retain(|group| group.count > 0);
    largest_first(&mut groups);
    Ok(Statistics { by: By::Custodian, total: query.count_with(snapshot, index)?, groups })
}

/// What groups go by.
struct Keys<'a> {
    conversation: &'a str,
    sender: Option<&'a str>,
    kind: MessageKind,
    created: Timestamp,
}

/// Counts in the making.
struct Tally {
    by: By,
    names: HashMap<String, u64>,
    nameless: u64,
    days: BTreeMap<i64, u64>,
}

impl Tally {
    fn new(by: By) -> Self {
        Self { by, names: HashMap::new(), nameless: 0, days: BTreeMap::new() }
    }

    fn add(&mut self, row: &Keys<'_>) {
        match self.by {
            By::Conversation | By::Custodian => self.add_name(row.conversation),
            By::Kind => self.add_name(Kind::name_of(row.kind)),
            By::Sender => match row.sender {
                Some(sender) => self.add_name(sender),
                None => self.nameless += 1,
            },
            By::Day | By::Month => {
                let day = row.created.ticks().div_euclid(TICKS_PER_DAY);
                *self.days.entry(day).or_default() += 1;
            }
        }
    }

    fn add_name(&mut self, name: &str) {
        match self.names.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.names.insert(name.to_owned(), 1)),
        }
    }

    fn groups(self) -> Vec<Group> {
        if matches!(self.by, By::Day | By::Month) {
            return in_order(&self.days, self.by);
        }
        let named = self.names.into_iter().map(|(key, count)| Group { key: Some(key), count });
        let mut groups: Vec<Group> = named.collect();
        if self.nameless > 0 {
            groups.push(Group { key: None, count: self.nameless });
        }
        largest_first(&mut groups);
        groups
    }
}

/// Days as they are, or the days of each month together.
fn in_order(days: &BTreeMap<i64, u64>, by: By) -> Vec<Group> {
    const MONTH_BYTES: usize = 7;
    const DAY_BYTES: usize = 10;
    let bytes = if by == By::Month { MONTH_BYTES } else { DAY_BYTES };
    let mut groups: Vec<Group> = Vec::new();
    for (day, count) in days {
        let text = format_time(Timestamp::from_ticks(day.saturating_mul(TICKS_PER_DAY)));
        // A year that no calendar writes is told in ticks, whole.
        let key = if text.ends_with('Z') { text.get(..bytes).unwrap_or(&text) } else { &text };
        match groups.last_mut() {
            Some(last) if last.key.as_deref() == Some(key) => last.count += count,
            _ => groups.push(Group { key: Some(key.to_owned()), count: *count }),
        }
    }
    groups
}

fn largest_first(groups: &mut [Group]) {
    groups
        .sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.key.cmp(&right.key)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(by: By, rows: &[(&str, Option<&str>, &str)]) -> Vec<(Option<String>, u64)> {
        let mut tally = Tally::new(by);
        for (conversation, sender, created) in rows {
            tally.add(&Keys {
                conversation,
                sender: *sender,
                kind: MessageKind::Message,
                created: crate::parse_time("x", created).unwrap(),
            });
        }
        tally.groups().into_iter().map(|group| (group.key, group.count)).collect()
    }

    const ROWS: [(&str, Option<&str>, &str); 5] = [
        ("a", Some("ann"), "2020-01-31T23:59:59.9999999Z"),
        ("a", None, "2020-02-01T00:00:00Z"),
        ("b", Some("ben"), "2020-02-01T12:00:00Z"),
        ("b", Some("ben"), "2020-02-02T00:00:00Z"),
        ("c", Some("ann"), "1969-12-31T23:00:00Z"),
    ];

    #[test]
    fn groups_go_by_what_is_asked() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(tally(By::Sender, &ROWS), [(some("ann"), 2), (some("ben"), 2), (None, 1)]);
        assert_eq!(
            tally(By::Conversation, &ROWS),
            [(some("a"), 2), (some("b"), 2), (some("c"), 1)]
        );
        assert_eq!(tally(By::Kind, &ROWS), [(some("message"), 5)]);
        assert_eq!(
            tally(By::Month, &ROWS),
            [(some("1969-12"), 1), (some("2020-01"), 1), (some("2020-02"), 3)]
        );
        let days = tally(By::Day, &ROWS);
        assert_eq!(days.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1, 2, 1]);
        assert_eq!(days[2].0, some("2020-02-01"));
    }

    #[test]
    fn days_that_no_calendar_has_are_told_in_ticks() {
        let days = BTreeMap::from([(i64::MIN / TICKS_PER_DAY, 1), (0, 1)]);
        let groups = in_order(&days, By::Day);
        assert!(groups[0].key.as_deref().unwrap().ends_with(" ticks"));
        assert_eq!(groups[1].key.as_deref(), Some("1970-01-01"));
    }

    #[test]
    fn names_are_read_back() {
        for name in By::NAMES {
            assert_eq!(name.parse::<By>().unwrap().name(), name);
        }
        assert!("week".parse::<By>().unwrap_err().to_string().contains("day or month"));
    }
}
