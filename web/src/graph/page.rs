//! A page: text of ours around the exact bytes of documents.

use std::collections::BTreeMap;

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chatvault_engine::Stored;
use serde_json::{Value, json};

use super::Call;
use super::select::Select;

/// A page that has so many bytes takes no more: short pages are normal.
const FULL_BYTES: usize = 4 << 20;
const KIND: &str = "application/json;odata.metadata=minimal;odata.streaming=true;\
    IEEE754Compatible=false;charset=utf-8";

#[derive(Default)]
pub(super) struct Page {
    /// What the items are, as the service's metadata calls it.
    context: String,
    select: Select,
    value: Vec<u8>,
    count: usize,
    beyond: Vec<Value>,
    custodians: BTreeMap<String, usize>,
    pub(super) next: Option<String>,
    pub(super) delta: Option<String>,
}

impl Page {
    pub(super) fn new(context: impl Into<String>, select: Select) -> Self {
        Self { context: context.into(), select, ..Self::default() }
    }

    /// Has it room for another item, of so many?
    pub(super) fn is_full(&self, top: usize) -> bool {
        self.count >= top || self.value.len() >= FULL_BYTES
    }

    pub(super) fn push(&mut self, json: &[u8]) {
        if self.count > 0 {
            self.value.push(b',');
        }
        self.value.extend_from_slice(&self.select.cut(json));
        self.count += 1;
    }

    /// A row, and what the service does not know of it.
    pub(super) fn push_row(&mut self, row: &Stored) {
        self.push(&row.json);
        let custodians: Vec<usize> = row
            .sightings
            .iter()
            .map(|one| {
                let next = self.custodians.len();
                *self.custodians.entry(one.custodian.to_string()).or_insert(next)
            })
            .collect();
        self.beyond.push(json!({
            "address": row.address.to_string(), "version": row.version, "custodians": custodians,
        }));
    }

    /// `at` is the commit that it is of.
    pub(super) fn answer(self, call: &Call, at: &str) -> Response {
        let mut members = vec![
            ("@odata.context", json!(context(call, &self.context))),
            ("@odata.count", count(call, self.count)),
        ];
        members.extend(self.next.map(|link| ("@odata.nextLink", json!(link))));
        members.extend(self.delta.map(|link| ("@odata.deltaLink", json!(link))));
        let mut body = b"{".to_vec();
        for (name, value) in members {
            body.extend(format!("\"{name}\":{value},").into_bytes());
        }
        body.extend_from_slice(b"\"value\":[");
        body.extend(self.value);
        body.push(b']');
        if !self.beyond.is_empty() {
            let mut custodians: Vec<(String, usize)> = self.custodians.into_iter().collect();
            custodians.sort_by_key(|(_, at)| *at);
            let custodians: Vec<String> = custodians.into_iter().map(|(name, _)| name).collect();
            let beyond = json!({
                "commit": at,
                "custodians": custodians,
                "items": self.beyond,
            });
            body.extend(format!(",\"@chatvault\":{beyond}").into_bytes());
        }
        body.push(b'}');
        ([(CONTENT_TYPE, KIND)], body).into_response()
    }
}

/// One document, or what is wanted of it.
pub(super) fn entity(call: &Call, json: &[u8]) -> Response {
    ([(CONTENT_TYPE, KIND)], call.select.cut(json).into_owned()).into_response()
}

fn context(call: &Call, kind: &str) -> String {
    format!("{}/{}/$metadata#{kind}", call.origin, call.address.version)
}

/// A number, or a text for clients whose numbers are too small.
fn count(call: &Call, count: usize) -> Value {
    let accept = call.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_text = accept.is_some_and(|accept| accept.contains("IEEE754Compatible=true"));
    if is_text { json!(count.to_string()) } else { json!(count) }
}
