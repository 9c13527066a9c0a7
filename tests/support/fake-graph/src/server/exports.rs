//! The bulk exports: whose, which rows, cut into pages in ways a client has to bear.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use chatvault_support::{Random, parse_time};

use super::answer::{Outcome, Refusal};
use super::behaviour::Paging;
use super::delta;
use super::filter::{Dialect, Filter, Refused};
use super::links::{self, Continuation};
use super::render::{Page, context};
use super::request::Asked;
use super::route::{Export, Kind};
use super::service::{Service, Source, happens, held};
use crate::folders::View;
use crate::tenant::{Form, Tenant};

/// Answers that are made from the same rows again and again: the pages of a chain.
#[derive(Debug, Default)]
pub(crate) struct RowCache(HashMap<String, Arc<[Arc<str>]>>);

/// Chains whose rows are kept.
const CACHED_CHAINS: usize = 64;

/// The rows of a whole chain.
pub(crate) enum Rows<'a> {
    Made(Arc<[Arc<str>]>),
    Folder(View<'a>),
}

impl Rows<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Made(rows) => rows.len(),
            Self::Folder(view) => view.len(),
        }
    }

    /// Some rows, in the order of the chain.
    pub(crate) fn part(&self, range: Range<usize>) -> Vec<&[u8]> {
        match self {
            Self::Made(rows) => {
                rows.get(range).unwrap_or_default().iter().map(|row| row.as_bytes()).collect()
            }
            Self::Folder(view) => range.filter_map(|at| view.item(at)).collect(),
        }
    }
}

/// One page of an export, or of its delta.
pub(crate) fn answer(service: &Service, asked: &Asked, export: &Export) -> Outcome {
    let id = owner(service, asked, export)?;
    if export.kind.is_retained() && service.behaviour().retained_refused {
        return Err(Refusal::new(403, "Forbidden", NO_RETENTION));
    }
    if !asked.unknown_members() && !export.kind.is_meeting() && export.kind != Kind::Copilot {
        service.note(|seen| seen.without_prefer += 1);
    }
    if export.delta {
        return delta::answer(service, asked, export, &id);
    }
    let place = place(service, asked)?;
    let rows = rows(service, asked, export, (&id, &place))?;
    let behaviour = service.behaviour();
    let path = asked.path().to_ascii_lowercase();
    let salt = u64::from(place.page) << 40 | place.skip as u64;
    let cut = cut(rows.len(), &place, &behaviour.paging, &mut service.chance(&path, salt));
    let lost = export.kind.is_meeting() && place.top.is_some();
    let next = cut.next.filter(|_| !(lost && behaviour.paging.top_loses_recordings));
    let next =
        next.map(|next| links::next(asked, export, &Continuation { issued: asked.now, ..next }));
    if let Some(next) = &next {
        service.hand_out(next);
    }
    let link = next.map(|next| format!("{}{next}", service.origin));
    let items = rows.part(cut.range);
    Ok(Page {
        context: context(service, asked, export.kind.item_type()),
        items: &items,
        next: link.as_deref(),
    }
    .answer(asked, &behaviour.paging))
}

/// The id of the user or team that is asked about, or why there is nothing.
pub(crate) fn owner(service: &Service, asked: &Asked, export: &Export) -> Result<String, Refusal> {
    let missing = || Refusal::not_found(&export.owner);
    match &service.source {
        Source::Tenant(tenant) => {
            owner_in(tenant, asked, export).and_then(|id| id.ok_or_else(missing))
        }
        Source::Folders(folders) => {
            folders.user(&export.owner).ok_or_else(missing).map(str::to_owned)
        }
    }
}

fn owner_in(tenant: &Tenant, asked: &Asked, export: &Export) -> Result<Option<String>, Refusal> {
    let team = match export.kind {
        Kind::Channels | Kind::RetainedChannels => tenant.team(&export.owner, asked.now),
        Kind::DeletedTeamChannels | Kind::DeletedTeamRetained => {
            tenant.deleted_team(&export.owner, asked.now)
        }
        _ => {
            let Some(user) = tenant.user(&export.owner, asked.now) else { return Ok(None) };
            let kind = export.kind;
            return match kind {
                Kind::Copilot if !user.copilot => Err(Refusal::new(403, "Forbidden", NO_LICENCE)),
                kind if kind.is_meeting() && !user.meetings => {
                    Err(Refusal::new(403, "Forbidden", NO_POLICY))
                }
                _ if !user.mailbox => Err(Refusal::new(404, "ResourceNotFound", NO_MAILBOX)),
                _ => Ok(Some(user.id.clone())),
            };
        }
    };
    Ok(team.map(|team| team.id.clone()))
}

