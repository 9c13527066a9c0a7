//! Asking the index for the rows that may meet a search.
//!
//! The answer has every row that meets it, and may have more: a phrase whose last word is a start
//! is asked for as its whole words and any word with that start, and what is not to be there is left
//! out only where the index decides that exactly.

use std::collections::HashSet;
use std::ops::Bound;

use chatvault_engine::{
    ContentAddress, RecordKind, Row, Scan, Sequence, Snapshot, TimeRange, Timestamp,
};
use tantivy::query::{
    AllQuery, BooleanQuery, EnableScoring, Occur, PhraseQuery, Query, RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocId, Searcher};

use super::columns::Columns;
use super::later::Later;
use super::limits::Limits;
use super::schema::{Fact, Fields, row_number, text_number};
use super::{Index, failed, guarded};
use crate::error::Result;
use crate::search::Search;
use crate::search::tree::{Phrase, Tree};

/// One row in so many has a word with a start that is common.
const COMMON: u64 = 16;

/// The rows that may meet a search.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    /// Those that the index has, by their numbers in order; `None` for all of them.
    rows: Option<Vec<u64>>,
    known: Known,
}

/// Which rows an index has: all others are candidates.
#[derive(Clone, Debug)]
enum Known {
    /// Those that had arrived by then.
    UpTo(Sequence),
    /// Transcripts with the texts of these numbers, in order.
    Texts(Vec<u64>),
}

impl Candidates {
    /// All rows.
    pub(super) fn all(known: Sequence) -> Self {
        Self { rows: None, known: Known::UpTo(known) }
    }

