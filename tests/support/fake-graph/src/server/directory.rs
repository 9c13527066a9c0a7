//! Users, teams and chats: what a client asks to know whom it can export.

use std::collections::BTreeSet;

use chatvault_support::stamp;
use serde_json::json;

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
    let items: Vec<String> = items.map(|item| selected(item, fields)).collect();
    let part: Vec<&[u8]> = items.iter().map(String::as_bytes).collect();
    let no_count = Paging { no_count: true, ..paging };
    Ok(Page { context: Some(context), items: &part, next: next.as_deref() }
        .answer(asked, &no_count))
}

/// What a list of users has of each when nothing is selected, as far as the fake knows it.
const USER_FIELDS: &str = "id,displayName,userPrincipalName,mail";

/// A document with these of its fields.
fn selected(document: &str, fields: Option<&str>) -> String {
    let (Some(fields), Ok(serde_json::Value::Object(mut document))) =
        (fields, serde_json::from_str(document))
    else {
        return document.to_owned();
    };
    document.retain(|name, _| fields.split(',').any(|field| field == name));
    serde_json::Value::Object(document).to_string()
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

/// A chat, or its members: whoever ever had a copy of one of its messages.
pub(crate) fn chat(service: &Service, asked: &Asked, id: &str, members: bool) -> Outcome {
    let Source::Tenant(tenant) = &service.source else { return Err(Refusal::not_found(id)) };
    let truth = tenant.truth(asked.now, &service.origin);
    let rows: Vec<_> = truth.iter().filter(|row| row.conversation == id).collect();
    let created = rows.iter().map(|row| row.modified).min();
    let created = created.ok_or_else(|| Refusal::not_found(id))?;
    let custodians = rows.iter().flat_map(|row| &row.sightings);
    let users: BTreeSet<&str> =
        custodians.filter_map(|sighting| sighting.custodian.strip_prefix("user:")).collect();
    let context = format!("{}/{}/$metadata#chats", service.origin, asked.version());
    let kind = match id {
        id if id.ends_with("@unq.gbl.spaces") => "oneOnOne",
        id if id.contains(":meeting_") => "meeting",
        _ => "group",
    };
    let body = if members {
        json!({"@odata.context": format!("{context}('{id}')/members"), "@odata.count": users.len(),
            "value": users.iter().map(|user| member(tenant, user, asked.now)).collect::<Vec<_>>()})
    } else {
        json!({"@odata.context": format!("{context}/$entity"), "id": id, "topic": null,
            "createdDateTime": stamp(created), "chatType": kind, "tenantId": tenant.id})
    };
    Ok(Answer::json(body.to_string()))
}

fn member(tenant: &Tenant, id: &str, now: crate::Ms) -> serde_json::Value {
    let user = tenant.user(id, now);
    json!({
        "@odata.type": "#microsoft.graph.aadUserConversationMember",
        "roles": [],
        "displayName": user.map(|user| user.name.as_str()),
        "userId": id,
        "email": user.map(|user| user.upn.as_str()),
        "tenantId": tenant.id,
        "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z",
    })
}
