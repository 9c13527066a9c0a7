//! Downloads: hosted contents, files behind shares, recordings and transcripts, whole or in part.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::answer::{Answer, Outcome, Refusal};
use super::body::{Step, length};
use super::request::Asked;
use super::service::{Service, Source};
use crate::tenant::{Content, ContentPath, Place};

/// What a path leads to, answered by its kind.
pub(crate) fn answer(service: &Service, asked: &Asked, path: &ContentPath) -> Outcome {
    match content(service, asked, path)? {
        Content::List(value) => {
            let context =
                format!("{}/{}/$metadata#hostedContents", service.origin, asked.version());
            let count =
                serde_json::from_str::<Vec<serde_json::Value>>(&value).map_or(0, |v| v.len());
            let body = format!(
                "{{\"@odata.context\":{},\"@odata.count\":{count},\"value\":{value}}}",
                json!(context)
            );
            Ok(Answer::json(body))
        }
        content => bytes(asked, content),
    }
}

fn content(service: &Service, asked: &Asked, path: &ContentPath) -> Result<Content, Refusal> {
    let found = match &service.source {
        Source::Tenant(tenant) => tenant.content(path, asked.now),
        Source::Folders(_) => None,
    };
    match found {
        Some(Content::Refused { status, code, message }) => {
            Err(Refusal::new(status, code, message))
        }
        Some(content) => Ok(content),
        None => Err(Refusal::new(404, "itemNotFound", "The resource could not be found.")),
    }
}

/// A team that was deleted is not below `/teams` any more, nor one that was not below the others.
pub(crate) fn of_team_as_it_is(
    service: &Service,
    asked: &Asked,
    path: &ContentPath,
    deleted: bool,
) -> Result<(), Refusal> {
    let (ContentPath::Hosted { place, .. } | ContentPath::HostedList { place, .. }) = path else {
        return Ok(());
    };
    let (Place::Channel { team, .. }, Source::Tenant(tenant)) = (place, &service.source) else {
        return Ok(());
    };
    let found =
        if deleted { tenant.deleted_team(team, asked.now) } else { tenant.team(team, asked.now) };
    let missing = || Refusal::new(404, "NotFound", format!("No team found with Group Id {team}"));
    found.map(drop).ok_or_else(missing)
}

