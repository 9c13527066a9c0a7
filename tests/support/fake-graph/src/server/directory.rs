//! Users, teams and chats: what a client asks to know whom it can export.

use std::collections::BTreeMap;

use chatvault_support::stamp;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome, Refusal};
use super::behaviour::Paging;
use super::exports::{cut, place};
use super::links::{Continuation, next_in_directory};
use super::render::Page;
use super::request::Asked;
use super::route::Endpoint;
use super::service::{Service, Source};
use crate::tenant::Tenant;

/// Items in a page of the directory when `$top` is not given, and at most.
const PAGE: (usize, usize) = (100, 999);
/// The documented way to list teams.
const TEAMS: &str = "resourceProvisioningOptions/Any(x:x eq 'Team')";

/// Lists of the directory.
pub(crate) fn list(service: &Service, asked: &Asked, endpoint: &Endpoint) -> Outcome {
    if *endpoint == Endpoint::Groups {
        let filter = asked.query.get("filter").unwrap_or_default();
        if !filter.replace(' ', "").eq_ignore_ascii_case(&TEAMS.replace(' ', "")) {
            return Err(Refusal::bad("Unsupported or invalid query filter clause specified."));
        }
    }
    if asked.query.number("top").is_some_and(|top| top > PAGE.1) {
        return Err(Refusal::bad(
            "Invalid page size specified. Must be between 1 and 999 inclusive.",
        ));
    }
    let place = place(service, asked)?;
    let (name, items) = items(service, endpoint, place.at);
    let behaviour = service.behaviour();
    let paging = Paging { default_page: PAGE.0, page_cap: PAGE.1, ..behaviour.paging.clone() };
    let salt = u64::from(place.page) << 40 | place.skip as u64;
    let cut = cut(items.len(), &place, &paging, &mut service.chance(asked.path(), salt));
    let next = cut.next.map(|next| {
        let next = Continuation { issued: asked.now, ..next };
        let link = next_in_directory(asked, &next);
        service.hand_out(&link);
        format!("{}{link}", service.origin)
    });
    let context = format!("{}/{}/$metadata#{name}", service.origin, asked.version());
    let fields = match asked.query.get("select") {
        Some(select) if *endpoint != Endpoint::DeletedTeams => Some(select),
        None if matches!(endpoint, Endpoint::Users | Endpoint::DeletedUsers) => Some(USER_FIELDS),
        _ => None,
    };
    let items = items.get(cut.range).unwrap_or_default().iter();
    let edits = &behaviour.edits;
    let items: Vec<String> = items.map(|item| selected(item, fields, edits)).collect();
    let part: Vec<&[u8]> = items.iter().map(String::as_bytes).collect();
    let no_count = Paging { no_count: true, ..paging };
    Ok(Page { context: Some(context), items: &part, next: next.as_deref() }
        .answer(asked, &no_count))
}

/// What a list of users has of each when nothing is selected, as far as the fake knows it.
const USER_FIELDS: &str = "id,displayName,userPrincipalName,mail";

/// A document with these of its fields, and what a test wants otherwise.
fn selected(document: &str, fields: Option<&str>, edits: &BTreeMap<String, Value>) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return document.to_owned() };
    edit(&mut value, edits);
    if let (Some(fields), Value::Object(document)) = (fields, &mut value) {
        document.retain(|name, _| fields.split(',').any(|field| field == name));
    }
    value.to_string()
}

fn items(service: &Service, endpoint: &Endpoint, now: crate::Ms) -> (&'static str, Vec<String>) {
    match (&service.source, endpoint) {
        (Source::Folders(folders), Endpoint::Users) => ("users", folders.users_json()),
        (Source::Folders(_), _) => ("directoryObjects", Vec::new()),
        (Source::Tenant(tenant), Endpoint::Users) => {
            ("users", tenant.users(now).iter().map(|user| user.to_json(now)).collect())
        }
        (Source::Tenant(tenant), Endpoint::DeletedUsers) => {
            ("users", tenant.deleted_users(now).iter().map(|user| user.to_json(now)).collect())
        }
        (Source::Tenant(tenant), Endpoint::Groups) => {
            ("groups", tenant.teams(now).iter().map(|team| team.to_json()).collect())
        }
        (Source::Tenant(tenant), _) => {
            let teams = tenant.deleted_teams(now);
            ("teamwork/deletedTeams", teams.iter().map(|team| team.deleted_json()).collect())
        }
    }
}

