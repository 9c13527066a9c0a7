//! What `sync` can be told. A secret is none of it: it comes from a file or the environment.

use std::path::PathBuf;

use chatvault_ingest::graph::{Cloud, Feed, Filter, Limits};
use chatvault_ingest::sync::SyncOptions;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::help::EXAMPLES;

/// Bring an archive up to date with a Microsoft 365 tenant
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder; `chatvault init` makes one. Not needed with --test or --estimate
    #[arg(required_unless_present_any = ["test", "estimate", "secret_in_the_open"])]
    pub(super) archive: Option<PathBuf>,
    /// Only see whether the connection is good: a token, each permission that the feeds need, when the
    /// secret or certificate ends, a page of each feed. Changes nothing
    #[arg(long)]
    pub(super) test: bool,
    /// Only say what a first run will cost: requests, time and disk, each with its error, from a sample
    /// of accounts. Changes nothing
    #[arg(long, conflicts_with_all = ["test", "save"])]
    pub(super) estimate: bool,
    /// With --test: ask for this user's pages instead of those of one that is likely to have a mailbox
    #[arg(long, value_name = "ID", requires = "test")]
    pub(super) user: Option<String>,
    /// With --test: ask for this team's pages instead of the first team's
    #[arg(long, value_name = "ID", requires = "test")]
    pub(super) team: Option<String>,
    /// Memory in MiB for rows on their way, duplicates' fingerprints and caches; pages in flight
    /// take some more
    #[arg(long, value_name = "MIB", default_value_t = 224)]
    #[arg(value_parser = clap::value_parser!(u32).range(32..=1_048_576))]
    pub(super) memory: u32,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) range: Range,
    #[command(flatten)]
    pub(super) pace: Pace,
}

/// What the library takes for usual; the spool is not asked here.
fn usual() -> SyncOptions {
    SyncOptions::new(PathBuf::new())
}

/// How to reach the tenant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// The tenant: its id or one of its domains
    #[arg(long, value_name = "ID", env = "CHATVAULT_TENANT", hide_env_values = true)]
    pub(super) tenant: Option<String>,
    /// The app registration's application (client) id
    #[arg(long, value_name = "ID", env = "CHATVAULT_CLIENT_ID", hide_env_values = true)]
    pub(super) client_id: Option<String>,
    /// A file that holds the client secret and nothing else; or set
    /// `CHATVAULT_CLIENT_SECRET`
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// A PEM file with the app's certificate and its private key, instead of a secret
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
    /// Present so that it can be refused with a reason; what follows it is not kept.
    #[arg(long = "client-secret", hide = true, num_args = 0..=1, default_missing_value = "")]
    #[arg(value_parser = OsStringValueParser::new().map(|_| Forgotten))]
    pub(super) secret_in_the_open: Option<Forgotten>,
    /// When the client secret ends, to be told 30 days ahead: a date. Not needed if the app may read its
    /// registration (Application.Read.All), nor with a certificate
    #[arg(long, value_name = "DATE")]
    pub(super) secret_expires: Option<String>,
    /// Keep the connection in the archive once it has worked: everything but the secret, whose file is
    /// named there. Later commands need none of these options
    #[arg(long, requires = "archive")]
    pub(super) save: bool,
    /// The national cloud of the tenant; global if left out
    #[arg(long, value_name = "NAME", value_parser = clouds())]
    pub(super) cloud: Option<String>,
    /// With --cloud custom: where tokens come from, such as `https://login.example`
    #[arg(long, value_name = "URL", requires = "graph_url")]
    pub(super) login_url: Option<String>,
    /// With --cloud custom: where Graph, a gateway or a test service is; links that lead elsewhere
    /// are refused
    #[arg(long, value_name = "URL", requires = "login_url")]
    pub(super) graph_url: Option<String>,
    /// A PEM file of certificate authorities to trust besides the usual ones, as a proxy needs that
    /// opens TLS
    #[arg(long, value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
}

/// A value that was thrown away unread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forgotten;

fn clouds() -> PossibleValuesParser {
    PossibleValuesParser::new(
        Cloud::NAMES.into_iter().chain([chatvault_ingest::sync::Connection::CUSTOM]),
    )
}

/// Whose and which messages, and what belongs to them.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is exported")]
pub(super) struct Selection {
    /// What to export of each account, with commas between; `directory` is what people, teams, channels
    /// and chats are called, and who is in a chat
    #[arg(long, value_name = "FEEDS", value_delimiter = ',', value_parser = feeds())]
    #[arg(default_value = DEFAULT_FEEDS)]
    pub(super) feeds: Vec<String>,
    /// Only this one of the active accounts: user:ID, team:ID, an address or a name. Repeat for more
    #[arg(long = "account", value_name = "ID")]
    pub(super) accounts: Vec<String>,
    /// Activate accounts that the directory names and nobody has decided about, and export them at
    /// once; guests and users without a licence are left out
    #[arg(long, value_name = "WHO", conflicts_with = "no_discover")]
    pub(super) activate_new: Option<NewAccounts>,
    /// Do not ask the directory for users and teams; the accounts of earlier runs are kept up to date
    #[arg(long)]
    pub(super) no_discover: bool,
    /// Leave out deleted users (kept 30 days by the service) and deleted teams
    #[arg(long)]
    pub(super) no_deleted: bool,
    /// Fetch messages only: no images, files, recordings or transcripts
    #[arg(long, conflicts_with = "content")]
    pub(super) no_content: bool,
    /// Which contents to fetch, with commas between; all of them if left out
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(super) content: Vec<ContentKind>,
    /// Only rows of these senders or kinds, in the service's own `$filter` language, for feeds that
    /// know it. What it leaves out comes in with the next run without it. A time range in it is --from
    /// and --to
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<Filter>,
    /// Only Copilot interactions of this app class. Repeat for more
    #[arg(long = "app-class", value_name = "TEXT")]
    pub(super) app_classes: Vec<String>,
    /// Which copies of a message to ask for
    #[arg(long, value_enum, default_value_t = PlanName::EveryCopy)]
    pub(super) plan: PlanName,
    /// The `model` parameter of metered times; the service ignores it since August 2025
    #[arg(long, value_enum)]
    pub(super) model: Option<ModelName>,
}