    /// These rows, and those that arrived later than the index knows.
    pub(super) fn some(mut rows: Vec<u64>, known: Sequence) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self { rows: Some(rows), known: Known::UpTo(known) }
    }

    /// May this row meet the search?
    pub(crate) fn has(&self, row: &Row<'_>) -> bool {
        match (&self.rows, &self.known) {
            (Some(rows), Known::UpTo(sequence)) if row.sequence() <= *sequence => {
                rows.binary_search(&row_number(row)).is_ok()
            }
            _ => true,
        }
    }

    /// Are there rows that it does not have?
    pub(crate) fn are_some(&self) -> bool {
        self.rows.is_some()
    }

    /// May this transcript meet the search, with the text in this file?
    pub(crate) fn has_text(&self, row: &Row<'_>, file: Option<&ContentAddress>) -> bool {
        match (&self.rows, &self.known, file) {
            (Some(rows), Known::Texts(known), Some(file)) => {
                let number = text_number(row_number(row), file);
                known.binary_search(&number).is_err() || rows.binary_search(&number).is_ok()
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
        // Of a transcript the search may be about single words in it: what is not in these may be
        // in others.
        let has_texts = scan.record == RecordKind::CallTranscript;
        let compiler = Compiler {
            fields: &self.fields,
            excludes: !has_texts,
            common: None,
            facts: self.limits.facts,
        };
        let asked = compiler.compile(&search.tree);
        let mut found = Found::new(scan, self.limits);
        match asked {
            Asked::Everything => found.is_cut = true,
            asked => {
                let query = compiler.query((scan, false), asked);
                guarded(|| self.collect(&*query, &mut found))?;
            }
        }
        let sequence = self.sequence();
        if found.is_cut {
            return Ok((Candidates::all(sequence), true));
        }
        if has_texts {
            // A text can come long after its row, so transcripts are looked at wherever they are.
            let known = Known::Texts(guarded(|| self.texts())?);
            return Ok((Candidates { known, ..Candidates::some(found.rows, sequence) }, true));
        }
        let rows = std::mem::take(&mut found.rows);
        let is_some = match self.later(snapshot, scan.record)? {
            Some(later) => {
                found.add_later(&later);
                found.narrow(scan)
            }
            None => true,
        };
        Ok((Candidates::some(rows, sequence), is_some))
    }

    /// The numbers of transcripts with their texts, in order.
    pub(super) fn texts(&self) -> Result<Vec<u64>> {
        let term = self.fields.term(Fact::Record(RecordKind::CallTranscript));
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let scoring = EnableScoring::disabled_from_searcher(&self.searcher);
        let weight = query.weight(scoring).map_err(failed)?;
        let mut all = Vec::new();
        for (segment, reader) in self.searcher.segment_readers().iter().enumerate() {
            let columns = self.columns(segment)?;
            let mut on = |docs: &[DocId]| all.extend(docs.iter().map(|doc| columns.number(*doc)));
            weight.for_each_no_score(reader, &mut on).map_err(failed)?;
        }
        all.sort_unstable();
        Ok(all)
    }

    fn collect(&self, query: &dyn Query, found: &mut Found) -> Result<()> {
        let scoring = EnableScoring::disabled_from_searcher(&self.searcher);
        let weight = query.weight(scoring).map_err(failed)?;
        for (segment, reader) in self.searcher.segment_readers().iter().enumerate() {
            let mut docs = Vec::new();
            weight
                .for_each_no_score(reader, &mut |some: &[DocId]| {
                    if docs.len() <= self.limits.rows {
                        docs.extend_from_slice(some);
                    }
                })
                .map_err(failed)?;
            found.add(self.columns(segment)?, &docs)?;
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
    limits: Limits,
}

impl Found {
    fn new(scan: &Scan, limits: Limits) -> Self {
        Self {
            rows: Vec::new(),
            created: scan.created,
            times: None,
            conversations: Some(HashSet::new()),
            is_cut: false,
            limits,
        }
    }

    fn add(&mut self, columns: &Columns, docs: &[DocId]) -> Result<()> {
        let mut ordinals = HashSet::new();
        for doc in docs {
            let time = columns.time(*doc);
            if !self.is_wanted(time) {
                continue;
            }
            if self.rows.len() == self.limits.rows {
                self.is_cut = true;
                return Ok(());
            }
            self.rows.push(columns.number(*doc));
            self.add_time(time);
            ordinals.extend(columns.conversation(*doc));
        }
        for ordinal in ordinals {
            self.add_conversation(&columns.name(ordinal)?);
        }
        Ok(())
    }

    /// Rows that the index does not have yet are looked for where they are.
    fn add_later(&mut self, later: &Later) {
        for (time, name) in later.rows() {
            if self.is_wanted(time) {
                self.add_time(time);
                self.add_conversation(name);
            }
        }
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
        if names.len() > self.limits.conversations {
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
pub(super) enum Asked {
    /// Every row may be meant.
    Everything,
    /// These rows and no others are meant.
    Exactly(Box<dyn Query>),
    /// At least these rows are not excluded.
    AtLeast(Box<dyn Query>),
}

impl Asked {
    pub(super) fn into_query(self) -> Box<dyn Query> {
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

/// Makes of a search what tantivy is asked.
pub(super) struct Compiler<'f> {
    pub(super) fields: &'f Fields,
    /// May a row be left out for a word that it has?
    pub(super) excludes: bool,
    /// Where words with a start are counted: one that most rows have is not asked for.
    pub(super) common: Option<&'f Searcher>,
    /// Most values of a list that are asked for.
    pub(super) facts: usize,
}

impl Compiler<'_> {
    /// What a scan asks for, a file if one is wanted, and words: as far as the index knows it.
    pub(super) fn query(&self, (scan, has_file): (&Scan, bool), words: Asked) -> Box<dyn Query> {
        let mut clauses: Vec<Clause> = Vec::new();
        if !matches!(words, Asked::Everything) {
            clauses.push((Occur::Must, words.into_query()));
        }
        let lists = [
            vec![Fact::Record(scan.record)],
            scan.conversations.iter().map(|id| Fact::Conversation(id)).collect(),
            scan.senders.iter().map(|id| Fact::Sender(id)).collect(),
            scan.kinds.iter().map(|kind| Fact::Kind(*kind)).collect(),
            has_file.then_some(Fact::File).into_iter().collect(),
        ];
        // The scan looks after longer lists.
        for list in lists.iter().filter(|list| (1..=self.facts).contains(&list.len())) {
            clauses.push((Occur::Must, self.any_fact(list)));
        }
        Box::new(BooleanQuery::new(clauses))
    }

    fn any_fact(&self, list: &[Fact<'_>]) -> Box<dyn Query> {
        let one = |fact: &Fact<'_>| -> Box<dyn Query> {
            Box::new(TermQuery::new(self.fields.term(*fact), IndexRecordOption::Basic))
        };
        match list {
            [only] => one(only),
            all => Box::new(BooleanQuery::new(
                all.iter().map(|fact| (Occur::Should, one(fact))).collect(),
            )),
        }
    }
}

/// As deep as the tree, which the parser bounds.
impl Compiler<'_> {
    pub(super) fn compile(&self, tree: &Tree) -> Asked {
        match tree {
            Tree::All(parts) => self.all(parts),
            Tree::Any(parts) => self.any(parts),
            Tree::Not(_) => self.all(std::slice::from_ref(tree)),
            Tree::Phrase(phrase) => self.phrase(phrase),
        }
    }

    fn all(&self, parts: &[Tree]) -> Asked {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut is_exact = true;
        for part in parts {
            let (occur, asked) = match part {
                Tree::Not(inside) if self.excludes && is_word(inside) => {
                    (Occur::MustNot, self.compile(inside))
                }
                // Excluding anything else makes tantivy 0.27 ask a scorer for documents that it has
                // passed: it panics, or may be wrong. The rows decide.
                Tree::Not(_) => (Occur::MustNot, Asked::Everything),
                part => (Occur::Must, self.compile(part)),
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

    fn any(&self, parts: &[Tree]) -> Asked {
        let (mut clauses, mut is_exact) = (Vec::new(), true);
        for part in parts {
            match self.compile(part) {
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

    fn phrase(&self, phrase: &Phrase) -> Asked {
        let (field, is_only_part) = self.fields.of_part(phrase.part);
        let (whole, prefix) = phrase.split();
        let term = |(at, text): &(u32, String)| (*at as usize, Term::from_field_text(field, text));
        let whole: Vec<(usize, Term)> = whole.iter().map(term).collect();
        let words: Option<Box<dyn Query>> = match whole.as_slice() {
            [] => None,
            [(_, only)] => Some(Box::new(TermQuery::new(only.clone(), IndexRecordOption::Basic))),
            _ => Some(Box::new(PhraseQuery::new_with_offset(whole))),
        };
        let prefix = prefix.map(|(_, start)| start);
        let prefix = prefix.filter(|start| !self.is_common(field, start));
        let is_left_out = phrase.split().1.is_some() && prefix.is_none();
        let words = match words {
            Some(query) if is_left_out => return Asked::AtLeast(query),
            words => words,
        };
        match (words, prefix.map(|start| starts(field, start))) {
            (None, None) => Asked::Everything,
            (Some(query), None) | (None, Some(query)) => Asked::of(query, is_only_part),
            (Some(words), Some(start)) => {
                let clauses = vec![(Occur::Must, words), (Occur::Must, start)];
                Asked::AtLeast(Box::new(BooleanQuery::new(clauses)))
            }
        }
    }
}

impl Compiler<'_> {
    /// Has one row in a few a word with this start? To collect all of these takes longer than to look
    /// at rows until there are hits.
    fn is_common(&self, field: Field, start: &str) -> bool {
        let Some(searcher) = self.common else { return false };
        let (mut rows, most) = (0, searcher.num_docs() / COMMON);
        let end = format!("{start}{}", char::MAX);
        for reader in searcher.segment_readers() {
            let Ok(inverted) = reader.inverted_index(field) else { return false };
            let range = inverted.terms().range().ge(start.as_bytes()).lt(end.as_bytes());
            let Ok(mut terms) = range.into_stream() else { return false };
            while terms.advance() {
                rows += u64::from(terms.value().doc_freq);
                if rows > most {
                    return true;
                }
            }
        }
        false
    }
}

/// One whole word, and nothing else?
fn is_word(tree: &Tree) -> bool {
    matches!(tree, Tree::Phrase(phrase) if matches!(phrase.split(), ([_], None)))
}

/// Any term with a start. No term has the last character of Unicode in it, which is none.
fn starts(field: Field, start: &str) -> Box<dyn Query> {
    let end = format!("{start}{}", char::MAX);
    Box::new(RangeQuery::new(
        Bound::Included(Term::from_field_text(field, start)),
        Bound::Excluded(Term::from_field_text(field, &end)),
    ))
}
