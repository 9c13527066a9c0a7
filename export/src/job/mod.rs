//! An export as a value: it plans, runs, resumes, and tells what must be in it.
//!
//! ```text
//! Snapshot --Slicer---> slices of a window                              one thread
//!          --Workshop-> groups, documents, cards, rows                  any number of threads
//!          --Placer---> zip parts                                       one thread, in order
//! ```
//!
//! Always holds: an export is a function of the archive as of the commit that the [`Request`] is
//! pinned to, and of that request: what arrives later changes no byte. The
//! threads change nothing: slices are cut by what messages say, made by themselves, and placed in
//! order. Memory is bounded: so many slices are between reading and placing; a conversation that is
//! more than a slice goes through its document slice by slice.

mod attach;
mod beside;
mod bind;
mod check;
mod dispatch;
mod estimate;
mod facts;
mod lines;
mod list;
mod made;
mod parent;
mod place;
mod plan;
mod read;
mod render;
mod run;
mod scene;
mod slice;
#[cfg(test)]
mod tests;
mod view;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use chatvault_base::{Cancel, Unit};
use chatvault_engine::{Damage, Snapshot, Timestamp};
use chatvault_query::event::NoNames;
use serde_json::{Value, json};

pub use attach::Reasons;
pub use list::{Listed, foreign, list};
pub use plan::{Plan, PlannedWindow};
pub use view::Viewer;

use crate::digest::{Subject, hex, hyphened, name_uuid};
use crate::entry::{Entry, SystemEvents, Window};
use crate::error::{Error, Result};
use crate::manifest::{
    ArchiveState, Head, Index, PartRecord, Selection, Tool, WindowText, canonical,
};
use crate::part::Settings;
use crate::request::{Request, TimeField, time};
use crate::told;
use crate::zone::rfc3339;
use read::Entries;
use window::Grid;

/// What turns messages into files: another number, other bytes.
const RENDERER_VERSION: &str = "6";

/// An export that can be planned, run, resumed and checked.
#[derive(Clone)]
pub struct Export {
    snapshot: Snapshot,
    request: Request,
    head: Head,
    grid: Grid,
    /// Once they are known: the archive is asked which have messages.
    windows: OnceLock<Vec<Window>>,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("request", &self.request)
            .field("id", &self.head.export_id)
            .finish_non_exhaustive()
    }
}

/// How an export is run.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    /// Threads that render and deflate; the bytes do not depend on it. 0: on the caller's alone.
    pub threads: usize,
    /// Goes on with what an earlier run began.
    pub resume: bool,
    /// Why contents are missing.
    pub reasons: Reasons<'r>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Run");
        shown.field("threads", &self.threads).field("resume", &self.resume).finish_non_exhaustive()
    }
}

impl Default for Run<'_> {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, resume: false, reasons: &|_, _| None }
    }
}

/// What an export is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Looks for people and conversations.
    #[default]
    Reading,
    /// Writes parts.
    Writing,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Messages that are done.
    pub messages: u64,
    /// Of how many, at most.
    pub of: u64,
    /// The window, from 1.
    pub window: u32,
    /// Of how many.
    pub windows: u32,
    /// Finished parts.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Progress {
    /// The messages, as every operation tells how far it is; of how many is not known while it reads.
    pub fn share(&self) -> chatvault_base::Progress {
        let of = (self.phase == Phase::Writing).then_some(self.of);
        chatvault_base::Progress::new(self.messages, of, Unit::Messages)
    }
}

/// Is told how far an export is; `Break` stops it at a place from which it can be resumed.
pub type OnProgress<'f> = chatvault_base::OnProgress<'f, Progress>;

/// Opens what takes a finished part: see [`Export::write_to`].
pub type OpenPart<'o> = &'o mut dyn FnMut(&PartRecord) -> io::Result<Box<dyn io::Write + 'o>>;

/// Tells how far an export is and remembers that it shall stop.
pub(crate) struct Watch<'f> {
    on: OnProgress<'f>,
    progress: Progress,
    cancel: Cancel,
}

impl<'f> Watch<'f> {
    fn new(on: OnProgress<'f>) -> Self {
        Self { on, progress: Progress::default(), cancel: Cancel::default() }
    }

    fn tell(&mut self) {
        if (self.on)(&self.progress).is_break() {
            self.cancel.cancel();
        }
    }

