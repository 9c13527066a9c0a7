//! What of a query no scan can say: it is checked on each row that a scan gives.

use std::fmt;

use chatvault_engine::{Document, Path, RecordKind, Row, Scan, Snapshot};

use crate::error::{Error, Result};
use crate::filter::{Facts, Filter};
use crate::record::{Text, Texts, has_file};
use crate::search::{Candidates, Index, Search};

/// What of a query is left to be checked row by row.
#[derive(Clone, Debug)]
pub struct Rest {
    record: RecordKind,
    filter: Option<Filter>,
    search: Option<Search>,
    has_file: bool,
    /// Rows that may meet the search, if an index was asked.
    candidates: Option<Candidates>,
}

impl Rest {
    pub(crate) fn of(
        record: RecordKind,
        filter: Option<Filter>,
        search: Option<Search>,
        has_file: bool,
    ) -> Option<Self> {
        let is_some = filter.is_some() || search.is_some() || has_file;
        is_some.then_some(Self { record, filter, search, has_file, candidates: None })
    }

    /// What of each row is read to know whether it may meet it; empty for all.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = self.filter.as_ref().map(Filter::paths).unwrap_or_default();
        let by_index = self.candidates.as_ref().is_some_and(Candidates::are_some);
        if paths.is_empty() && (self.filter.is_some() || by_index) {
            // What the archive's index knows of a row is enough.
            paths.push(Path::new("id"));
        }
        paths
    }

    /// Does it look at more of a row than [`Rest::paths`]?
    pub(crate) fn needs_all(&self) -> bool {
        self.has_file || self.search.is_some()
    }

    /// Can a row meet it of which [`Rest::paths`] were read?
    pub(crate) fn may_pass(&self, row: &Row<'_>) -> Result<bool> {
        if !self.reads_texts() && !self.candidates.as_ref().is_none_or(|some| some.has(row)) {
            return Ok(false);
        }
        let Some(filter) = &self.filter else { return Ok(true) };
        Ok(filter.matches(Facts::of(row, &row.document().map_err(Error::Archive)?)))
    }

    fn is_found(&self, document: &Document<'_>, text: &Text) -> bool {
        self.search.as_ref().is_none_or(|search| search.is_met_by(self.record, document, text))
    }

    /// Has each row a text of its own that is searched, too?
    pub(crate) fn reads_texts(&self) -> bool {
        self.search.is_some() && self.record == RecordKind::CallTranscript
    }

    /// Asks an index for the rows that may meet the search, and narrows the scan to where they are;
    /// false if there are none.
    pub(crate) fn ask(
        &mut self,
        index: &Index,
        snapshot: &Snapshot,
        scan: &mut Scan,
    ) -> Result<bool> {
        let Some(search) = &self.search else { return Ok(true) };
        let (candidates, is_some) = index.ask(search, snapshot, scan)?;
        self.candidates = Some(candidates);
        Ok(is_some)
    }

    /// The words that are looked for.
    pub(crate) fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Which rows may meet the search, in what is looked at now.
    pub(crate) fn narrow(&mut self, candidates: Candidates) {
        self.candidates = Some(candidates);
    }

    /// Does a row meet it that may?
    pub(crate) fn passes(&self, row: &Row<'_>) -> Result<bool> {
        if !self.needs_all() {
            return Ok(true);
        }
        let document = row.document().map_err(Error::Archive)?;
        Ok((!self.has_file || has_file(&document)) && self.is_found(&document, &Text::None))
    }

    /// Does a row meet it that may, and whose text is a file? The text, if it was read for that.
    pub(crate) fn passes_with(&self, row: &Row<'_>, texts: &Texts) -> Result<(bool, Text)> {
        let document = row.document().map_err(Error::Archive)?;
        if self.has_file && !has_file(&document) {
            return Ok((false, Text::None));
        }
        let file = texts.file(&row.key())?;
        let candidates = self.candidates.as_ref();
        if !candidates.is_none_or(|candidates| candidates.has_text(row, file.as_ref())) {
            return Ok((false, Text::None));
        }
        let text = texts.read(file.as_ref())?;
        Ok((self.is_found(&document, &text), text))
    }

    /// What is looked at in each row, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let filter = self.filter.as_ref();
        let filter =
            filter.map(|filter| format!("filter: each row's message is checked: {filter}"));
        let among = match &self.candidates {
            Some(candidates) => format!("{} and later ones", candidates.in_words()),
            None => "each row".to_owned(),
        };
        let search = self.search.as_ref();
        let search =
            search.map(|search| format!("search: the words of {among} are checked: {search}"));
        let file =
            self.has_file.then(|| "each row's message is checked: has it a file?".to_owned());
        filter.into_iter().chain(file).chain(search).collect()
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = self.filter.as_ref().map(ToString::to_string);
        let file = self.has_file.then(|| "has a file".to_owned());
        let search = self.search.as_ref().map(|search| format!("search {search}"));
        let all: Vec<String> = filter.into_iter().chain(file).chain(search).collect();
        f.write_str(&all.join("; "))
    }
}