const NO_LICENCE: &str = "The user does not have a valid Microsoft 365 Copilot license.";
const NO_POLICY: &str = "No application access policy found for this app on the user.";
const NO_RETENTION: &str = "No retention policy applies to the requested resource.";
const NO_MAILBOX: &str = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";

/// Where in a chain a request stands: at its start, or where its link says.
pub(crate) fn place(service: &Service, asked: &Asked) -> Result<Continuation, Refusal> {
    let Some(token) = asked.query.get("skiptoken") else {
        let top = top(asked)?;
        let filter = asked.query.get("filter").unwrap_or_default().to_owned();
        return Ok(Continuation { at: asked.now, top, filter, ..Continuation::default() });
    };
    let invalid = || Refusal::bad("Invalid continuation token");
    if !service.recognise(&asked.target) {
        return Err(invalid());
    }
    let place = Continuation::read(token).ok_or_else(invalid)?;
    let behaviour = service.behaviour();
    let limit = behaviour.continuation_ms.unwrap_or(i64::MAX);
    if asked.now.saturating_sub(place.issued) > limit {
        return Err(invalid());
    }
    let at = if behaviour.paging.moving { asked.now } else { place.at };
    Ok(Continuation { at, ..place })
}

/// `$top`, or `top` as the meeting functions call it.
pub(crate) fn top(asked: &Asked) -> Result<Option<usize>, Refusal> {
    let Some(text) = asked.query.get("top") else { return Ok(None) };
    let number = text.parse().ok().filter(|top| *top > 0);
    number.map(Some).ok_or_else(|| Refusal::bad("Invalid value for $top."))
}

fn rows<'a>(
    service: &'a Service,
    asked: &Asked,
    export: &Export,
    (id, place): (&str, &Continuation),
) -> Result<Rows<'a>, Refusal> {
    let filter = filter(service, asked, export, (id, place))?;
    match &service.source {
        Source::Folders(folders) => match export.kind {
            Kind::Chats if filter.is_only_a_window() => {
                let scattered = service.behaviour().paging.scattered;
                Ok(Rows::Folder(folders.view(id, filter.window, scattered)))
            }
            Kind::Chats => {
                Err(Refusal::new(501, "NotImplemented", "Page folders know time ranges only."))
            }
            _ => Ok(Rows::Made(Arc::from([]))),
        },
        Source::Tenant(tenant) => {
            let collection = export.kind.collection(id.to_owned());
            let form = form(service, asked);
            let (at, unknown) = (place.at, form.unknown_members);
            let key = format!("{collection:?} {at} {unknown} {} {}", form.beta, place.filter);
            if let Some(rows) = held(&service.cache).0.get(&key) {
                return Ok(Rows::Made(Arc::clone(rows)));
            }
            let rows = tenant.rows(&collection, filter.window, place.at, form);
            let rows: Arc<[Arc<str>]> =
                rows.into_iter().filter(|row| filter.passes(row)).map(|row| row.json).collect();
            let mut cache = held(&service.cache);
            if cache.0.len() >= CACHED_CHAINS {
                cache.0.clear();
            }
            drop(cache.0.insert(key, Arc::clone(&rows)));
            Ok(Rows::Made(rows))
        }
    }
}

/// How documents look for this request.
pub(crate) fn form<'a>(service: &'a Service, asked: &Asked) -> Form<'a> {
    let beta = asked.version() == "beta";
    Form { unknown_members: asked.unknown_members(), beta, origin: &service.origin }
}

fn filter(
    service: &Service,
    asked: &Asked,
    export: &Export,
    (id, place): (&str, &Continuation),
) -> Result<Filter, Refusal> {
    let dialect = match export.kind {
        Kind::Chats | Kind::RetainedChats => Dialect::Chats,
        Kind::Targeted => Dialect::Targeted,
        Kind::Copilot => Dialect::Copilot,
        kind if kind.is_meeting() => Dialect::Meetings,
        _ => Dialect::Range,
    };
    let mut filter = match place.filter.as_str() {
        "" => Filter::default(),
        text => Filter::parse(text, dialect).map_err(|refused| refusal(service, refused))?,
    };
    if export.kind.is_meeting() {
        organize(&mut filter, service, asked, (export, id))?;
    }
    Ok(filter)
}

