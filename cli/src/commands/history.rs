//! `history`: every version of one message.

use std::path::PathBuf;

use anyhow::bail;
use chatvault_engine::{MessageKey, RecordKind, Stored};
use chatvault_query::format_time;
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::report::RowFacts;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault history team.cvault --chat 19:abc@thread.v2 --id 1714556400000
  chatvault history team.cvault --chat 19:team@thread.tacv2 --reply-to 1714556400000 --id 1714556460000
  chatvault history team.cvault --chat 19:abc@thread.v2 --id 1714556400000 --json

Oldest version first. Different content under one version number (a variant) has an entry of its own. \
Pass an entry's address to `chatvault get` for its exact bytes. Exit code 1: not in the archive.

JSON fields: conversation, reply_to, id, versions (list of address, conversation, reply_to, id, \
version, created, modified, sender, kind, sequence, bytes, sightings).";

/// List every version of one message, and who delivered it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// The conversation's id: of a chat or a channel
    #[arg(long, value_name = "ID")]
    chat: String,
    /// The message's id in its conversation
    #[arg(long, value_name = "ID")]
    id: String,
    /// In a channel: the id of the message that it replies to
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct History<'a> {
    conversation: &'a str,
    reply_to: Option<&'a str>,
    id: &'a str,
    versions: Vec<RowFacts<'a>>,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: arguments.chat.clone(),
        reply_to: arguments.reply_to.clone(),
        id: arguments.id.clone(),
    };
    let rows = super::open_to_read(&arguments.archive)?.snapshot()?.history(&key)?;
    if rows.is_empty() {
        bail!("no such message in {}", arguments.archive.display());
    }
    if arguments.json {
        console.json(&History {
            conversation: &key.conversation,
            reply_to: key.reply_to.as_deref(),
            id: &key.id,
            versions: rows.iter().map(RowFacts::from).collect(),
        })?;
        return Ok(Outcome::Done);
    }
    for row in &rows {
        for line in lines(row) {
            console.line(line)?;
        }
    }
    Ok(Outcome::Done)
}

fn lines(row: &Stored) -> [String; 3] {
    let (version, modified) = (row.version, format_time(row.modified));
    let bytes = u64::try_from(row.json.len()).unwrap_or(u64::MAX);
    let (bytes, commit) = (text::plural(bytes, "byte"), text::count(row.sequence.0));
    [
        format!("version {version}  modified {modified}  {bytes}  stored by commit {commit}"),
        format!("  address       {}", row.address),
        format!("  delivered by  {}", delivered_by(row)),
    ]
}

/// A few names, and how many more.
fn delivered_by(row: &Stored) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = row.sightings.iter().take(SHOWN).map(|(who, _)| who.as_str()).collect();
    let more = row.sightings.len() - names.len();
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{ContentAddress, Custodian, MessageKind, RunId, Sequence, Timestamp};

    use super::*;

    #[test]
    fn a_version_says_when_how_big_where_and_by_whom() {
        let sighting = |number: u32| (Custodian::user(&number.to_string()), RunId(1));
        let row = Stored {
            key: MessageKey {
                record: RecordKind::Message,
                conversation: "19:a".to_owned(),
                reply_to: None,
                id: "1".to_owned(),
            },
            version: 1_462_096_800_000,
            created: Timestamp::from_ms(1_462_096_800_000),
            modified: Timestamp::from_ms(1_462_096_800_000),
            sender: None,
            kind: MessageKind::Message,
            sequence: Sequence(1_200),
            address: ContentAddress([0xab; 32]),
            json: b"{}".to_vec(),
            sightings: (1..=6).map(sighting).collect(),
        };
        assert_eq!(
            lines(&row),
            [
                "version 1462096800000  modified 2016-05-01T10:00:00Z  2 bytes  stored by commit 1,200"
                    .to_owned(),
                format!("  address       {}", "ab".repeat(32)),
                "  delivered by  user:1, user:2, user:3, user:4 and 2 more".to_owned(),
            ]
        );
    }
}
