//! `get`: one message, byte for byte as the service sent it.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use chatvault_engine::{MessageKey, Scan, Snapshot, Stored, TimeRange, Timestamp, Versions};
use chatvault_query::Record;
use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::address::{self, Address};
use crate::commands::Salvage;
use crate::commands::query::one_of;
use crate::console::Console;
use crate::failure::Outcome;
use crate::meant::Meant;
use crate::missing::{self, Finding};
use crate::report::RowFacts;

const EXAMPLES: &str = "\
Examples:
  chatvault get team.cvault --chat 19:abc@thread.v2 --id 1714556400000
  chatvault get team.cvault --chat 19:abc@thread.v2 --id 1714556400000 --version 1714556460000
  chatvault get team.cvault 5f1e0c92 > message.json
  chatvault get team.cvault --chat 19:abc@thread.v2 --id 1714556400000 --json
  chatvault get team.cvault --record recording --chat MEETING --id ID --file > call.mp4

Prints exactly the stored bytes: nothing is added, except a line end when a person looks (output to a \
terminal). Without --version it is the latest version. Exit code 1: not in the archive.

JSON fields, instead of the message itself: address, conversation, reply_to, id, version, created, \
modified, sender, kind, sequence (the commit that stored it), bytes, sightings (list of custodian, run, \
sequence: who delivered it, and in which import run and commit first), links (list of attachment, object), \
and with --salvage missing (as damages of `verify`).";

const USAGE: &str = "chatvault get [OPTIONS] <ARCHIVE> <ADDRESS>
       chatvault get [OPTIONS] <ARCHIVE> --chat <ID> --id <ID>";

/// Print one message exactly as it was delivered
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(group(ArgGroup::new("which").args(["address", "chat"]).required(true)))]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// The message's content address, as `history` and `get --json` show it: 64 hexadecimal digits, or
    /// the first of them (four or more), for which all messages are read
    #[arg(conflicts_with_all = ["id", "reply_to", "version"])]
    address: Option<Address>,
    /// What it is: a message, or what is stored beside messages
    #[arg(long, value_parser = one_of::<Record>(&Record::NAMES), default_value = "message")]
    #[arg(conflicts_with = "address")]
    record: Record,
    /// The chat or channel: its id, the start of it, or its topic
    #[arg(long, value_name = "ID", requires = "id")]
    chat: Option<String>,
    /// The message's id in its conversation
    #[arg(long, value_name = "ID", requires = "chat")]
    id: Option<String>,
    /// In a channel: the id of the message that it replies to
    #[arg(long, value_name = "ID", requires = "id")]
    reply_to: Option<String>,
    /// The version's number (the etag); the latest one if left out
    #[arg(long, value_name = "NUMBER", requires = "id")]
    version: Option<u64>,
    /// Instead of it, its file: the film of a recording, the text of a transcript, an attachment or
    /// image; of several the one with this id (see links in --json)
    #[arg(long, value_name = "ATTACHMENT", num_args = 0..=1, default_missing_value = "")]
    #[arg(conflicts_with = "json")]
    file: Option<String>,
    #[command(flatten)]
    salvage: Salvage,
    /// Print what is known about it, as one JSON object, instead of the message
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// The key, if there is one; the argument parser saw to it that it is whole.
    fn key(&self) -> Option<MessageKey> {
        let (conversation, id) = (self.chat.clone()?, self.id.clone()?);
        let reply_to = self.reply_to.clone();
        Some(MessageKey { record: self.record.into(), conversation, reply_to, id })
    }
}

/// The documented fields.
#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    row: RowFacts<'a>,
    links: Vec<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct Link {
    attachment: String,
    object: String,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = arguments.salvage.open(&arguments.archive)?;
    let snapshot = archive.snapshot()?;
    let snapshot = if arguments.json { snapshot } else { snapshot.without_sightings() };
    let mut key = arguments.key();
    if let Some(key) = &mut key {
        let meant = Meant { archive: &archive, snapshot: &snapshot, record: arguments.record };
        key.conversation = meant.chat(&key.conversation, console)?;
    }
    let Some(row) = find(arguments, key, &snapshot)? else {
        let _ = missing::tell(&snapshot.missing(), console)?;
        bail!("no such message in {}", arguments.archive.display());
    };
    if arguments.json {
        let links = snapshot.links(&row.key)?.into_iter();
        let links = links
            .map(|(attachment, object)| Link { attachment, object: object.to_string() })
            .collect();
        let missing = arguments.salvage.findings(&snapshot.missing());
        console.json(&Facts { row: RowFacts::from(&row), links, missing })?;
        return missing::tell(&snapshot.missing(), console);
    }
    if let Some(attachment) = &arguments.file {
        write_file(&row.key, attachment, &snapshot, console)?;
        return missing::tell(&snapshot.missing(), console);
    }
    console.out.write_all(&row.json)?;
    if console.out_is_terminal {
        console.out.write_all(b"\n")?;
    }
    missing::tell(&snapshot.missing(), console)
}

