//! `account missing`: contents that could not be had, and why.

use std::path::PathBuf;

use chatvault_ingest::sync::{self, Missing};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::sync_report::{minute, time};
use crate::table::{Column, Listing};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault account missing team.cvault
  chatvault account missing team.cvault ann@contoso.com
  chatvault account missing team.cvault --json

Images, files, recordings and transcripts that belong to an archived message and could not be had. Each \
run tries them again until they age out; `given up` are those that will not be tried any more. An ID is \
user:ID, team:ID, a bare id, an address, or a name that only one account has.

JSON fields: missing (how many), entries (list of account, conversation, reply_to (in a \
channel's thread), message, content, name (of a file), reason, status (of the service's answer, if there was one), first, \
last (times of the tries), tries, given_up).";

/// List images, files and other contents that could not be had, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Only this account's
    #[arg(value_name = "ID")]
    account: Option<String>,
    /// Print the list as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct List<'a> {
    missing: usize,
    entries: Vec<MissingRow<'a>>,
}

#[derive(Serialize)]
struct MissingRow<'a> {
    account: &'a str,
    conversation: &'a str,
    reply_to: Option<&'a str>,
    message: &'a str,
    content: &'a str,
    name: Option<&'a str>,
    reason: &'a str,
    status: Option<u16>,
    first: String,
    last: String,
    tries: u32,
    given_up: bool,
}

impl<'a> From<&'a Missing> for MissingRow<'a> {
    fn from(missing: &'a Missing) -> Self {
        Self {
            account: missing.custodian.as_str(),
            conversation: &missing.conversation,
            reply_to: missing.reply_to.as_deref(),
            message: &missing.message,
            content: &missing.content,
            name: missing.title.as_deref(),
            reason: &missing.reason,
            status: missing.status,
            first: time(missing.first_ms),
            last: time(missing.last_ms),
            tries: missing.tries,
            given_up: missing.given_up,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::id("account", 20),
    Column::id("message", 13),
    Column::id("conversation", 24),
    Column::id("content", 24),
    Column::text("last try", 16),
    Column::number("tries", 5),
    Column::text("again", 8),
    Column::rest("reason"),
];

pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = super::super::open_to_read(&arguments.archive)?;
    let accounts = sync::accounts(&archive)?;
    let account = arguments.account.as_deref().map(|text| super::pick(&accounts, text));
    let account = account.transpose()?;
    let missing = sync::missing(&archive, account.map(|account| &account.custodian))?;
    if arguments.json {
        let entries = missing.iter().map(MissingRow::from).collect();
        console.json(&List { missing: missing.len(), entries })?;
    } else if missing.is_empty() {
        console.line("nothing is missing")?;
    } else {
        print(&missing, console)?;
    }
    Ok(Outcome::Done)
}

fn print(missing: &[Missing], console: &mut Console<'_>) -> anyhow::Result<()> {
    let mut listing = Listing::new(COLUMNS, console.width());
    for entry in missing {
        console.lines(listing.push(row(entry)))?;
    }
    console.lines(Some(listing.lines()))
}

fn row(missing: &Missing) -> Vec<String> {
    vec![
        missing.custodian.to_string(),
        missing.message.clone(),
        missing.conversation.clone(),
        missing.title.as_ref().unwrap_or(&missing.content).clone(),
        minute(missing.last_ms),
        text::count(missing.tries.into()),
        if missing.given_up { "given up" } else { "yes" }.to_owned(),
        missing.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{Custodian, RecordKind};

    use super::*;

    #[test]
    fn a_row_says_what_where_and_why() {
        let missing = Missing {
            custodian: Custodian::user("0b4f1c2d-aaaa-bbbb-cccc-0123456789ab"),
            record: RecordKind::Message,
            conversation: "19:a@thread.v2".to_owned(),
            reply_to: None,
            message: "1772438400000".to_owned(),
            content: "0B4F1C2D-AAAA-BBBB-CCCC-0123456789AB".to_owned(),
            title: Some("budget.xlsx".to_owned()),
            reason: "404 itemNotFound".to_owned(),
            status: Some(404),
            first_ms: 1_772_438_400_000,
            last_ms: 1_772_524_800_000,
            tries: 2,
            given_up: true,
        };
        assert_eq!(
            row(&missing),
            [
                "user:0b4f1c2d-aaaa-bbbb-cccc-0123456789ab",
                "1772438400000",
                "19:a@thread.v2",
                "budget.xlsx",
                "2026-03-03 08:00",
                "2",
                "given up",
                "404 itemNotFound",
            ]
        );
        let value = serde_json::to_value(MissingRow::from(&missing)).unwrap();
        assert_eq!(value["first"], "2026-03-02T08:00:00Z");
        assert_eq!(value["given_up"], true);
    }
}
