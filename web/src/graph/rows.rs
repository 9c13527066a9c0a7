//! The rows that answer a question, a page of them.

use axum::response::Response;
use chatvault_engine::{Row, Snapshot};
use chatvault_query::Query;

use super::Call;
use super::link::Question;
use super::page::Page;
use super::refusal::{Refusal, Result};

/// Which rows of a query are meant, if a query cannot say it.
pub(super) type Keep<'k> = &'k dyn Fn(&Row<'_>) -> Result<bool>;

/// A list of rows.
pub(super) struct Listing<'k> {
    /// What its items are, as the service's metadata calls it.
    pub(super) context: String,
    pub(super) question: Question,
    pub(super) query: Query,
    pub(super) keep: Option<Keep<'k>>,
    /// Its last page says where the next round begins.
    pub(super) is_delta: bool,
}

impl Listing<'_> {
    /// The next page of it.
    pub(super) fn page(self, call: &Call, snapshot: &Snapshot) -> Result<Response> {
        let question = &self.question;
        let mut page = Page::new(&self.context, question.select()?);
        if !question.is_over() {
            self.fill(call, snapshot, &mut page)?;
        }
        if self.is_delta && page.next.is_none() {
            page.delta = Some(question.delta(call, snapshot));
        }
        Ok(page.answer(call, &question.at))
    }

    fn fill(&self, call: &Call, snapshot: &Snapshot, page: &mut Page) -> Result<()> {
        let question = &self.question;
        let query = Query {
            as_of_sequence: question.as_of(),
            since: question.since(),
            cursor: question.behind.clone(),
            // One more, which tells whether there is a next page.
            limit: self.keep.is_none().then_some(question.top as u64 + 1),
            ..self.query.clone()
        };
        let mut rows = query.run(snapshot)?;
        let mut behind = None;
        while let Some(row) = rows.next()? {
            if !self.keep.map_or(Ok(true), |keep| keep(&row))? {
                continue;
            }
            if let Some(behind) = behind {
                page.next = Some(question.next(call, snapshot, behind));
                break;
            }
            page.push_row(&row.to_stored()?);
            if page.is_full(question.top) {
                let cursor = rows.cursor().ok_or_else(|| Refusal::missing("row"))?;
                behind = Some(cursor.to_text());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use chatvault_engine::{Archive, Custodian, Host, Options, Origin, RecordKind};
    use serde_json::Value;

    use super::super::address::Address;
    use super::super::select::Select;
    use super::super::state::Graph;
    use super::super::{Call, route};
    use crate::guard::Gate;
    use crate::site::{Settings, Site};

    const ROWS: u64 = 20_000;
    const FIRST: u64 = 1_700_000_000_000;

    /// One user's messages, in two chats.
    fn archive(folder: &std::path::Path) {
        let archive = Archive::create(Host::disk(folder), Options::default()).unwrap();
        let mut batch = archive.batch(archive.begin_run("test").unwrap());
        for number in 0..ROWS {
            let id = FIRST + number * 1_000;
            let at = chatvault_engine::Timestamp::from_ms(id.cast_signed());
            let json = serde_json::json!({
                "id": id.to_string(), "etag": id.to_string(), "messageType": "message",
                "chatId": format!("19:{}@thread.v2", number % 2),
                "createdDateTime": chatvault_query::format_time(at),
                "body": {"content": format!("message {number} of many")},
            });
            let origin = Origin { source: "test", offset: 0 };
            let json = json.to_string();
            batch.offer(&Custodian::user("ada"), RecordKind::Message, json.as_bytes(), origin);
        }
        assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
        archive.close().unwrap();
    }

    /// A server that has read nothing of it yet.
    fn served(folder: &std::path::Path) -> Arc<Graph> {
        let settings = Settings { place: folder.to_owned(), ..Settings::default() };
        let site = Arc::new(Site::open(settings).unwrap().as_graph());
        let address = "127.0.0.1:1".parse().unwrap();
        Arc::new(Graph::new(Gate { site, address, is_tls: false }))
    }

    /// A page, and the blocks that were read and decoded for it alone.
    fn page(graph: &Arc<Graph>, path: &str) -> (Value, u64) {
        let known = graph.known("").unwrap();
        let snapshot = known.snapshot().unwrap();
        // Who is there is read once and for all pages.
        drop(known.directory(&snapshot).unwrap());
        let before = snapshot.cache_use().misses;
        let address = Address::of(&path.parse().unwrap()).unwrap();
        let (origin, select) = (String::new(), Select::default());
        let call = Call { known, origin, address, select, headers: axum::http::HeaderMap::new() };
        let answer = route(&call).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(to_bytes(answer.into_body(), usize::MAX)).unwrap();
        let read = snapshot.cache_use().misses - before;
        (serde_json::from_slice(&body).unwrap(), read)
    }

    #[test]
    fn a_page_far_behind_in_a_feed_reads_no_more_than_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a");
        archive(&folder);
        for path in
            ["/v1.0/users/ada/chats/getAllMessages?$top=200", "/v1.0/chats/19:1@thread.v2/messages"]
        {
            let walked = served(&folder);
            let (mut links, mut next) = (vec![path.to_owned()], page(&walked, path).0);
            while let Some(link) = next["@odata.nextLink"].as_str().filter(|_| links.len() < 40) {
                links.push(link.to_owned());
                next = page(&walked, link).0;
            }
            assert_eq!(links.len(), 40, "{path}");
            // Each by a server that has nothing in its cache.
            let first = page(&served(&folder), &links[0]).1;
            for at in [1, 20, 39] {
                let read = page(&served(&folder), &links[at]).1;
                assert!(
                    read <= first + 4,
                    "{path}: page {at} reads {read} blocks, the first {first}"
                );
            }
        }
    }
}
