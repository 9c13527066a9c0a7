//! `/a/{org}/chats/{chat}`: a conversation, a page of it at a time, as exports show it.
//!
//! A page is a range of created times: of so many messages, and all of those with the same time. So
//! pages neither repeat nor leave out, whatever arrives meanwhile.

use askama::Template;
use axum::response::Response;
use chatvault_engine::{MessageKey, Scan, Snapshot, TimeRange, Timestamp};
use chatvault_export::entry::Viewer;
use chatvault_export::entry::{Chat, Context, Entry, NoObjects, RenderOptions, SystemEvents, Zone};
use chatvault_export::format::html;
use chatvault_query::{Record, parse_time};

use crate::call::{Call, page};
use crate::failure::{Failure, Result};
use crate::fields::{conversation_step, step};
use crate::frame::Frame;
use crate::known::Known;
use crate::organisation::Organisation;
use crate::pages::chats::kind_words;
use crate::pages::meetings;
use crate::text::{When, count, plural};

/// Messages of a page.
const MESSAGES: u64 = 50;
/// Messages of one thread that are shown.
const THREAD: usize = 500;
/// People who are named above a conversation.
const NAMED: usize = 12;

#[derive(Template)]
#[template(path = "chat.html")]
struct View {
    frame: Frame,
    link: String,
    title: String,
    kind: &'static str,
    id: String,
    people: Vec<(String, String)>,
    more_people: usize,
    count: String,
    first: Option<When>,
    last: Option<When>,
    html: String,
    is_thread: bool,
    events: Option<Events>,
    earlier: Option<String>,
    later: Option<String>,
    latest: Option<String>,
    at: String,
    downloads: String,
}

/// How system events are shown, and the address that shows them the other way.
struct Events {
    now: &'static str,
    other: &'static str,
    link: String,
}

impl Events {
    fn of(call: &Call) -> Self {
        let (now, other, choice) = match call.system_events() {
            SystemEvents::Placeholder => ("as a placeholder", "in words", "text"),
            _ => ("in words", "as a placeholder", "placeholder"),
        };
        Self { now, other, link: format!("?{}", call.query.with("events", Some(choice))) }
    }
}

/// What of a conversation is on a page, and what lies on both sides.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    range: TimeRange,
    /// There is something before it, or behind it.
    has_earlier: bool,
    has_later: bool,
}

/// `GET /a/{org}/chats/{chat}`: `?before=` and `?after=` are times in ticks, `?at=` a day.
pub(crate) fn show(call: &Call) -> Result<Response> {
    conversation(call, Record::Message, "chats", "chats")
}

/// A conversation of any kind of record, whose pages are below `base`.
pub(crate) fn conversation(
    call: &Call,
    record: Record,
    section: &'static str,
    base: &str,
) -> Result<Response> {
    let (org, id) = (call.organisation()?, call.conversation());
    let snapshot = org.snapshot()?;
    let scan =
        Scan { record: record.into(), conversations: vec![id.to_owned()], ..Scan::default() };
    let stretch = chosen(call, &snapshot, &scan)?;
    let mut viewer = Viewer::new(&snapshot, &|_, _| None);
    let entries = match stretch.range {
        TimeRange { from: None, to: None } => Vec::new(),
        range => viewer.between((record, id), range)?,
    };
    if entries.is_empty() && snapshot.count(&Scan { limit: Some(1), ..scan.clone() })? == 0 {
        return Err(Failure::missing("conversation"));
    }
    let known = org.known(&snapshot);
    let link = format!("{}/{base}/{}", org.link(), conversation_step(id));
    // A choice in the address goes along.
    let choice = call.query.get("events").map(step);
    let keep = |end: Option<Timestamp>, name: &str| {
        let ticks = end?.ticks().to_string();
        let kept = choice.as_ref().map(|choice| format!("&events={choice}"));
        Some(format!("{link}?{name}={ticks}{}", kept.unwrap_or_default()))
    };
    let (from, to) = (stretch.range.from, stretch.range.to);
    let shown =
        Shown { call, org: &org, snapshot: &snapshot, known: &known, record, conversation: id };
    let chat = shown.chat();
    let about = known.conversations.get(id).filter(|_| record == Record::Message);
    page(&View {
        title: chat.title(),
        kind: kind_words(chat.kind),
        people: chat.participants.iter().take(NAMED).map(|one| linked(&org, one)).collect(),
        more_people: chat.participants.len().saturating_sub(NAMED),
        count: about.as_ref().map(|one| plural(one.messages, "message")).unwrap_or_default(),
        first: about.as_ref().map(|one| When::day(call.zone, one.first)),
        last: about.as_ref().map(|one| When::day(call.zone, one.last)),
        html: shown.html(&chat, &entries),
        is_thread: false,
        earlier: keep(from.filter(|_| stretch.has_earlier), "before"),
        later: keep(to.filter(|_| stretch.has_later), "after"),
        latest: stretch.has_later.then(|| link.clone()),
        at: call.query.get("at").unwrap_or_default().to_owned(),
        downloads: format!("{}/downloads/new?chat={}", org.link(), step(id)),
        frame: call.frame(&chat.title(), &org, section),
        id: id.to_owned(),
        link,
        events: Some(Events::of(call)),
    })
}

