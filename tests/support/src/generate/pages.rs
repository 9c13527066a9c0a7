//! An export as files: a folder per custodian with pages as the service returns them, or lines.

use chatvault_engine::Custodian;

use super::tenant::{Copy, Tenant};

/// One page of one export.
#[derive(Clone, Debug)]
pub struct PageFile {
    /// Whose export.
    pub custodian: Custodian,
    /// `folder/file`: the custodian's id and the page's number.
    pub path: String,
    /// The page.
    pub json: Vec<u8>,
}

/// A tenant's exports as one message a line.
#[derive(Clone, Debug)]
pub struct JsonLines(Vec<u8>);

impl JsonLines {
    /// The lines of some documents.
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bytes = Vec::new();
        for document in documents {
            bytes.extend_from_slice(document);
            bytes.push(b'\n');
        }
        Self(bytes)
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// All exports of a tenant as pages of at most `items` messages.
pub fn page_files(tenant: &Tenant, items: usize) -> Vec<PageFile> {
    let users = 0..tenant.custodians().len();
    users.flat_map(|user| pages(&tenant.export(user), items.max(1))).collect()
}

fn pages(copies: &[Copy], items: usize) -> Vec<PageFile> {
    let last = copies.len().div_ceil(items);
    let page = |(number, copies): (usize, &[Copy])| {
        let custodian = copies.first()?.custodian.clone();
        let folder = custodian.as_str().trim_start_matches("user:");
        let path = format!("{folder}/page-{:05}.json", number + 1);
        let json = page_json(copies, (number + 1 < last).then_some(number + 1));
        Some(PageFile { custodian, path, json })
    };
    copies.chunks(items).enumerate().filter_map(page).collect()
}

fn page_json(copies: &[Copy], next: Option<usize>) -> Vec<u8> {
    let head = format!(
        r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Collection(chatMessage)","@odata.count":{},"#,
        copies.len()
    );
    let link = next.map(|page| {
        format!(r#""@odata.nextLink":"https://graph.microsoft.com/v1.0/users/x/chats/getAllMessages?$skiptoken={page}","#)
    });
    let mut out = [head, link.unwrap_or_default()].concat().into_bytes();
    out.extend_from_slice(b"\"value\":[");
    let documents: Vec<&[u8]> = copies.iter().map(|copy| copy.json.as_slice()).collect();
    out.extend_from_slice(&documents.join(&b','));
    out.extend_from_slice(b"]}");
    out
}
