//! The arguments of `query`, and the question that they ask.

use std::path::PathBuf;
use std::str::FromStr;

use chatvault_export::entry::Zone;
use chatvault_query::search::Search;
use chatvault_query::statistics::By;
use chatvault_query::{Commit, Filter as Condition, Kind, Order, Query, Record, Versions};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::commands::Salvage;
use crate::failure::WrongUsage;
use crate::when::{Here, TIMES};

const EXAMPLES: &str = "\
Examples:
  chatvault query team.cvault --chat 19:abc@thread.v2 --format table
  chatvault query team.cvault --created-from 2024-05 --created-to 2024-06 > may.jsonl
  chatvault query team.cvault --sender ann@contoso.com --from 30d --order created --limit 20
  chatvault query team.cvault --custodian \"Ann Lee\" --count
  chatvault query team.cvault --as-of 2024-05-01T12:00:00Z --kind message --kind system
  chatvault query team.cvault --since 17                     what arrived after commit 17
  chatvault query team.cvault --record recording --format table
  chatvault query team.cvault --modified-from 2024-05 --explain
  chatvault query team.cvault --filter \"from/user/id eq 'ann' and lastModifiedDateTime gt 2024-05-01T00:00:00Z\"
  chatvault query team.cvault --count-by sender --created-from 2024-05
  chatvault query team.cvault --search 'budget \"offer letter\" pay* -draft' --order created --format table
  chatvault query team.cvault --search 'attachment:invoice OR subject:(invoice paid)' --custodian ann
  chatvault query team.cvault --record transcript --search 'speaker:ann budget' --format table

Several values of one option widen the answer, several options narrow it. Which version of a message \
counts is decided before anything else is compared; with --custodian, among the versions that this \
custodian's export delivered.

Commits (COMMIT): a number, or number and hash as `stat` prints it (1042-9f3a11c0d2e4b657). With its hash a \
commit that the archive does not have, since it was put back from a copy, is refused.

Filters (TEXT of --filter): the $filter language of the Graph export APIs over all scalar fields of a \
message: eq ne gt ge lt le, and, or, not (…), brackets; texts in single quotes, times without; null is what \
is not there. Fields by path: from/user/id, from/user/userIdentityType, from/application/id, \
from/application/applicationIdentityType, messageType, lastModifiedDateTime, createdDateTime, \
lastEditedDateTime, deletedDateTime, chatId, channelIdentity/teamId, channelIdentity/channelId, replyToId, \
importance, subject and others. What a filter says of times, senders, chats and kinds is answered from \
indexes; --explain shows what is left to be looked up in the messages, and what that took.

Searches (WORDS of --search): words that a message has to have, in any order, in its text, subject, \
names of attachments, cards or event; \"…\" for words in a row, pay* for words that start so, OR, NOT or - \
before what must not be there, brackets. In one part only: body: subject: attachment: card: event: speaker: \
before a word, phrase or bracket. Upper and lower case are the same; a word without accents is found with them, too; \
Chinese, Japanese, Korean, Thai and the like are found by any part of a text; emoji are words. An archive \
of more than 50,000 versions needs the index that `chatvault index` makes.

With --record a search is about Copilot interactions (text, cards, links, contexts), recordings (times, \
organizer, ids) or transcripts: their text, and with speaker: who says it, all of the search then being about \
one person's words without a break. A table has a line for each time at which it is said. A transcript of \
more than 8 MiB, and one whose text the archive does not have, is not searched and counted on standard error.

JSONL output has one message a line, the exact stored bytes. A stored line end between two JSON tokens \
is printed as a space, so that a line stays a line; `chatvault get` prints it as it was.

Pages: with --limit the place to go on from is told on standard error as `next cursor: TEXT`; pass it \
as --cursor TEXT with the same other options. It stays good when messages are added, after compacting \
and in later versions. With --print-cursor the last line of standard error is the bare cursor:
  chatvault query team.cvault --limit 1000 --print-cursor --cursor \"$C\" >> all.jsonl 2> cursor

With --salvage the messages that can be read; what is missing is named on standard error, exit code 3.

JSON fields: with --count: count, and with --salvage missing (as damages of `verify`). With --count-by: by, total, groups (list of key, count; the key is null \
for messages without a sender). With --explain: segments, segments_touched, groups, groups_touched, \
rows, rows_touched, journal_rows, parts_decoded, bytes_read, lines.";

