//! Asking the index for the rows that may meet a search.
//!
//! The answer has every row that meets it, and may have more: a phrase whose last word is a start
//! is asked for as its whole words and any word with that start, and what is not to be there is left
//! out only where the index decides that exactly.

use std::collections::HashSet;
use std::ops::Bound;

use chatvault_engine::{Row, Scan, Sequence, Snapshot, TimeRange, Timestamp, Versions};
use tantivy::query::{
    AllQuery, BooleanQuery, EnableScoring, Occur, PhraseQuery, Query, RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocId, SegmentReader};

use super::schema::{CONVERSATION, CREATED, Fields, ROW, row_number};
use super::{Index, failed, guarded};
use crate::error::{Error, Result};
use crate::search::Search;
use crate::search::tree::{Phrase, Tree};

/// Most rows held as candidates; a search for more looks at every row instead. 32 MiB.
const MOST_ROWS: usize = if cfg!(test) { 40 } else { 4 << 20 };
/// Most conversations that a scan is narrowed to.
const MOST_CONVERSATIONS: usize = if cfg!(test) { 3 } else { 10_000 };

/// The rows that may meet a search.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    /// Those that the index has, by their numbers in order; `None` for all of them.
    rows: Option<Vec<u64>>,
    /// Rows that arrived later are candidates.
    sequence: Sequence,
}

impl Candidates {
    /// May this row meet the search?
    pub(crate) fn has(&self, row: &Row<'_>) -> bool {
        match &self.rows {
            Some(rows) if row.sequence() <= self.sequence => {
                rows.binary_search(&row_number(row)).is_ok()
            }
            _ => true,
        }
    }

    /// For people.
    pub(crate) fn in_words(&self) -> String {
        match &self.rows {
            Some(rows) => format!("{} rows of its index", rows.len()),
            None => "all rows of its index".to_owned(),
        }
    }
}

impl Index {
    /// The rows that may meet a search, and whether there are any; narrows the scan to where they are.
    pub(crate) fn ask(
        &self,
        search: &Search,
        snapshot: &Snapshot,
        scan: &mut Scan,
    ) -> Result<(Candidates, bool)> {
        self.check(snapshot)?;
        let asked = compile(&search.tree, &self.fields);
        let mut found = Found::new(scan);
        match asked {
            Asked::Everything => found.is_cut = true,
            asked => guarded(|| self.collect(asked, &mut found))?,
        }
        let sequence = self.sequence();
        if found.is_cut {
            return Ok((Candidates { rows: None, sequence }, true));
        }
        found.add_later(snapshot, sequence)?;
        let mut rows = std::mem::take(&mut found.rows);
        rows.sort_unstable();
        rows.dedup();
        let is_some = found.narrow(scan);
        Ok((Candidates { rows: Some(rows), sequence }, is_some))
    }

    fn collect(&self, asked: Asked, found: &mut Found) -> Result<()> {
        let query = asked.into_query();
        let scoring = EnableScoring::disabled_from_searcher(&self.searcher);
        let weight = query.weight(scoring).map_err(failed)?;
        for reader in self.searcher.segment_readers() {
            let mut docs = Vec::new();
            weight
                .for_each_no_score(reader, &mut |some: &[DocId]| {
                    if docs.len() <= MOST_ROWS {
                        docs.extend_from_slice(some);
                    }
                })
                .map_err(failed)?;
            found.add(reader, &docs)?;
            if found.is_cut {
                break;
            }
        }
        Ok(())
    }
}

/// What was found so far.
struct Found {
    rows: Vec<u64>,
    created: TimeRange,
    /// The first and last time of creation.
    times: Option<(i64, i64)>,
    /// `None` if they are too many.
    conversations: Option<HashSet<String>>,
    /// Too much was found to be held.
    is_cut: bool,
}

impl Found {
    fn new(scan: &Scan) -> Self {
        Self {
            rows: Vec::new(),
            created: scan.created,
            times: None,
            conversations: Some(HashSet::new()),
            is_cut: false,
        }
    }