fn linked(org: &Organisation, person: &chatvault_export::entry::Person) -> (String, String) {
    let link = format!("{}/chats?person={}", org.link(), step(&person.id));
    (person.label().to_owned(), link)
}

/// Which messages an address asks for: the latest if it says nothing.
fn chosen(call: &Call, snapshot: &Snapshot, scan: &Scan) -> Result<Stretch> {
    let ticks = |name| {
        let ticks: i64 = call.query.get(name)?.parse().ok()?;
        Some(Timestamp::from_ticks(ticks))
    };
    let day = call.query.get("at").map(|text| moment("at", text, call.zone)).transpose()?;
    match (ticks("after").or(day), ticks("before")) {
        (Some(after), _) => forwards(snapshot, scan, after),
        (None, before) => backwards(snapshot, scan, before),
    }
}

/// A day, month or time; a day begins where the viewer is.
pub(crate) fn moment(field: &'static str, text: &str, zone: Zone) -> Result<Timestamp> {
    let utc = parse_time(field, text)?;
    if text.contains('T') {
        return Ok(utc);
    }
    let offset = zone.local(utc).map_or(0, |local| local.offset().local_minus_utc());
    Ok(Timestamp::from_ms(utc.ms().saturating_sub(i64::from(offset) * 1_000)))
}

/// The first messages from a time on.
fn forwards(snapshot: &Snapshot, scan: &Scan, from: Timestamp) -> Result<Stretch> {
    let range = TimeRange { from: Some(from), to: None };
    let times = times(snapshot, Scan { created: range, ..scan.clone() })?;
    let has_later = times.len() as u64 > MESSAGES;
    let last = times.last().copied().unwrap_or(from);
    let is_one_time = times.first() == Some(&last);
    let behind = |at: Timestamp| Timestamp::from_ticks(at.ticks().saturating_add(1));
    let to = if has_later && !is_one_time { last } else { behind(last) };
    let before = TimeRange { from: None, to: Some(from) };
    let earlier = Scan { created: before, limit: Some(1), ..scan.clone() };
    let has_earlier = snapshot.count(&earlier)? > 0;
    Ok(Stretch { range: TimeRange { from: Some(from), to: Some(to) }, has_earlier, has_later })
}

/// The last messages before a time, or of all.
fn backwards(snapshot: &Snapshot, scan: &Scan, to: Option<Timestamp>) -> Result<Stretch> {
    let range = TimeRange { from: None, to };
    let times = times(snapshot, Scan { created: range, backwards: true, ..scan.clone() })?;
    let most = usize::try_from(MESSAGES).unwrap_or(usize::MAX);
    let Some(from) = times.get(most - 1).or(times.last()).copied() else {
        return Ok(Stretch::default());
    };
    // More with the very same time are on this page, too.
    let has_earlier = times.get(most).is_some_and(|next| *next < from) || {
        let before = TimeRange { from: None, to: Some(from) };
        let earlier = Scan { created: before, limit: Some(1), ..scan.clone() };
        times.len() > most && snapshot.count(&earlier)? > 0
    };
    let has_later = to.is_some();
    Ok(Stretch { range: TimeRange { from: Some(from), to }, has_earlier, has_later })
}

