//! A query as plain data, and its check.

use chatvault_engine::{
    Cursor, Custodian, Explain, Scan, Sequence, Snapshot, TimeRange, Timestamp,
};
use serde::{Deserialize, Serialize};
use tracing::debug_span;

use crate::answer::Answer;
use crate::commit::Commit;
use crate::error::{Error, Result};
use crate::filter::{Filter, Left};
use crate::names::{Kind, Order, Record, Versions};
use crate::plan::Plan;
use crate::rest::Rest;
use crate::search::{Index, Search, Sought};
use crate::time::parse_time;

/// Most values a list may have: a question, not a data set.
pub(crate) const MAX_VALUES: usize = 10_000;
/// Longest id in a list, in bytes; Graph's longest are a tenth of it.
pub(crate) const MAX_ID_BYTES: usize = 1_024;

/// A question about messages. Everything may be left out; fields narrow each other down, the values
/// of one list widen it. Unknown fields are refused.
///
/// Times are text: RFC 3339 with a zone, or a date, month or year (its first midnight UTC).
/// Ranges are half-open: `from` is in, `to` is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// What was stored: `message` (the default), `copilot`, `recording`, `transcript`, `chat`,
    /// `member`, `user`, `team`.
    pub record: Record,
    /// Conversations: chat ids or channel ids, as the service writes them; of recordings and
    /// transcripts the ids of meetings.
    pub chats: Vec<String>,
    /// Ids of the users or apps that sent it.
    pub senders: Vec<String>,
    /// Whose exports delivered it: `user:ID`, `team:ID`, or a bare id for a user.
    pub custodians: Vec<String>,
    /// What it is: `message`, `system`, `other`.
    pub kinds: Vec<Kind>,
    /// Created at or after this time.
    pub created_from: Option<String>,
    /// Created before this time.
    pub created_to: Option<String>,
    /// Last modified at or after this time.
    pub modified_from: Option<String>,
    /// Last modified before this time.
    pub modified_to: Option<String>,
    /// A condition in the service's `$filter` language: see [`Filter`].
    pub filter: Option<String>,
    /// Words to be found in it: see [`Search`].
    pub search: Option<String>,
    /// Only what has a file, or a picture in its text.
    pub has_file: bool,
    /// Which versions of each message: `latest` (the default), `all`, `variants`.
    pub versions: Versions,
    /// The newest version that was not modified after this time, instead of the latest.
    pub as_of: Option<String>,
    /// Only what the archive held after this commit: versions, and who had delivered them.
    pub as_of_sequence: Option<Commit>,
    /// Only rows that arrived after this commit; with custodians, that none of them had delivered
    /// by then.
    pub since: Option<Commit>,
    /// In which order: `conversation` (the default), `created`, `modified`.
    pub order: Order,
    /// From the last row to the first.
    pub reverse: bool,
    /// At most this many rows.
    pub limit: Option<u64>,
    /// Go on behind the row where an earlier answer stopped; the other fields must be the same.
    pub cursor: Option<String>,
}

impl Query {
    /// Checks every field and gives the engine's form of the question; `None` if no row can answer it.
    ///
    /// A filter narrows the scan, but a scan cannot say all of it, and nothing of a search: what
    /// [`Query::plan`] gives beside the scan is left to be checked on its rows, and then the limit
    /// counts rows that pass.
    ///
    /// Errors are those of [`Query::plan`].
    pub fn scan(&self) -> Result<Option<Scan>> {
        Ok(match self.plan()? {
            Plan::Nothing(_) => None,
            Plan::Rows(rows) => Some(rows.0),
        })
    }

    /// Checks every field and says how the question is answered.
    ///
    /// `Value` names a field that is not accepted; `Filter` and `Search` say where in their text.
    pub fn plan(&self) -> Result<Plan> {
        let mut scan = self.plain_scan()?;
        let search = self.search.as_deref().map(str::parse::<Search>).transpose()?;
        let filter = self.filter.as_deref().map(str::parse::<Filter>).transpose()?;
        let left = filter.as_ref().map_or(Left::EveryRow, |filter| filter.narrow(&mut scan));
        let filter = match left {
            Left::EveryRow => None,
            Left::Rows(left) => Some(left),
            Left::NoRow => {
                let filter = filter.iter().map(|filter| format!("filter: no row meets {filter}"));
                return Ok(Plan::Nothing(filter.collect()));
            }
        };
        let rest = Rest::of(self.record.into(), filter, search, self.has_file);
        if rest.is_some() {
            scan.limit = None;
        }
        Ok(Plan::Rows(Box::new((scan, rest))))
    }

