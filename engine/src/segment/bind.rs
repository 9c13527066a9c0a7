//! Binding: every value of a document to the key or column that will hold it.
//!
//! Invariant: a bound template with the values that [`Sink`] was given renders exactly the
//! document. A value goes to a key or a time column only if that renders its exact bytes.

use std::sync::Arc;

use chatvault_base::decimal::put_decimal;
use chatvault_base::time::text::{self as time, Fraction};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::NewRow;
use super::bound::{Binding, Bound};
use super::shapes::Shapes;
use crate::document::{Document, Parts};
use crate::error::{Error, Result};
use crate::format::limits::{decoded, list};
use crate::row::{
    Canonical, Hole, HoleKind, Limits, Parser, PathId, Role, Shape, TemplateId, Templates,
};
use crate::types::{ContentAddress, Timestamp};

/// What the value of a text column usually goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    None,
    Sender,
    /// The `id` beside it.
    Column(u32),
}

/// Takes the values of one row after the other.
pub(crate) trait Sink {
    /// A place in the stream of array counts and element templates, filled by `fill`.
    fn reserve(&mut self) -> usize;
    fn fill(&mut self, slot: usize, number: u32);
    fn root(&mut self, template: u32);
    fn text(&mut self, column: u32, value: &[u8]);
    fn time(&mut self, column: u32, ticks: i64);
}

/// What is done with a hole besides putting it into its text column.
#[derive(Clone, Copy, Debug)]
enum Special {
    None,
    Role(Role),
    /// Its key ends in `DateTime`: a time column, if the value is a time.
    Time,
}

#[derive(Debug)]
struct HolePlan {
    kind: HoleKind,
    special: Special,
    text: Option<u32>,
    time: Option<u32>,
}

/// Choices per special hole, two bits each: 0 text, else 1 + the fraction's form (or 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Choices(u64);

const MAX_SPECIALS: u32 = 32;
/// A hole's binding, or a template's lengths, take no more.
const HOLE_BYTES: usize = 8;

/// Binds documents; its tables become the segment's templates and columns.
#[derive(Debug, Default)]
pub(crate) struct Binder {
    parser: Parser,
    /// By template.
    plans: Vec<Option<Arc<[HolePlan]>>>,
    bound: HashMap<(u32, u64), u32, RandomState>,
    pub(crate) list: Vec<Bound>,
    columns: HashMap<(PathId, bool), u32, RandomState>,
    pub(crate) contexts: Vec<Context>,
    shape: Shape,
    /// Of the rows before [`Binder::restart`].
    shapes: Shapes,
    is_again: bool,
    is_parsed: bool,
    canonical: Canonical,
    scratch: Vec<u8>,
    /// What the templates take in their section at most.
    template_bytes: usize,
    /// Rows since the first, or since [`Binder::restart`].
    row: u64,
    /// From this row on the tables are full and documents are kept whole.
    full_at: Option<u64>,
}

/// The template of rows kept raw, and its column.
pub(crate) const WHOLE: u32 = 0;

#[derive(Default)]
struct Position {
    node: usize,
    value: usize,
}

impl Binder {
    pub(crate) fn new() -> Self {
        let contexts = vec![Context::None];
        Self { list: vec![Bound::whole(0)], contexts, ..Self::default() }
    }

    /// The same rows come again, in the same order.
    pub(crate) fn restart(&mut self) {
        self.row = 0;
        self.is_again = true;
    }

    /// Has the segment no room for the templates and columns of another document? The second
    /// time the tables are as full as they get: what was bound the first time is bound again.
    fn is_full(&mut self, document: &[u8], shape: &Shape) -> bool {
        let row = self.row;
        self.row += 1;
        let new = shape.nodes.len() + 2 * shape.values.len();
        let bytes = document.len() + HOLE_BYTES * new;
        if new > list::COLUMNS.items / 2 || bytes > decoded::TEMPLATES / 2 {
            return true;
        }
        let full = self.list.len() + new > list::TEMPLATES.items
            || self.contexts.len() + new > list::COLUMNS.items
            || self.template_bytes + bytes > decoded::TEMPLATES;
        if full && self.full_at.is_none() {
            self.full_at = Some(row);
        }
        self.full_at.is_some_and(|first| row >= first)
    }

    /// Gives every value of a row to `sink`. False, and nothing given: the document has to be
    /// kept whole.
    pub(crate) fn bind<S: Sink>(&mut self, row: &NewRow<'_>, sink: &mut S) -> bool {
        let mut shape = std::mem::take(&mut self.shape);
        let full = self.parse(row, &mut shape);
        let parsed = self.is_parsed && !full;
        if parsed {
            let root = self.node(row, &shape, &mut Position::default(), sink);
            sink.root(root);
        }
        self.shape = shape;
        parsed
    }