/// When the first messages of a scan were created: one more than a page has.
fn times(snapshot: &Snapshot, scan: Scan) -> Result<Vec<Timestamp>> {
    let mut rows = snapshot.scan(&Scan { limit: Some(MESSAGES + 1), ..scan })?;
    let mut times = Vec::new();
    while let Some(row) = rows.next()? {
        times.push(row.created());
    }
    Ok(times)
}

/// `GET /a/{org}/chats/{chat}/threads/{root}`: a post with its replies.
pub(crate) fn thread(call: &Call) -> Result<Response> {
    let (org, id, root) = (call.organisation()?, call.conversation(), call.step("root"));
    let snapshot = org.snapshot()?;
    let mut times = Vec::new();
    let scan = Scan { conversations: vec![id.to_owned()], ..Scan::default() };
    let _rows = snapshot.keys(&scan, &mut |row| {
        let key = row.key();
        if key.reply_to.as_deref() == Some(root) || (key.reply_to.is_none() && key.id == root) {
            times.push((row.created(), key));
        }
    })?;
    times.sort_by_key(|(created, _)| *created);
    let of = times.len();
    let mut viewer = Viewer::new(&snapshot, &|_, _| None);
    let mut entries = Vec::new();
    for (created, key) in times.into_iter().take(THREAD) {
        entries.extend(viewer.one(&key, Record::Message, created)?);
    }
    let known = org.known(&snapshot);
    let record = Record::Message;
    let shown =
        Shown { call, org: &org, snapshot: &snapshot, known: &known, record, conversation: id };
    let chat = shown.chat();
    let link = format!("{}/chats/{}", org.link(), step(id));
    page(&View {
        title: chat.title(),
        kind: "Thread",
        people: Vec::new(),
        more_people: 0,
        count: format!("{} of {}", count(entries.len() as u64), plural(of as u64, "message")),
        first: None,
        last: None,
        html: shown.html(&chat, &entries),
        is_thread: true,
        events: None,
        earlier: None,
        later: None,
        latest: Some(link.clone()),
        at: String::new(),
        downloads: format!("{}/downloads/new?chat={}", org.link(), step(id)),
        frame: call.frame(&chat.title(), &org, "chats"),
        id: id.to_owned(),
        link,
    })
}

/// Where the pages of a conversation's messages are.
pub(crate) fn messages(org: &Organisation, record: Record, conversation: &str) -> String {
    format!("{}/messages/{}/{}/", org.link(), record.name(), conversation_step(conversation))
}

/// How messages are shown to a viewer.
pub(crate) struct Shown<'s> {
    pub(crate) call: &'s Call,
    pub(crate) org: &'s Organisation,
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) known: &'s Known,
    pub(crate) record: Record,
    pub(crate) conversation: &'s str,
}

impl Shown<'_> {
    /// The conversation as renderers see it.
    pub(crate) fn chat(&self) -> Chat {
        match self.record {
            Record::Message => self.known.chat_of(self.conversation),
            record => meetings::chat(self.known, record, self.conversation),
        }
    }

    /// Messages of a conversation.
    pub(crate) fn html(&self, chat: &Chat, entries: &[Entry]) -> String {
        let options = RenderOptions {
            zone: self.call.zone,
            system_events: self.call.system_events(),
            ..RenderOptions::default()
        };
        let context =
            Context { tenant: "", chat, names: self.known, options: &options, objects: &NoObjects };
        let start = messages(self.org, self.record, self.conversation);
        let root = format!("{}/", self.org.link());
        let elsewhere = |id: &str| self.elsewhere(id);
        html::fragment(&html::Scene::new(context).opening(&root, &start), entries, &elsewhere)
    }

    /// Where the conversation shows a message that is not on this page. What cannot be read has no link.
    fn elsewhere(&self, id: &str) -> Option<String> {
        if self.record != Record::Message {
            return None;
        }
        let key = MessageKey {
            record: self.record.into(),
            conversation: self.conversation.to_owned(),
            reply_to: None,
            id: id.to_owned(),
        };
        let at = self.snapshot.latest(&key).ok()??.created.ticks();
        let chat = conversation_step(self.conversation);
        Some(format!("{}/chats/{chat}?after={at}#{}", self.org.link(), html::anchor(id)))
    }
}
