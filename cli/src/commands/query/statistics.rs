//! `query --count-by`: how many messages each group has.

use chatvault_engine::Snapshot;
use chatvault_query::Query;
use chatvault_query::search::Index;
use chatvault_query::statistics::{By, Statistics};
use serde::Serialize;

use crate::commands::Salvage;
use crate::console::Console;
use crate::missing::Finding;
use crate::table::{Column, Listing};
use crate::text;

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    by: &'static str,
    total: u64,
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct Group<'a> {
    key: Option<&'a str>,
    count: u64,
}

pub(super) fn print(
    by: By,
    query: &Query,
    (snapshot, index): (&Snapshot, Option<&Index>),
    (salvage, json, console): (Salvage, bool, &mut Console<'_>),
) -> anyhow::Result<()> {
    let statistics = Statistics::count_with(query, by, (snapshot, index))?;
    if json {
        return console.json(&report(&statistics, salvage.findings(&snapshot.missing())));
    }
    let mut listing = Listing::new(COLUMNS, console.width());
    for group in &statistics.groups {
        let share = text::ratio(group.count, statistics.total) * 100.0;
        let key = group.key.as_deref().unwrap_or("(none)").to_owned();
        let row = vec![text::count(group.count), format!("{share:.1} %"), key];
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))?;
    let groups = u64::try_from(statistics.groups.len()).unwrap_or(u64::MAX);
    let total = text::plural(statistics.total, "message");
    Ok(console.line(format!("{total} in {}", text::plural(groups, "group")))?)
}

const COLUMNS: &[Column] =
    &[Column::number("messages", 13), Column::number("share", 7), Column::rest("of")];

fn report(statistics: &Statistics, missing: Option<Vec<Finding>>) -> Report<'_> {
    let groups = statistics.groups.iter();
    Report {
        by: statistics.by.name(),
        total: statistics.total,
        groups: groups
            .map(|group| Group { key: group.key.as_deref(), count: group.count })
            .collect(),
        missing,
    }
}
