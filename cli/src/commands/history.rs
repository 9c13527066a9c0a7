//! `history`: every version of one message.

use std::path::PathBuf;

use anyhow::bail;
use chatvault_engine::{Document, MessageKey, Stored};
use chatvault_query::change::{
    Change, LoggedReaction, Mark, Piece, ReactionChange, Side, What, reaction_log, text_change,
};
use chatvault_query::{Record, format_time};
use clap::Args;
use serde::Serialize;

use crate::commands::Salvage;
use crate::commands::query::one_of;
use crate::console::Console;
use crate::failure::Outcome;
use crate::meant::Meant;
use crate::missing::{self, Finding};
use crate::report::RowFacts;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault history team.cvault --chat 19:abc@thread.v2 --id 1714556400000
  chatvault history team.cvault --chat 19:team@thread.tacv2 --reply-to 1714556400000 --id 1714556460000
  chatvault history team.cvault --chat 19:abc@thread.v2 --id 1714556400000 --diff
  chatvault history team.cvault --chat 19:abc@thread.v2 --id 1714556400000 --json

Oldest version first, each with what it changed against the one before: created (the first that the \
archive has), text edited, reactions, attachments, deleted, restored, or other fields by name. Different \
content under one version number (a variant) has an entry of its own. Pass an entry's address to \
`chatvault get` for its exact bytes. Exit code 1: not in the archive.

With --diff the words of an edit: [-removed-] and {+added+}, of the text without its formatting. Lines \
that start with `reaction` are the service's own log of reactions, as the last version has it: also those \
that came and went between two versions.

JSON fields: conversation, reply_to, id, versions (list of address, conversation, reply_to, id, \
version, created, modified, sender, kind, sequence, bytes, sightings, changed (of created, edited, \
reacted, attachments, deleted, restored, updated), reactions (list of change, reaction, user), \
attachments (list of change, id, name), fields; with --diff also diff: null, or a list of mark (kept, \
removed, added) and text), reaction_log (list of at, action, reaction, user, name), and with --salvage missing (as damages of `verify`).";

/// List every version of one message, and who delivered it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// What it is: a message, or what is stored beside messages
    #[arg(long, value_parser = one_of::<Record>(&Record::NAMES), default_value = "message")]
    record: Record,
    /// The chat or channel: its id, the start of it, or its topic
    #[arg(long, value_name = "ID")]
    chat: String,
    /// The message's id in its conversation
    #[arg(long, value_name = "ID")]
    id: String,
    /// In a channel: the id of the message that it replies to
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
    /// Show the words that each edit removed and added
    #[arg(long)]
    diff: bool,
    #[command(flatten)]
    salvage: Salvage,
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
    versions: Vec<VersionFacts<'a>>,
    reaction_log: Vec<LogFacts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct VersionFacts<'a> {
    #[serde(flatten)]
    row: RowFacts<'a>,
    changed: Vec<&'static str>,
    reactions: Vec<ReactionFacts<'a>>,
    attachments: Vec<AttachmentFacts<'a>>,
    fields: &'a [String],
    #[expect(clippy::option_option, reason = "absent without --diff, null where nothing compares")]
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Option<Vec<PieceFacts<'a>>>>,
}

#[derive(Serialize)]
struct ReactionFacts<'a> {
    change: &'static str,
    reaction: &'a str,
    user: Option<&'a str>,
}

#[derive(Serialize)]
struct LogFacts<'a> {
    at: Option<&'a str>,
    action: &'a str,
    reaction: Option<&'a str>,
    user: Option<&'a str>,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct AttachmentFacts<'a> {
    change: &'static str,
    id: &'a str,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct PieceFacts<'a> {
    mark: &'static str,
    text: &'a str,
}

/// A version, what it changed, and with `--diff` the words of an edit.
struct Told {
    row: Stored,
    document: Document<'static>,
    change: Change,
    words: Option<Vec<Piece>>,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = arguments.salvage.open(&arguments.archive)?;
    let snapshot = archive.snapshot()?;
    let meant = Meant { archive: &archive, snapshot: &snapshot, record: arguments.record };
    let key = MessageKey {
        record: arguments.record.into(),
        conversation: meant.chat(&arguments.chat, console)?,
        reply_to: arguments.reply_to.clone(),
        id: arguments.id.clone(),
    };
    let rows = snapshot.history(&key)?;
    if rows.is_empty() {
        let _ = missing::tell(&snapshot.missing(), console)?;
        bail!("no such message in {}", arguments.archive.display());
    }
    let told = tell(rows, arguments.diff)?;
    let log = told.last().map(|newest| reaction_log(&newest.document)).unwrap_or_default();
    if arguments.json {
        let facts = |one| VersionFacts::new(one, arguments.diff);
        console.json(&History {
            conversation: &key.conversation,
            reply_to: key.reply_to.as_deref(),
            id: &key.id,
            versions: told.iter().map(facts).collect(),
            reaction_log: log.iter().map(LogFacts::from).collect(),
            missing: arguments.salvage.findings(&snapshot.missing()),
        })?;
        return missing::tell(&snapshot.missing(), console);
    }
    for line in told.iter().flat_map(lines).chain(log.iter().map(logged)) {
        console.line(line)?;
    }
    missing::tell(&snapshot.missing(), console)
}

/// Compares each version with the one before it.
fn tell(rows: Vec<Stored>, diff: bool) -> chatvault_engine::Result<Vec<Told>> {
    let mut told: Vec<Told> = Vec::with_capacity(rows.len());
    for row in rows {
        let document = row.document()?.into_owned();
        let before = told.last().map(|one| &one.document);
        let change = Change::between(before, &document);
        let shows_words = diff && change.is_edit();
        let words = before.filter(|_| shows_words).map(|before| text_change(before, &document));
        told.push(Told { row, document, change, words });
    }
    Ok(told)
}

impl<'a> From<&'a LoggedReaction> for LogFacts<'a> {
    fn from(one: &'a LoggedReaction) -> Self {
        Self {
            at: one.at.as_deref(),
            action: &one.action,
            reaction: one.kind.as_deref(),
            user: one.who.as_deref(),
            name: one.name.as_deref(),
        }
    }
}

