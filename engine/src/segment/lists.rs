//! What a reader of rows holds of a segment's lists, and what documents are made of.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::bind::Context;
use super::block::{Literal, Lookup, Spot};
use super::bound::Bound;
use super::columns::{ColumnHead, predicted_code};
use super::dictionary::Decoder;
use super::open::Segment;
use super::pages::{LISTS, List, ListPage, number_name};
use super::program::{Made, Program};
use super::sets::{read_set, read_sets_of};
use crate::error::{Error, Result};

/// Templates and columns of a segment: what all its row groups share.
pub(crate) struct Forms {
    templates: Vec<Bound>,
    columns: Vec<ColumnHead>,
    contexts: Vec<Context>,
    /// By column: does another one's prediction go with it?
    is_context: Vec<bool>,
    /// Once text was read.
    pub(super) dictionary: OnceLock<Arc<Decoder>>,
    bytes: usize,
    literals: Mutex<Literals>,
    /// By template and the hash of what else they are made of: those that some row group has.
    programs: Mutex<HashMap<(u32, u64), Weak<Program>, RandomState>>,
}

/// Literal text that row groups have in common.
#[derive(Debug, Default)]
struct Literals {
    /// With their numbers, from 1 on.
    known: HashMap<Arc<[u8]>, u32, RandomState>,
    /// Runs of steps, as programs tell them, and their numbers.
    runs: HashMap<Box<[u32]>, u32, RandomState>,
    bytes: usize,
}

/// Literals that the row groups of a segment share; more are each group's own.
const SHARED_BYTES: usize = 2 << 20;
/// Programs that are known; of more, all are forgotten, and made again for the groups that follow.
const SHARED_PROGRAMS: usize = 4_096;

/// Numbers of literals and runs are the process's: decoded groups outlive the forms that they were
/// decoded with and meet others of the same segment.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

impl Literals {
    /// A number that nothing else has, if there is room for the bytes of what gets it.
    fn next(&mut self, bytes: usize) -> Option<u32> {
        self.bytes = self.bytes.checked_add(bytes).filter(|all| *all <= SHARED_BYTES)?;
        let more = |last: u32| last.checked_add(1);
        let last = NUMBERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(last + 1)
    }
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forms").field("templates", &self.templates.len()).finish_non_exhaustive()
    }
}

impl Forms {
    pub(super) fn new(
        templates: Vec<Bound>,
        (columns, contexts): (Vec<ColumnHead>, Vec<Context>),
    ) -> Self {
        let bytes = templates.iter().map(|template| template.bytes() + 128).sum::<usize>()
            + columns.len() * (size_of::<ColumnHead>() + size_of::<Context>() + 1);
        let (dictionary, literals, programs) =
            (OnceLock::new(), Mutex::default(), Mutex::default());
        let mut is_context = vec![false; contexts.len()];
        for context in &contexts {
            if let Context::Column(id) = context
                && let Some(flag) = is_context.get_mut(*id as usize)
            {
                *flag = true;
            }
        }
        Self { templates, columns, contexts, is_context, dictionary, bytes, literals, programs }
    }

