//! Pages as JSON texts, in the service's key order.

use super::answer::Answer;
use super::behaviour::Paging;
use super::request::Asked;
use super::service::Service;

/// A page before it is written.
pub(crate) struct Page<'a> {
    /// `@odata.context`; some endpoints have none.
    pub(crate) context: Option<String>,
    pub(crate) items: &'a [&'a [u8]],
    /// The whole nextLink.
    pub(crate) next: Option<&'a str>,
}

/// The context of a collection of some type.
pub(crate) fn context(service: &Service, asked: &Asked, item_type: Option<&str>) -> Option<String> {
    let (origin, version) = (&service.origin, asked.version());
    item_type.map(|name| format!("{origin}/{version}/$metadata#Collection({name})"))
}

impl Page<'_> {
    /// The page as an answer.
    pub(crate) fn answer(&self, asked: &Asked, paging: &Paging) -> Answer {
        let mut head = String::with_capacity(1024);
        let mut member = |name: &str, value: &str| {
            head.push(if head.is_empty() { '{' } else { ',' });
            head.extend(["\"", name, "\":", value]);
        };
        if let Some(context) = &self.context {
            member("@odata.context", &text(context));
        }
        let count = self.items.len().to_string();
        match (paging.no_count, asked.text_counts()) {
            (true, _) => {}
            (false, true) => member("@odata.count", &text(&count)),
            (false, false) => member("@odata.count", &count),
        }
        match self.next {
            Some(link) => member("@odata.nextLink", &text(link)),
            None if paging.null_link => member("@odata.nextLink", "null"),
            None => {}
        }
        member("value", "[");
        page(head, self.items)
    }
}

/// A delta page: no count, and either of two links.
pub(crate) fn delta_page(context: &str, items: &[&[u8]], name: &str, link: &str) -> Answer {
    let head =
        format!("{{\"@odata.context\":{},\"{name}\":{},\"value\":[", text(context), text(link));
    page(head, items)
}

fn page(head: String, items: &[&[u8]]) -> Answer {
    let length: usize = items.iter().map(|item| item.len() + 1).sum();
    let mut body = head.into_bytes();
    body.reserve(length + 2);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"]}");
    Answer { items: items.len() as u64, ..Answer::json(body) }
}

/// A JSON text.
pub(crate) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
