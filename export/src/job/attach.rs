//! The files and pictures of a message: which it names, and which of them the archive has.
//!
//! Everything that the archive holds for a message is handed out, also what its text no longer
//! names; everything that it names and the archive does not hold is listed with the reason. A
//! name that is given comes from a number that counts up in export order, so it is the same however
//! the work is divided.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, LazyLock};

use chatvault_engine::{ContentAddress, MessageKey, RecordKind, Snapshot, Value};
use chatvault_query::body::{Block, Document, ImageAt, Inline, snippet_at};
use chatvault_query::message::Message;
use memchr::memmem::Finder;

use crate::digest::Sha256;
use crate::entry::{Attached, AttachedState, Entry, NOT_READ, Version};
use crate::error::Result;
use crate::name::{path, safe};
use crate::request::archive;

/// Why a content of a message is not in the archive: told by whoever tried to fetch it. `None`: not
/// known.
pub type Reasons<'r> = &'r (dyn Fn(&MessageKey, &str) -> Option<String> + Sync);

/// What the archive's links of inline contents begin with.
const HOSTED: &str = "hostedContents/";
/// The archive's link of what the service says about each line of a transcript.
const DETAILS: &str = "metadataContent";
const NEVER_FETCHED: &str = "the archive does not have it: it was never fetched";
/// Digests that are remembered: some megabytes.
const MOST_KNOWN: usize = 65_536;
/// A longer code snippet stays a file.
const MOST_CODE_BYTES: u64 = 1 << 20;
/// Bytes that tell a picture's kind.
const MAGIC_BYTES: usize = 12;

/// Finds what belongs to messages, and names it.
pub(super) struct Attachments<'r> {
    snapshot: Snapshot,
    has_links: bool,
    reasons: Reasons<'r>,
    text_only: bool,
    /// `Some`: files are members, and their names begin so.
    prefix: Option<String>,
    /// Files are linked where they lie, and not read.
    is_view: bool,
    next: u64,
    known: HashMap<ContentAddress, ObjectFacts>,
}

/// What is known of an object after reading it once.
#[derive(Clone, Copy)]
struct ObjectFacts {
    size: u64,
    sha256: [u8; 32],
    magic: [u8; MAGIC_BYTES],
}

/// A content that a message names.
struct Named {
    link: String,
    index: Option<usize>,
    name: String,
    /// The versions that name it.
    versions: Vec<usize>,
}

impl<'r> Attachments<'r> {
    pub(super) fn new(snapshot: &Snapshot, reasons: Reasons<'r>, text_only: bool) -> Self {
        let snapshot = snapshot.clone();
        let has_links = snapshot.has_links();
        let known = HashMap::new();
        let (prefix, is_view, next) = (None, false, 0);
        Self { snapshot, has_links, reasons, text_only, prefix, is_view, next, known }
    }

    /// For somebody who looks at messages, and may look at a file.
    pub(super) fn where_they_lie(snapshot: &Snapshot, reasons: Reasons<'r>) -> Self {
        Self { is_view: true, ..Self::new(snapshot, reasons, false) }
    }

    /// Begins a window: its files are members whose names begin with `prefix`, or no members.
    pub(super) fn begin_window(&mut self, prefix: Option<String>) {
        (self.prefix, self.next) = (prefix, 0);
    }

    /// Finds what belongs to a message: what any of its versions names, and what is linked.
    pub(super) fn find(&mut self, entry: &mut Entry) -> Result<()> {
        let is_message = entry.key.record == RecordKind::Message;
        let names_some = |version: &Version| !is_message || may_name(&version.document);
        let names_some = entry.versions.iter().any(names_some);
        if !names_some && !self.has_links {
            return Ok(());
        }
        let links = if self.has_links {
            self.snapshot.links(&entry.key).map_err(archive)?
        } else {
            Vec::new()
        };
        if !names_some && links.is_empty() {
            return Ok(());
        }
        let mut named = all_named(&entry.versions);
        for (link, _) in &links {
            if !named.iter().any(|one| one.link == *link) {
                let name = if link == DETAILS { "transcript-details.vtt" } else { "" };
                named.push(Named::new(link.clone(), None, name.to_owned()));
            }
        }
        self.read_snippets(entry, &links)?;
        let key = entry.key.clone();
        for one in named {
            let object =
                links.iter().find(|(link, _)| *link == one.link).map(|(_, object)| *object);
            entry.attached.push(self.attached(&key, &one, object)?);
        }
        Ok(())
    }

    fn attached(
        &mut self,
        key: &MessageKey,
        named: &Named,
        object: Option<ContentAddress>,
    ) -> Result<Attached> {
        let hosted = named.link.strip_prefix(HOSTED);
        let attachment = name_of_link(&named.link);
        let content = match object {
            Some(object) if !self.text_only => self.content(&object)?,
            _ => None,
        };
        let name = file_name(&named.name, hosted.is_some(), content.as_ref());
        let state = match (object, content) {
            _ if self.text_only => AttachedState::Omitted,
            (Some(address), Some(ObjectFacts { size, sha256, .. })) => {
                let path = self.path(&address, &name);
                AttachedState::Stored { address, size, sha256, path }
            }
            (Some(_), None) => AttachedState::Unavailable {
                reason: "its object is missing in the archive".to_owned(),
            },
            (None, _) => {
                let reason = (self.reasons)(key, &named.link);
                AttachedState::Unavailable { reason: or_never(reason) }
            }
        };
        let media_type = media_type(&name).to_owned();
        let versions = named.versions.clone();
        Ok(Attached { attachment, index: named.index, versions, name, media_type, state })
    }

