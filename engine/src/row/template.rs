//! Templates: the bytes of a node with its values cut out, and what is known about the holes.
//!
//! In a skeleton the byte 0 stands for a scalar and 1 for the elements of an array; neither can
//! occur in JSON outside strings. A template is known by its skeleton and the path of its node.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::escape;
use super::parse::Limits;

/// Marks a scalar's place in a skeleton.
pub(crate) const SCALAR: u8 = 0;
/// Marks the place of an array's elements in a skeleton.
pub(crate) const ARRAY: u8 = 1;

const MAX_TEMPLATES: usize = 1 << 16;
const MAX_BYTES: usize = 32 << 20;

/// A key path from the root, interned: `reactions`, `[]`, `user`, `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PathId(pub(crate) u32);

impl PathId {
    pub(crate) const ROOT: Self = Self(0);
}

/// A template among those of one [`Templates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TemplateId(pub(crate) u32);

/// What stands in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoleKind {
    Number,
    Text,
    Array,
}

/// A hole of a skeleton, in reading order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hole {
    pub(crate) kind: HoleKind,
    pub(crate) path: PathId,
    /// Where its byte is in the skeleton.
    pub(crate) at: usize,
    /// The path of an array's elements.
    pub(crate) elements: PathId,
    /// How many objects and arrays of the node it is in; an array is in itself.
    pub(crate) depth: usize,
}

/// The values of a root node that identify a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Id,
    Etag,
    Created,
    Modified,
    Chat,
    Channel,
    ReplyTo,
    User,
    Application,
    Device,
    MessageType,
    Session,
    Meeting,
}

impl Role {
    pub(crate) const ALL: [(Self, &'static [&'static [u8]]); 13] = [
        (Self::Id, &[b"id"]),
        (Self::Etag, &[b"etag"]),
        (Self::Created, &[b"createdDateTime"]),
        (Self::Modified, &[b"lastModifiedDateTime"]),
        (Self::Chat, &[b"chatId"]),
        (Self::Channel, &[b"channelIdentity", b"channelId"]),
        (Self::ReplyTo, &[b"replyToId"]),
        (Self::User, &[b"from", b"user", b"id"]),
        (Self::Application, &[b"from", b"application", b"id"]),
        (Self::Device, &[b"from", b"device", b"id"]),
        (Self::MessageType, &[b"messageType"]),
        (Self::Session, &[b"sessionId"]),
        (Self::Meeting, &[b"meetingId"]),
    ];
}

/// A node's skeleton, understood.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) skeleton: Box<[u8]>,
    pub(crate) holes: Vec<Hole>,
    /// The hole of each [`Role`], in the order of [`Role::ALL`]; only strings play a role.
    roles: [Option<u16>; Role::ALL.len()],
    /// There is an `eventDetail` that is not null.
    pub(crate) has_event: bool,
    pub(crate) canonical: Vec<Step>,
    /// The node as a tree in one list, in reading order.
    pub(crate) items: Vec<Item>,
}

/// A value of a node, and what it is called there.
#[derive(Debug)]
pub(crate) struct Item {
    /// Decoded; empty for what is no member.
    pub(crate) name: Box<str>,
    pub(crate) form: Form,
    /// The item behind it and what is in it.
    pub(crate) end: u32,
}

/// What stands at an item; holes by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Null,
    Boolean(bool),
    Number(u32),
    Text(u32),
    /// A list with elements.
    Array(u32),
    Empty,
    Object,
}

impl Template {
    /// The hole that plays a role.
    pub(crate) fn hole(&self, role: Role) -> Option<usize> {
        self.roles[role as usize].map(usize::from)
    }

    pub(crate) fn arrays(&self) -> bool {
        self.holes.iter().any(|hole| hole.kind == HoleKind::Array)
    }
}

/// A piece of a node's canonical form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Bytes(Box<[u8]>),
    Hole(usize),
}

type Interned<K> = HashMap<K, u32, RandomState>;

