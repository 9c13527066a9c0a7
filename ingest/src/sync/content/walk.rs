//! Finds in the archive what is to be fetched: the rows that arrived since the last pass, in pieces.
//!
//! First all rows in the order in which they are stored, only to see which conversations want
//! something; then each of these by itself, so that many chats are worked on at once although one
//! of them may be long. Nothing is listed whole: a piece has at most [`PIECE`] contents, and a place
//! to go on at.

use std::collections::HashSet;
use std::sync::Arc;

use chatvault_engine::{
    Cursor, Custodian, MessageKey, RecordKind, Row, Scan, Sequence, Snapshot, Stored, Versions,
};
use chatvault_graph::Cloud;

use super::missing::{self, Now, Record};
use super::positions::Positions;
use super::references::{self, Kind, Reference};
use super::{Contents, Item};
use crate::sync::SyncError;

/// Contents in one piece.
const PIECE: usize = 256;
/// How often a long walk looks whether it should stop.
const ROWS_BETWEEN_LOOKS: u64 = 1024;

const RECORDS: [RecordKind; 4] = [
    RecordKind::Message,
    RecordKind::CopilotInteraction,
    RecordKind::CallRecording,
    RecordKind::CallTranscript,
];

/// A conversation that wants something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Its rows that are new.
    Rows { record: RecordKind, conversation: String },
    /// What an earlier run did not get, by the part that the names of its checkpoints share.
    Again { part: String },
}

/// A content to be fetched.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) item: Arc<Item>,
    pub(super) reference: Reference,
}

/// Where in a conversation to go on.
#[derive(Debug, Default)]
pub(super) struct ResumePoint {
    behind: Option<Cursor>,
    /// Behind so many contents of a row, known by the hash of its bytes. Rows before it are done.
    inside: Option<(blake3::Hash, usize)>,
}

impl ResumePoint {
    /// How many contents of this row were given; `None` if all were.
    fn given_of(&mut self, json: &[u8]) -> Option<usize> {
        let Some((hash, given)) = self.inside else { return Some(0) };
        if blake3::hash(json) != hash {
            return None;
        }
        self.inside = None;
        Some(given)
    }
}

/// One look at the archive.
#[derive(Debug)]
pub(super) struct Walk {
    contents: Arc<Contents>,
    snapshot: Snapshot,
    positions: Positions,
    kinds: Vec<Kind>,
}

impl Walk {
    pub(super) fn new(contents: &Arc<Contents>) -> Result<Self, SyncError> {
        let archive = &contents.settings.archive;
        Ok(Self {
            snapshot: archive.snapshot()?,
            positions: Positions::read(archive)?,
            kinds: contents.open_kinds(),
            contents: Arc::clone(contents),
        })
    }

    /// The positions when everything of this look was done.
    pub(super) fn positions_behind(&self) -> Positions {
        let mut positions = self.positions;
        for kind in self.kinds.iter().filter(|kind| !self.contents.gates.is_closed(**kind)) {
            positions.set(*kind, self.snapshot.sequence());
        }
        positions
    }

    /// Offers every conversation that may want something, until `offer` says no; gives the number
    /// of new rows.
    pub(super) fn conversations(
        &self,
        offer: &mut dyn FnMut(Job) -> bool,
    ) -> Result<u64, SyncError> {
        let mut rows = 0;
        for record in RECORDS {
            rows += self.conversations_of(record, offer)?;
        }
        Ok(rows)
    }

    /// Offers every conversation with something that is due to be tried again.
    pub(super) fn missing(&self, offer: &mut dyn FnMut(Job) -> bool) -> Result<(), SyncError> {
        let now = self.now();
        let mut last = String::new();
        missing::visit(&self.contents.settings.archive, &mut |name, record| {
            let part = missing::conversation_part(&name);
            if record.is_due(now) && last != part {
                part.clone_into(&mut last);
                let _taken = offer(Job::Again { part: part.to_owned() });
            }
        })
    }

