//! Pictures, files, recordings: what messages name, as bytes.

use std::io::Read;

use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatvault_engine::{ContentAddress, MessageKey, Scan, Snapshot, Versions};
use serde_json::json;

use super::Call;
use super::page::{Page, entity};
use super::refusal::{Refusal, Result};
use crate::files::{Range, range, streamed};

/// What the name of a hosted content starts with.
const HOSTED: &str = "hostedContents/";

/// `GET …/messages/{id}/hostedContents`.
pub(super) fn list(call: &Call, key: &MessageKey) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let mut page = Page::new("hostedContents", call.select.clone());
    for (name, _) in snapshot.links(key)? {
        if let Some(id) = name.strip_prefix(HOSTED) {
            let item = json!({"id": id, "contentBytes": null, "contentType": null});
            page.push(item.to_string().as_bytes());
        }
    }
    Ok(page.answer(call, &snapshot.commit().to_string()))
}

/// `GET …/messages/{id}/hostedContents/{id}[/$value]`.
pub(super) fn hosted(call: &Call, key: &MessageKey, id: &str, is_value: bool) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let name = format!("{HOSTED}{id}");
    let found = named(&snapshot, key, &name)?.ok_or_else(|| Refusal::missing("hosted content"))?;
    if !is_value {
        let item = json!({"id": id, "contentBytes": null, "contentType": null});
        return Ok(entity(call, item.to_string().as_bytes()));
    }
    let kind = kind_of(&snapshot, &found)?;
    bytes(call, &snapshot, (&found, kind))
}

/// A content of a message, or one that another message of its conversation names: what is quoted and
/// forwarded has the address of the message that it comes from.
fn named(snapshot: &Snapshot, key: &MessageKey, name: &str) -> Result<Option<ContentAddress>> {
    let of = |key: &MessageKey| -> Result<Option<ContentAddress>> {
        let links = snapshot.links(key)?;
        Ok(links.into_iter().find(|(own, _)| own == name).map(|(_, address)| address))
    };
    if let Some(address) = of(key)? {
        return Ok(Some(address));
    }
    let id = name.strip_prefix(HOSTED).unwrap_or_default();
    let scan = Scan {
        conversations: vec![key.conversation.clone()],
        versions: Versions::EveryVariant,
        ..Scan::default()
    };
    let mut rows = snapshot.scan(&scan)?;
    while let Some(row) = rows.next()? {
        let names_it = String::from_utf8_lossy(row.json()).contains(id);
        if names_it && let Some(address) = of(&row.to_stored()?.key)? {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

/// `GET /shares/{id}/driveItem[/content]`: a file by the address that a message has of it.
pub(super) fn share(call: &Call, is_value: bool) -> Result<Response> {
    let id = call.address.step(1).strip_prefix("u!");
    let url = id.and_then(|id| URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok());
    let malformed = || {
        let message = "The sharing id is malformed.";
        Refusal::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
    };
    let url = url.and_then(|url| String::from_utf8(url).ok()).ok_or_else(malformed)?;
    let snapshot = call.known.snapshot()?;
    let missing = || {
        let message = "The resource could not be found.";
        Refusal::new(StatusCode::NOT_FOUND, "itemNotFound", message)
    };
    let (name, address) = call.known.shares.find(&snapshot, &url)?.ok_or_else(missing)?;
    let kind = mime_guess::from_path(&name).first_raw().unwrap_or("application/octet-stream");
    if is_value {
        return bytes(call, &snapshot, (&address, kind));
    }
    let item = json!({
        "id": address.to_string(), "name": name, "webUrl": url,
        "size": snapshot.object_bytes(&address)?, "file": {"mimeType": kind},
    });
    Ok(entity(call, item.to_string().as_bytes()))
}

/// An object, all of it or a range. Its address is its validator: what has changed has another.
pub(super) fn bytes(
    call: &Call,
    snapshot: &Snapshot,
    (address, kind): (&ContentAddress, &'static str),
) -> Result<Response> {
    let missing = || Refusal::missing("content");
    let length = snapshot.object_bytes(address)?.ok_or_else(missing)?;
    let mut reader = snapshot.object(address)?.ok_or_else(missing)?;
    let tag = format!("\"{address}\"");
    let mut headers = call.headers.clone();
    if headers.get(IF_RANGE).is_some_and(|kept| kept.as_bytes() != tag.as_bytes()) {
        drop(headers.remove(RANGE));
    }
    let Range { start, length, of, is_part } = range(&headers, length)?;
    // An object is read from its start; what is before the range is checked and left out.
    let skipped = std::io::copy(&mut (&mut reader).take(start), &mut std::io::sink());
    let _skipped = skipped.map_err(crate::failure::Failure::from)?;
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (ETAG, tag),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
    ];
    let body = streamed(reader, length);
    if is_part {
        let part = format!("bytes {start}-{}/{of}", start + length - 1);
        let status = StatusCode::PARTIAL_CONTENT;
        return Ok((status, headers, [(CONTENT_RANGE, part)], body).into_response());
    }
    Ok((headers, body).into_response())
}

/// What a picture is, by its first bytes: the archive has no name of it.
fn kind_of(snapshot: &Snapshot, address: &ContentAddress) -> Result<&'static str> {
    let reader = snapshot.object(address)?.ok_or_else(|| Refusal::missing("content"))?;
    let mut head = Vec::new();
    let read = reader.take(12).read_to_end(&mut head);
    let _length = read.map_err(crate::failure::Failure::from)?;
    Ok(match head.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => "application/octet-stream",
    })
}
