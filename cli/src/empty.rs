//! Why an answer is empty, told to people.

use chatvault_engine::Snapshot;
use chatvault_query::search::Index;
use chatvault_query::{Query, Record, Without};

use crate::console::Console;
use crate::text;

/// How the options are called by which a query and an export take a condition.
const OPTIONS: [(&str, &str, &str); 10] = [
    ("chats", "--chat", "--chat"),
    ("senders", "--sender", "--sender"),
    ("custodians", "--custodian", "--custodian"),
    ("kinds", "--kind", "--kind"),
    ("created", "--created-from and --created-to", "--from and --to (--all)"),
    ("modified", "--modified-from and --modified-to", "--from and --to (--all)"),
    ("filter", "--filter", "--filter"),
    ("search", "--search", "--search"),
    ("as_of", "--as-of", "--as-of"),
    ("since", "--since", "--since"),
];

/// Says for which conditions nothing answers a query; `is_export` says whose options are named.
pub(crate) fn tell(
    query: &Query,
    (snapshot, index): (&Snapshot, Option<&Index>),
    (is_export, console): (bool, &mut Console<'_>),
) -> anyhow::Result<()> {
    let reasons = query.why_empty(snapshot, index)?;
    for Without { field, rows } in &reasons {
        let (_, of_query, of_export) =
            OPTIONS.iter().find(|(name, ..)| name == field).copied().unwrap_or_default();
        let option = if is_export { of_export } else { of_query };
        let rows = text::plural(*rows, "message");
        console.warn(format!("nothing is selected: {rows} without {option}"))?;
    }
    if reasons.is_empty() {
        let any = Query { record: query.record, limit: Some(1), ..Query::default() };
        let why = match (any.count(snapshot)?, query.record) {
            (0, Record::Message) => "the archive has no messages",
            (0, _) => "the archive has nothing of this kind",
            _ => "no one condition is the reason",
        };
        console.warn(format!("nothing is selected: {why}"))?;
    }
    Ok(())
}
