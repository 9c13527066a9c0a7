//! How a query is answered: the scan that gives its rows, and what is left to be checked on each.
//!
//! That no row can answer is a plan of its own and no scan: nothing that is added to it, a search, a
//! limit or a cursor, can make it give rows.

use std::num::NonZeroUsize;

use chatvault_engine::{Explain, Scan, Snapshot};

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::record::Texts;
use crate::rest::Rest;

/// How a query is answered.
#[derive(Clone, Debug)]
pub enum Plan {
    /// No row can answer it, and none is looked at. In words, why.
    Nothing(Vec<String>),
    /// The rows of a scan that meet the rest, if there is one. The scan has no limit then: a limit
    /// counts rows that meet it.
    Rows(Box<(Scan, Option<Rest>)>),
}

impl Plan {
    /// Are all rows of the scan rows of the answer? Then the archive's index alone counts them.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Nothing(_) => true,
            Self::Rows(rows) => rows.1.is_none(),
        }
    }

    /// The rows, at most so many.
    pub(crate) fn run(self, snapshot: &Snapshot, limit: Option<u64>) -> Result<Answer> {
        let Self::Rows(rows) = self else { return Ok(Answer::empty()) };
        let (mut scan, rest) = *rows;
        scan.paths = rest.as_ref().map(Rest::paths).unwrap_or_default();
        let limit = if rest.is_some() { limit } else { scan.limit };
        let texts = match scan.as_of_sequence {
            Some(at) => Texts::new(&snapshot.as_of(at)),
            None => Texts::new(snapshot),
        };
        // A scan of everything is shared by all cores.
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let rows = snapshot.scan_on(&scan, threads).map_err(Error::Archive)?;
        Ok(Answer::new(rows, rest, limit, texts))
    }

    /// What it touches.
    pub(crate) fn explain(self, snapshot: &Snapshot) -> Result<Explain> {
        let explain = |scan: &Scan| snapshot.explain(scan).map_err(Error::Archive);
        match self {
            Self::Nothing(lines) => {
                let mut all = explain(&Scan::default())?;
                (all.segments_touched, all.groups_touched, all.rows_touched) = (0, 0, 0);
                all.lines = lines;
                Ok(all)
            }
            Self::Rows(rows) => {
                let mut explain = explain(&rows.0)?;
                explain.lines.extend(rows.1.iter().flat_map(Rest::lines));
                Ok(explain)
            }
        }
    }
}