    fn add(&mut self, reader: &SegmentReader, docs: &[DocId]) -> Result<()> {
        if docs.is_empty() {
            return Ok(());
        }
        let fast = reader.fast_fields();
        let numbers = fast.u64(ROW).map_err(failed)?;
        let created = fast.i64(CREATED).map_err(failed)?;
        let names = fast.str(CONVERSATION).map_err(failed)?;
        let mut ordinals = HashSet::new();
        for doc in docs {
            let time = created.first(*doc).unwrap_or(0);
            if !self.is_wanted(time) {
                continue;
            }
            if self.rows.len() == MOST_ROWS {
                self.is_cut = true;
                return Ok(());
            }
            self.rows.push(numbers.first(*doc).unwrap_or(0));
            self.add_time(time);
            let ordinal = names.as_ref().and_then(|names| names.term_ords(*doc).next());
            ordinals.extend(ordinal);
        }
        let Some(names) = names else { return Ok(()) };
        for ordinal in ordinals {
            let mut name = String::new();
            let read = names.ord_to_str(ordinal, &mut name);
            let _ = read.map_err(super::unreadable)?;
            self.add_conversation(&name);
        }
        Ok(())
    }

    /// Rows that the index does not have yet are looked for where they are.
    fn add_later(&mut self, snapshot: &Snapshot, sequence: Sequence) -> Result<()> {
        if snapshot.sequence() <= sequence {
            return Ok(());
        }
        let since = (sequence.0 > 0).then_some(sequence);
        let later = Scan {
            since,
            created: self.created,
            versions: Versions::EveryVariant,
            ..Scan::default()
        };
        let mut on = |row: chatvault_engine::RowKeys<'_>| {
            self.add_time(row.created().ticks());
            self.add_conversation(row.conversation());
        };
        snapshot.keys(&later, &mut on).map(drop).map_err(Error::Archive)
    }

    fn is_wanted(&self, time: i64) -> bool {
        let time = Timestamp::from_ticks(time);
        self.created.from.is_none_or(|from| from <= time)
            && self.created.to.is_none_or(|to| time < to)
    }

    fn add_time(&mut self, time: i64) {
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }

    fn add_conversation(&mut self, name: &str) {
        let Some(names) = &mut self.conversations else { return };
        if !names.contains(name) {
            let _ = names.insert(name.to_owned());
        }
        if names.len() > MOST_CONVERSATIONS {
            self.conversations = None;
        }
    }

    /// Leaves out of a scan what has no candidate; false if that is all of it.
    ///
    /// Which version is chosen is decided before: a row that is wanted is in these places itself.
    fn narrow(self, scan: &mut Scan) -> bool {
        let Some((first, last)) = self.times else { return false };
        let from = Timestamp::from_ticks(first);
        scan.created.from = Some(scan.created.from.map_or(from, |asked| asked.max(from)));
        if let Some(to) = last.checked_add(1).map(Timestamp::from_ticks) {
            scan.created.to = Some(scan.created.to.map_or(to, |asked| asked.min(to)));
        }
        let Some(names) = self.conversations else { return true };
        if scan.conversations.is_empty() {
            scan.conversations = names.into_iter().collect();
        } else {
            scan.conversations.retain(|name| names.contains(name));
        }
        !scan.conversations.is_empty()
    }
}

/// A part of a search as tantivy is asked for it.
enum Asked {
    /// Every row may be meant.
    Everything,
    /// These rows and no others are meant.
    Exactly(Box<dyn Query>),
    /// At least these rows are not excluded.
    AtLeast(Box<dyn Query>),
}

impl Asked {
    fn into_query(self) -> Box<dyn Query> {
        match self {
            Self::Everything => Box::new(AllQuery),
            Self::Exactly(query) | Self::AtLeast(query) => query,
        }
    }

