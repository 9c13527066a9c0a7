//! The archive answers as Microsoft Graph does: the read side of it, for what is archived.
//!
//! ```text
//! request ─▶ host, bearer token ─▶ address: steps and options ─▶ one blocking function, bounded
//!              page: the stored bytes of documents, text of ours around them
//!              link: the place behind a page, checked when it comes back
//! ```
//!
//! What always holds:
//! - A document is given as the bytes that came in first, and so are members that `$select` names.
//! - A chain of pages is of one commit: what comes in meanwhile is in the next chain, and nothing is
//!   given twice or left out. A link names a row and a commit, never a count, and outlives a restart.
//! - Nothing is written, and no page is larger than some MiB, whatever the archive holds.

mod access;
mod address;
mod batch;
mod content;
mod conversation;
mod directory;
mod feed;
mod link;
mod meeting;
mod page;
mod refusal;
mod rows;
mod select;
mod shares;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, post};
use chatvault_engine::{MessageKey, RecordKind};
use tokio::task::spawn_blocking;

use crate::guard::{Gate, harden};
use address::Address;
use directory::List;
use feed::Feed;
use refusal::{Refusal, Result, guid};
use select::Select;
use state::{Graph, State as Known};

/// What changes an answer and is not there: to leave it out in silence would give another one.
const UNKNOWN: [&str; 4] = ["expand", "search", "skip", "apply"];

/// Everything below the service's versions, and where tokens come from.
pub(crate) fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/v1.0/{*path}", any(ask))
        .route("/beta/{*path}", any(ask))
        .route("/{tenant}/oauth2/v2.0/token", post(access::token))
        .with_state(Arc::new(Graph::new(gate)))
}

/// One request, read.
struct Call {
    known: Arc<Known>,
    /// The scheme and host by which the server was called, without a slash.
    origin: String,
    address: Address,
    /// What is wanted of each document.
    select: Select,
    headers: HeaderMap,
}

async fn ask(State(graph): State<Arc<Graph>>, request: Request) -> Response {
    let (id, theirs) = (guid(), client_id(request.headers()));
    let mut response = match answer(&graph, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.answer(&id, theirs.as_ref()),
    };
    let headers = response.headers_mut();
    harden(headers);
    let own = HeaderValue::from_str(&id).ok();
    let said = [("request-id", own.clone()), ("client-request-id", theirs.or(own))];
    for (name, value) in said {
        drop(value.map(|value| headers.insert(HeaderName::from_static(name), value)));
    }
    drop(headers.insert("odata-version", HeaderValue::from_static("4.0")));
    response
}

/// The id that the client gave its request, if it is one.
fn client_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get("client-request-id")?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (id.len() <= 64 && id.as_bytes().iter().all(is_plain)).then(|| id.clone())
}

async fn answer(graph: &Arc<Graph>, request: Request) -> Result<Response> {
    // Whoever calls it by another name is told so before anything else.
    let _origin = graph.origin(request.headers())?;
    let organisation = access::bearer(graph, request.headers())?;
    let (parts, body) = request.into_parts();
    let batched = parts.uri.path().strip_suffix("/$batch").map(|path| path.trim_matches('/'));
    match batched {
        Some(version) if parts.method == Method::POST => {
            let (organisation, headers) = (organisation.as_str(), &parts.headers);
            batch::answer(graph, batch::Envelope { version, organisation, headers }, body).await
        }
        _ if parts.method != Method::GET => Err(only_read()),
        _ => read(graph, &organisation, &parts.uri, parts.headers).await,
    }
}

fn only_read() -> Refusal {
    let message = "An archive is only read";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message)
}

/// Answers what an address asks.
async fn read(
    graph: &Arc<Graph>,
    organisation: &str,
    uri: &Uri,
    headers: HeaderMap,
) -> Result<Response> {
    let (address, origin) = (Address::of(uri)?, graph.origin(&headers)?);
    let select = Select::of(address.option("select"))?;
    let (graph, organisation) = (Arc::clone(graph), organisation.to_owned());
    let room = graph.site().works.room().await;
    let made = spawn_blocking(move || {
        let known = graph.known(&organisation)?;
        let made = route(&Call { known, origin, address, select, headers });
        drop(room);
        made
    });
    made.await.map_err(|_panicked| {
        let message = "This could not be answered: that is a fault of chatvault";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "generalException", message)
    })?
}

/// Which address is which question.
fn route(call: &Call) -> Result<Response> {
    let (words, step) = (call.address.words(), |at| call.address.step(at));
    if let Some(name) = UNKNOWN.iter().find(|name| call.address.option(name).is_some()) {
        return Err(Refusal::bad(format!("Query option '${name}' is not supported.")));
    }
    if let Some((feed, at, is_delta)) = Feed::of(&words) {
        return feed.page(call, (at, is_delta));
    }
    match &words[..] {
        ["users"] => List::Users.page(call),
        ["users", _] => List::Users.one(call),
        ["groups" | "teams"] => List::Teams.page(call),
        ["groups" | "teams", _] => List::Teams.one(call),
        ["directory", "deleteditems", "user"] => List::DeletedUsers.page(call),
        ["teamwork", "deletedteams"] => List::DeletedTeams.page(call),
        ["chats"] => conversation::chats(call),
        ["users", _, "chats"] => conversation::of_user(call),
        ["chats", _] => conversation::one(call, step(1)),
        ["chats", _, "members"] => conversation::members(call),
        ["teams", _, "channels"] => conversation::channels(call),
        ["teams", _, "channels", _] => conversation::one(call, step(3)),
        ["chats", _, "messages", rest @ ..] => messages(call, (1, rest)),
        ["teams", _, "channels", _, "messages", rest @ ..] => messages(call, (3, rest)),
        ["shares", _, "driveitem"] => content::share(call, false),
        ["shares", _, "driveitem", "content"] => content::share(call, true),
        ["users", _, "onlinemeetings" | "adhoccalls", _, "recordings" | "transcripts", ..] => {
            meeting::ask(call, &words)
        }
        _ => Err(Refusal::missing("resource")),
    }
}

/// What is below the messages of the conversation at a step.
fn messages(call: &Call, (at, rest): (usize, &[&str])) -> Result<Response> {
    let step = |behind: usize| call.address.step(at + 1 + behind);
    let conversation = call.address.step(at);
    let (rest, reply_to, id) = match rest {
        [] => return conversation::messages(call, conversation),
        [_, "replies"] => return conversation::replies(call, conversation, step(1)),
        [_, "replies", _, rest @ ..] => (rest, Some(step(1)), step(3)),
        [_, rest @ ..] => (rest, None, step(1)),
    };
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: conversation.to_owned(),
        reply_to: reply_to.map(str::to_owned),
        id: id.to_owned(),
    };
    let hosted = step(if reply_to.is_some() { 5 } else { 3 });
    match rest {
        [] => conversation::message(call, &key),
        ["hostedcontents"] => content::list(call, &key),
        ["hostedcontents", _] => content::hosted(call, &key, hosted, false),
        ["hostedcontents", _, "$value"] => content::hosted(call, &key, hosted, true),
        _ => Err(Refusal::missing("resource")),
    }
}
