//! What a scan looks at and why not at the rest, and the keys of its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::choose::Chooser;
use super::filter::{Local, Place, Reason, Window};
use super::page::Page;
use super::plan::Query;
use super::walk::Walk;
use super::{Explain, Order, Scan};
use crate::archive::{Live, RowId};
use crate::count::narrow;
use crate::error::Result;
use crate::snapshot::View;
use crate::types::{MessageKey, MessageKind, Sequence, Timestamp};

/// Calls `on` with the keys of each row of a scan; the number of rows.
pub(crate) fn keys(view: Arc<View>, scan: &Scan, on: &mut dyn FnMut(RowKeys<'_>)) -> Result<u64> {
    each(&Query::new(view, scan)?, |page, at| {
        let (conversation, sender) = (page.conversation(at.row)?, page.sender(at.row)?);
        on(RowKeys { page, row: at.row, conversation, sender });
        Ok(())
    })
}

/// Calls `on` for each row of a scan; the number of rows.
pub(super) fn each(query: &Query, mut on: impl FnMut(&Page, RowId) -> Result<()>) -> Result<u64> {
    let mut chooser = Chooser::default();
    let mut walk = Walk::new(query, false)?;
    walk.window = window(query);
    let mut rows = 0;
    while let Some(name) = walk.next_conversation(query)? {
        chooser.enter(name.text());
        for source in 0..walk.sources() {
            while let Some((page, at)) = walk.peek(query, source)? {
                if rows == query.limit {
                    return Ok(rows);
                }
                if chooser.gives(query, page, at)? {
                    let told = query.view.state().missing.pass(on(page, at))?;
                    rows += u64::from(told.is_some());
                }
                walk.take(source);
            }
        }
    }
    Ok(rows)
}

/// A row without its document, as the index has it.
#[derive(Clone, Copy, Debug)]
pub struct RowKeys<'a> {
    page: &'a Page,
    row: u32,
    conversation: &'a str,
    sender: Option<&'a str>,
}

impl<'a> RowKeys<'a> {
    /// `chatId`, or `channelIdentity.channelId`.
    pub fn conversation(&self) -> &'a str {
        self.conversation
    }

    /// The message that it is a version of.
    pub fn key(&self) -> MessageKey {
        let mut id = Vec::new();
        self.page.put_id(self.row, &mut id);
        MessageKey {
            record: self.page.kind(self.row).0,
            conversation: self.conversation().to_owned(),
            reply_to: self.page.reply_to(self.row).map(String::from),
            id: String::from_utf8_lossy(&id).into_owned(),
        }
    }

    /// Who sent it, if that is known.
    pub fn sender(&self) -> Option<&'a str> {
        self.sender
    }

    /// `createdDateTime`.
    pub fn created(&self) -> Timestamp {
        Timestamp::from_ticks(self.page.created(self.row))
    }

    /// `lastModifiedDateTime`.
    pub fn modified(&self) -> Timestamp {
        Timestamp::from_ticks(self.page.modified(self.row))
    }

    /// What kind of message it is.
    pub fn kind(&self) -> MessageKind {
        self.page.kind(self.row).1
    }

    /// The version's number: its etag.
    pub fn version(&self) -> u64 {
        self.page.version(self.row)
    }

    /// The commit that stored it.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.page.sequence(self.row))
    }
}

/// What a scan looks at.
pub(crate) fn explain(view: Arc<View>, scan: &Scan) -> Result<Explain> {
    let query = Query::new(view, scan)?;
    let state = query.view.state();
    let mut explain = Explain { segments: state.segments.len() as u64, ..Explain::default() };
    let window = window(&query);
    for (source, live) in (0_u32..).zip(&state.segments) {
        add_segment(&query, source, live, (&window, &mut explain))?;
    }
    add_slabs(&query, &mut explain)?;
    Ok(explain)
}

/// The times that the filter and the cursor leave.
fn window(query: &Query) -> Window {
    let mut window = query.filter.window;
    if let (Some(cursor), false) = (&query.cursor, query.order == Order::Conversation) {
        super::select::narrow_window(&mut window, query, Some(cursor.time), true);
    }
    window
}

fn add_segment(
    query: &Query,
    source: u32,
    live: &Live,
    (window, explain): (&Window, &mut Explain),
) -> Result<()> {
    let ranges = query.ranges(source)?;
    let Ok(segment) = live.segment() else {
        explain.rows += live.entry.rows;
        explain.lines.push(format!("{}: not touched, and cannot be read", live.entry.path()));
        return Ok(());
    };
    let nothing = Local::default();
    let local = query.local_if_touched(source).unwrap_or(&nothing);
    let no_row = match query.conversations {
        Some(_) => Reason::Conversation,
        None => Reason::Cursor,
    };
    let place = Place { live, local, delivered: query.view.delivered() };
    let (mut groups, mut rows) = (0, 0);
    let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
    for group in &segment.meta.groups {
        let overlap = |(start, end): &(u32, u32)| {
            let (start, end) = ((*start).max(group.first_row), (*end).min(group.end_row()));
            u64::from(end.saturating_sub(start))
        };
        let asked: u64 = ranges.iter().map(overlap).sum();
        let by_zone = query.filter.rules_out_group(&place, group, window);
        let reason = match (asked, ranges.is_empty()) {
            (0, true) => by_zone.or(Some(no_row)),
            (0, false) => Some(no_row),
            _ => by_zone,
        };
        if let Some(reason) = reason {
            *reasons.entry(reason).or_default() += 1;
        } else {
            (groups, rows) = (groups + 1, rows + asked);
        }
    }
    let meta = &segment.meta;
    let (all_groups, all_rows) = (meta.groups.len() as u64, u64::from(meta.rows));
    explain.segments_touched += u64::from(groups > 0);
    explain.groups += all_groups;
    explain.groups_touched += groups;
    explain.rows += all_rows;
    explain.rows_touched += rows;
    let path = segment.path();
    let touched = format!("{path}: {groups} of {all_groups} row groups, {rows} of {all_rows} rows");
    let why: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count} {}", reason.words())).collect();
    let but = if why.is_empty() { "" } else { "; not touched: " };
    explain.lines.push(format!("{touched}{but}{}", why.join(", ")));
    Ok(())
}

fn add_slabs(query: &Query, explain: &mut Explain) -> Result<()> {
    let state = query.view.state();
    let (mut rows, mut touched) = (0, 0);
    for (source, slab) in state.slabs.iter().enumerate() {
        rows += slab.rows.len() as u64;
        let ranges = query.ranges(narrow(state.segments.len() + source))?;
        touched += ranges.iter().map(|(start, end)| u64::from(end - start)).sum::<u64>();
    }
    explain.rows += rows;
    explain.rows_touched += touched;
    explain.journal_rows = rows;
    if !state.slabs.is_empty() {
        let commits = state.slabs.len();
        explain.lines.push(format!("journal: {touched} of {rows} rows in {commits} commits"));
    }
    Ok(())
}