/// The file that belongs to a message: the only one, or the one that is named.
fn write_file(
    key: &MessageKey,
    attachment: &str,
    snapshot: &Snapshot,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let links = snapshot.links(key)?;
    let mut fitting = links.iter().filter(|(id, _)| attachment.is_empty() || id == attachment);
    let names = || links.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
    match (fitting.next(), fitting.next()) {
        (Some((id, address)), None) => {
            let object = snapshot.object(address)?;
            let mut object =
                object.with_context(|| format!("the file of {id} is not in the archive"))?;
            let _bytes = io::copy(&mut object, &mut console.out)?;
            Ok(())
        }
        (Some(_), Some(_)) => bail!("it has several files: name one with --file: {}", names()),
        (None, _) if links.is_empty() => bail!("it has no file in the archive"),
        (None, _) => bail!("it has no file {attachment}, but {}", names()),
    }
}

fn find(
    arguments: &Arguments,
    key: Option<MessageKey>,
    snapshot: &Snapshot,
) -> anyhow::Result<Option<Stored>> {
    let found = match (&arguments.address, key, arguments.version) {
        (Some(Address::Whole(address)), _, _) => snapshot.get(address)?,
        (Some(Address::Start(start)), _, _) => match address::find(start, snapshot)? {
            Some(address) => snapshot.get(&address)?,
            None => None,
        },
        (None, Some(key), Some(version)) => version_of(snapshot, &key, version)?,
        (None, Some(key), None) => snapshot.latest(&key)?,
        (None, None, _) => None,
    };
    Ok(found)
}

/// One version of a message; of several variants the one that readers get.
fn version_of(
    snapshot: &Snapshot,
    key: &MessageKey,
    version: u64,
) -> chatvault_engine::Result<Option<Stored>> {
    let mut variants = snapshot.history(key)?;
    variants.retain(|row| row.version == version);
    if variants.len() < 2 {
        return Ok(variants.pop());
    }
    // Which variant is chosen is the engine's to say, and a scan says it.
    let Some(created) = variants.first().map(|row| row.created) else { return Ok(None) };
    let mut rows = snapshot.scan(&moment_in(key, created))?;
    while let Some(row) = rows.next()? {
        let same_thread = row.reply_to() == key.reply_to.as_deref();
        if row.version() == version && row.id() == key.id && same_thread {
            return row.to_stored().map(Some);
        }
    }
    Ok(variants.into_iter().next())
}

/// The versions of what was created in a conversation at one moment.
fn moment_in(key: &MessageKey, created: Timestamp) -> Scan {
    let next = Timestamp::from_ticks(created.ticks().saturating_add(1));
    Scan {
        record: key.record,
        conversations: vec![key.conversation.clone()],
        created: TimeRange { from: Some(created), to: Some(next) },
        versions: Versions::All,
        ..Scan::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args;

    const ADDRESS: &str = "abababababababababababababababababababababababababababababababab";

    fn key(options: &[&str]) -> Result<Option<MessageKey>, clap::Error> {
        let line = ["chatvault", "get", "a"].into_iter().chain(options.iter().copied());
        match args::Arguments::try_parse_from(line)?.command {
            args::Command::Get(arguments) => Ok(arguments.key()),
            other => panic!("parsed as {other:?}"),
        }
    }

    #[test]
    fn a_message_is_named_by_its_address_or_by_its_whole_key() {
        assert_eq!(key(&[ADDRESS]).unwrap(), None);
        assert_eq!(key(&["ABab"]).unwrap(), None);
        let options = ["--chat", "c", "--id", "1", "--reply-to", "0", "--version", "2"];
        let expected = MessageKey {
            record: chatvault_engine::RecordKind::Message,
            conversation: "c".to_owned(),
            reply_to: Some("0".to_owned()),
            id: "1".to_owned(),
        };
        assert_eq!(key(&options).unwrap(), Some(expected));
        for wrong in [
            &[][..],
            &["aba"],
            &["abax"],
            &["--chat", "c"],
            &["--id", "1"],
            &["--version", "2"],
            &[ADDRESS, "--chat", "c", "--id", "1"],
            &[ADDRESS, "--version", "2"],
        ] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }
}
