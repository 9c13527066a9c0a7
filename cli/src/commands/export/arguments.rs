//! The arguments of `export`, and the request that they make.

use std::path::PathBuf;
use std::str::FromStr;

use chatvault_export::entry::{Guard, SystemEvents};
use chatvault_export::request::TimeField;
use chatvault_export::{Format, Request};
use chatvault_query::{Commit, Record, Versions, parse_time};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::check;
use crate::commands::Salvage;
use crate::commands::query::{condition, one_of, time, zone};
use crate::failure::WrongUsage;
use crate::when::{Here, TIMES};

const EXAMPLES: &str = "\
Examples:
  chatvault export team.cvault --format eml --custodian ann@contoso.com --out ann/
  chatvault export team.cvault --format pdf --chat 19:abc@thread.v2 --from 2024-01 --to 2024-07 --out case-17/
  chatvault export team.cvault --format csv --all --text-only --out all/
  chatvault export team.cvault --format html --custodian ann --all --plan
  chatvault export team.cvault --resume --out all/           go on where Ctrl-C or a crash stopped it
  chatvault export team.cvault --format jsonl --since 17 --all --out new/   what arrived after commit 17
  chatvault export team.cvault --format html --record recording,transcript --all --out meetings/
  chatvault export check all/ team.cvault                    is every byte what the archive gives?
  chatvault exports all/                                     which exports are in a folder, how far they are

An export is a row of zip files in DIR, none larger than --part-bytes, with `NAME.index.json` and \
`NAME.SHA256SUMS` beside them (sha256sum -c). Each part has a manifest.json and SHA256SUMS of its own, and a \
name that begins with the export's name and eight digits of its id: nothing is ever written over. With \
--sign-with the index, which has the SHA-256 of every part, is signed: `openssl genpkey -algorithm ed25519 \
-out key.pem` makes a key, `openssl pkey -in key.pem -pubout -out public.pem` what others check it with.

A message stays with its attachments; what is larger than a part is cut, with instructions to join it. EML, mbox and \
RSMF hold attachments inside the mails, so their parts have no Attachments folder; the other formats have them there.

The range is about the time at which messages were sent, and half-open: --from is in, --to is not. \
Without one it is the 90 days before the export's time. A range longer than --window-days is cut into \
windows, each with files of its own; one without messages has none. Which version of a message counts is decided before anything else; \
with --custodian, among the versions that this custodian's export delivered. A deleted message keeps its \
last archived text under a mark. Nothing remote is ever loaded.

With messages go Copilot interactions, recordings and transcripts, unless --record names fewer: each as an \
entry of its session or meeting, with its files (the film of a recording is one). A transcript has its lines as \
text: when, who, what; of one of more than 8 MiB only the file. They have no system events; recordings and \
transcripts have no sender, so --sender leaves them out, and a field that --filter names and they do not have \
is null. The range is about when an interaction was made or a recording or transcript began. In jsonl each \
kind has a file of its own. What an archive has none of changes nothing.

Formats: eml (a mail each), mbox (a mailbox a chat), pdf and html (transcripts), csv and parquet (tables), \
jsonl (the exact stored messages), rsmf (2.0, a file a chat and day), dat (Concordance load file). A PDF is \
tagged, for readers who do not see it, and made to the rules of PDF/A-2b. How many cells of a CSV file are longer than \
the 32,767 characters that Excel shows is told at the end; --guard tab puts a tab before cells that look \
like formulas, which some checkers take for one.

The same archive, selection and options give the same bytes on any machine, with any number of threads; \
--at fixes the time that the export speaks of, which is now if left out.

Exit codes: 0 done; 1 failed, or stopped before the end (finished parts stay: --resume); 2 wrong usage; \
3 done, but some attachments could not be had (the manifest lists them with the reason), or with --salvage \
something could not be read (every manifest and the index list it, under selection, as `unreadable`).