/// All templates met, and the paths of their nodes and holes.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    list: Vec<Arc<Template>>,
    known: Interned<(PathId, Box<[u8]>)>,
    paths: Vec<(PathId, Box<[u8]>)>,
    children: Interned<(PathId, Box<[u8]>)>,
    bytes: usize,
}

impl Templates {
    pub(crate) fn get(&self, TemplateId(id): TemplateId) -> &Arc<Template> {
        &self.list[id as usize]
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_TEMPLATES || self.bytes >= MAX_BYTES
    }

    /// The id of a template, met before or not. `None`: there are too many.
    pub(crate) fn intern(&mut self, path: PathId, skeleton: &[u8]) -> Option<TemplateId> {
        if let Some(id) = self.known.get(&(path, skeleton) as &dyn Keyed) {
            return Some(TemplateId(*id));
        }
        // A full table still takes one document's worth of shapes before `relax`.
        if self.list.len() >= 2 * MAX_TEMPLATES || self.bytes >= 2 * MAX_BYTES {
            return None;
        }
        let template = self.understand(path, skeleton)?;
        let id = u32::try_from(self.list.len()).ok()?;
        self.bytes += skeleton.len() * 6 + 512;
        self.list.push(Arc::new(template));
        let _ = self.known.insert((path, skeleton.into()), id);
        Some(TemplateId(id))
    }

    /// The path of a member below another path.
    pub(crate) fn child(&mut self, path: PathId, key: &[u8]) -> PathId {
        if let Some(id) = self.children.get(&(path, key) as &dyn Keyed) {
            return PathId(*id);
        }
        self.paths.push((path, key.into()));
        // Path 0 is the root, which has no key.
        let id = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        self.bytes += key.len() * 2 + 64;
        let _ = self.children.insert((path, key.into()), id);
        PathId(id)
    }

    /// The last key of a path.
    pub(crate) fn key(&self, PathId(id): PathId) -> &[u8] {
        id.checked_sub(1).and_then(|at| self.paths.get(at as usize)).map_or(b"", |path| &path.1)
    }

    /// The path above a path.
    pub(crate) fn parent(&self, PathId(id): PathId) -> PathId {
        id.checked_sub(1).and_then(|at| self.paths.get(at as usize)).map_or(PathId::ROOT, |p| p.0)
    }

    fn understand(&mut self, path: PathId, skeleton: &[u8]) -> Option<Template> {
        let mut reading = Outline::new(self, skeleton)?;
        let tree = reading.value(path)?;
        let holes = reading.holes;
        let mut canonical = Vec::new();
        let mut text = Vec::new();
        tree.canonical(&mut text, &mut canonical);
        flush(&mut text, &mut canonical);
        let mut roles = [None; Role::ALL.len()];
        if path == PathId::ROOT {
            for (place, (_, keys)) in roles.iter_mut().zip(Role::ALL) {
                *place = tree.text_at(keys).and_then(|hole| u16::try_from(hole).ok());
            }
        }
        let has_event = tree.member(b"eventDetail").is_some_and(|event| !event.is_null());
        let mut items = Vec::new();
        tree.list(String::new(), &mut items);
        Some(Template { skeleton: skeleton.into(), holes, roles, has_event, canonical, items })
    }
}

/// Lets a map of owned keys be asked with borrowed ones.
trait Keyed {
    fn parts(&self) -> (PathId, &[u8]);
}

impl Keyed for (PathId, Box<[u8]>) {
    fn parts(&self) -> (PathId, &[u8]) {
        (self.0, &self.1)
    }
}

impl Keyed for (PathId, &[u8]) {
    fn parts(&self) -> (PathId, &[u8]) {
        (self.0, self.1)
    }
}

impl std::hash::Hash for dyn Keyed + '_ {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl hashbrown::Equivalent<(PathId, Box<[u8]>)> for dyn Keyed + '_ {
    fn equivalent(&self, key: &(PathId, Box<[u8]>)) -> bool {
        self.parts() == key.parts()
    }
}