    /// People and conversations are looked for.
    fn reading(&mut self) -> ControlFlow<()> {
        self.tell();
        self.cancel.flow()
    }
}

impl Export {
    /// An export of a snapshot. `now` is its time, unless the request says one.
    ///
    /// `Setting` or `Request` names a field that is not accepted; `Archive` if the archive cannot be read.
    pub fn new(snapshot: &Snapshot, request: Request, now: Timestamp) -> Result<Self> {
        let request = request.pin(snapshot, now)?;
        let damages =
            snapshot.look_for_damage().map_err(|cause| Error::Archive(Box::new(cause)))?;
        let unreadable = damages.iter().map(unreadable).collect();
        let snapshot = request.moment(snapshot);
        let commit = snapshot.commit();
        let archive = ArchiveState {
            head_signature: None,
            id: archive_id(&snapshot),
            log_size: commit.sequence.0,
            root_hash: hex(&commit.chain),
        };
        Self::pinned(snapshot, request, (archive, unreadable), tool_of_this())
    }

    /// The export that an index is of, to be resumed or checked. What arrived since is not in it.
    ///
    /// `Setting` if the index is of another archive or past, `Index` if its request is not understood.
    pub fn of_index(snapshot: &Snapshot, index: &Index) -> Result<Self> {
        let archive = index.head.archive.clone();
        let id = archive_id(snapshot);
        if archive.id != id {
            let (field, accepted) = ("archive", "the archive that the export was made of");
            return Err(Error::Setting { field, value: id, accepted });
        }
        let request = index.head.selection.more.get("request").cloned().unwrap_or_default();
        let request: Request = serde_json::from_value(request).map_err(|cause| Error::Index {
            file: "index".to_owned(),
            problem: format!("its request cannot be understood: {cause}"),
        })?;
        request.check_commits(snapshot)?;
        let snapshot = request.moment(snapshot);
        let unreadable = index.head.selection.more.get(UNREADABLE).and_then(Value::as_array);
        let unreadable = unreadable.cloned().unwrap_or_default();
        // Another version of the program that renders the same goes on as the one that began.
        let tool = Some(&index.head.tool).filter(|theirs| renders_as(theirs)).cloned();
        Self::pinned(snapshot, request, (archive, unreadable), tool.unwrap_or_else(tool_of_this))
    }

    fn pinned(
        snapshot: Snapshot,
        request: Request,
        (archive, unreadable): (ArchiveState, Vec<Value>),
        tool: Tool,
    ) -> Result<Self> {
        let field = |field, text: &Option<String>| time(field, text.as_deref().unwrap_or_default());
        let (start, end) = (field("from", &request.from)?, field("to", &request.to)?);
        let grid = Grid::new(start, end, request.window_days);
        let head = head(&request, archive, &unreadable, tool)?;
        Ok(Self { snapshot, request, head, grid, windows: OnceLock::new() })
    }

    /// The request, with everything that depended on the moment fixed.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The name of its index.
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// The id that is derived from the archive and the request.
    pub fn id(&self) -> &str {
        &self.head.export_id
    }

    /// Its windows, in order: the first call reads the index for those that have messages.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn windows(&self) -> Result<&[Window]> {
        match self.windows.get() {
            Some(known) => Ok(known),
            None if self.grid.is_whole() => self.windows_at(&BTreeSet::new()),
            None => self.windows_at(&self.places()?),
        }
    }

    /// The windows at places that have messages; one alone may have none.
    fn windows_at(&self, places: &BTreeSet<i64>) -> Result<&[Window]> {
        if let Some(known) = self.windows.get() {
            return Ok(known);
        }
        let only = BTreeSet::from([0]);
        let windows = self.grid.windows(if self.grid.is_whole() { &only } else { places })?;
        Ok(self.windows.get_or_init(|| windows))
    }

    /// What the names of its parts begin with.
    fn label(&self) -> String {
        self.request.label(&self.head.export_id)
    }

    fn settings(&self, threads: usize) -> Settings {
        Settings {
            part_bytes: self.request.part_bytes,
            threads,
            ..Settings::new(&self.request.name)
        }
    }

    /// The selected versions, in export order, as the archive has them now.
    ///
    /// Each is an error, and the last one, if the archive cannot be read.
    pub fn subjects(&self) -> impl Iterator<Item = Result<Subject>> + '_ {
        let omits = self.request.system_events == SystemEvents::Omit;
        let all_versions = self.request.all_versions;
        let (windows, failed) = match self.windows() {
            Ok(windows) => (windows, None),
            Err(error) => (&[][..], Some(Err(error))),
        };
        let records = self.request.records.iter();
        let all = windows
            .iter()
            .flat_map(move |window| records.clone().map(move |record| (*record, *window)));
        failed.into_iter().chain(all.flat_map(move |(record, window)| {
            let at = (record, window, None);
            let entries = Entries::of(&self.snapshot, &self.request, at, all_versions);
            let mut entries = entries.map(Some);
            let next = move || match &mut entries {
                Ok(Some(open)) => open.next().transpose(),
                // Told once; after it there is nothing.
                Ok(None) => None,
                failed => std::mem::replace(failed, Ok(None)).err().map(Err),
            };
            let subjects = move |entry: Result<Entry>| match entry {
                Ok(entry) if omits && is_event(&entry) => Vec::new(),
                Ok(entry) => facts::subjects(&entry, all_versions).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            std::iter::from_fn(next).flat_map(subjects)
        }))
    }
}