    /// The same with the help of an index, if the question has a search.
    fn plan_with(&self, snapshot: &Snapshot, index: Option<&Index>) -> Result<Plan> {
        let mut plan = self.checked_plan(snapshot)?;
        if let Plan::Rows(rows) = &mut plan
            && let (scan, Some(rest)) = &mut **rows
            && let Some(index) = index.filter(|_| self.record.is_indexed())
            && !rest.ask(index, snapshot, scan)?
        {
            plan = Plan::Nothing(rest.lines());
        }
        Ok(plan)
    }

    /// Without the filter and the search.
    fn plain_scan(&self) -> Result<Scan> {
        check_ids("chats", &self.chats)?;
        check_ids("senders", &self.senders)?;
        check_ids("custodians", &self.custodians)?;
        if let Some(id) = self.custodians.iter().find(|id| Custodian::try_parse(id).is_err()) {
            return Err(Error::value("custodians", id, "user:ID or team:ID, with an ID"));
        }
        Ok(Scan {
            record: self.record.into(),
            conversations: self.chats.clone(),
            senders: self.senders.clone(),
            custodians: self.custodians.iter().map(|id| Custodian::parse(id)).collect(),
            kinds: self.kinds.iter().map(|&kind| kind.into()).collect(),
            created: range(
                ("created_from", self.created_from.as_deref()),
                ("created_to", self.created_to.as_deref()),
            )?,
            modified: range(
                ("modified_from", self.modified_from.as_deref()),
                ("modified_to", self.modified_to.as_deref()),
            )?,
            versions: self.chosen_versions()?,
            as_of_sequence: self.as_of_sequence.map(Commit::sequence),
            since: self.chosen_since()?,
            order: self.order.into(),
            backwards: self.reverse,
            limit: self.limit,
            cursor: self.cursor.as_deref().map(read_cursor).transpose()?,
            ..Scan::default()
        })
    }

