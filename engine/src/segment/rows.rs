//! Rows of a segment, rendered one at a time.

use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, Cursor, Text};
use super::keys::Keys;
use super::lists::{Forming, Forms, Lists};
use super::open::Segment;
use super::program::Reduced;
use crate::document::Path;
use crate::error::{Error, Result};

/// Renders rows of one segment; rows in order are cheapest.
#[derive(Debug)]
pub(crate) struct RowReader {
    lists: Arc<Lists>,
    forms: Arc<Forms>,
    open: Option<OpenGroup>,
    cursor: Cursor,
    /// If only what some paths name is wanted.
    reduced: Option<Reduced>,
}

#[derive(Debug)]
struct OpenGroup {
    number: usize,
    rows: Range<u32>,
    keys: Arc<Keys>,
    block: Arc<Block>,
    /// The chunk that the last row's text is in.
    text: Option<(usize, Arc<Text>)>,
}

impl RowReader {
    pub(crate) fn new(segment: Arc<Segment>) -> Result<Self> {
        let forms = segment.forms()?;
        let lists = Arc::new(Lists::new(segment));
        Ok(Self { lists, forms, open: None, cursor: Cursor::default(), reduced: None })
    }

    /// One that renders of each document only what some paths name.
    pub(crate) fn of_paths(segment: Arc<Segment>, paths: &Arc<[Path]>) -> Result<Self> {
        Ok(Self { reduced: Some(Reduced::new(Arc::clone(paths))), ..Self::new(segment)? })
    }

    /// The names and sets that it holds.
    pub(crate) fn lists(&self) -> &Arc<Lists> {
        &self.lists
    }

    /// Appends a row's document.
    pub(crate) fn render(&mut self, row: u32, out: &mut Vec<u8>) -> Result<()> {
        let known = self.open.take().filter(|open| open.rows.contains(&row));
        let mut open = if let Some(known) = known {
            known
        } else {
            self.cursor.leave();
            self.open_group(row)?
        };
        let rendered = self.render_in(&mut open, row, out);
        self.open = Some(open);
        rendered
    }

    fn open_group(&self, row: u32) -> Result<OpenGroup> {
        let segment = self.lists.segment();
        let number = segment.group_of(row);
        let group = segment.group(number)?;
        let rows = group.first_row..group.end_row();
        let keys = segment.keys(number)?;
        let block = segment.block(number, &self.lists, &self.forms, &keys)?;
        Ok(OpenGroup { number, rows, keys, block, text: None })
    }

    fn render_in(&mut self, open: &mut OpenGroup, row: u32, out: &mut Vec<u8>) -> Result<()> {
        let segment = Arc::clone(self.lists.segment());
        let located = |error: Error| match segment.group(open.number) {
            // A page of a list says itself where it is.
            Ok(group) if error.file().is_none() => {
                segment.locate(error, group, group.columns.offset)
            }
            _ => error,
        };
        let (cursor, at) = (&mut self.cursor, (row - open.rows.start) as usize);
        let view = &Forming { lists: &self.lists, forms: &self.forms };
        open.block.seek(at, cursor).map_err(located)?;
        if let Some(reduced) = &mut self.reduced {
            // Text is read once a row turns out to need it.
            let text = open.text.as_ref().filter(|(chunk, _)| *chunk == cursor.chunk());
            let from = (view, &*open.keys, text.map(|(_, text)| &**text));
            let start = out.len();
            cursor.wants_text = false;
            let rendered = open.block.render_some(from, reduced, cursor, out);
            if rendered.is_ok() || !cursor.wants_text {
                return rendered.map_err(located);
            }
            out.truncate(start);
            cursor.leave();
            open.block.seek(at, cursor).map_err(located)?;
        }
        let text = match &mut open.text {
            Some((chunk, text)) if *chunk == cursor.chunk() => text,
            other => {
                let text = segment.text(open.number, cursor.chunk(), &self.forms)?;
                &mut other.insert((cursor.chunk(), text)).1
            }
        };
        let rendered = match &mut self.reduced {
            Some(reduced) => {
                let from = (view, &*open.keys, Some(&**text));
                open.block.render_some(from, reduced, cursor, out)
            }
            None => open.block.render(view, &open.keys, text, cursor, out),
        };
        rendered.map_err(located)
    }
}