/// Find messages: print them as JSON lines or a table, or count them
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{TIMES}"))]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub(crate) struct Arguments {
    /// The archive's folder
    pub(super) archive: PathBuf,
    #[command(flatten)]
    pub(super) salvage: Salvage,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    version: VersionChoice,
    /// Sort by this; `conversation` is how the archive lies on disk, and fastest
    #[arg(long, value_parser = one_of::<Order>(&Order::NAMES))]
    #[arg(default_value = "conversation", help_heading = "Order and pages")]
    pub(super) order: Order,
    /// From the last to the first
    #[arg(long, help_heading = "Order and pages")]
    reverse: bool,
    /// At most this many messages; no limit if left out
    #[arg(long, value_name = "NUMBER", help_heading = "Order and pages")]
    pub(super) limit: Option<u64>,
    /// Go on where an earlier answer to the same query stopped
    #[arg(long, value_name = "TEXT", help_heading = "Order and pages")]
    cursor: Option<String>,
    /// Print the bare cursor as the last line of standard error, whatever the limit
    #[arg(long, help_heading = "Order and pages", conflicts_with_all = ["count", "count_by", "explain"])]
    pub(super) print_cursor: bool,
    /// `jsonl`: the exact messages, one a line. `table`: time, conversation, sender, kind, first words
    #[arg(long, value_enum, default_value_t = Format::Jsonl, help_heading = "Output")]
    pub(super) format: Format,
    /// Print only how many messages there are
    #[arg(long, help_heading = "Output", conflicts_with = "explain")]
    pub(super) count: bool,
    /// Print how many messages each conversation, sender, custodian or kind has, or each day or month
    /// (UTC) of their creation
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(By::NAMES))]
    #[arg(help_heading = "Output", conflicts_with_all = ["count", "explain", "limit", "cursor"])]
    pub(super) count_by: Option<String>,
    /// Print what is read for the answer and why, instead of the messages
    #[arg(long, help_heading = "Output")]
    pub(super) explain: bool,
    /// Print --count, --count-by or --explain as one JSON object (messages are JSON lines anyway)
    #[arg(long, help_heading = "Output", conflicts_with = "format")]
    pub(super) json: bool,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Jsonl,
    Table,
}

/// Which messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which messages")]
pub(super) struct Filter {
    /// Messages, or what is stored beside them; `chatvault get --record` brings their files
    #[arg(long, value_parser = one_of::<Record>(&Record::NAMES), default_value = "message")]
    record: Record,
    /// In this chat or channel: its id, the start of it, or its topic (may be given several times)
    #[arg(long, value_name = "CHAT")]
    chat: Vec<String>,
    /// Sent by this user or app: id, the start of it, address or name (several)
    #[arg(long, value_name = "PERSON")]
    sender: Vec<String>,
    /// Delivered by this custodian's export: id, the start of it, address or name (several)
    #[arg(long, value_name = "PERSON")]
    custodian: Vec<String>,
    /// Written by somebody, an event of the service, or anything else (several)
    #[arg(long, value_parser = one_of::<Kind>(&Kind::NAMES))]
    kind: Vec<Kind>,
    /// Created at or after
    #[arg(long, visible_alias = "from", value_name = "TIME", value_parser = time)]
    created_from: Option<String>,
    /// Created before
    #[arg(long, visible_alias = "to", value_name = "TIME", value_parser = time)]
    created_to: Option<String>,
    /// Last modified at or after
    #[arg(long, value_name = "TIME", value_parser = time)]
    modified_from: Option<String>,
    /// Last modified before
    #[arg(long, value_name = "TIME", value_parser = time)]
    modified_to: Option<String>,
    /// The zone of times without one, and of days: UTC, +02:00 or a name such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    tz: String,
    /// Meeting this condition in the $filter language (see below)
    #[arg(long, value_name = "TEXT", value_parser = condition)]
    #[expect(clippy::struct_field_names, reason = "the option is called --filter")]
    filter: Option<String>,
    /// Having these words (see below); a large archive needs the index that `chatvault index` makes
    #[arg(long, value_name = "WORDS", value_parser = words, allow_hyphen_values = true)]
    search: Option<String>,
    /// Having a file, or a picture in the text
    #[arg(long)]
    has_file: bool,
}

/// Which versions of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which versions")]
pub(super) struct VersionChoice {
    /// The newest of each message, all of them, or also different content under one version
    #[arg(long, value_parser = one_of::<Versions>(&Versions::NAMES))]
    #[arg(default_value = "latest")]
    versions: Versions,
    /// The newest version that was not modified after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<String>,
    /// Only what the archive held after this commit (`stat` shows the last one)
    #[arg(long, value_name = "COMMIT")]
    as_of_seq: Option<Commit>,
    /// Only what arrived after this commit; with --custodian, what they had not delivered by then
    #[arg(long, value_name = "COMMIT")]
    since: Option<Commit>,
}