/// The app registration, with what its secrets begin with and when they end.
pub(crate) fn application(service: &Service) -> Answer {
    let access = &service.behaviour().access;
    let hint: String = access.secret.chars().take(3).collect();
    let secret = |ends| json!({"hint": hint, "endDateTime": stamp(ends)});
    let secrets: Vec<_> = access.secret_ends.map(secret).into_iter().collect();
    Answer::json(json!({ "passwordCredentials": secrets }).to_string())
}

/// One user.
pub(crate) fn user(service: &Service, asked: &Asked, id: &str) -> Outcome {
    let found = match &service.source {
        // A deleted user is only in the recycle bin, though its export still answers.
        Source::Tenant(tenant) => {
            let user = tenant
                .user(id, asked.now)
                .filter(|user| user.deleted.is_none_or(|at| at > asked.now));
            user.map(|user| user.to_json(asked.now))
        }
        Source::Folders(folders) => folders.user(id).and_then(|id| folders.user_json(id)),
    };
    let missing = || {
        Refusal::new(404, "Request_ResourceNotFound", format!("Resource '{id}' does not exist."))
    };
    found.map(Answer::json).ok_or_else(missing)
}

/// A chat.
pub(crate) fn chat(service: &Service, asked: &Asked, id: &str) -> Outcome {
    let mut chat =
        tenant(service, id)?.chat(id, asked.now).ok_or_else(|| Refusal::not_found(id))?;
    edit(&mut chat, &service.behaviour().edits);
    chat["@odata.context"] = format!("{}#chats/$entity", metadata(service, asked)).into();
    Ok(Answer::json(chat.to_string()))
}

/// Who is in a chat, or the channels of a team: one page, without options.
pub(crate) fn parts(service: &Service, asked: &Asked, endpoint: &Endpoint) -> Outcome {
    let (name, id, parts) = match endpoint {
        Endpoint::ChatMembers(id) => {
            (format!("chats('{id}')/members"), id, tenant(service, id)?.members(id, asked.now))
        }
        Endpoint::TeamChannels(id) => {
            (format!("teams('{id}')/channels"), id, tenant(service, id)?.channels(id, asked.now))
        }
        _ => return Err(Refusal::not_found(asked.path())),
    };
    let mut parts = parts.ok_or_else(|| Refusal::not_found(id))?;
    for part in &mut parts {
        edit(part, &service.behaviour().edits);
    }
    let context = format!("{}#{name}", metadata(service, asked));
    let page = json!({"@odata.context": context, "@odata.count": parts.len(), "value": parts});
    Ok(Answer::json(page.to_string()))
}

fn metadata(service: &Service, asked: &Asked) -> String {
    format!("{}/{}/$metadata", service.origin, asked.version())
}

fn tenant<'s>(service: &'s Service, id: &str) -> Result<&'s Tenant, Refusal> {
    match &service.source {
        Source::Tenant(tenant) => Ok(tenant),
        Source::Folders(_) => Err(Refusal::not_found(id)),
    }
}

/// Replaces the fields of a document that a test wants otherwise.
fn edit(document: &mut Value, edits: &BTreeMap<String, Value>) {
    let id = |key: &str| document[key].as_str().and_then(|id| edits.get(id));
    let Some(Value::Object(fields)) = id("userId").or_else(|| id("id")) else { return };
    for (name, value) in fields {
        if document.get(name).is_some() {
            document[name] = value.clone();
        }
    }
}
