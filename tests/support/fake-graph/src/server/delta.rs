//! Delta: what changed since a token was given out, and tokens that are forgotten.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::{Outcome, Refusal};
use super::exports::{form, organize, refusal, top};
use super::filter::{Dialect, Filter};
use super::links::encode_id;
use super::render::delta_page;
use super::request::Asked;
use super::route::{Export, Kind};
use super::service::{Service, Source, happens};
use crate::Ms;
use crate::tenant::{Collection, DAY_MS, Window};

/// Most items in a page.
const PAGE: usize = 50;
/// Eight months: how far back the first round goes.
const HORIZON_MS: Ms = 243 * DAY_MS;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The first round's lower bound.
    since: Option<Ms>,
    /// When the round before was asked; none in the first round.
    before: Option<Ms>,
    /// When this round began; none if the token opens a new one.
    at: Option<Ms>,
    skip: usize,
    top: usize,
    issued: Ms,
}

/// One page of a delta round.
pub(crate) fn answer(service: &Service, asked: &Asked, export: &Export, id: &str) -> Outcome {
    let state = state(service, asked, export, id)?;
    let at = state.at.unwrap_or(asked.now);
    let rows = round(service, asked, export, (id, &state, at));
    let end = (state.skip + state.top).min(rows.len());
    let part = rows.get(state.skip.min(end)..end).unwrap_or_default();
    let last = end >= rows.len();
    let next = if last {
        State { before: Some(at), at: None, skip: 0, issued: asked.now, ..state }
    } else {
        State { at: Some(at), skip: end, issued: asked.now, ..state }
    };
    let link = link(service, asked, export, &next);
    service.hand_out(&link);
    let name = if last { "@odata.deltaLink" } else { "@odata.nextLink" };
    let item_type = if export.kind == Kind::Chats {
        "microsoft.graph.chatMessage"
    } else {
        export.kind.item_type().unwrap_or_default()
    };
    let (origin, version) = (&service.origin, asked.version());
    let context = format!("{origin}/{version}/$metadata#Collection({item_type})");
    let items: Vec<&[u8]> = part.iter().map(|row| row.as_bytes()).collect();
    Ok(delta_page(&context, &items, name, &format!("{origin}{link}")))
}

fn state(service: &Service, asked: &Asked, export: &Export, id: &str) -> Result<State, Refusal> {
    let token = asked.query.get("deltatoken").or_else(|| asked.query.get("skiptoken"));
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return first(service, asked, export, id);
    };
    let days = Ms::from(service.behaviour().delta_days);
    let known = service.recognise(&asked.target).then(|| State::read(token)).flatten();
    let fresh = known.filter(|state| asked.now - state.issued <= days * DAY_MS);
    fresh.ok_or_else(|| {
        let start = format!("{}{}?$deltatoken=", service.origin, asked.path());
        let text = "The sync state generation is not found. Please resync.";
        Refusal::new(410, "syncStateNotFound", text).with("location", start)
    })
}

fn first(service: &Service, asked: &Asked, export: &Export, id: &str) -> Result<State, Refusal> {
    let top = top(asked)?.unwrap_or(PAGE);
    if top > PAGE {
        return Err(Refusal::bad("Limit of '50' for Top Query has been exceeded."));
    }
    let mut filter = Filter::default();
    if export.kind.is_meeting() {
        organize(&mut filter, service, asked, (export, id))?;
    } else if let Some(text) = asked.query.get("filter") {
        filter =
            Filter::parse(text, Dialect::Delta).map_err(|refused| refusal(service, refused))?;
    }
    let skip = asked.query.number("skip").unwrap_or(0);
    Ok(State { since: filter.window.after, before: None, at: None, skip, top, issued: asked.now })
}

/// All rows of a round: newest first, what was deleted or edited not apart from the rest.
fn round(
    service: &Service,
    asked: &Asked,
    export: &Export,
    (id, state, at): (&str, &State, Ms),
) -> Vec<Arc<str>> {
    let Source::Tenant(tenant) = &service.source else { return Vec::new() };
    let collection = match export.kind {
        Kind::Chats => Collection::ChatsDelta(id.to_owned()),
        kind => kind.collection(id.to_owned()),
    };
    let horizon = (export.kind == Kind::Chats).then_some(at - HORIZON_MS);
    let window = Window { after: state.since.max(horizon), before: None };
    let mut rows = tenant.rows(&collection, window, at, form(service, asked));
    if let Some(before) = state.before {
        let known = tenant.rows(&collection, window, before, form(service, asked));
        let known: HashSet<Arc<str>> = known.into_iter().map(|row| row.json).collect();
        let replays = service.behaviour().faults.delta_replays;
        let mut chance = service.chance(&format!("replay {id}"), at.unsigned_abs());
        rows.retain(|row| !known.contains(&row.json) || happens(&mut chance, replays));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.modified));
    rows.into_iter().map(|row| row.json).collect()
}

/// The path and query of the next page, or of the next round.
fn link(service: &Service, asked: &Asked, export: &Export, next: &State) -> String {
    let (version, id) = (asked.version(), encode_id(&export.owner));
    let token = next.token(service);
    let arguments = export.arguments.as_deref().unwrap_or_default();
    let function = match export.kind {
        Kind::Recordings => "getAllRecordings",
        Kind::Transcripts => "getAllTranscripts",
        _ => {
            let name = if next.at.is_some() { "skiptoken" } else { "deltatoken" };
            return format!("/{version}/users/{id}/chats/getAllMessages/delta?${name}={token}");
        }
    };
    format!(
        "/{version}/users('{id}')/onlineMeetings/{function}({arguments})/delta?skipToken={token}"
    )
}

impl State {
    /// Looks like the service's tokens: two parts of unpadded base64.
    fn token(&self, service: &Service) -> String {
        let text = |value: Option<Ms>| value.map_or_else(String::new, |value| value.to_string());
        let plain = format!(
            "{}|{}|{}|{}|{}|{}",
            text(self.since),
            text(self.before),
            text(self.at),
            self.skip,
            self.top,
            self.issued
        );
        let seal = service.chance(&plain, 0).guid();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(plain), URL_SAFE_NO_PAD.encode(seal))
    }

    fn read(token: &str) -> Option<Self> {
        let (plain, _) = token.split_once('.')?;
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(plain).ok()?).ok()?;
        let mut parts = plain.split('|');
        Some(Self {
            since: parts.next()?.parse().ok(),
            before: parts.next()?.parse().ok(),
            at: parts.next()?.parse().ok(),
            skip: parts.next()?.parse().ok()?,
            top: parts.next()?.parse().ok()?,
            issued: parts.next()?.parse().ok()?,
        })
    }
}