impl<'a> VersionFacts<'a> {
    fn new(told: &'a Told, diff: bool) -> Self {
        let Told { row, change, words, .. } = told;
        let reaction = |one: &'a ReactionChange| ReactionFacts {
            change: side_name(one.side),
            reaction: &one.kind,
            user: one.who.as_deref(),
        };
        let attachments = change.attachments.iter().map(|one| AttachmentFacts {
            change: side_name(one.side),
            id: &one.id,
            name: one.name.as_deref(),
        });
        let piece =
            |piece: &'a Piece| PieceFacts { mark: mark_name(piece.mark), text: &piece.text };
        let words = words.as_ref().map(|words| words.iter().map(piece).collect());
        Self {
            row: row.into(),
            changed: change.what.iter().map(|what| what.name()).collect(),
            reactions: change.reactions.iter().map(reaction).collect(),
            attachments: attachments.collect(),
            fields: &change.fields,
            diff: diff.then_some(words),
        }
    }
}

/// `reaction  2024-05-01T10:00:00Z  like by Ann added`, as the service logged it.
fn logged(one: &LoggedReaction) -> String {
    let at = one.at.as_deref().unwrap_or("at an unknown time");
    let kind = one.kind.as_deref().unwrap_or("of an unknown kind");
    let who = one.name.as_deref().or(one.who.as_deref()).unwrap_or("somebody");
    let action = one.side.map_or(one.action.as_str(), |side| side_name(side));
    format!("reaction        {at}  {kind} by {who} {action}")
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Added => "added",
        Side::Removed => "removed",
        Side::Changed => "changed",
    }
}

fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Kept => "kept",
        Mark::Removed => "removed",
        Mark::Added => "added",
    }
}

fn lines(told: &Told) -> Vec<String> {
    let row = &told.row;
    let (version, modified) = (row.version, format_time(row.modified));
    let bytes = u64::try_from(row.json.len()).unwrap_or(u64::MAX);
    let (bytes, commit) = (text::plural(bytes, "byte"), text::count(row.sequence.0));
    let mut lines = vec![
        format!("version {version}  modified {modified}  {bytes}  stored by commit {commit}"),
        format!("  changed       {}", changed(&told.change)),
    ];
    let words = told.words.as_deref().map(marked).unwrap_or_default();
    let heads = std::iter::once("words").chain(std::iter::repeat(""));
    lines.extend(words.lines().zip(heads).map(|(line, head)| format!("  {head:12}  {line}")));
    lines.push(format!("  address       {}", row.address));
    lines.push(format!("  delivered by  {}", delivered_by(row)));
    lines
}

/// What a version changed, in words.
fn changed(change: &Change) -> String {
    let words = |what: &What| match what {
        What::Created => "created".to_owned(),
        What::Edited if change.is_edit() => "text edited".to_owned(),
        What::Edited => "edited before".to_owned(),
        What::Reacted => reactions(change),
        What::Attachments => attachments(change),
        What::Deleted => "deleted".to_owned(),
        What::Restored => "restored".to_owned(),
        What::Updated if change.fields.is_empty() => "nothing that shows".to_owned(),
        What::Updated => format!("updated {}", change.fields.join(", ")),
    };
    change.what.iter().map(words).collect::<Vec<_>>().join("; ")
}

fn reactions(change: &Change) -> String {
    if change.reactions.is_empty() {
        return "reactions".to_owned();
    }
    let told = |one: &ReactionChange| {
        let by = one.who.as_deref().map(|who| format!(" by {who}")).unwrap_or_default();
        format!("{}{by} {}", one.kind, side_name(one.side))
    };
    format!("reaction {}", few(change.reactions.iter().map(told)))
}