    /// Takes a document apart, or looks up how it was the first time. Is the segment full for it?
    fn parse(&mut self, row: &NewRow<'_>, shape: &mut Shape) -> bool {
        if !self.is_again || self.shapes.read(shape).is_none() {
            let limits = Limits { trusted: row.address.is_some(), ..Limits::trusted() };
            if self.parser.parse(row.document, limits, shape).is_err() {
                *shape = Shape::default();
            }
            if !self.is_again {
                self.shapes.keep(shape);
            }
        }
        self.is_parsed = !shape.nodes.is_empty();
        self.is_full(row.document, shape)
    }

    /// The content address of the row that was bound last.
    pub(crate) fn address(&mut self, row: &NewRow<'_>) -> Result<ContentAddress> {
        if let Some(known) = row.address {
            return Ok(known);
        }
        if !self.is_parsed {
            let parsed = self.parser.parse(row.document, Limits::of(usize::MAX), &mut self.shape);
            let reason = parsed.err().unwrap_or_default();
            return Err(Error::corrupt(format!("stored row is no document: {reason}")));
        }
        Ok(self.canonical.address(&self.parser.templates, row.document, &self.shape).0)
    }

    /// The document of the row that was bound last, if it was taken apart.
    pub(crate) fn document<'d>(&self, json: &'d [u8]) -> Option<Document<'d>> {
        let is_of_it = self.is_parsed.then(|| Parts::built(&self.parser, &self.shape));
        is_of_it.and_then(|parts| Document::of(json, Arc::new(parts)).ok())
    }

    /// Keeps a document whole.
    pub(crate) fn bind_whole<S: Sink>(document: &[u8], sink: &mut S) {
        sink.text(0, document);
        sink.root(WHOLE);
    }

    fn node<S: Sink>(
        &mut self,
        row: &NewRow<'_>,
        shape: &Shape,
        at: &mut Position,
        sink: &mut S,
    ) -> u32 {
        let template = shape.nodes[at.node];
        at.node += 1;
        let plan = self.plan(template);
        let (mut choices, mut shift) = (Choices::default(), 0);
        for hole in plan.iter() {
            if hole.kind == HoleKind::Array {
                self.elements(row, shape, at, sink);
                continue;
            }
            let value = shape.values[at.value].of(row.document);
            at.value += 1;
            let choice = self.place(row, hole, value, sink);
            if !matches!(hole.special, Special::None) {
                choices.0 |= choice << shift;
                shift += 2;
            }
        }
        self.bound(template, choices, &plan)
    }

    fn elements<S: Sink>(
        &mut self,
        row: &NewRow<'_>,
        shape: &Shape,
        at: &mut Position,
        sink: &mut S,
    ) {
        let count = shape.nodes[at.node];
        at.node += 1;
        let slot = sink.reserve();
        sink.fill(slot, count);
        for _ in 0..count {
            let slot = sink.reserve();
            let element = self.node(row, shape, at, sink);
            sink.fill(slot, element);
        }
    }

    /// Puts one value where it belongs; the choice made for a special hole.
    fn place<S: Sink>(
        &mut self,
        row: &NewRow<'_>,
        hole: &HolePlan,
        value: &[u8],
        sink: &mut S,
    ) -> u64 {
        match hole.special {
            Special::Role(role) => {
                if let Some(choice) = self.key(row, role, value) {
                    return choice;
                }
            }
            Special::Time => {
                if let Some((at, fraction)) = time::parse_exact(value, &mut self.scratch) {
                    sink.time(
                        hole.time.unwrap_or(0),
                        at.ticks().wrapping_sub(row.modified.ticks()),
                    );
                    return 1 + fraction as u64;
                }
            }
            Special::None => {}
        }
        sink.text(hole.text.unwrap_or(0), value);
        0
    }

    /// The choice that lets a key stand for this value, if its rendering is the same.
    fn key(&mut self, row: &NewRow<'_>, role: Role, value: &[u8]) -> Option<u64> {
        let same = |key: Option<&str>| key.is_some_and(|key| key.as_bytes() == value).then_some(1);
        match role {
            Role::Created => self.key_time(row.created, value),
            Role::Modified => self.key_time(row.modified, value),
            Role::Id => same(Some(row.id)),
            Role::Etag => {
                self.scratch.clear();
                put_decimal(&mut self.scratch, row.version);
                (self.scratch == value).then_some(1)
            }
            Role::Chat | Role::Channel => same(Some(row.conversation)),
            Role::ReplyTo => same(row.reply_to),
            Role::User | Role::Application | Role::Device => same(row.sender),
            Role::MessageType | Role::Session | Role::Meeting => None,
        }
    }

    fn key_time(&mut self, key: Timestamp, value: &[u8]) -> Option<u64> {
        Fraction::ALL.into_iter().find_map(|fraction| {
            self.scratch.clear();
            time::render(key, fraction, &mut self.scratch);
            (self.scratch == value).then_some(1 + fraction as u64)
        })
    }

    fn bound(&mut self, template: u32, choices: Choices, plan: &[HolePlan]) -> u32 {
        if let Some(id) = self.bound.get(&(template, choices.0)) {
            return *id;
        }
        let mut shift = 0;
        let holes = plan.iter().map(|hole| {
            if matches!(hole.special, Special::None) {
                return binding(hole, 0);
            }
            shift += 2;
            binding(hole, (choices.0 >> (shift - 2)) & 3)
        });
        let skeleton = &self.parser.templates.get(TemplateId(template)).skeleton;
        let bound = Bound::new(skeleton, holes.collect());
        // A skeleton and its plan come from one parse, so they agree on the number of holes.
        let bound = bound.unwrap_or_else(|| Bound::whole(0));
        self.template_bytes += bound.bytes();
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(bound);
        let _ = self.bound.insert((template, choices.0), id);
        id
    }

    fn plan(&mut self, template: u32) -> Arc<[HolePlan]> {
        let place = template as usize;
        if let Some(Some(plan)) = self.plans.get(place) {
            return Arc::clone(plan);
        }
        let plan: Arc<[HolePlan]> = self.make_plan(template).into();
        if self.plans.len() <= place {
            self.plans.resize(place + 1, None);
        }
        self.plans[place] = Some(Arc::clone(&plan));
        plan
    }

    fn make_plan(&mut self, template: u32) -> Vec<HolePlan> {
        let known = self.parser.templates.get(TemplateId(template));
        let holes = known.holes.clone();
        let mut special: Vec<Special> = holes.iter().map(|_| Special::None).collect();
        for (role, _) in Role::ALL {
            if let Some(hole) = known.hole(role).and_then(|hole| special.get_mut(hole)) {
                *hole = Special::Role(role);
            }
        }
        let mut specials = 0;
        let plan = holes.iter().zip(special);
        plan.map(|(hole, special)| self.plan_hole(*hole, special, &mut specials)).collect()
    }

    fn plan_hole(&mut self, hole: Hole, mut special: Special, specials: &mut u32) -> HolePlan {
        let key = self.parser.templates.key(hole.path);
        let timely = hole.kind == HoleKind::Text && key.ends_with(b"DateTime");
        if timely && matches!(special, Special::None) {
            special = Special::Time;
        }
        if *specials == MAX_SPECIALS {
            special = Special::None;
        }
        *specials += u32::from(!matches!(special, Special::None));
        let text = (hole.kind != HoleKind::Array).then(|| self.column(hole.path, false));
        let time = matches!(special, Special::Time).then(|| self.column(hole.path, true));
        HolePlan { kind: hole.kind, special, text, time }
    }

    fn column(&mut self, path: PathId, time: bool) -> u32 {
        if let Some(column) = self.columns.get(&(path, time)) {
            return *column;
        }
        let context = if time { Context::None } else { self.context(path) };
        let column = u32::try_from(self.contexts.len()).unwrap_or(u32::MAX);
        self.contexts.push(context);
        let _ = self.columns.insert((path, time), column);
        column
    }

    fn context(&mut self, path: PathId) -> Context {
        let templates = &mut self.parser.templates;
        let parent = templates.parent(path);
        if templates.key(path) == b"id" || parent == PathId::ROOT {
            return Context::None;
        }
        if is_sender(templates, parent) {
            return Context::Sender;
        }
        let id = templates.child(parent, b"id");
        Context::Column(self.column(id, false))
    }
}