/// Takes one of a few names, and lists them in help and errors.
pub(in crate::commands) fn one_of<T>(
    names: &'static [&'static str],
) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = chatvault_query::Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Checks a filter where the parser can name the option.
pub(in crate::commands) fn condition(text: &str) -> Result<String, String> {
    match text.parse::<Condition>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Checks a search where the parser can name the option.
fn words(text: &str) -> Result<String, String> {
    match text.parse::<Search>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Checks a time where the parser can name the option; only its zone says which one it is.
pub(in crate::commands) fn time(text: &str) -> Result<String, String> {
    Here::in_zone(Zone::Utc).instant(text).map(|_| text.to_owned())
}

/// Checks a zone where the parser can name the option.
pub(in crate::commands) fn zone(text: &str) -> Result<String, String> {
    text.parse::<Zone>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Arguments {
    /// The question as the query crate takes it.
    pub(super) fn query(&self) -> Result<Query, WrongUsage> {
        let (filter, version) = (&self.filter, &self.version);
        let here =
            Here::in_zone(filter.tz.parse().map_err(|error| WrongUsage(format!("{error}")))?);
        let time = |option: &str, text: &Option<String>| here.option(option, text.as_deref());
        Ok(Query {
            record: filter.record,
            chats: filter.chat.clone(),
            senders: filter.sender.clone(),
            custodians: filter.custodian.clone(),
            kinds: filter.kind.clone(),
            created_from: time("--created-from", &filter.created_from)?,
            created_to: time("--created-to", &filter.created_to)?,
            modified_from: time("--modified-from", &filter.modified_from)?,
            modified_to: time("--modified-to", &filter.modified_to)?,
            filter: filter.filter.clone(),
            search: filter.search.clone(),
            has_file: filter.has_file,
            versions: version.versions,
            as_of: time("--as-of", &version.as_of)?,
            as_of_sequence: version.as_of_seq,
            since: version.since,
            order: self.order,
            reverse: self.reverse,
            limit: self.limit,
            // A script's first page has an empty cursor.
            cursor: self.cursor.clone().filter(|text| !text.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args;

    fn parse(options: &[&str]) -> Result<Query, clap::Error> {
        let line = ["chatvault", "query", "a"].into_iter().chain(options.iter().copied());
        match args::Arguments::try_parse_from(line)?.command {
            args::Command::Query(arguments) => Ok(arguments.query().unwrap()),
            other => panic!("parsed as {other:?}"),
        }
    }

    #[test]
    fn every_option_reaches_the_query() {
        let query = parse(&[
            "--record",
            "chat",
            "--chat",
            "c1",
            "--chat",
            "c2",
            "--sender",
            "s",
            "--custodian",
            "team:t",
            "--kind",
            "system",
            "--kind",
            "other",
            "--created-from",
            "2024-05",
            "--created-to",
            "2024-06",
            "--modified-from",
            "2024-05-01",
            "--modified-to",
            "2024-05-02T00:00:00Z",
            "--filter",
            "importance eq 'high'",
            "--search",
            "-tea \"offer letter\"",
            "--has-file",
            "--versions",
            "all",
            "--as-of-seq",
            "9",
            "--since",
            "4",
            "--order",
            "modified",
            "--reverse",
            "--limit",
            "7",
            "--cursor",
            "abc",
        ])
        .unwrap();
        let some = |text: &str| Some(text.to_owned());
        let expected = Query {
            record: Record::Chat,
            chats: vec!["c1".to_owned(), "c2".to_owned()],
            senders: vec!["s".to_owned()],
            custodians: vec!["team:t".to_owned()],
            kinds: vec![Kind::System, Kind::Other],
            created_from: some("2024-05-01T00:00:00Z"),
            created_to: some("2024-06-01T00:00:00Z"),
            modified_from: some("2024-05-01T00:00:00Z"),
            modified_to: some("2024-05-02T00:00:00Z"),
            filter: some("importance eq 'high'"),
            search: some("-tea \"offer letter\""),
            has_file: true,
            versions: Versions::All,
            as_of: None,
            as_of_sequence: Some(9.into()),
            since: Some(4.into()),
            order: Order::Modified,
            reverse: true,
            limit: Some(7),
            cursor: some("abc"),
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn times_may_be_months_and_an_empty_cursor_is_none() {
        let as_of = parse(&["--as-of", "2024-05"]).unwrap().as_of;
        assert_eq!(as_of.as_deref(), Some("2024-05-01T00:00:00Z"));
        assert_eq!(parse(&["--cursor", ""]).unwrap(), Query::default());
    }

    #[test]
    fn wrong_values_are_refused_with_the_option_and_what_it_takes() {
        for (options, parts) in [
            (&["--created-to", "noon"][..], ["--created-to <TIME>", "no time; write"]),
            (&["--kind", "chat"], ["--kind", "message, system, other"]),
            (&["--versions", "newest"], ["--versions", "latest, all, variants"]),
            (&["--order", "size"], ["--order", "conversation, created, modified"]),
            (&["--limit=-1"], ["--limit", "-1"]),
            (&["--count", "--explain"], ["--count", "--explain"]),
            (
                &["--count-by", "song"],
                ["--count-by", "conversation, sender, custodian, kind, day, month"],
            ),
            (&["--count-by", "day", "--limit", "3"], ["--count-by", "--limit"]),
            (&["--filter", "chatId = 'x'"], ["--filter", "character 8: expected eq, ne"]),
            (&["--search", "te*a"], ["--search", "character 3: expected a star"]),
            (&["--format", "table", "--json"], ["--format", "--json"]),
        ] {
            let error = parse(options).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
