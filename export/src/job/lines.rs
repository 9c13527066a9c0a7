//! Stored messages as lines, straight from their rows.
//!
//! An export of latest versions needs of a message its line and what the manifest counts, and the
//! text of nearly every one tells that without being parsed. The others become entries.

use std::sync::LazyLock;

use chatvault_engine::{MessageKind, RecordKind, Row};
use memchr::memmem::Finder;

use super::attach::Attachments;
use super::facts::Facts;
use super::made::Made;
use super::read::Entries;
use super::render::{Groups, Workshop};
use super::slice::Slice;
use crate::error::Result;
use crate::format::jsonl;
use crate::request::{Format, archive};

/// What the text of a plain message has nowhere: a content, a file, and an escape that could hide a
/// letter of these.
static SIGNS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["hostedContents", "\"reference\"", "\\u"].map(Finder::new));
/// Members that are null in a plain message.
static MARKS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["lastEditedDateTime\"", "deletedDateTime\""].map(Finder::new));

impl Workshop {
    /// Is a line all that is handed out of most messages?
    pub(super) fn is_of_lines(&self) -> bool {
        let has_files = self.snapshot.has_links() && !self.request.text_only;
        self.request.format == Format::Jsonl && !self.request.all_versions && !has_files
    }

    /// The lines of a slice.
    pub(super) fn lines_of(
        &self,
        slice: &Slice,
        attachments: &mut Attachments<'_>,
    ) -> Result<Made> {
        let record = RecordKind::from(slice.record);
        let at = (slice.record, self.window, Some(slice));
        let mut entries = Entries::of(&self.snapshot, &self.request, at, false)?;
        let mut groups = Groups::new(self.group_bytes);
        let (mut lines, mut files) = (jsonl::Lines::default(), Vec::new());
        while let Some(row) = entries.next_row()? {
            lines.lines.clear();
            lines.breaks.clear();
            files.clear();
            let facts = if record == RecordKind::Message && is_plain(&row) {
                Facts::of_plain(&row)
            } else {
                let mut entry = Entries::alone(record, &row)?;
                attachments.find(&mut entry)?;
                let facts = Facts::of(&entry, &self.stage.options, &self.stage.objects);
                if !facts.is_left_out {
                    jsonl::attachments(&entry, &mut files);
                }
                facts
            };
            if !facts.is_left_out {
                let document = jsonl::has_breaks(row.json()).then(|| row.document());
                let document = document.transpose().map_err(archive)?;
                let address = document.map(|document| document.address());
                jsonl::line(row.json(), address, &mut lines);
            }
            groups.add(facts, &self.files.of_lines(record, &lines, &files), Vec::new());
        }
        Ok(Made::Groups(groups.all))
    }
}

/// Does the text of a row alone say that it is no event, was not edited or deleted, and names no
/// content? `false` where only parsing can tell.
fn is_plain(row: &Row<'_>) -> bool {
    let json = row.json();
    let is_null = |at: usize, name: &[u8]| {
        json.get(at + name.len()..).is_some_and(|rest| rest.starts_with(b":null"))
    };
    row.kind() == MessageKind::Message
        && SIGNS.iter().all(|sign| sign.find(json).is_none())
        && MARKS.iter().all(|mark| mark.find_iter(json).all(|at| is_null(at, mark.needle())))
}