fn feeds() -> PossibleValuesParser {
    PossibleValuesParser::new(Feed::ALL.iter().map(|feed| feed.name()).chain([DIRECTORY]))
}

/// The usual feeds, as one would type them. A test holds them against the library's.
const DEFAULT_FEEDS: &str = "chats,retained-chats,channels,retained-channels,directory";

/// Names, addresses and members, which belong to no account.
pub(super) const DIRECTORY: &str = "directory";

/// Which accounts are activated when they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum NewAccounts {
    /// Users and teams
    All,
    /// Users
    Users,
    /// Teams
    Teams,
}

/// What is fetched besides messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ContentKind {
    /// Inline images, code snippets, custom emoji
    Hosted,
    /// Attached files
    Files,
    /// Recordings and transcripts, where their feeds are on
    Meetings,
}

/// Which copies of a message are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanName {
    /// Every participant's: who received what is complete
    EveryCopy,
    /// Each user's own messages, and once what no user wrote: fewer requests, and it can miss some
    FetchOnce,
}

/// Payment models of metered times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModelName {
    /// Security and compliance
    #[value(name = "A")]
    A,
    /// Everything else
    #[value(name = "B")]
    B,
}

/// Which times are read, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Times")]
pub(super) struct Range {
    /// Where exports start: a date, a month or RFC 3339; 2017-03 if left out. An earlier one than in
    /// the last run brings in the time between
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<String>,
    /// Only what was changed (recordings, transcripts, Copilot: made) from this time on: a one-time
    /// export. How far the exports are stays as it is
    #[arg(long, value_name = "TIME", conflicts_with_all = ["fresh", "start"])]
    pub(super) from: Option<String>,
    /// Only what was changed before this time; without --from, from --start on
    #[arg(long, value_name = "TIME", conflicts_with = "fresh")]
    pub(super) to: Option<String>,
    /// How far each run reads back over the last one: the service exports some messages a day late
    #[arg(long, value_name = "HOURS", default_value_t = usual().overlap_hours)]
    pub(super) overlap_hours: u32,
    /// Once a week, how many days are read again, for late deletions
    #[arg(long, value_name = "DAYS", default_value_t = usual().rescan_days)]
    pub(super) rescan_days: u32,
    /// Rows asked for in one page; more than 250 makes the service time out
    #[arg(long, value_name = "NUMBER", default_value_t = usual().page_rows)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) page_rows: u32,
    /// Forget how far the exports are and read everything again from the start; nothing is stored
    /// twice
    #[arg(long)]
    pub(super) fresh: bool,
}

/// How fast the service is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (requests a second; the defaults are the documented limits)")]
pub(super) struct Pace {
    /// Requests on their way at once, always: so many answers are in memory. Left out, the number
    /// follows the latency, from 16 up to what the rates need and 256 MiB hold
    #[arg(long, value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(super) concurrency: Option<u16>,
    /// To each export endpoint in this tenant
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().export_per_second)]
    pub(super) export_rate: f64,
    /// Of this app to all export endpoints, over all tenants
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().app_per_second)]
    pub(super) app_rate: f64,
    /// For images and other hosted contents
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().hosted_per_second)]
    pub(super) hosted_rate: f64,
    /// For hosted contents of one chat
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().chat_per_second)]
    pub(super) chat_rate: f64,
    /// For Copilot interactions
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().copilot_per_second)]
    pub(super) copilot_rate: f64,
    /// For everything else: the directory, meetings, files
    #[arg(long, value_name = "RATE", value_parser = rate, default_value_t = Limits::default().other_per_second)]
    pub(super) other_rate: f64,
    /// The part of these rates, from 0 to 1, that is used for long
    #[arg(long, value_name = "PART", value_parser = part, default_value_t = Limits::default().sustained)]
    pub(super) sustained: f64,
    /// How often one request is tried before it counts as failed
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().attempts)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) attempts: u32,
    /// No rates at all, for a service of your own: only with --cloud custom
    #[arg(long)]
    pub(super) no_limits: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    number.ok_or_else(|| "a rate is a number above 0, such as 200 or 0.5".to_owned())
}

fn part(text: &str) -> Result<f64, String> {
    let part = rate(text).ok().filter(|part| *part <= 1.0);
    part.ok_or_else(|| "a part is a number above 0 and at most 1, such as 0.83".to_owned())
}
