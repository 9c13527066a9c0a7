//! The facts of a conversation as a snapshot has them.
//!
//! Of each segment they are read from its item or from its rows: both say the same. Rows are read where the
//! conversation has no item, where it is damaged, and where the segment has rows that came behind the
//! snapshot's commit.

use std::sync::Arc;

use super::{Facts, Gathering, Saying, Wanted, note};
use crate::archive::{Live, Slab};
use crate::document::Path;
use crate::error::Result;
use crate::scan::{self, Scan, Versions};
use crate::snapshot::View;
use crate::types::MessageKind;

pub(crate) fn of_conversation(
    view: &Arc<View>,
    conversation: &str,
    wanted: Wanted,
) -> Result<Facts> {
    let (mut gathering, until) = (Gathering::default(), view.until().0.cast_signed());
    let mut state = view.state().clone();
    // A segment that cannot be read is left to the scan, which knows what to say.
    let mut is_told = |live: &Arc<Live>| {
        let told = of_segment(live, conversation, until, &mut gathering);
        told.unwrap_or(false)
    };
    state.segments.retain(|live| !is_told(live));
    let in_slab = |slab: &Arc<Slab>| !slab.rows_of(conversation).is_empty();
    if !state.segments.is_empty() || state.slabs.iter().any(in_slab) {
        let conversations = vec![conversation.to_owned()];
        let scan = Scan { conversations, versions: Versions::EveryVariant, ..Scan::default() };
        of_rows(&Arc::new(view.over(state)), scan, wanted, &mut gathering)?;
    }
    let mut facts = gathering.finish();
    facts.retain(wanted);
    Ok(facts)
}

/// Adds the facts of all rows of a scan.
fn of_rows(view: &Arc<View>, scan: Scan, wanted: Wanted, gathering: &mut Gathering) -> Result<()> {
    let mut scan = scan;
    if wanted == Wanted::Presence {
        let _rows = scan::keys(Arc::clone(view), &scan, &mut |row| {
            let (sender, created, modified) = (row.sender(), row.created(), row.modified());
            gathering.add_sent(&Saying { sender, created, modified, kind: row.kind() });
        })?;
        scan.kinds = vec![MessageKind::System];
    }
    scan.paths = note::PLACES.map(Path::new).into();
    let mut rows = scan::rows(Arc::clone(view), &scan)?;
    while let Some(row) = rows.next()? {
        let (sender, created, modified) = (row.sender(), row.created(), row.modified());
        let saying = Saying { sender, created, modified, kind: row.kind() };
        let message = row.document()?;
        match wanted {
            Wanted::Everything => gathering.add(&saying, &message),
            Wanted::Presence => gathering.add_steps(&saying, &message),
        }
    }
    Ok(())
}

/// Adds the facts of a segment, if it has all of them; false if rows have to be read.
fn of_segment(
    live: &Live,
    conversation: &str,
    until: i64,
    gathering: &mut Gathering,
) -> Result<bool> {
    let segment = live.segment()?;
    if segment.meta.sequence.low > until {
        return Ok(true);
    }
    let Some((first, end)) = segment.rows_of(conversation)? else { return Ok(true) };
    if segment.meta.sequence.high > until || end - first < super::LONG_ROWS {
        return Ok(false);
    }
    segment.add_facts(first, gathering)
}
