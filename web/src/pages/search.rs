//! `/a/{org}/search`: words, people, dates and kinds; hits in context. The address is the question.

use askama::Template;
use axum::response::Response;
use chatvault_engine::Snapshot;
use chatvault_export::entry::Entry;
use chatvault_export::entry::Viewer;
use chatvault_query::search::Index;
use chatvault_query::statistics::{By, Statistics};
use chatvault_query::{Kind, Order, Query, Record};

use crate::call::{Call, page};
use crate::failure::{Failure, Result};
use crate::fields::conversation_step;
use crate::frame::Frame;
use crate::known::Known;
use crate::organisation::Organisation;
use crate::pages::archive::index_words;
use crate::pages::chat::{Shown, moment};
use crate::text::{count, plural};

/// Hits of a page.
const HITS: usize = 20;
/// An archive of more rows is not searched without an index.
const FEW_ROWS: u64 = 50_000;
/// Groups of each count.
const GROUPS: usize = 12;

#[derive(Template)]
#[template(path = "search.html")]
struct View {
    frame: Frame,
    link: String,
    words: String,
    person: String,
    chat: String,
    from: String,
    to: String,
    kind: String,
    has_file: bool,
    kinds: [(&'static str, &'static str); 5],
    people: Vec<String>,
    is_asked: bool,
    problem: Option<Failure>,
    index: Option<String>,
    hits: Vec<Hit>,
    later: Option<String>,
    counts: Option<String>,
}

struct Hit {
    title: String,
    chat: String,
    html: String,
}

const KINDS: [(&str, &str); 5] = [
    ("message", "Messages"),
    ("system", "System events"),
    ("copilot", "Copilot"),
    ("recording", "Recordings"),
    ("transcript", "Transcripts"),
];

/// `GET /a/{org}/search`.
pub(crate) fn show(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let index = org.index();
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let fields = &call.query;
    let text = |name: &str| fields.get(name).unwrap_or_default().to_owned();
    let is_asked = ["q", "person", "chat", "from", "to", "kind", "file"]
        .into_iter()
        .any(|name| fields.has(name));
    let told = match &index {
        Ok(Some(index)) if index.sequence() == snapshot.sequence() => None,
        Ok(index) => Some(index_words(Ok(index.clone()), &snapshot)),
        Err(failure) => Some(index_words(Err(failure.clone()), &snapshot)),
    };
    let found = if is_asked {
        let is_plain = !fields.has("q") && !fields.has("file");
        let few = is_plain || snapshot.content().0 <= FEW_ROWS;
        match index {
            Ok(index) if index.is_some() || few => hits(call, &known, (&snapshot, index.as_ref())),
            _ => Err(Failure::first(
                "This archive needs a search index for words and files",
                "Build it: that reads every message once, and is done in the background.",
            )),
        }
    } else {
        Ok((Vec::new(), None))
    };
    let (found, problem) = match found {
        Ok(found) => (found, None),
        Err(failure) => ((Vec::new(), None), Some(failure)),
    };
    let is_early = problem.is_some() && known.is_early(snapshot.sequence().0);
    let is_counted = is_asked && problem.is_none() && !found.0.is_empty();
    page(&View {
        frame: Frame { refresh: is_early.then_some(2), ..call.frame("Search", &org, "search") },
        link: org.link(),
        words: text("q"),
        person: text("person"),
        chat: text("chat"),
        from: text("from"),
        to: text("to"),
        kind: text("kind"),
        has_file: fields.has("file"),
        kinds: KINDS,
        people: known.offered.clone(),
        is_asked,
        problem,
        index: told,
        hits: found.0,
        later: found.1.map(|cursor| format!("?{}", fields.with("cursor", Some(&cursor)))),
        counts: is_counted
            .then(|| format!("{}/search/counts?{}", org.link(), fields.with("cursor", None))),
    })
}

/// The question that an address asks.
fn query(call: &Call, known: &Known) -> Result<Query> {
    let fields = &call.query;
    let day = |name: &'static str| -> Result<Option<String>> {
        let at = fields.get(name).map(|text| moment(name, text, call.zone)).transpose()?;
        Ok(at.map(chatvault_query::format_time))
    };
    let person = fields.get("person").map(|text| known.person_meant(text)).transpose()?;
    let chat = fields.get("chat").map(|text| known.chat_meant(text)).transpose()?;
    let kind = fields.get("kind").unwrap_or_default();
    let mut query = Query {
        search: fields.get("q").map(str::to_owned),
        has_file: fields.has("file"),
        senders: person.into_iter().collect(),
        chats: chat.into_iter().collect(),
        created_from: day("from")?,
        created_to: day("to")?,
        order: Order::Created,
        reverse: true,
        cursor: fields.get("cursor").map(str::to_owned),
        ..Query::default()
    };
    match kind {
        "message" => query.kinds = vec![Kind::Message],
        "system" => query.kinds = vec![Kind::System],
        "" => {}
        record => query.record = record.parse()?,
    }
    Ok(query)
}

