//! What an export selects, told before it is written: an empty one must not pass for a whole one.

use chatvault_engine::Snapshot;
use chatvault_export::Export;
use chatvault_export::entry::Zone;
use chatvault_query::{Query, Record, parse_time};

use crate::console::Console;
use crate::empty;
use crate::failure::Outcome;
use crate::text;

/// Tells the range, and how much lies outside of one that nobody asked for. An export that selects
/// nothing is incomplete, unless it is about what arrived since another.
pub(super) fn tell(
    export: &Export,
    snapshot: &Snapshot,
    has_range: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let questions = export.request().questions()?;
    let is_incremental = export.request().since.is_some();
    let end =
        |text: &Option<String>| show(text.as_deref().unwrap_or_default(), &export.request().zone);
    let (from, to) = (end(&export.request().from), end(&export.request().to));
    let usual = if has_range { "" } else { " (the last 90 days)" };
    console.remark(format!("range: {from} to {to}{usual}"))?;
    if is_incremental && export.windows()?.is_empty() {
        return Ok(Outcome::Done);
    }
    let (mut selected, mut outside) = (0, Vec::new());
    for question in &questions {
        let count = question.count(snapshot)?;
        selected += count;
        let whole = Query {
            created_from: None,
            created_to: None,
            modified_from: None,
            modified_to: None,
            ..question.clone()
        };
        let beyond = if has_range { 0 } else { whole.count(snapshot)?.saturating_sub(count) };
        outside.extend((beyond > 0).then(|| text::plural(beyond, noun(question.record))));
    }
    if selected == 0 && !is_incremental {
        for question in &questions {
            empty::tell(question, (snapshot, None), (true, &mut *console))?;
        }
        return Ok(Outcome::Incomplete);
    }
    if !outside.is_empty() {
        let outside = outside.join(", ");
        console.remark(format!("{outside} of the selection outside the range: --all"))?;
    }
    Ok(Outcome::Done)
}

/// What one of a kind is called.
fn noun(record: Record) -> &'static str {
    match record {
        Record::Copilot => "Copilot interaction",
        Record::Recording => "recording",
        Record::Transcript => "transcript",
        _ => "message",
    }
}

/// As the clocks of the export's zone show it.
fn show(time: &str, zone: &str) -> String {
    let zone = zone.parse::<Zone>().unwrap_or_default();
    parse_time("time", time).map_or_else(|_| time.to_owned(), |time| zone.show(time))
}
