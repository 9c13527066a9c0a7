//! Full-text search: words, phrases and starts of words in what was written.
//!
//! A [`Search`] is a condition like any other of a query. It is read into a tree (`parse`, `tree`)
//! and decided on the text of each message (`content`, `token`, `matcher`). An [`Index`] beside the
//! archive makes that fast: it tells which rows can meet a search at all.

mod character;
mod content;
mod index;
mod matcher;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod tree;

use std::fmt;
use std::str::FromStr;

pub use index::{Builder, Index, Update};
pub(crate) use index::{Candidates, Sought, Stretches};

use chatvault_engine::{Document, RecordKind};

use crate::error::{Error, Result};
use crate::record::{Cue, Text, cues};
use content::{Content, Part};
use matcher::Wanted;
use tree::Tree;

/// A condition on the words of a message.
///
/// * `budget offer`: both words, in any order and part; `AND` may stand between them.
/// * `"offer letter"`: the words in a row. Words with signs in them, such as `report.pdf` or
///   `e-mail`, are words in a row without quotes, too.
/// * `pay*` and `"offer let*"`: words that start so.
/// * `tea OR coffee`, `tea -milk`, `tea NOT milk`, brackets; `AND` binds closer than `OR`.
/// * `subject:offer`, `attachment:(draft OR final)`: in one part only: `body`, `subject`,
///   `attachment` (names of files), `card`, `event`, `speaker` (of a transcript).
/// * `speaker:ada budget`: a search that names a speaker is met by a transcript in which one person
///   says all of it without a break.
///
/// Upper and lower case are the same, and so are full and half width. A word without accents is
/// found with them, too. In Chinese, Japanese, Korean, Thai and the like any part of a text is found.
/// Emoji are words; one without a skin colour is found in every colour.
///
/// ```
/// use chatvault_engine::Document;
/// use chatvault_query::search::Search;
///
/// let search: Search = "resume \"offer let*\" -subject:draft".parse()?;
/// let message = Document::parse(br#"{"id":"1","chatId":"19:a","messageType":"message",
///     "body":{"contentType":"html","content":"<p>R\u00e9sum\u00e9 and <b>offer</b> letter</p>"}}"#)?;
/// assert!(search.matches(&message));
///
/// let error = "(offer OR letter".parse::<Search>().unwrap_err();
/// assert_eq!(error.to_string(), "search: character 17: expected a closing bracket, found the end");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    tree: Tree,
    wanted: Wanted,
}

impl Search {
    /// Does a message, as the service wrote it, meet it?
    pub fn matches(&self, message: &Document<'_>) -> bool {
        self.is_met_by(RecordKind::Message, message, &Text::None)
    }

    /// Does a record of some kind meet it?
    pub(crate) fn is_met_by(
        &self,
        record: RecordKind,
        document: &Document<'_>,
        text: &Text,
    ) -> bool {
        match text {
            Text::Here(text) if self.names_speaker() => {
                cues(text).iter().any(|cue| self.meets(&Content::of_cue(cue)))
            }
            text => self.meets(&Content::of(record, document, text)),
        }
    }

    /// The words of a transcript for which it is met: those that meet it alone if it names a
    /// speaker, else those with something of it.
    pub fn said(&self, text: &str) -> Vec<Cue> {
        let is_whole = self.names_speaker();
        let is_hit = |cue: &Cue| {
            let content = Content::of_cue(cue);
            if is_whole {
                self.meets(&content)
            } else {
                self.wanted.is_any_in(&self.tree, &content)
            }
        };
        cues(text).into_iter().filter(is_hit).collect()
    }

    fn meets(&self, content: &Content) -> bool {
        matcher::meets(&self.tree, &self.wanted, content)
    }

    /// Then it is about what one person says, not about the whole of a transcript.
    fn names_speaker(&self) -> bool {
        self.tree.names(Part::Speaker)
    }
}

impl FromStr for Search {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let tree = parse::parse(text)?;
        Ok(Self { wanted: Wanted::of(&tree), tree })
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tree, f)
    }
}