JSON fields: name, id, commit (that it is as of, for a later --since), finished, parts (list of file, bytes, sha256), bytes, messages, events, copilot, recordings, \
transcripts, versions, edited, deleted, attachments, unavailable, omitted, missing_glyphs, long_cells, subject_sum, merkle_root, seconds, \
and with --salvage missing (as damages of `verify`). \
With --plan: name, id, windows (list of start, end, messages, events), conversations, messages, events, \
copilot, recordings, transcripts, attachments, attachment_bytes, estimated_bytes, estimated_parts, exact.";

/// Hand out messages as files that people and programs read, in zip parts with proof
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{TIMES}"), args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) action: Option<Action>,
    /// The archive's folder
    #[arg(required = true)]
    pub(super) archive: Option<PathBuf>,
    /// What to write
    #[arg(long, value_parser = format(), required_unless_present = "resume")]
    pub(super) format: Option<Format>,
    /// The folder for the parts; it is made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present = "plan")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the export that an earlier run began in DIR
    #[arg(long, conflicts_with = "plan")]
    pub(super) resume: bool,
    /// Print what the export will be (counts, sizes, parts) and write nothing
    #[arg(long)]
    pub(super) plan: bool,
    #[command(flatten)]
    pub(super) salvage: Salvage,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    rendering: Rendering,
    /// No part has more bytes; from 65536 to 4294967294
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000_000, help_heading = "Parts")]
    #[arg(value_parser = clap::value_parser!(u64).range(65_536..=4_294_967_294))]
    part_bytes: u64,
    /// Cut a longer range into windows of so many days; 0: never
    #[arg(long, value_name = "DAYS", default_value_t = 90, help_heading = "Parts")]
    window_days: u32,
    /// The export's name; made of scope, range and format if left out
    #[arg(long, help_heading = "Parts")]
    pub(super) name: Option<String>,
    /// Sign the index with this Ed25519 key (PKCS#8 PEM): NAME.index.json.sig, see `export check --help`
    #[arg(long, value_name = "FILE", conflicts_with = "plan", help_heading = "Parts")]
    pub(super) sign_with: Option<PathBuf>,
    /// Threads that render and compress; as many as there are processors if left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: Option<u16>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Check(check::Arguments),
}

/// Which messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which messages")]
struct Selection {
    /// Delivered by this custodian's export: id, the start of it, address or name (several)
    #[arg(long, value_name = "PERSON")]
    custodian: Vec<String>,
    /// In this chat or channel: its id, the start of it, or its topic (may be given several times)
    #[arg(long, value_name = "CHAT")]
    chat: Vec<String>,
    /// What is handed out, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    #[arg(value_parser = one_of::<Record>(&CONTENTS), default_value = "message,copilot,recording,transcript")]
    record: Vec<Record>,
    /// Sent by this user or app: id, the start of it, address or name (several)
    #[arg(long, value_name = "PERSON")]
    sender: Vec<String>,
    /// Meeting this condition in the $filter language (see `chatvault query --help`)
    #[arg(long, value_name = "TEXT", value_parser = condition)]
    filter: Option<String>,
    /// Sent at or after
    #[arg(long, visible_alias = "created-from", value_name = "TIME", value_parser = time)]
    from: Option<String>,
    /// Sent before
    #[arg(long, visible_alias = "created-to", value_name = "TIME", value_parser = time)]
    to: Option<String>,
    /// From the first message to the last
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
    /// The range is about when messages were sent, or last modified
    #[arg(long, value_enum, default_value_t = By::Created)]
    time_field: By,
    /// Only versions that were not modified after this time, which the export then speaks of
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<String>,
    /// Only what the archive held after this commit
    #[arg(long, value_name = "COMMIT")]
    as_of_seq: Option<Commit>,
    /// Only messages whose chosen version arrived after this commit, as since an earlier export; with
    /// --custodian, that they had not delivered by then
    #[arg(long, value_name = "COMMIT")]
    since: Option<Commit>,
    /// The time that the export speaks of, and before which the default range ends; now if left out
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "as_of")]
    at: Option<String>,
}