/// A skeleton as a tree.
pub(super) enum Tree<'s> {
    Literal(&'s [u8]),
    Scalar { hole: usize, quoted: bool },
    Array { hole: usize },
    Object(Vec<Member<'s>>),
}

pub(super) struct Member<'s> {
    /// Decoded, for order and look-up.
    pub(super) name: Vec<u8>,
    /// Canonical, without quotes.
    pub(super) spelled: Vec<u8>,
    pub(super) value: Tree<'s>,
}

impl Tree<'_> {
    /// The last member of a name: the one that counts.
    fn member(&self, name: &[u8]) -> Option<&Self> {
        let Tree::Object(members) = self else { return None };
        members.iter().rev().find(|member| member.name == name).map(|member| &member.value)
    }

    fn text_at(&self, keys: &[&[u8]]) -> Option<usize> {
        match keys.iter().try_fold(self, |tree, key| tree.member(key))? {
            Tree::Scalar { hole, quoted: true } => Some(*hole),
            _ => None,
        }
    }

    /// Appends it and what is in it. Of members with equal names the last one counts.
    fn list(&self, name: String, items: &mut Vec<Item>) {
        let number = |hole: usize| u32::try_from(hole).unwrap_or(u32::MAX);
        let form = match self {
            Self::Literal(b"null") => Form::Null,
            Self::Literal(b"[]") => Form::Empty,
            Self::Literal(word) => Form::Boolean(*word == b"true"),
            Self::Scalar { hole, quoted: true } => Form::Text(number(*hole)),
            Self::Scalar { hole, quoted: false } => Form::Number(number(*hole)),
            Self::Array { hole } => Form::Array(number(*hole)),
            Self::Object(_) => Form::Object,
        };
        let place = items.len();
        items.push(Item { name: name.into(), form, end: 0 });
        if let Self::Object(members) = self {
            let mut order: Vec<usize> = (0..members.len()).collect();
            order.sort_by(|a, b| members[*a].name.cmp(&members[*b].name));
            let is_last = |pair: &&[usize]| members[pair[0]].name != members[pair[1]].name;
            let counted = order.windows(2).filter(is_last).map(|pair| pair[0]);
            let mut counted: Vec<usize> = counted.chain(order.last().copied()).collect();
            counted.sort_unstable();
            for member in counted.into_iter().map(|place| &members[place]) {
                let name = String::from_utf8_lossy(&member.name).into_owned();
                member.value.list(name, items);
            }
        }
        items[place].end = number(items.len());
    }

    fn is_null(&self) -> bool {
        matches!(self, Tree::Literal(b"null"))
    }

    fn canonical(&self, text: &mut Vec<u8>, steps: &mut Vec<Step>) {
        match self {
            Tree::Literal(bytes) => text.extend_from_slice(bytes),
            Tree::Scalar { hole, quoted } => {
                let quote: &[u8] = if *quoted { b"\"" } else { b"" };
                text.extend_from_slice(quote);
                flush(text, steps);
                steps.push(Step::Hole(*hole));
                text.extend_from_slice(quote);
            }
            Tree::Array { hole } => {
                text.push(b'[');
                flush(text, steps);
                steps.push(Step::Hole(*hole));
                text.push(b']');
            }
            Tree::Object(members) => canonical_object(members, text, steps),
        }
    }
}

