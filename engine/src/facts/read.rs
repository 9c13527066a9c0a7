//! The facts of conversations as a snapshot has them.
//!
//! Of each segment they are read from its item or from its rows: both say the same. Rows are read where the
//! conversation has no item, where it is damaged, and where the segment has rows that came behind the
//! snapshot's commit.

use std::sync::Arc;

use super::{Facts, Gathering, Saying, Wanted, note};
use crate::archive::{Live, Slab, State};
use crate::document::Path;
use crate::error::Result;
use crate::scan::{self, Scan, Versions};
use crate::snapshot::View;
use crate::types::MessageKind;

/// Those of each conversation that is named, in that order.
pub(crate) fn of_conversations(
    view: &Arc<View>,
    conversations: &[String],
    wanted: Wanted,
) -> Result<Vec<Facts>> {
    let mut all: Vec<Gathering> = conversations.iter().map(|_| Gathering::default()).collect();
    // Those of which no segment has facts, with their places: one scan reads the rows of all.
    let mut together: Vec<(&str, usize)> = Vec::new();
    for (at, (conversation, gathering)) in conversations.iter().zip(&mut all).enumerate() {
        let mut state = view.state().clone();
        let found = of_segments(view, &mut state, conversation, gathering);
        let in_slab = |slab: &Arc<Slab>| !slab.rows_of(conversation).is_empty();
        if state.segments.is_empty() && !state.slabs.iter().any(in_slab) {
            continue;
        }
        if !found {
            together.push((conversation, at));
            continue;
        }
        let view = Arc::new(view.over(state));
        of_rows(&view, vec![conversation.clone()], wanted, &mut |_, add| add(gathering))?;
    }
    together.sort_unstable();
    if !together.is_empty() {
        let names = together.iter().map(|(name, _)| (*name).to_owned()).collect();
        of_rows(view, names, wanted, &mut |conversation, add| {
            let first = together.partition_point(|(name, _)| *name < conversation);
            let same = together[first..].iter().take_while(|(name, _)| *name == conversation);
            same.for_each(|(_, at)| add(&mut all[*at]));
        })?;
    }
    let finish = |mut gathering: Gathering| {
        let mut facts = gathering.finish();
        facts.retain(wanted);
        facts
    };
    Ok(all.into_iter().map(finish).collect())
}

/// Adds what segments have of a conversation, and leaves those of the state whose rows have to be read;
/// was anything found?
fn of_segments(
    view: &View,
    state: &mut State,
    conversation: &str,
    gathering: &mut Gathering,
) -> bool {
    let (until, mut found) = (view.until().0.cast_signed(), false);
    state.segments.retain(|live| match of_segment(live, conversation, until, gathering) {
        Ok(Told::All) => {
            found = true;
            false
        }
        Ok(Told::NoRows) => false,
        // A segment that cannot be read is left to the scan, which knows what to say.
        Ok(Told::Nothing) | Err(_) => true,
    });
    found
}

/// Calls `add_to` with a conversation for each of its rows that is to be added.
type AddTo<'a> = dyn FnMut(&str, &mut dyn FnMut(&mut Gathering)) + 'a;

/// Adds the facts of all rows of some conversations.
fn of_rows(
    view: &Arc<View>,
    conversations: Vec<String>,
    wanted: Wanted,
    add_to: &mut AddTo<'_>,
) -> Result<()> {
    let mut scan = Scan { conversations, versions: Versions::EveryVariant, ..Scan::default() };
    if wanted == Wanted::Presence {
        let _rows = scan::keys(Arc::clone(view), &scan, &mut |row| {
            let (sender, created, modified) = (row.sender(), row.created(), row.modified());
            let saying = Saying { sender, created, modified, kind: row.kind() };
            add_to(row.conversation(), &mut |gathering| gathering.add_sent(&saying));
        })?;
        scan.kinds = vec![MessageKind::System];
    }
    scan.paths = note::PLACES.map(Path::new).into();
    let mut rows = scan::rows(Arc::clone(view), &scan)?;
    while let Some(row) = rows.next()? {
        let (sender, created, modified) = (row.sender(), row.created(), row.modified());
        let saying = Saying { sender, created, modified, kind: row.kind() };
        let message = row.document()?;
        add_to(row.conversation(), &mut |gathering| match wanted {
            Wanted::Everything => gathering.add(&saying, &message),
            Wanted::Presence => gathering.add_steps(&saying, &message),
        });
    }
    Ok(())
}

/// What a segment tells of a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    All,
    /// It has no row of it.
    NoRows,
    /// Its rows have to be read.
    Nothing,
}

/// Adds the facts of a segment, if it has them.
fn of_segment(
    live: &Live,
    conversation: &str,
    until: i64,
    gathering: &mut Gathering,
) -> Result<Told> {
    let segment = live.segment()?;
    if segment.meta.sequence.low > until {
        return Ok(Told::NoRows);
    }
    let Some((first, end)) = segment.rows_of(conversation)? else { return Ok(Told::NoRows) };
    if segment.meta.sequence.high > until || end - first < super::LONG_ROWS {
        return Ok(Told::Nothing);
    }
    let is_told = segment.add_facts(first, gathering)?;
    Ok(if is_told { Told::All } else { Told::Nothing })
}