/// How they are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "How they are written")]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
struct Rendering {
    /// Every version, not only the latest with its history; `variants`: also different content under
    /// one version
    #[arg(long, value_name = "WHICH", value_parser = one_of::<Versions>(&Versions::NAMES))]
    #[arg(num_args = 0..=1, default_value = "latest", default_missing_value = "all")]
    versions: Versions,
    /// No attachments, only their list
    #[arg(long)]
    text_only: bool,
    /// Members added, calls, renamed chats: in words, as the placeholder that some products have, or
    /// left out (and counted)
    #[arg(long, value_enum, default_value_t = Events::Text)]
    system_events: Events,
    /// In which zone people read times, and days and times of options are meant: UTC, +02:00 or a
    /// name such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    tz: String,
    /// eml: one mail for each chat and day
    #[arg(long)]
    chat_day: bool,
    /// eml, mbox: the stored JSON goes along; dat: as the native of each message
    #[arg(long)]
    raw_json: bool,
    /// csv: no byte order mark
    #[arg(long)]
    no_bom: bool,
    /// csv: what is put before a cell that a spreadsheet would take for a formula
    #[arg(long, value_enum, default_value_t = Before::Quote)]
    guard: Before,
    /// csv, parquet: attachments have rows of their own
    #[arg(long)]
    attachment_rows: bool,
    /// dat: days as YYYY-MM-DD instead of YYYYMMDD
    #[arg(long)]
    iso_dates: bool,
    /// The tenant's id, for addresses of people without one; what the messages say if left out
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Who asked for the export; stands on covers and in the manifest
    #[arg(long, value_name = "TEXT")]
    requested_by: Option<String>,
}

/// The kinds that can be handed out.
const CONTENTS: [&str; 4] = ["message", "copilot", "recording", "transcript"];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Created,
    Modified,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Events {
    Text,
    Placeholder,
    Omit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Before {
    Quote,
    Tab,
    None,
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMES).try_map(|name| Format::from_str(&name))
}

impl Arguments {
    /// Is it said from when to when?
    pub(super) fn has_range(&self) -> bool {
        let Selection { from, to, all, .. } = &self.selection;
        *all || from.is_some() || to.is_some()
    }

    /// The archive's folder.
    pub(super) fn archive(&self) -> Result<&PathBuf, WrongUsage> {
        self.archive.as_ref().ok_or_else(|| WrongUsage("name the archive's folder".to_owned()))
    }