fn is_sender(templates: &Templates, path: PathId) -> bool {
    let above = templates.parent(path);
    matches!(templates.key(path), b"user" | b"application" | b"device")
        && templates.key(above) == b"from"
        && templates.parent(above) == PathId::ROOT
}

fn binding(hole: &HolePlan, choice: u64) -> Binding {
    let text = Binding::Text(hole.text.unwrap_or(0));
    let Some(form) = choice.checked_sub(1) else {
        return if hole.kind == HoleKind::Array { Binding::Array } else { text };
    };
    let fraction = Fraction::ALL[usize::try_from(form).unwrap_or(0) % Fraction::ALL.len()];
    match hole.special {
        Special::Time => Binding::Time(hole.time.unwrap_or(0), fraction),
        Special::Role(Role::Created) => Binding::Created(fraction),
        Special::Role(Role::Modified) => Binding::Modified(fraction),
        Special::Role(Role::Id) => Binding::Id,
        Special::Role(Role::Etag) => Binding::Version,
        Special::Role(Role::Chat | Role::Channel) => Binding::Conversation,
        Special::Role(Role::ReplyTo) => Binding::ReplyTo,
        Special::Role(Role::User | Role::Application | Role::Device) => Binding::Sender,
        Special::Role(_) | Special::None => text,
    }
}
