//! Which address is which page.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::call::{get, post};
use crate::failure::Failure;
use crate::files::{asset, object};
use crate::frame;
use crate::graph;
use crate::guard::{Gate, guard};
use crate::pages::{
    accounts, archive, chat, chats, connection, downloads, meetings, message, organisations,
    quarantine, runs, search, work,
};
use crate::site::Site;

/// Everything, behind the guard.
pub(crate) fn all(gate: Gate) -> Router {
    let site = Arc::clone(&gate.site);
    let graph = site.answers_as_graph().then(|| graph::routes(gate.clone()));
    let pages = Router::new()
        .route("/", get(organisations::list).merge(post(organisations::create)))
        .route("/assets/{name}", get(asset))
        .nest("/a/{org}", organisation())
        .fallback(async || frame::alone(&Failure::missing("page")))
        .method_not_allowed_fallback(async || frame::alone(&Failure::wrong("Not in this way")))
        .layer(from_fn_with_state(gate, guard))
        .with_state(site);
    graph.into_iter().fold(pages, Router::merge)
}

fn organisation() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(archive::show))
        .route("/verify", post(archive::verify))
        .route("/index", post(archive::index))
        .route("/private-chats", post(organisations::switch))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{number}", get(quarantine::one))
        .route("/chats", get(chats::list))
        .route("/chats/{chat}", get(chat::show))
        .route("/chats/{chat}/threads/{root}", get(chat::thread))
        .route("/messages/{record}/{chat}/{id}", get(message::show))
        .route("/messages/{record}/{chat}/{id}/{address}", get(message::raw))
        .route("/objects/{address}/{name}", get(object))
        .route("/search", get(search::show))
        .route("/search/counts", get(search::counts))
        .route("/meetings", get(meetings::recordings))
        .route("/meetings/{record}/{chat}", get(meetings::conversation))
        .route("/copilot", get(meetings::copilot))
        .route("/downloads", get(downloads::list).merge(post(downloads::generate)))
        .route("/downloads/new", get(downloads::form))
        .route("/downloads/folders", post(downloads::add_folder))
        .route("/downloads/{folder}/{name}", get(downloads::one))
        .route("/downloads/{folder}/{name}/{action}", post(downloads::act))
        .route("/downloads/{folder}/{name}/parts/{part}", get(downloads::part))
        .route("/accounts", get(accounts::list).merge(post(accounts::change)))
        .route("/accounts/missing", get(accounts::missing))
        .route("/accounts/backup", post(accounts::backup))
        .route("/connection", get(connection::show).merge(post(connection::save)))
        .route("/runs", get(runs::list))
        .route("/runs/{run}", get(runs::one))
        .route("/jobs/{id}", get(work::show).merge(post(work::stop)))
        .route("/jobs/{id}/events", axum::routing::get(work::events))
}