    /// The request as the export crate takes it.
    ///
    /// Times that count back do so from --at, or now.
    pub(super) fn request(&self) -> Result<Request, WrongUsage> {
        let (selection, rendering) = (&self.selection, &self.rendering);
        let zone = rendering.tz.parse().map_err(|error| WrongUsage(format!("{error}")))?;
        let here = Here::in_zone(zone);
        let at = here.option("--at", selection.at.as_deref())?;
        let now = at.as_deref().and_then(|at| parse_time("at", at).ok()).unwrap_or(here.now);
        let here = Here { now, ..here };
        let time = |option: &str, text: &Option<String>| here.option(option, text.as_deref());
        Ok(Request {
            format: self.format.unwrap_or_default(),
            records: selection.record.clone(),
            other_records: Vec::new(),
            name: self.name.clone().unwrap_or_default(),
            chats: selection.chat.clone(),
            custodians: selection.custodian.clone(),
            senders: selection.sender.clone(),
            filter: selection.filter.clone(),
            from: time("--from", &selection.from)?,
            to: time("--to", &selection.to)?,
            all_time: selection.all,
            time_field: match selection.time_field {
                By::Created => TimeField::Created,
                By::Modified => TimeField::Modified,
            },
            window_days: self.window_days,
            as_of: time("--as-of", &selection.as_of)?,
            as_of_sequence: selection.as_of_seq,
            since: selection.since,
            at,
            all_versions: rendering.versions != Versions::Latest,
            all_variants: rendering.versions == Versions::Variants,
            system_events: match rendering.system_events {
                Events::Text => SystemEvents::Text,
                Events::Placeholder => SystemEvents::Placeholder,
                Events::Omit => SystemEvents::Omit,
            },
            text_only: rendering.text_only,
            zone: rendering.tz.clone(),
            part_bytes: self.part_bytes,
            raw_json: rendering.raw_json,
            chat_day: rendering.chat_day,
            bom: !rendering.no_bom,
            guard: match rendering.guard {
                Before::Quote => Guard::Quote,
                Before::Tab => Guard::Tab,
                Before::None => Guard::None,
            },
            attachment_rows: rendering.attachment_rows,
            iso_dates: rendering.iso_dates,
            tenant: rendering.tenant.clone(),
            requested_by: rendering.requested_by.clone(),
            collected: Vec::new(),
            known_gaps: Vec::new(),
            others: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args;

    fn parse(options: &[&str]) -> Result<Box<Arguments>, clap::Error> {
        let line = ["chatvault", "export"].into_iter().chain(options.iter().copied());
        match args::Arguments::try_parse_from(line)?.command {
            args::Command::Export(arguments) => Ok(arguments),
            other => panic!("parsed as {other:?}"),
        }
    }

    #[test]
    fn every_option_reaches_the_request() {
        let line = "a --format pdf --out o --custodian ann --chat c --sender s --filter subject\u{a0}eq\u{a0}null \
             --from 2024-01 --to 2024-02 --time-field modified --as-of 2024-03 --as-of-seq 9 --since 3 \
             --versions --text-only --system-events omit --tz +02:00 --chat-day --raw-json --no-bom \
             --record recording,copilot --guard tab --attachment-rows --iso-dates --tenant t --requested-by r --part-bytes 65536 \
             --window-days 7 --name n";
        let words: Vec<String> =
            line.split_ascii_whitespace().map(|word| word.replace('\u{a0}', " ")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = |text: &str| Some(text.to_owned());
        let list = |text: &str| vec![text.to_owned()];
        let expected = Request {
            format: Format::Pdf,
            records: vec![Record::Recording, Record::Copilot],
            other_records: Vec::new(),
            name: "n".to_owned(),
            chats: list("c"),
            custodians: list("ann"),
            senders: list("s"),
            filter: text("subject eq null"),
            from: text("2023-12-31T22:00:00Z"),
            to: text("2024-01-31T22:00:00Z"),
            all_time: false,
            time_field: TimeField::Modified,
            window_days: 7,
            as_of: text("2024-02-29T22:00:00Z"),
            as_of_sequence: Some(9.into()),
            since: Some(3.into()),
            at: None,
            all_versions: true,
            all_variants: false,
            system_events: SystemEvents::Omit,
            text_only: true,
            zone: "+02:00".to_owned(),
            part_bytes: 65_536,
            raw_json: true,
            chat_day: true,
            bom: false,
            guard: Guard::Tab,
            attachment_rows: true,
            iso_dates: true,
            tenant: text("t"),
            requested_by: text("r"),
            collected: Vec::new(),
            known_gaps: Vec::new(),
            others: None,
        };
        assert_eq!(parse(&words).unwrap().request().unwrap(), expected);
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let request = parse(&["a", "--format", "eml", "--out", "o"]).unwrap().request().unwrap();
        assert_eq!(request, Request::default());
    }

    #[test]
    fn what_is_missing_or_contradicts_is_refused() {
        for line in [
            &["a", "--out", "o"][..],
            &["a", "--format", "eml"],
            &["--format", "eml", "--out", "o"],
            &["a", "--format", "docx", "--out", "o"],
            &["a", "--format", "eml", "--out", "o", "--all", "--from", "2024-01"],
            &["a", "--format", "eml", "--out", "o", "--part-bytes", "65535"],
            &["a", "--format", "eml", "--out", "o", "--tz", "Mars/Olympus"],
            &["check"],
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
        assert!(parse(&["check", "o"]).unwrap().action.is_some());
    }
}