/// What a refused filter is answered with.
pub(crate) fn refusal(service: &Service, refused: Refused) -> Refusal {
    if refused == Refused::OneSided {
        service.note(|seen| seen.one_sided_windows += 1);
    }
    Refusal::bad(match refused {
        Refused::Clause => "Invalid filter clause",
        Refused::Operator => "operationKind 'GreaterThanOrEqual' is not allowed in $filter",
        _ => "Invalid $filter query.",
    })
}

/// Meeting exports need their organizer, and take their range from the function's arguments.
pub(crate) fn organize(
    filter: &mut Filter,
    service: &Service,
    asked: &Asked,
    (export, id): (&Export, &str),
) -> Result<(), Refusal> {
    let argument = |name: &str| {
        let arguments = export.arguments.as_deref().unwrap_or_default();
        arguments.split(',').find_map(|pair| {
            let (have, value) = pair.split_once('=')?;
            have.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('\'').to_owned())
        })
    };
    let name = if export.kind.is_adhoc() { "userId" } else { "meetingOrganizerUserId" };
    let organizer = argument(name).or_else(|| filter.organizer.clone());
    let organizer =
        organizer.ok_or_else(|| Refusal::bad("The meeting organizer's id is required."))?;
    let same = match &service.source {
        Source::Tenant(tenant) => {
            tenant.user(&organizer, asked.now).is_some_and(|user| user.id == id)
        }
        Source::Folders(folders) => folders.user(&organizer) == Some(id),
    };
    if !same {
        return Err(Refusal::bad("The meeting organizer is not the user of the request."));
    }
    for (name, bound) in
        [("startDateTime", &mut filter.window.after), ("endDateTime", &mut filter.window.before)]
    {
        if let Some(text) = argument(name) {
            let time = parse_time(&text).ok_or_else(|| Refusal::bad("Invalid date and time."))?;
            *bound = Some(time.ms());
        }
    }
    Ok(())
}

/// The rows of one page and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) range: Range<usize>,
    pub(crate) next: Option<Continuation>,
}

/// Cuts a page out of `total` rows. Whatever the tricks, following the links visits every row.
pub(crate) fn cut(total: usize, place: &Continuation, paging: &Paging, random: &mut Random) -> Cut {
    let start = place.skip.min(total);
    let after = |skip, settled| {
        let page = place.page + 1;
        Some(Continuation { skip, page, settled, ..place.clone() })
    };
    if !place.settled && happens(random, paging.empty) {
        return Cut { range: start..start, next: after(start, true) };
    }
    let mut size = place.top.unwrap_or(paging.default_page).min(paging.page_cap).max(1);
    if happens(random, paging.short) {
        size = 1 + random.index(size);
    }
    let end = (start + size).min(total);
    let from = if happens(random, paging.overlapping) { start.saturating_sub(1) } else { start };
    let again = !place.settled && happens(random, paging.repeated);
    let next = match (again, end < total) {
        (true, _) => after(start, true),
        (false, true) => after(end, false),
        (false, false) => None,
    };
    Cut { range: from..end, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited(total: usize, paging: &Paging, seed: u64) -> (Vec<usize>, usize) {
        let mut random = Random::new(seed);
        let (mut rows, mut pages) = (Vec::new(), 0);
        let mut place = Some(Continuation::default());
        while let Some(at) = place {
            let cut = cut(total, &at, paging, &mut random);
            rows.extend(cut.range);
            place = cut.next;
            pages += 1;
        }
        (rows, pages)
    }

    #[test]
    fn tidy_pages_visit_every_row_once_in_order() {
        for total in [0, 1, 9, 10, 11, 95] {
            let (rows, pages) = visited(total, &Paging::default(), 1);
            assert_eq!(rows, (0..total).collect::<Vec<_>>());
            assert_eq!(pages, total.div_ceil(10).max(1));
        }
    }

    #[test]
    fn untidy_pages_visit_every_row_at_least_once() {
        for seed in 0..200 {
            let (mut rows, pages) = visited(95, &Paging::untidy(), seed);
            assert!(pages >= 10, "seed {seed}");
            rows.sort_unstable();
            rows.dedup();
            assert_eq!(rows, (0..95).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}