/// Hits, and the cursor behind them if there are more.
fn hits(
    call: &Call,
    known: &Known,
    (snapshot, index): (&Snapshot, Option<&Index>),
) -> Result<(Vec<Hit>, Option<String>)> {
    let query = query(call, known)?;
    let record = query.record;
    let mut answer = query.run_with(snapshot, index)?;
    let mut viewer = Viewer::new(snapshot, &|_, _| None);
    let mut hits = Vec::new();
    while hits.len() < HITS {
        let Some(row) = answer.next()? else { return Ok((hits, None)) };
        let (key, created) = (row.key(), row.created());
        if let Some(entry) = viewer.one(&key, record, created)? {
            hits.push(hit(call, (known, snapshot), record, &entry)?);
        }
    }
    let cursor = answer.cursor().map(|cursor| cursor.to_text());
    let has_more = answer.next()?.is_some();
    Ok((hits, cursor.filter(|_| has_more)))
}

fn hit(
    call: &Call,
    (known, snapshot): (&Known, &Snapshot),
    record: Record,
    entry: &Entry,
) -> Result<Hit> {
    let org = call.organisation()?;
    let conversation = entry.key.conversation.as_str();
    let shown = Shown { call, org: &org, snapshot, known, record, conversation };
    let chat = shown.chat();
    let place = match record {
        Record::Message => "chats".to_owned(),
        record => format!("meetings/{}", record.name()),
    };
    let at = entry.created.ticks();
    Ok(Hit {
        title: chat.title(),
        chat: format!("{}/{place}/{}?after={at}", org.link(), conversation_step(conversation)),
        html: shown.html(&chat, std::slice::from_ref(entry)),
    })
}

#[derive(Template)]
#[template(path = "counts.html")]
struct CountsView {
    frame: Frame,
    back: String,
    /// `None` while they are being counted.
    total: Option<String>,
    problem: Option<String>,
    tables: Vec<(&'static str, Vec<Group>)>,
}

struct Group {
    label: String,
    link: Option<String>,
    count: String,
}

/// How many hits a search has.
#[derive(Debug)]
pub(crate) struct Counts {
    total: u64,
    tables: Vec<Statistics>,
}

const COUNTED: [(&str, By); 3] =
    [("People", By::Sender), ("Chats", By::Conversation), ("Months", By::Month)];

impl Counts {
    fn read(question: &Query, snapshot: &Snapshot, index: Option<&Index>) -> Result<Self> {
        let by = COUNTED.map(|(_, by)| by);
        let mut tables = Statistics::count_each(question, &by, (snapshot, index))?;
        let total = tables.first().map_or(0, |one| one.total);
        for table in &mut tables {
            // Months are in order: the last ones are of most use.
            if table.by == By::Month {
                table.groups.reverse();
            }
            table.groups.truncate(GROUPS);
        }
        Ok(Self { total, tables })
    }
}

/// `GET /a/{org}/search/counts`: how many hits by person, chat and month.
pub(crate) fn counts(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let index = org.index()?;
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let question = query(call, &known)?;
    // Counts have no order: that of the archive is the quickest.
    let question = Query { cursor: None, order: Order::Conversation, reverse: false, ..question };
    let (asked, at) = (format!("{question:?}"), snapshot.sequence().0);
    let counted =
        org.counts.of(&asked, at, move || Counts::read(&question, &snapshot, index.as_ref()));
    let (counts, problem) = match counted.as_ref().map(|counted| counted.read.as_ref()) {
        None => (None, None),
        Some(Ok(counts)) => (Some(counts), None),
        Some(Err(failure)) => (None, Some(failure.line.clone())),
    };
    let tables = counts.map(|counts| {
        let table = |((title, by), table): (&(&'static str, By), &Statistics)| {
            let groups = table.groups.iter().map(|group| linked(call, (&org, &known), *by, group));
            (*title, groups.collect())
        };
        COUNTED.iter().zip(&counts.tables).map(table).collect()
    });
    let frame = call.frame("Counts", &org, "search");
    let is_counting = counts.is_none() && problem.is_none();
    page(&CountsView {
        frame: Frame { refresh: is_counting.then_some(1), ..frame },
        back: format!("{}/search?{}", org.link(), call.query.with("cursor", None)),
        total: counts.map(|counts| plural(counts.total, "hit")),
        problem,
        tables: tables.unwrap_or_default(),
    })
}

/// A group, with the search that is narrowed to it.
fn linked(
    call: &Call,
    (org, known): (&Organisation, &Known),
    by: By,
    group: &chatvault_query::statistics::Group,
) -> Group {
    let key = group.key.as_deref().unwrap_or_default();
    let narrower = |field: &str| {
        let query = call.query.with(field, Some(key));
        Some(format!("{}/search?{query}", org.link()))
    };
    let (label, link) = match by {
        By::Sender if key.is_empty() => ("nobody".to_owned(), None),
        By::Sender => (known.name(key), narrower("person")),
        By::Conversation => (known.title(key), narrower("chat")),
        _ => (key.to_owned(), None),
    };
    Group { label, link, count: count(group.count) }
}