    fn of(query: Box<dyn Query>, is_exact: bool) -> Self {
        if is_exact { Self::Exactly(query) } else { Self::AtLeast(query) }
    }
}

/// How rows have to meet a query, and the query.
type Clause = (Occur, Box<dyn Query>);

/// As deep as the tree, which the parser bounds.
fn compile(tree: &Tree, fields: &Fields) -> Asked {
    match tree {
        Tree::All(parts) => all(parts, fields),
        Tree::Any(parts) => any(parts, fields),
        Tree::Not(_) => all(std::slice::from_ref(tree), fields),
        Tree::Phrase(phrase) => self::phrase(phrase, fields),
    }
}

fn all(parts: &[Tree], fields: &Fields) -> Asked {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut is_exact = true;
    for part in parts {
        let (occur, asked) = match part {
            Tree::Not(inside) if is_word(inside) => (Occur::MustNot, compile(inside, fields)),
            // Excluding anything else makes tantivy 0.27 ask a scorer for documents that it has
            // passed: it panics, or may be wrong. The rows decide.
            Tree::Not(_) => (Occur::MustNot, Asked::Everything),
            part => (Occur::Must, compile(part, fields)),
        };
        match (occur, asked) {
            (occur, Asked::Exactly(query)) => clauses.push((occur, query)),
            (Occur::Must, Asked::AtLeast(query)) => {
                is_exact = false;
                clauses.push((Occur::Must, query));
            }
            // What is excluded is not known exactly: nothing is, then.
            _ => is_exact = false,
        }
    }
    if !clauses.iter().any(|(occur, _)| *occur == Occur::Must) {
        if clauses.is_empty() {
            return Asked::Everything;
        }
        clauses.push((Occur::Must, Box::new(AllQuery)));
    }
    Asked::of(Box::new(BooleanQuery::new(clauses)), is_exact)
}

/// One whole word, and nothing else?
fn is_word(tree: &Tree) -> bool {
    matches!(tree, Tree::Phrase(phrase) if matches!(phrase.split(), ([_], None)))
}

fn any(parts: &[Tree], fields: &Fields) -> Asked {
    let (mut clauses, mut is_exact) = (Vec::new(), true);
    for part in parts {
        match compile(part, fields) {
            Asked::Everything => return Asked::Everything,
            Asked::Exactly(query) => clauses.push((Occur::Should, query)),
            Asked::AtLeast(query) => {
                is_exact = false;
                clauses.push((Occur::Should, query));
            }
        }
    }
    Asked::of(Box::new(BooleanQuery::new(clauses)), is_exact)
}

fn phrase(phrase: &Phrase, fields: &Fields) -> Asked {
    let (field, is_only_part) = fields.of_part(phrase.part);
    let (whole, prefix) = phrase.split();
    let term = |(at, text): &(u32, String)| (*at as usize, Term::from_field_text(field, text));
    let whole: Vec<(usize, Term)> = whole.iter().map(term).collect();
    let words: Option<Box<dyn Query>> = match whole.as_slice() {
        [] => None,
        [(_, only)] => Some(Box::new(TermQuery::new(only.clone(), IndexRecordOption::Basic))),
        _ => Some(Box::new(PhraseQuery::new_with_offset(whole))),
    };
    match (words, prefix.map(|(_, start)| starts(field, start))) {
        (None, None) => Asked::Everything,
        (Some(query), None) | (None, Some(query)) => Asked::of(query, is_only_part),
        (Some(words), Some(start)) => {
            let clauses = vec![(Occur::Must, words), (Occur::Must, start)];
            Asked::AtLeast(Box::new(BooleanQuery::new(clauses)))
        }
    }
}

/// Any term with a start. No term has the last character of Unicode in it, which is none.
fn starts(field: Field, start: &str) -> Box<dyn Query> {
    let end = format!("{start}{}", char::MAX);
    Box::new(RangeQuery::new(
        Bound::Included(Term::from_field_text(field, start)),
        Bound::Excluded(Term::from_field_text(field, &end)),
    ))
}