fn attachments(change: &Change) -> String {
    let told = change
        .attachments
        .iter()
        .map(|one| format!("{} {}", one.name.as_deref().unwrap_or(&one.id), side_name(one.side)));
    format!("attachment {}", few(told))
}

/// The first few of a list, and how many more.
fn few(mut all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = all.by_ref().take(SHOWN).collect();
    let shown = shown.join(", ");
    if all.len() == 0 { shown } else { format!("{shown} and {} more", all.len()) }
}

/// `[-removed-]{+added+}`, and of what is kept as much as tells where that is.
fn marked(words: &[Piece]) -> String {
    const KEPT_CHARS: usize = 72;
    if words.iter().all(|piece| piece.mark == Mark::Kept) {
        return "only the formatting changed".to_owned();
    }
    let show = |piece: &Piece| match piece.mark {
        Mark::Kept => text::middle_cut(&piece.text, KEPT_CHARS).into_owned(),
        Mark::Removed => format!("[-{}-]", piece.text),
        Mark::Added => format!("{{+{}+}}", piece.text),
    };
    words.iter().map(show).collect()
}

/// A few names, and how many more.
fn delivered_by(row: &Stored) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> =
        row.sightings.iter().take(SHOWN).map(|one| one.custodian.as_str()).collect();
    let more = row.sightings.len() - names.len();
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{
        ContentAddress, Custodian, MessageKind, RunId, Sequence, Sighting, Timestamp,
    };

    use super::*;

    fn version(number: i64, json: &str) -> Stored {
        let sighting = |number: u32| Sighting {
            custodian: Custodian::user(&number.to_string()),
            run: RunId(1),
            sequence: Sequence(1_200),
        };
        Stored {
            key: MessageKey {
                record: chatvault_engine::RecordKind::Message,
                conversation: "19:a".to_owned(),
                reply_to: None,
                id: "1".to_owned(),
            },
            version: number.unsigned_abs(),
            created: Timestamp::from_ms(1_462_096_800_000),
            modified: Timestamp::from_ms(number),
            sender: None,
            kind: MessageKind::Message,
            sequence: Sequence(1_200),
            address: ContentAddress([0xab; 32]),
            json: json.as_bytes().to_vec(),
            sightings: (1..=6).map(sighting).collect(),
        }
    }

    #[test]
    fn a_version_says_when_how_big_what_where_and_by_whom() {
        let told = tell(vec![version(1_462_096_800_000, "{}")], true).unwrap();
        assert_eq!(
            lines(&told[0]),
            [
                "version 1462096800000  modified 2016-05-01T10:00:00Z  2 bytes  stored by commit 1,200"
                    .to_owned(),
                "  changed       created".to_owned(),
                format!("  address       {}", "ab".repeat(32)),
                "  delivered by  user:1, user:2, user:3, user:4 and 2 more".to_owned(),
            ]
        );
    }

    #[test]
    fn changes_are_told_in_words() {
        let like = r#"{"reactionType":"like","user":{"user":{"id":"ben"}}}"#;
        let rows = [
            r#"{"body":{"content":"Tee?\nAt four."}}"#.to_owned(),
            r#"{"body":{"content":"Tea?\nAt four."}}"#.to_owned(),
            r#"{"body":{"contentType":"html","content":"Tea?<br>At <b>four</b>."},"importance":"high"}"#.to_owned(),
            format!(r#"{{"body":{{"content":"x"}},"importance":"high","reactions":[{like},{like},{like},{like},{like}]}}"#),
            r#"{"deletedDateTime":"2020-01-01T00:00:00Z"}"#.to_owned(),
        ];
        let rows: Vec<Stored> = (1_i64..).zip(&rows).map(|(at, json)| version(at, json)).collect();
        let told = tell(rows, true).unwrap();
        let changed: Vec<String> = told.iter().map(|one| lines(one)[1].clone()).collect();
        assert_eq!(
            changed,
            [
                "  changed       created",
                "  changed       text edited",
                "  changed       text edited; updated importance",
                "  changed       text edited; reaction like by ben added, like by ben added, \
                 like by ben added, like by ben added and 1 more",
                "  changed       reaction like by ben removed, like by ben removed, \
                 like by ben removed, like by ben removed and 1 more; deleted; updated importance",
            ]
        );
        assert_eq!(
            lines(&told[1])[2..4],
            ["  words         [-Tee-]{+Tea+}?", "                At four."]
        );
        assert_eq!(lines(&told[2])[2], "  words         only the formatting changed");
        let facts = serde_json::to_value(VersionFacts::new(&told[1], true)).unwrap();
        assert_eq!(facts["diff"][1], serde_json::json!({"mark": "added", "text": "Tea"}));
        assert!(facts.get("changed").is_some() && facts["address"].is_string());
        let none = serde_json::to_value(VersionFacts::new(&told[0], true)).unwrap();
        assert!(none.get("diff").is_some_and(serde_json::Value::is_null));
        assert!(
            serde_json::to_value(VersionFacts::new(&told[1], false)).unwrap().get("diff").is_none()
        );
    }
}