fn archive_id(snapshot: &Snapshot) -> String {
    hyphened(snapshot.archive().iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte)))
}

fn is_event(entry: &Entry) -> bool {
    entry.latest().is_some_and(|latest| latest.flags().is_system)
}

/// The field of a selection that lists what of the archive could not be read, if anything.
const UNREADABLE: &str = "unreadable";

fn unreadable(damage: &Damage) -> Value {
    json!({
        "commits": damage.commits.map(|(first, last)| [first.0, last.0]),
        "conversations": damage.conversations,
        "created": damage.created.map(|(first, last)| [rfc3339(first), rfc3339(last)]),
        "file": damage.file,
        "offset": damage.offset,
        "problem": damage.message,
        "rows": damage.rows,
    })
}

/// What makes exports here.
fn tool_of_this() -> Tool {
    Tool {
        name: "chatvault".to_owned(),
        renderer_version: RENDERER_VERSION.to_owned(),
        tz_version: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        unicode_version: unicode_version(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        more: [("deflate_level".to_owned(), json!(Settings::LEVEL))].into(),
    }
}

/// Does a tool make the same bytes as this one, but for its version in manifests?
fn renders_as(theirs: &Tool) -> bool {
    Tool { version: theirs.version.clone(), ..tool_of_this() } == *theirs
}

/// What the manifest says in every part.
fn head(
    request: &Request,
    archive: ArchiveState,
    unreadable: &[Value],
    tool: Tool,
) -> Result<Head> {
    let value = serde_json::to_value(request).unwrap_or(Value::Null);
    let mut identity = json!({ "archive": archive, "request": value, "tool": tool });
    let words = told::rows(request, &NoNames).into_iter();
    let words: BTreeMap<&str, String> = words.collect();
    let mut more: BTreeMap<String, Value> =
        [("request".to_owned(), value), ("words".to_owned(), json!(words))].into();
    if !unreadable.is_empty() {
        identity[UNREADABLE] = json!(unreadable);
        drop(more.insert(UNREADABLE.to_owned(), json!(unreadable)));
    }
    let identity = canonical(&identity).map_err(|cause| Error::Archive(Box::new(cause)))?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let selection = Selection {
        attachments: if request.text_only { "omit" } else { "include" }.to_owned(),
        chats: request.chats.clone(),
        end: text(&request.to),
        start: text(&request.from),
        system_events: format!("{:?}", request.system_events).to_lowercase(),
        tenant: text(&request.tenant),
        time_field: match request.time_field {
            TimeField::Created => "created".to_owned(),
            TimeField::Modified => "modified".to_owned(),
        },
        users: request.custodians.clone(),
        versions: match (request.all_versions, request.all_variants) {
            (_, true) => "variants",
            (true, false) => "all",
            (false, false) => "latest",
        }
        .to_owned(),
        more,
    };
    Ok(Head {
        archive,
        asof: text(&request.at),
        export_id: name_uuid(&identity),
        requested_by: request.requested_by.clone(),
        selection,
        tool,
    })
}

fn unicode_version() -> String {
    let (major, minor, update) = unicode_normalization::UNICODE_VERSION;
    format!("{major}.{minor}.{update}")
}

/// A window as manifests have it.
fn text_of(window: Window) -> WindowText {
    WindowText {
        end: rfc3339(window.end),
        k: window.number,
        of: window.of,
        start: rfc3339(window.start),
    }
}