    fn literals(&self) -> MutexGuard<'_, Literals> {
        self.literals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of each item of predictions.
    pub(super) fn prediction_bytes(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().flat_map(ColumnHead::prediction_bytes)
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The pages of a list, each once it is read.
type Held = Box<[OnceLock<Arc<ListPage>>]>;

/// The pages of a segment's lists that a question has read. It holds them until it ends.
#[derive(Debug)]
pub(crate) struct Lists {
    segment: Arc<Segment>,
    held: [OnceLock<Held>; LISTS.len()],
}

impl Lists {
    pub(crate) fn new(segment: Arc<Segment>) -> Self {
        Self { segment, held: [const { OnceLock::new() }; LISTS.len()] }
    }

    pub(crate) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    fn page(&self, list: List, number: usize) -> Result<&ListPage> {
        let held = self.held[list as usize].get_or_init(|| {
            self.segment.meta.list(list).pages.iter().map(|_| OnceLock::new()).collect()
        });
        let place = held.get(number).ok_or_else(gone)?;
        if let Some(page) = place.get() {
            return Ok(page);
        }
        let page = self.segment.page(list, number)?;
        Ok(place.get_or_init(|| page))
    }

    fn item(&self, list: List, number: u32) -> Result<&[u8]> {
        let per_page = list.page_items();
        let page = self.page(list, (number / per_page) as usize)?;
        page.get((number % per_page) as usize).ok_or_else(gone)
    }

    /// The conversation that a row is in.
    pub(crate) fn spot(&self, row: u32) -> Result<Spot> {
        let directory = self.segment.meta.list(List::Conversations);
        let number = directory.page_of_row(row);
        let page = self.page(List::Conversations, number)?;
        let local = page.starts.partition_point(|start| *start <= row).saturating_sub(1);
        let next = page.starts.get(local + 1).copied();
        let end = next.or_else(|| directory.pages.get(number + 1).map(|page| page.row));
        let first = u32::try_from(number).unwrap_or(u32::MAX) * List::Conversations.page_items();
        Ok(Spot {
            number: first + u32::try_from(local).unwrap_or(u32::MAX),
            start: page.starts.get(local).copied().unwrap_or(0),
            end: end.unwrap_or(self.segment.meta.rows),
        })
    }

    /// The page of conversations by its number, if it can be read.
    pub(crate) fn read_conversations(&self, page: usize) -> Result<()> {
        self.page(List::Conversations, page).map(drop)
    }

    /// The conversation of a row.
    pub(crate) fn conversation_of(&self, row: u32) -> Result<&str> {
        self.conversation(self.spot(row)?.number)
    }

    /// The name of a conversation by its number.
    pub(crate) fn conversation(&self, number: u32) -> Result<&str> {
        self.conversation_bytes(number).map(text)
    }

    /// The same without another look whether it is text.
    pub(crate) fn conversation_bytes(&self, number: u32) -> Result<&[u8]> {
        self.item(List::Conversations, number)
    }

    /// The name of a sender by its code; `None` for none.
    pub(crate) fn sender(&self, code: u32) -> Result<Option<&str>> {
        Ok(self.sender_bytes(code)?.map(text))
    }

    /// The same without another look whether it is text.
    pub(crate) fn sender_bytes(&self, code: u32) -> Result<Option<&[u8]>> {
        let number = code.checked_sub(1);
        number.map(|number| self.item(List::Senders, number)).transpose()
    }

    /// Custodians and ages of a set.
    pub(crate) fn set(&self, number: usize) -> Result<Vec<(u32, u64)>> {
        read_set(self.item(List::Sets, u32::try_from(number).unwrap_or(u32::MAX))?)
            .map_err(|error| error.in_file(self.segment.path()))
    }

    /// The code of a sender.
    pub(crate) fn code_of(&self, sender: &str) -> Result<Option<u32>> {
        let found = self.segment.find(List::Senders, sender.as_bytes())?;
        Ok(found.map(|(_, number)| number + 1))
    }

    /// The sets that a custodian is in, ascending.
    pub(crate) fn sets_of(&self, custodian: u32) -> Result<Vec<u32>> {
        let name = number_name(custodian);
        let Some((page, number)) = self.segment.find(List::Custodians, &name)? else {
            return Ok(Vec::new());
        };
        let local = (number % List::Custodians.page_items()) as usize;
        let item = page.get(local).and_then(|item| item.get(name.len()..)).unwrap_or_default();
        read_sets_of(item).map_err(|error| error.in_file(self.segment.path()))
    }
}

/// A segment's forms and lists, as rendering looks at them.
pub(super) struct Forming<'a> {
    pub(super) lists: &'a Lists,
    pub(super) forms: &'a Forms,
}

impl Forming<'_> {
    fn column(&self, column: u32) -> Result<&ColumnHead> {
        let column = self.forms.columns.get(column as usize);
        column.ok_or_else(|| Error::corrupt("no such column"))
    }
}

impl Lookup for Forming<'_> {
    fn templates(&self) -> &[Bound] {
        &self.forms.templates
    }

    fn contexts(&self) -> &[Context] {
        &self.forms.contexts
    }

    fn is_context(&self, column: u32) -> bool {
        self.forms.is_context.get(column as usize).copied().unwrap_or(false)
    }

    fn program(&self, made: &Made) -> Result<(Arc<Program>, bool)> {
        let known = &mut *self.forms.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = made.hash();
        let there = known.get(&key).and_then(Weak::upgrade);
        if let Some(program) = there.filter(|program| program.made == *made) {
            return Ok((program, false));
        }
        let program = Arc::new(Program::new(self, made.clone())?);
        if known.len() == SHARED_PROGRAMS {
            known.clear();
        }
        let _replaced = known.insert(key, Arc::downgrade(&program));
        Ok((program, true))
    }

    fn entry(&self, column: u32, code: u64) -> Result<&[u8]> {
        let place = self.column(column)?.entry(code);
        let place = place.ok_or_else(|| Error::corrupt("value of an unknown entry"))?;
        self.lists.item(List::Entries, place)
    }

    fn literal(&self, bytes: &[u8]) -> Literal {
        let literals = &mut *self.forms.literals();
        if let Some((text, number)) = literals.known.get_key_value(bytes) {
            return Literal { text: Arc::clone(text), number: *number };
        }
        let text: Arc<[u8]> = bytes.into();
        let number = literals.next(text.len()).unwrap_or(0);
        if number > 0 {
            let _ = literals.known.insert(Arc::clone(&text), number);
        }
        Literal { text, number }
    }

    fn run(&self, steps: &[u32]) -> Option<u32> {
        let literals = &mut *self.forms.literals();
        if let Some(number) = literals.runs.get(steps) {
            return Some(*number);
        }
        let number = literals.next(size_of_val(steps))?;
        let _ = literals.runs.insert(steps.into(), number);
        Some(number)
    }

    fn prediction(&self, column: u32, context: u64) -> Result<u64> {
        let Some((item, at)) = self.column(column)?.prediction(context) else { return Ok(0) };
        Ok(predicted_code(self.lists.item(List::Predictions, item)?, at))
    }

    fn spot(&self, row: u32) -> Result<Spot> {
        self.lists.spot(row)
    }

    fn conversation(&self, number: u32) -> Result<&[u8]> {
        self.lists.conversation_bytes(number)
    }

    fn sender(&self, number: u32) -> Result<&[u8]> {
        self.lists.item(List::Senders, number)
    }
}

fn gone() -> Error {
    Error::corrupt("segment's list has no such item")
}

fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}