    /// Code that a message shows is text, though it came as a content.
    fn read_snippets(&self, entry: &mut Entry, links: &[(String, ContentAddress)]) -> Result<()> {
        for version in &mut entry.versions {
            let message = version.message();
            let mut snippets = Vec::new();
            for (index, attachment) in message.attachments.iter().enumerate() {
                let Some(at) = snippet_at(attachment) else { continue };
                let link = format!("{HOSTED}{}", at.hosted);
                let object = links.iter().find(|(name, _)| *name == link).map(|(_, object)| object);
                if let Some(lines) = object.map(|object| self.text(object)).transpose()?.flatten() {
                    snippets.push((index, lines));
                }
            }
            version.snippets = snippets;
        }
        Ok(())
    }

    /// An object as text; `None` if it is too long to be code, or not there.
    fn text(&self, address: &ContentAddress) -> Result<Option<Arc<str>>> {
        let bytes = self.snapshot.object_bytes(address).map_err(archive)?;
        if bytes.is_none_or(|bytes| bytes > MOST_CODE_BYTES) {
            return Ok(None);
        }
        let Some(mut reader) = self.snapshot.object(address).map_err(archive)? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        let _length = reader
            .read_to_end(&mut text)
            .map_err(|cause| archive_io(format!("the object {address} cannot be read"), cause))?;
        Ok(Some(String::from_utf8_lossy(&text).into()))
    }

    /// The file of the next stored content.
    fn path(&mut self, object: &ContentAddress, name: &str) -> Option<String> {
        if self.is_view {
            return Some(path(&["objects", &object.to_string()], &safe(name, "file")));
        }
        let prefix = self.prefix.as_deref()?;
        self.next += 1;
        let file = safe(&format!("{prefix}{:04}_{}", self.next, safe(name, "file")), "file");
        Some(path(&["Attachments"], &file))
    }

    /// Length and SHA-256 of an object, which is read for it.
    fn content(&mut self, address: &ContentAddress) -> Result<Option<ObjectFacts>> {
        if let Some(known) = self.known.get(address) {
            return Ok(Some(*known));
        }
        let Some(mut reader) = self.snapshot.object(address).map_err(archive)? else {
            return Ok(None);
        };
        let content = if self.is_view {
            let size = self.snapshot.object_bytes(address).map_err(archive)?.unwrap_or_default();
            ObjectFacts::start(&mut *reader, size)
        } else {
            ObjectFacts::read(&mut *reader)
        };
        let content = content
            .map_err(|cause| archive_io(format!("the object {address} cannot be read"), cause))?;
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let _ = self.known.insert(*address, content);
        Ok(Some(content))
    }
}

/// How an export calls what the archive has, or would have, under a link.
pub(super) fn name_of_link(link: &str) -> String {
    match link.strip_prefix(HOSTED) {
        Some(id) => format!("hosted:{id}"),
        None => format!("file:{link}"),
    }
}

/// What is said of a content of which nobody knows why it is missing.
pub(super) fn or_never(reason: Option<String>) -> String {
    reason.unwrap_or_else(|| NEVER_FETCHED.to_owned())
}

fn archive_io(what: String, cause: std::io::Error) -> crate::error::Error {
    crate::error::Error::Content { path: what, cause }
}

impl ObjectFacts {
    /// Of an object so large, by its first bytes.
    fn start(reader: &mut dyn Read, size: u64) -> std::io::Result<Self> {
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        let _length = reader.take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
        magic.resize(MAGIC_BYTES, 0);
        Ok(Self { size, sha256: NOT_READ, magic: magic.try_into().unwrap_or_default() })
    }

    fn read(reader: &mut dyn Read) -> std::io::Result<Self> {
        let mut content = Self { size: 0, sha256: [0; 32], magic: [0; MAGIC_BYTES] };
        let mut hash = Sha256::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = reader.read(&mut buffer)?;
            let read = buffer.get(..length).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            let start = usize::try_from(content.size).unwrap_or(usize::MAX).min(MAGIC_BYTES);
            let rest = content.magic.get_mut(start..).unwrap_or_default();
            rest.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
            hash.update(read);
            content.size += length as u64;
        }
        content.sha256 = hash.finish();
        Ok(content)
    }
}

