//! Bytes for a browser: our own style and script, what the archive holds, parts of downloads.
//!
//! A file of an archive is anybody's: it is shown only if it is a picture, a film or a sound that a
//! browser cannot run, and else saved. It has a policy under which nothing in it could run.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chatvault_base::threads;
use chatvault_engine::{ContentAddress, ReadFile};
use futures_util::stream;

use crate::call::Call;
use crate::failure::{Failure, Result};
use crate::fields::step;

const STYLE: &str = include_str!("../assets/page.css");
const ICON: &str = include_str!("../assets/icon.svg");
const SCRIPT: &str = include_str!("../assets/page.js");
/// Under it a file can show itself and do nothing else.
const FILE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; \
    media-src 'self'; sandbox";
/// Kinds that are shown in a page.
const SHOWN: [&str; 12] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/mp4",
    "audio/wav",
    "audio/ogg",
    "text/plain",
];
/// Bytes on the way at once.
const CHUNK: usize = 256 << 10;
const CHUNKS: usize = 4;

/// `GET /assets/{name}`.
pub(crate) fn asset(call: &Call) -> Result<Response> {
    let (kind, text) = match call.step("name") {
        "page.css" => ("text/css; charset=utf-8", STYLE),
        "cards.css" => ("text/css; charset=utf-8", chatvault_export::format::html::STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        "page.js" => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return Err(Failure::missing("file")),
    };
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response())
}

/// `GET /a/{org}/objects/{address}/{name}`: an image, file or film, all or a range of it.
pub(crate) fn object(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let wrong = |_cause| Failure::missing("file");
    let address: ContentAddress = call.step("address").parse().map_err(wrong)?;
    let snapshot = org.snapshot()?;
    let missing = || Failure::missing("file");
    let bytes = snapshot.object_bytes(&address)?.ok_or_else(missing)?;
    let mut reader = snapshot.object(&address)?.ok_or_else(missing)?;
    let range = range(&call.headers, bytes)?;
    if range.start > 0 {
        // An object is read from its start; what is before the range is checked and left out.
        let _skipped = std::io::copy(&mut (&mut reader).take(range.start), &mut std::io::sink())?;
    }
    let name = call.step("name");
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let mut response = answer((name, kind), range, streamed(reader, range.length));
    // The address is the content: it never changes.
    let forever = "private, max-age=31536000, immutable".parse();
    drop(forever.map(|value| response.headers_mut().insert(CACHE_CONTROL, value)));
    Ok(response)
}

/// A file of a folder, all or a range of it, to be saved.
pub(crate) fn saved(call: &Call, name: &str, file: Arc<dyn ReadFile>) -> Result<Response> {
    let range = range(&call.headers, file.bytes()?)?;
    let reader = At { file, at: range.start };
    Ok(answer((name, "application/zip"), range, streamed(Box::new(reader), range.length)))
}

/// Bytes that are at hand.
pub(crate) fn whole(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let length = bytes.len() as u64;
    answer((name, kind), Range { start: 0, length, of: length, is_part: false }, bytes.into())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) of: u64,
    pub(crate) is_part: bool,
}

/// The range that is asked for: `bytes=A-B`, `bytes=A-` or `bytes=-N`; several are answered with all.
pub(crate) fn range(headers: &HeaderMap, of: u64) -> Result<Range> {
    let all = Range { start: 0, length: of, of, is_part: false };
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let Some((from, to)) = asked.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Ok(all);
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let ends = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Some((from, to)),
        (Some(from), None) if to.is_empty() => Some((from, u64::MAX)),
        (None, Some(last)) if from.is_empty() => Some((of.saturating_sub(last), u64::MAX)),
        _ => None,
    };
    let Some((start, last)) = ends else { return Ok(all) };
    if start >= of {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        return Err(Failure { status, line: "The file is shorter".to_owned(), advice: None });
    }
    let length = last.min(of - 1) - start + 1;
    Ok(Range { start, length, of, is_part: true })
}

fn answer((name, kind): (&str, &'static str), range: Range, body: Body) -> Response {
    let is_shown = SHOWN.contains(&kind);
    let how = if is_shown { "inline" } else { "attachment" };
    let kind = match kind {
        "text/plain" => "text/plain; charset=utf-8",
        kind if is_shown || kind == "application/zip" => kind,
        _ => "application/octet-stream",
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._ ".contains(c) { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let named = format!("{how}; filename=\"{ascii}\"; filename*=UTF-8''{}", step(name));
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, named),
        (CONTENT_SECURITY_POLICY, FILE_POLICY.to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, range.length.to_string()),
    ];
    if range.is_part {
        let Range { start, length, of, .. } = range;
        let part = format!("bytes {start}-{}/{of}", start + length - 1);
        return (StatusCode::PARTIAL_CONTENT, headers, [(CONTENT_RANGE, part)], body)
            .into_response();
    }
    (headers, body).into_response()
}

/// A reader's bytes as they are asked for: a slow browser keeps a few chunks and no more.
pub(crate) fn streamed(reader: Box<dyn Read + Send>, length: u64) -> Body {
    let (chunks, queue) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(CHUNKS);
    let read = move || {
        let mut rest = reader.take(length);
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let next = match (&mut rest).take(CHUNK as u64).read_to_end(&mut chunk) {
                Ok(0) => return,
                Ok(_) => Ok(Bytes::from(chunk)),
                Err(cause) => Err(cause),
            };
            let is_broken = next.is_err();
            // Nobody listens any more.
            if chunks.blocking_send(next).is_err() || is_broken {
                return;
            }
        }
    };
    // A thread of its own: a slow browser must not take the place of a page.
    if threads::start("chatvault-file", read).is_err() {
        return Body::empty();
    }
    Body::from_stream(stream::unfold(queue, async |mut queue| {
        let next = queue.recv().await?;
        Some((next, queue))
    }))
}

/// A file as a reader.
struct At {
    file: Arc<dyn ReadFile>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.bytes()?.saturating_sub(self.at);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let Some(out) = out.get_mut(..length) else { return Ok(0) };
        self.file.read_at(self.at, out)?;
        self.at += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<(u64, u64)> {
        let headers = HeaderMap::from_iter([(RANGE, text.parse().unwrap())]);
        range(&headers, 100).ok().map(|range| (range.start, range.length))
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (text, expected) in [
            ("bytes=0-", Some((0, 100))),
            ("bytes=10-19", Some((10, 10))),
            ("bytes=90-500", Some((90, 10))),
            ("bytes=-5", Some((95, 5))),
            ("bytes=-500", Some((0, 100))),
            ("bytes=100-", None),
            ("bytes=9-1", Some((0, 100))),
            ("lines=1-2", Some((0, 100))),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_browser_could_run_is_saved_under_a_plain_name() {
        let range = Range { start: 0, length: 0, of: 0, is_part: false };
        let of = |name, kind| {
            let response = answer((name, kind), range, Body::empty());
            let text = |name| response.headers()[name].to_str().unwrap().to_owned();
            (text("content-type"), text("content-disposition"))
        };
        let (kind, how) = of("a\"\r\nb.html", "text/html");
        assert_eq!(kind, "application/octet-stream");
        assert_eq!(how, "attachment; filename=\"a___b.html\"; filename*=UTF-8''a%22%0D%0Ab.html");
        assert_eq!(of("x.svg", "image/svg+xml").0, "application/octet-stream");
        assert!(of("x.png", "image/png").1.starts_with("inline; "));
    }
}