fn canonical_object(members: &[Member<'_>], text: &mut Vec<u8>, steps: &mut Vec<Step>) {
    let mut sorted: Vec<&Member<'_>> = members.iter().collect();
    // Stable: members with equal keys keep their order.
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    text.push(b'{');
    for (at, member) in sorted.into_iter().enumerate() {
        text.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
        text.extend_from_slice(&member.spelled);
        text.extend_from_slice(b"\":");
        member.value.canonical(text, steps);
    }
    text.push(b'}');
}

fn flush(text: &mut Vec<u8>, steps: &mut Vec<Step>) {
    if !text.is_empty() {
        steps.push(Step::Bytes(std::mem::take(text).into()));
    }
}

/// Reads a skeleton: one that the parser made of valid JSON, or what stands in a segment for one.
pub(super) struct Outline<'t, 's> {
    templates: &'t mut Templates,
    skeleton: &'s [u8],
    at: usize,
    depth: usize,
    holes: Vec<Hole>,
}

impl<'t, 's> Outline<'t, 's> {
    pub(super) fn new(templates: &'t mut Templates, skeleton: &'s [u8]) -> Option<Self> {
        let is_before = |byte: &u8| matches!(byte, b',' | b' ' | b'\n' | b'\r' | b'\t');
        let at = skeleton.iter().position(|byte| !is_before(byte))?;
        Some(Self { templates, skeleton, at, depth: 0, holes: Vec::new() })
    }

    pub(super) fn value(&mut self, path: PathId) -> Option<Tree<'s>> {
        match *self.skeleton.get(self.at)? {
            // A segment that was forged says anything; the parser takes nothing deeper.
            b'{' if self.depth >= Limits::DEPTH => None,
            b'{' => {
                self.depth += 1;
                let object = self.object(path);
                self.depth -= 1;
                object
            }
            b'[' => Some(self.array(path)),
            b'"' => {
                let hole = self.hole(HoleKind::Text, path, self.at + 1);
                self.at += 3;
                Some(Tree::Scalar { hole, quoted: true })
            }
            SCALAR => {
                let hole = self.hole(HoleKind::Number, path, self.at);
                self.at += 1;
                Some(Tree::Scalar { hole, quoted: false })
            }
            _ => Some(self.literal()),
        }
    }

    fn literal(&mut self) -> Tree<'s> {
        let rest = self.skeleton.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        self.at += length;
        Tree::Literal(&rest[..length])
    }

    fn array(&mut self, path: PathId) -> Tree<'s> {
        self.at += 1;
        if self.skeleton.get(self.at) == Some(&ARRAY) {
            let hole = self.hole(HoleKind::Array, path, self.at);
            let elements = self.templates.child(path, b"[]");
            let tree = Tree::Array { hole };
            if let Some(hole) = self.holes.get_mut(hole) {
                (hole.elements, hole.depth) = (elements, self.depth + 1);
            }
            self.at += 1;
            self.space();
            self.at += 1;
            return tree;
        }
        self.space();
        self.at += 1;
        Tree::Literal(b"[]")
    }

    fn object(&mut self, path: PathId) -> Option<Tree<'s>> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.space();
            match *self.skeleton.get(self.at)? {
                b'}' => {
                    self.at += 1;
                    return Some(Tree::Object(members));
                }
                b',' => self.at += 1,
                _ => members.push(self.member(path)?),
            }
        }
    }

    fn member(&mut self, path: PathId) -> Option<Member<'s>> {
        let key = self.key()?;
        let path = self.templates.child(path, key);
        self.space();
        self.at += 1;
        self.space();
        let (mut name, mut spelled) = (Vec::new(), Vec::new());
        escape::decode(key, &mut name);
        escape::canonical(key, &mut spelled);
        Some(Member { name, spelled, value: self.value(path)? })
    }

    fn key(&mut self) -> Option<&'s [u8]> {
        let start = self.at + 1;
        let mut end = start;
        while *self.skeleton.get(end)? != b'"' {
            end += if self.skeleton.get(end) == Some(&b'\\') { 2 } else { 1 };
        }
        self.at = end + 1;
        self.skeleton.get(start..end)
    }

    fn space(&mut self) {
        while matches!(self.skeleton.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn hole(&mut self, kind: HoleKind, path: PathId, at: usize) -> usize {
        self.holes.push(Hole { kind, path, at, elements: path, depth: self.depth });
        self.holes.len() - 1
    }
}