/// What an address of a browser leads to: the part behind `#` is not sent, and `%` starts an escape.
fn file_at(url: &str) -> Option<String> {
    let url = url.split('#').next().unwrap_or_default();
    let mut parts = url.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = (part.get(..2)?, part.get(2..)?);
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// `/shares/{id}/driveItem` and its content: the bytes are on another origin, behind a redirect.
pub(crate) fn share(service: &Service, asked: &Asked, id: &str, bytes: bool) -> Outcome {
    let url = id.strip_prefix("u!").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let url = url.and_then(|url| String::from_utf8(url).ok());
    let url =
        url.ok_or_else(|| Refusal::new(400, "invalidRequest", "The sharing id is malformed."))?;
    let not_there = || Refusal::new(404, "itemNotFound", "The resource could not be found.");
    let url = file_at(&url).ok_or_else(not_there)?;
    let content = content(service, asked, &ContentPath::File { content_url: url.clone() })?;
    let to = format!(
        "{}/download/{}?tempauth={}",
        service.elsewhere,
        URL_SAFE_NO_PAD.encode(&url),
        pass(service, &url)
    );
    if bytes {
        return Ok(Answer::redirect(to));
    }
    let name = url.rsplit('/').next().unwrap_or_default();
    let (media_type, steps, tag) = parts(content);
    let item = json!({
        "@odata.context": format!("{}/{}/$metadata#shares/driveItem/$entity", service.origin, asked.version()),
        "@microsoft.graph.downloadUrl": to,
        "id": tag, "name": name, "webUrl": url, "size": length(&steps),
        "file": {"mimeType": media_type},
    });
    Ok(Answer::json(item.to_string()))
}

/// The pass in a pre-authenticated address.
fn pass(service: &Service, url: &str) -> String {
    service.chance(url, u64::MAX).guid()
}

/// The second origin: files by a pre-authenticated address, for whoever has it.
pub(crate) fn elsewhere(service: &Service, asked: &Asked) -> Outcome {
    let [download, id] = asked.segments.as_slice() else { return Err(Refusal::not_found("page")) };
    let url = URL_SAFE_NO_PAD.decode(id).ok().and_then(|url| String::from_utf8(url).ok());
    let url = url.filter(|_| download == "download").ok_or_else(|| Refusal::not_found("page"))?;
    if asked.query.get("tempauth") != Some(pass(service, &url).as_str()) {
        return Err(Refusal::new(401, "unauthenticated", "The address is no longer valid."));
    }
    bytes(asked, content(service, asked, &ContentPath::File { content_url: url })?)
}

/// Media type, body and entity tag.
fn parts(content: Content) -> (String, Vec<Step>, String) {
    match content {
        Content::Bytes { media_type, bytes } => {
            let mark = bytes.iter().fold(bytes.len() as u64, |mark, byte| {
                (mark ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            (media_type, vec![Step::Bytes(bytes.into())], format!("{mark:016x}"))
        }
        Content::Generated { media_type, seed, len } => {
            (media_type, vec![Step::Made { seed, from: 0, to: len }], format!("{seed:016x}-{len}"))
        }
        Content::Refused { .. } | Content::List(_) => {
            ("application/json".to_owned(), Vec::new(), String::new())
        }
    }
}

/// Bytes, as much of them as was asked for.
fn bytes(asked: &Asked, content: Content) -> Outcome {
    let (media_type, steps, tag) = parts(content);
    let (total, tag) = (length(&steps), format!("\"{tag}\""));
    let range = asked.header("range").and_then(|text| range(text, total));
    let same = asked.header("if-range").is_none_or(|have| have == tag);
    let base = |status| {
        Answer::new(status, &media_type, "")
            .with("accept-ranges", "bytes".to_owned())
            .with("etag", tag.clone())
    };
    match range.filter(|_| same) {
        None => {
            let whole = base(200).with("content-length", total.to_string());
            Ok(Answer { steps, ..whole })
        }
        Some(Span::Outside) => {
            let text = "The requested range is not satisfiable.";
            let refused = Refusal::new(416, "invalidRange", text);
            Err(refused.with("content-range", format!("bytes */{total}")))
        }
        Some(Span::Part(from, to)) => {
            let part = base(206)
                .with("content-range", format!("bytes {from}-{}/{total}", to - 1))
                .with("content-length", (to - from).to_string());
            let steps = steps.into_iter().map(|step| part_of(step, from, to)).collect();
            Ok(Answer { steps, ..part })
        }
    }
}

fn part_of(step: Step, from: u64, to: u64) -> Step {
    match step {
        Step::Bytes(bytes) => {
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            Step::Bytes(bytes.slice(at(from)..at(to)))
        }
        Step::Made { seed, .. } => Step::Made { seed, from, to },
        other => other,
    }
}

/// What a `Range` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    /// From one offset up to before another.
    Part(u64, u64),
    /// Nothing that is there.
    Outside,
}

impl Span {
    fn new(from: u64, to: u64) -> Self {
        if from < to { Self::Part(from, to) } else { Self::Outside }
    }
}

/// Reads a `Range`; none if it is not of the one kind that is served.
fn range(text: &str, total: u64) -> Option<Span> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        return Some(Span::new(total.saturating_sub(count), total));
    }
    let from: u64 = first.parse().ok()?;
    let to = if last.is_empty() {
        total
    } else {
        last.parse::<u64>().ok()?.saturating_add(1).min(total)
    };
    Some(Span::new(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_means_them() {
        for (text, expected) in [
            ("bytes=0-", Some(Span::Part(0, 10))),
            ("bytes=3-5", Some(Span::Part(3, 6))),
            ("bytes=3-99", Some(Span::Part(3, 10))),
            ("bytes=-4", Some(Span::Part(6, 10))),
            ("bytes=10-", Some(Span::Outside)),
            ("bytes=1-2,4-5", None),
            ("lines=1-", None),
        ] {
            assert_eq!(range(text, 10), expected, "{text}");
        }
    }
}
