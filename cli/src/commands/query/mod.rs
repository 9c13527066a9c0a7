//! `query`: finds messages.

mod arguments;
mod rows;
mod statistics;

use std::io::Write;

use chatvault_engine::{CacheUse, Explain, Snapshot};
use chatvault_query::record::MOST_TEXT_BYTES;
use chatvault_query::search::{Index, Search};
use chatvault_query::{Query, Record, Result, Unread};
use serde::Serialize;

pub(crate) use arguments::Arguments;
pub(super) use arguments::{condition, one_of, time, zone};
pub(super) use rows::print_table;

use crate::console::Console;
use crate::empty;
use crate::failure::Outcome;
use crate::meant::Meant;
use crate::missing::{self, Finding};
use crate::text;
use arguments::Format;

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let mut query = arguments.query()?;
    // A wrong query is told before the archive is touched.
    drop(query.scan()?);
    let archive = arguments.salvage.open(&arguments.archive)?;
    let index = if query.search.is_some() || query.has_file {
        super::index::open(&arguments.archive, &archive)?
    } else {
        None
    };
    let snapshot = archive.snapshot()?;
    let asked = (&mut query.custodians, &mut query.senders, &mut query.chats);
    Meant { archive: &archive, snapshot: &snapshot, record: query.record }
        .settle(asked, console)?;
    let (snapshot, index) = (&snapshot, index.as_ref());
    let found = || arguments.salvage.findings(&snapshot.missing());
    if let Some(by) = &arguments.count_by {
        let how = (arguments.salvage, arguments.json, &mut *console);
        statistics::print(by.parse()?, &query, (snapshot, index), how)?;
    } else if arguments.count {
        let (count, unread) = count(&query, (snapshot, index))?;
        tell_unread(unread, console)?;
        if count == 0 {
            empty::tell(&query, (snapshot, index), (false, &mut *console))?;
        }
        print_count(&Count { count, missing: found() }, arguments.json, console)?;
    } else if arguments.explain {
        let plan = plan(&query, (snapshot, index))?;
        explain(&plan, arguments.json, console)?;
    } else {
        answer(arguments, &query, (snapshot, index), console)?;
    }
    missing::tell(&snapshot.missing(), console)
}

/// How many rows there are, and which could not be searched.
fn count(query: &Query, (snapshot, index): (&Snapshot, Option<&Index>)) -> Result<(u64, Unread)> {
    if query.search.is_none() || query.record != Record::Transcript {
        return Ok((query.count_with(snapshot, index)?, Unread::default()));
    }
    let mut rows = query.run_with(snapshot, index)?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok((count, rows.unread()))
}

/// Says of how many transcripts the search knows nothing.
fn tell_unread(unread: Unread, console: &mut Console<'_>) -> anyhow::Result<()> {
    let too_long = format!("the text has more than {}", text::size(MOST_TEXT_BYTES));
    for (number, why) in [
        (unread.missing, "the archive does not have the text (see `chatvault account missing`)"),
        (unread.too_long, &too_long),
    ] {
        if number > 0 {
            let transcripts = text::plural(number, "transcript");
            console.remark(format!("not searched: {transcripts}, {why}"))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Count {
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
}

fn print_count(count: &Count, json: bool, console: &mut Console<'_>) -> anyhow::Result<()> {
    if json {
        return console.json(count);
    }
    // Plain digits: this is for people and for `test $(…) -gt 0` alike.
    Ok(console.line(count.count.to_string())?)
}

/// The documented fields.
#[derive(Serialize)]
struct Plan {
    segments: u64,
    segments_touched: u64,
    groups: u64,
    groups_touched: u64,
    rows: u64,
    rows_touched: u64,
    journal_rows: u64,
    /// What answering took: parts of segments that were decoded, and bytes read for that.
    parts_decoded: u64,
    bytes_read: u64,
    lines: Vec<String>,
}

/// What is looked at for the answer, which is made and thrown away.
fn plan(query: &Query, (snapshot, index): (&Snapshot, Option<&Index>)) -> anyhow::Result<Plan> {
    let explain = query.explain_with(snapshot, index)?;
    let before = snapshot.cache_use();
    let mut rows = query.run_with(snapshot, index)?;
    while rows.next()?.is_some() {}
    Ok(Plan::of(explain, before, snapshot.cache_use()))
}

impl Plan {
    fn of(explain: Explain, before: CacheUse, after: CacheUse) -> Self {
        Self {
            parts_decoded: after.misses - before.misses,
            bytes_read: after.read_bytes - before.read_bytes,
            segments: explain.segments,
            segments_touched: explain.segments_touched,
            groups: explain.groups,
            groups_touched: explain.groups_touched,
            rows: explain.rows,
            rows_touched: explain.rows_touched,
            journal_rows: explain.journal_rows,
            lines: explain.lines,
        }
    }
}

fn explain(plan: &Plan, json: bool, console: &mut Console<'_>) -> anyhow::Result<()> {
    if json {
        return console.json(plan);
    }
    let part = |some, all| format!("{} of {}", text::count(some), text::count(all));
    let totals = [
        ("segments touched", part(plan.segments_touched, plan.segments)),
        ("row groups touched", part(plan.groups_touched, plan.groups)),
        ("rows touched", part(plan.rows_touched, plan.rows)),
        ("rows in journal", text::count(plan.journal_rows)),
        ("parts decoded", text::count(plan.parts_decoded)),
        ("bytes read", text::size(plan.bytes_read)),
    ];
    for line in text::aligned(&totals).iter().chain(&plan.lines) {
        console.line(line)?;
    }
    Ok(())
}

fn answer(
    arguments: &Arguments,
    query: &Query,
    (snapshot, index): (&Snapshot, Option<&Index>),
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let mut rows = query.run_with(snapshot, index)?;
    let printed = match arguments.format {
        Format::Jsonl => rows::print_lines(&mut rows, console)?,
        Format::Table => {
            let search = query.search.as_deref().map(str::parse::<Search>).transpose()?;
            print_table(&mut rows, (arguments.order, search.as_ref()), console)?
        }
    };
    tell_unread(rows.unread(), console)?;
    if printed == 0 && query.cursor.is_none() && query.limit != Some(0) {
        empty::tell(query, (snapshot, index), (false, &mut *console))?;
    }
    // The rows first: a script that sees the cursor has seen what is before it.
    console.out.flush()?;
    let cursor = rows.cursor().map(|cursor| cursor.to_text()).or_else(|| query.cursor.clone());
    match cursor {
        Some(cursor) if arguments.print_cursor => console.warn(cursor)?,
        Some(cursor) if arguments.limit == Some(printed) => {
            console.warn(format!("next cursor: {cursor}"))?;
        }
        _ => {}
    }
    Ok(())
}