/// What the versions of a message name: the latest first, so that the name is the last it had. What an
/// edit or a deletion took away is of those before.
fn all_named(versions: &[Version]) -> Vec<Named> {
    let latest = versions.len().saturating_sub(1);
    let mut all: Vec<Named> = Vec::new();
    for (at, version) in versions.iter().enumerate().rev() {
        for one in named(&version.message()) {
            let known = all.iter().position(|known| known.link == one.link);
            let index = one.index.filter(|_| at == latest);
            let place = known.unwrap_or_else(|| {
                all.push(Named { index, ..one });
                all.len() - 1
            });
            if let Some(known) = all.get_mut(place).filter(|one| one.versions.first() != Some(&at))
            {
                known.versions.insert(0, at);
            }
        }
    }
    all
}

impl Named {
    fn new(link: String, index: Option<usize>, name: String) -> Self {
        Self { link, index, name, versions: Vec::new() }
    }
}

/// Does a message name a content, or quote something that looks like one? Most do not, and are not
/// looked through.
fn may_name(document: &chatvault_engine::Document<'_>) -> bool {
    static SIGN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("hostedContents"));
    fn text<'d>(value: Value<'d>, name: &str) -> Option<Cow<'d, str>> {
        value.get(name)?.text()
    }
    let root = document.root();
    let has_sign = |text: Cow<'_, str>| SIGN.find(text.as_bytes()).is_some();
    let names = |one: Value<'_>| {
        text(one, "contentType").is_some_and(|kind| kind == "reference")
            || text(one, "content").is_some_and(has_sign)
    };
    root.get("body").and_then(|body| text(body, "content")).is_some_and(has_sign)
        || root.get("attachments").is_some_and(|list| list.elements().any(names))
}

/// What a message names, in the order of its attachments and then of its body.
fn named(message: &Message<'_>) -> Vec<Named> {
    let mut all = Vec::new();
    for (index, attachment) in message.attachments.iter().enumerate() {
        let is_file = attachment.content_type.as_deref() == Some("reference");
        let Some(link) = is_file.then(|| file_link(attachment)) else { continue };
        let name = attachment.name.as_deref().or_else(|| last_step(attachment.url.as_deref()?));
        let name = name.unwrap_or_default().to_owned();
        all.push(Named::new(link, Some(index), name));
    }
    for attachment in &message.attachments {
        let Some(at) = snippet_at(attachment) else { continue };
        let name = if at.name.is_empty() { "code.txt".to_owned() } else { at.name };
        all.push(Named::new(format!("{HOSTED}{}", at.hosted), None, name));
    }
    let document = Document::of(message);
    let mut left: Vec<&Block> = document.blocks.iter().rev().collect();
    while let Some(block) = left.pop() {
        match block {
            Block::Paragraph(inlines) | Block::Heading(_, inlines) => images(inlines, &mut all),
            Block::Quote { blocks, .. } => left.extend(blocks.iter().rev()),
            Block::List { items, .. } => left.extend(items.iter().flatten().rev()),
            Block::Table { rows } => {
                left.extend(rows.iter().flatten().flat_map(|cell| &cell.blocks).rev());
            }
            Block::Code { .. } | Block::Rule | Block::Attachment(_) => {}
        }
    }
    all
}

fn images(inlines: &[Inline], all: &mut Vec<Named>) {
    let mut left: Vec<&Inline> = inlines.iter().rev().collect();
    while let Some(inline) = left.pop() {
        match inline {
            Inline::Image { content: ImageAt::Hosted(id), name, .. } => {
                let link = format!("{HOSTED}{id}");
                if !all.iter().any(|one| one.link == link) {
                    all.push(Named::new(link, None, name.clone()));
                }
            }
            Inline::Strong(more)
            | Inline::Emphasis(more)
            | Inline::Underline(more)
            | Inline::Strike(more)
            | Inline::Superscript(more)
            | Inline::Subscript(more)
            | Inline::Link { inlines: more, .. } => left.extend(more.iter().rev()),
            _ => {}
        }
    }
}

/// The name that the archive's link of a file has: the attachment's id, or its address's hash.
fn file_link(attachment: &chatvault_query::message::Attachment<'_>) -> String {
    if let Some(id) = attachment.id.as_deref().filter(|id| !id.is_empty()) {
        return id.to_owned();
    }
    let address = attachment.url.as_deref().unwrap_or_default();
    format!("file/{}", blake3::hash(address.as_bytes()).to_hex())
}

fn last_step(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().filter(|step| !step.is_empty())
}

/// A file's name with an ending that says what it is; pictures in bodies come without.
fn file_name(named: &str, is_hosted: bool, content: Option<&ObjectFacts>) -> String {
    let name = match (named.trim(), is_hosted) {
        ("", true) => "image",
        ("", false) => "file",
        (named, _) => named,
    };
    let has_ending = name.rsplit_once('.').is_some_and(|(_, ending)| {
        (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let ending = content.and_then(|content| picture_ending(&content.magic));
    match ending.filter(|_| is_hosted && !has_ending) {
        Some(ending) => format!("{name}.{ending}"),
        None => name.to_owned(),
    }
}

fn picture_ending(magic: &[u8; MAGIC_BYTES]) -> Option<&'static str> {
    match magic.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpg"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("webp"),
        [b'B', b'M', ..] => Some("bmp"),
        _ => None,
    }
}

/// By the name's ending, as registered with IANA.
fn media_type(name: &str) -> &'static str {
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}