    /// The next contents of a conversation, and where to go on; `None` at its end.
    pub(super) fn piece(
        &self,
        record: RecordKind,
        conversation: &str,
        mut place: ResumePoint,
    ) -> Result<(Vec<Wanted>, Option<ResumePoint>), SyncError> {
        let Some(mut scan) = self.scan(record) else { return Ok((Vec::new(), None)) };
        scan.conversations = vec![conversation.to_owned()];
        scan.cursor.clone_from(&place.behind);
        let mut rows = self.snapshot.scan(&scan)?;
        let mut piece = Vec::new();
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            count += 1;
            let looks = count.is_multiple_of(ROWS_BETWEEN_LOOKS);
            if looks && self.contents.is_stopped() {
                return Ok((Vec::new(), None));
            }
            let Some(given) = place.given_of(row.json()) else { continue };
            let named = self.named(record, &row);
            if given == 0 {
                self.contents.count_external(named.external);
            }
            if let Some(given) = self.take(&row, (named.found, given), &mut piece)? {
                place.inside = Some((blake3::hash(row.json()), given));
                return Ok((piece, Some(place)));
            }
            // A cursor costs as much as a row.
            if looks || !piece.is_empty() {
                place.behind = rows.cursor();
            }
        }
        Ok((piece, None))
    }

    /// What is due to be tried again, of the names that start so.
    pub(super) fn again(&self, names: &str) -> Result<Vec<Wanted>, SyncError> {
        let (archive, now) = (&self.contents.settings.archive, self.now());
        let mut wanted = Vec::new();
        let mut message: Option<(MessageKey, Vec<Stored>)> = None;
        for (_, value) in archive.checkpoints(names)? {
            let Some(record) = Record::read(&value) else { continue };
            let due = record.is_due(now);
            let Some(key) = record.key().filter(|_| due) else { continue };
            if message.as_ref().is_none_or(|(there, _)| *there != key) {
                let rows = self.snapshot.history(&key)?;
                message = Some((key, rows));
            }
            let Some((key, rows)) = &message else { continue };
            if let Some(reference) = self.newest(rows, key.record, &record.content) {
                let custodian = Custodian::parse(&record.custodian);
                let item = Arc::new(self.contents.item(key.clone(), custodian));
                wanted.push(Wanted { item, reference });
            }
        }
        Ok(wanted)
    }

    fn now(&self) -> Now {
        let settings = &self.contents.settings;
        let (run, ms) = (settings.run.0, settings.clock.now().ms());
        Now { run, ms, content_days: settings.content_days }
    }

    /// A content as the newest version that has it names it.
    fn newest(&self, rows: &[Stored], record: RecordKind, name: &str) -> Option<Reference> {
        rows.iter().rev().find_map(|row| {
            let named = references::references(self.cloud(), record, &row.json, &self.kinds);
            let named = named.of_conversation(&row.key.conversation);
            named.found.into_iter().find(|reference| reference.name == name)
        })
    }

    fn conversations_of(
        &self,
        record: RecordKind,
        offer: &mut dyn FnMut(Job) -> bool,
    ) -> Result<u64, SyncError> {
        let Some(scan) = self.scan(record) else { return Ok(0) };
        let mut rows = self.snapshot.scan(&scan)?;
        let mut conversation: Option<String> = None;
        // Of the rows of a conversation that was not offered; one that was is counted in pieces.
        let (mut offered, mut external, mut count) = (false, 0, 0_u64);
        while let Some(row) = rows.next()? {
            count += 1;
            if count.is_multiple_of(ROWS_BETWEEN_LOOKS) && self.contents.is_stopped() {
                return Ok(count);
            }
            if conversation.as_deref() != Some(row.conversation()) {
                self.contents.count_external(std::mem::take(&mut external));
                conversation = Some(row.conversation().to_owned());
                offered = false;
            }
            if offered {
                continue;
            }
            let named = self.named(record, &row);
            external += named.external;
            if self.wants_any(&row.key(), &named.found)? {
                (offered, external) = (true, 0);
                let conversation = row.conversation().to_owned();
                if !offer(Job::Rows { record, conversation }) {
                    return Ok(count);
                }
            }
        }
        self.contents.count_external(external);
        Ok(count)
    }

    /// Rows of a record that arrived after what was looked through; `None` if nothing is wanted.
    fn scan(&self, record: RecordKind) -> Option<Scan> {
        let kinds = self.kinds.iter().filter(|kind| kind.is_of(record));
        let since = kinds.map(|kind| self.positions.of(*kind)).min()?;
        // A variant can name what the variant that readers get does not.
        Some(Scan {
            record,
            since: Some(since),
            versions: Versions::EveryVariant,
            ..Scan::default()
        })
    }

    fn named(&self, record: RecordKind, row: &Row<'_>) -> references::References {
        if !references::may_name_something(record, row.json()) {
            return references::References::default();
        }
        let is_new = |kind: &&Kind| self.positions.of(**kind) < row.sequence();
        let kinds: Vec<Kind> = self.kinds.iter().filter(is_new).copied().collect();
        let named = references::references(self.cloud(), record, row.json(), &kinds);
        named.of_conversation(row.conversation())
    }

    /// Adds to the piece what of a row is still wanted; `Some(given)` if it is full before the end.
    fn take(
        &self,
        row: &Row<'_>,
        (found, given): (Vec<Reference>, usize),
        piece: &mut Vec<Wanted>,
    ) -> Result<Option<usize>, SyncError> {
        if found.is_empty() {
            return Ok(None);
        }
        let key = row.key();
        let linked = self.linked(&key)?;
        let mut item = None;
        for (at, reference) in found.into_iter().enumerate().skip(given) {
            if !self.is_wanted(&key, &linked, &reference)? {
                continue;
            }
            if piece.len() >= PIECE {
                return Ok(Some(at));
            }
            let item = match &item {
                Some(item) => Arc::clone(item),
                None => Arc::clone(item.insert(self.item(key.clone(), row)?)),
            };
            piece.push(Wanted { item, reference });
        }
        Ok(None)
    }

    fn item(&self, key: MessageKey, row: &Row<'_>) -> Result<Arc<Item>, SyncError> {
        let stored = row.to_stored()?;
        let custodian = stored.sightings.into_iter().next().map(|one| one.custodian);
        // Every row was delivered by somebody.
        let custodian = custodian.unwrap_or_else(|| Custodian::user(""));
        Ok(Arc::new(self.contents.item(key, custodian)))
    }

    fn wants_any(&self, key: &MessageKey, found: &[Reference]) -> Result<bool, SyncError> {
        if found.is_empty() {
            return Ok(false);
        }
        let linked = self.linked(key)?;
        for reference in found {
            if self.is_wanted(key, &linked, reference)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Is it neither here, nor known to be missing, nor of a kind that is closed?
    fn is_wanted(
        &self,
        key: &MessageKey,
        linked: &HashSet<String>,
        reference: &Reference,
    ) -> Result<bool, SyncError> {
        if linked.contains(&reference.name)
            || self.contents.gates.is_closed(reference.source.kind())
        {
            return Ok(false);
        }
        let name = missing::name(key, &reference.name);
        Ok(missing::find(&self.contents.settings.archive, &name)?.is_none())
    }

    fn linked(&self, key: &MessageKey) -> Result<HashSet<String>, SyncError> {
        let links = self.snapshot.links(key)?;
        Ok(links.into_iter().map(|(name, _)| name).collect())
    }

    fn cloud(&self) -> &Cloud {
        self.contents.settings.client.cloud()
    }

    /// The commit that this look goes up to.
    pub(super) fn sequence(&self) -> Sequence {
        self.snapshot.sequence()
    }
}