    /// Streams the rows that answer it, in bounded memory.
    ///
    /// A search looks at the text of every row that the other conditions leave:
    /// [`Query::run_with`] asks an index first.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn run(&self, snapshot: &Snapshot) -> Result<Answer> {
        self.run_with(snapshot, None)
    }

    /// Streams some of the rows that answer it: those that are left when `narrow` has changed the
    /// scan. An answer can so be had in pieces, on several threads.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn run_narrowed(
        &self,
        snapshot: &Snapshot,
        narrow: impl FnOnce(&mut Scan),
    ) -> Result<Answer> {
        let mut plan = self.checked_plan(snapshot)?;
        if let Plan::Rows(rows) = &mut plan {
            narrow(&mut rows.0);
        }
        plan.run(snapshot, self.limit)
    }

    /// Streams the rows that answer it, a search with the help of an index: the same rows, sooner.
    ///
    /// The index's candidates take up to 32 MiB of memory. In order of the time of creation only those
    /// of the next rows are looked for, so the first ones come soon, however many there are; the index
    /// then finds senders, conversations, kinds and files, too, with words or without.
    ///
    /// Those of [`Query::plan`] and [`Query::check_commits`]; `Archive` if the archive cannot be read, and an error of
    /// the index if that cannot.
    pub fn run_with(&self, snapshot: &Snapshot, index: Option<&Index>) -> Result<Answer> {
        let _span = debug_span!("query", has_index = index.is_some()).entered();
        if let Some(index) = index.filter(|_| self.record.is_indexed())
            && let Plan::Rows(rows) = self.checked_plan(snapshot)?
        {
            let (scan, rest) = *rows;
            let sought = Sought {
                search: rest.as_ref().and_then(Rest::search).cloned(),
                has_file: self.has_file,
            };
            if let Some(stretches) = index.stretches(sought, snapshot, &scan)? {
                return Answer::in_stretches((snapshot, stretches), rest, self.limit);
            }
        }
        self.plan_with(snapshot, index)?.run(snapshot, self.limit)
    }

    /// How many rows answer it; without making them, unless a filter or a search has to look at them.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn count(&self, snapshot: &Snapshot) -> Result<u64> {
        self.count_with(snapshot, None)
    }

    /// How many rows answer it, a search with the help of an index.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn count_with(&self, snapshot: &Snapshot, index: Option<&Index>) -> Result<u64> {
        let plan = self.plan_with(snapshot, index)?;
        if let Plan::Rows(rows) = &plan
            && let (scan, None) = &**rows
        {
            return snapshot.count(scan).map_err(Error::Archive);
        }
        plan.run(snapshot, self.limit)?.count()
    }

    /// What answering it touches, and why the rest is left alone.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn explain(&self, snapshot: &Snapshot) -> Result<Explain> {
        self.explain_with(snapshot, None)
    }

    /// What answering it with the help of an index touches.
    ///
    /// Errors are those of [`Query::run_with`].
    pub fn explain_with(&self, snapshot: &Snapshot, index: Option<&Index>) -> Result<Explain> {
        self.plan_with(snapshot, index)?.explain(snapshot)
    }

    fn chosen_versions(&self) -> Result<chatvault_engine::Versions> {
        let Some(time) = self.as_of.as_deref() else {
            return Ok(match self.versions {
                Versions::Latest => chatvault_engine::Versions::Latest,
                Versions::All => chatvault_engine::Versions::All,
                Versions::Variants => chatvault_engine::Versions::EveryVariant,
            });
        };
        if self.versions != Versions::Latest {
            let conflict = "picks one version of each message, but versions asks for several";
            return Err(Error::Conflict { field: "as_of", conflict });
        }
        parse_time("as_of", time).map(chatvault_engine::Versions::AsOf)
    }

    fn chosen_since(&self) -> Result<Option<Sequence>> {
        if let (Some(since), Some(until)) = (self.since, self.as_of_sequence)
            && since.sequence() >= until.sequence()
        {
            let conflict = "is not before as_of_sequence, so nothing can match";
            return Err(Error::Conflict { field: "since", conflict });
        }
        Ok(self.since.map(Commit::sequence))
    }

    /// Are its commits of this archive's past? Whoever scans a snapshot for a query by himself asks
    /// this first.
    ///
    /// `Commit` names the field whose commit is of another past.
    pub fn check_commits(&self, snapshot: &Snapshot) -> Result<()> {
        for (field, commit) in [("since", self.since), ("as_of_sequence", self.as_of_sequence)] {
            commit.map_or(Ok(()), |commit| commit.check(field, snapshot))?;
        }
        Ok(())
    }

    fn checked_plan(&self, snapshot: &Snapshot) -> Result<Plan> {
        let planned = self.plan()?;
        self.check_commits(snapshot)?;
        Ok(planned)
    }
}

fn check_ids(field: &'static str, ids: &[String]) -> Result<()> {
    if ids.len() > MAX_VALUES {
        let count = format!("{} values", ids.len());
        return Err(Error::value(field, &count, "at most 10000 values"));
    }
    let unfit = |id: &&String| id.is_empty() || id.len() > MAX_ID_BYTES;
    match ids.iter().find(unfit) {
        Some(id) => Err(Error::value(field, id, "an id of 1 to 1024 bytes")),
        None => Ok(()),
    }
}

type Bound<'a> = (&'static str, Option<&'a str>);

fn range(from: Bound<'_>, to: Bound<'_>) -> Result<TimeRange> {
    let read = |(field, text): Bound<'_>| -> Result<Option<Timestamp>> {
        text.map(|text| parse_time(field, text)).transpose()
    };
    let range = TimeRange { from: read(from)?, to: read(to)? };
    match (range.from, range.to) {
        (Some(start), Some(end)) if start >= end => {
            let conflict = "is not before the end of its range, so nothing can match";
            Err(Error::Conflict { field: from.0, conflict })
        }
        _ => Ok(range),
    }
}

fn read_cursor(text: &str) -> Result<Cursor> {
    Cursor::from_text(text).map_err(Error::Cursor)
}

#[cfg(test)]
mod tests {
    use chatvault_engine::MessageKind;

    use super::*;

    #[test]
    fn the_empty_query_asks_for_the_latest_version_of_everything() {
        let scan = Query::default().scan().unwrap().unwrap();
        assert_eq!(format!("{scan:?}"), format!("{:?}", Scan::default()));
    }

    #[test]
    fn every_field_reaches_the_scan() {
        let query = Query {
            record: Record::Chat,
            chats: vec!["19:a".to_owned()],
            senders: vec!["s".to_owned()],
            custodians: vec!["u".to_owned(), "team:t".to_owned()],
            kinds: vec![Kind::System, Kind::Other],
            created_from: Some("2016-05".into()),
            created_to: Some("2016-06".into()),
            modified_from: Some("2016-07-01".into()),
            modified_to: Some("2016-07-02T00:00:00Z".into()),
            filter: Some("messageType ne 'message'".into()),
            search: None,
            has_file: false,
            versions: Versions::All,
            as_of: None,
            as_of_sequence: Some(9.into()),
            since: Some(3.into()),
            order: Order::Modified,
            reverse: true,
            limit: Some(7),
            cursor: None,
        };
        let time = |text| Some(parse_time("x", text).unwrap());
        let expected = Scan {
            record: chatvault_engine::RecordKind::Chat,
            conversations: vec!["19:a".to_owned()],
            senders: vec!["s".to_owned()],
            custodians: vec![Custodian::user("u"), Custodian::team("t")],
            kinds: vec![MessageKind::System, MessageKind::Other],
            created: TimeRange { from: time("2016-05-01"), to: time("2016-06-01") },
            modified: TimeRange { from: time("2016-07-01"), to: time("2016-07-02") },
            versions: chatvault_engine::Versions::All,
            as_of_sequence: Some(Sequence(9)),
            since: Some(Sequence(3)),
            order: chatvault_engine::Order::Modified,
            backwards: true,
            limit: Some(7),
            ..Scan::default()
        };
        assert_eq!(format!("{:?}", query.scan().unwrap().unwrap()), format!("{expected:?}"));
    }

    #[test]
    fn as_of_picks_the_version_of_that_time() {
        let query = Query { as_of: Some("2016-05-01".into()), ..Query::default() };
        let time = parse_time("x", "2016-05-01").unwrap();
        assert_eq!(query.scan().unwrap().unwrap().versions, chatvault_engine::Versions::AsOf(time));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let empty = Query::default;
        let cases = [
            (Query { chats: vec![String::new()], ..empty() }, "chats: "),
            (Query { senders: vec!["x".repeat(MAX_ID_BYTES + 1)], ..empty() }, "senders: "),
            (Query { custodians: vec!["u".to_owned(); MAX_VALUES + 1], ..empty() }, "custodians: "),
            (Query { created_to: Some("noon".into()), ..empty() }, "created_to: "),
            (
                Query {
                    created_from: Some("2016-06".into()),
                    created_to: Some("2016-06".into()),
                    ..empty()
                },
                "created_from is not",
            ),
            (Query { modified_from: Some("2016-6".into()), ..empty() }, "modified_from: "),
            (
                Query { as_of: Some("2016-06".into()), versions: Versions::All, ..empty() },
                "as_of picks",
            ),
            (
                Query { since: Some(4.into()), as_of_sequence: Some(4.into()), ..empty() },
                "since is not",
            ),
            (Query { filter: Some(String::new()), ..empty() }, "filter: character 1: expected"),
            (Query { search: Some("a (b".into()), ..empty() }, "search: character 5: expected"),
            (
                Query {
                    filter: Some("createdDateTime gt 2020-01-01".into()),
                    created_from: Some("2016-6".into()),
                    ..empty()
                },
                "created_from: ",
            ),
        ];
        for (query, start) in cases {
            let error = query.scan().unwrap_err();
            assert!(error.is_wrong_query() && error.to_string().starts_with(start), "{error}");
            assert!(error.to_string().len() < 700, "{error}");
        }
    }

    #[test]
    fn json_is_read_back_as_it_was_written_and_unknown_fields_are_refused() {
        let query: Query = serde_json::from_str(
            r#"{"chats":["19:a"],"kinds":["system"],"versions":"all","order":"created","limit":3}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<Query>(&text).unwrap(), query);
        assert_eq!((query.versions, query.limit), (Versions::All, Some(3)));
        let error = serde_json::from_str::<Query>(r#"{"chat":"19:a"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `chat`"), "{error}");
    }
}
