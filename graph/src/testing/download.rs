//! Downloads over a real connection.

use std::io;

use super::server::{Asked, Server, named, reply};
use super::{app, client, client_of, limits};
use crate::client::Request;
use crate::download::{Downloaded, Sink};
use crate::failure::{Failure, FailureKind};
use crate::limits::{Class, Limits};
use crate::link::Link;
use crate::meter::Meter;

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    validator: Option<String>,
    begun: usize,
    full: bool,
}

impl Sink for Kept {
    fn kept(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn validator(&self) -> Option<String> {
        self.validator.clone()
    }

    fn begin(&mut self, validator: Option<&str>, _: Option<u64>) -> io::Result<()> {
        self.bytes.clear();
        self.validator = validator.map(str::to_owned);
        self.begun += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.full {
            return Err(io::Error::other("disk full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

const CONTENT: &[u8] = b"0123456789abcdef";
const TAG: (&str, &str) = ("ETag", "\"v1\"");
const MEDIA: (&str, &str) = ("Content-Type", "video/mp4");

async fn fetch(server: &Server, kept: &mut Kept) -> Result<Downloaded, Failure> {
    fetch_with(server, kept, &limits()).await
}

async fn fetch_with(
    server: &Server,
    kept: &mut Kept,
    limits: &Limits,
) -> Result<Downloaded, Failure> {
    let client = client_of(app(server), limits);
    let link = Link::own(client.cloud(), "/content").unwrap();
    let request = Request { link: &link, class: Class::Hosted, resource: Some("19:c") };
    client.download(&request, kept, &Meter::default()).await
}

fn done() -> Downloaded {
    let etag = Some(TAG.1.to_owned());
    Downloaded { media_type: Some(MEDIA.1.to_owned()), bytes: CONTENT.len() as u64, etag }
}

/// The rest of the content from where the request asks, as a good server gives it.
fn rest(asked: &Asked) -> Vec<u8> {
    let from = asked
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from {
        Some(from) if asked.header("if-range") == Some(TAG.1) && from < CONTENT.len() => {
            let range = format!("bytes {from}-15/16");
            reply(206, &[TAG, MEDIA, ("Content-Range", &range)], &CONTENT[from..])
        }
        Some(_) if asked.header("if-range") == Some(TAG.1) => reply(416, &[], ""),
        _ => reply(200, &[TAG, MEDIA], CONTENT),
    }
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.content().iter().map(|asked| asked.header("range").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_was() {
    let server = Server::start(|asked, n| match n {
        0 => named(200, &[TAG, MEDIA], 16, &CONTENT[..6]),
        1 => named(206, &[TAG, ("Content-Range", "bytes 6-15/16")], 10, &CONTENT[6..7]),
        _ => rest(asked),
    });
    let (server, mut kept) = (server.await, Kept::default());
    assert_eq!(fetch(&server, &mut kept).await.unwrap(), done());
    assert_eq!((&kept.bytes[..], kept.begun), (CONTENT, 1));
    let expected = [None, Some("bytes=6-".to_owned()), Some("bytes=7-".to_owned())];
    assert_eq!(ranges(&server), expected);
    let asked = &server.content()[2];
    assert_eq!(asked.header("if-range"), Some(TAG.1));
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    assert_eq!(asked.header("authorization"), Some("Bearer token-number-0"));
}

#[tokio::test]
async fn bytes_of_an_earlier_process_are_added_to_only_if_their_version_is_known() {
    let server = Server::start(|asked, _| rest(asked)).await;
    for (bytes, validator, range, begun) in [
        (&CONTENT[..9], Some(TAG.1), Some("bytes=9-"), 0),
        (b"old old", Some("\"v0\""), Some("bytes=7-"), 1),
        (b"no tag", None, None, 1),
        (b"", Some(TAG.1), None, 1),
    ] {
        let before = server.content().len();
        let mut kept = Kept {
            bytes: bytes.to_vec(),
            validator: validator.map(str::to_owned),
            ..Kept::default()
        };
        assert_eq!(fetch(&server, &mut kept).await.unwrap(), done());
        assert_eq!((&kept.bytes[..], kept.begun), (CONTENT, begun), "{validator:?}");
        assert_eq!(ranges(&server)[before].as_deref(), range);
    }
}

#[tokio::test]
async fn what_does_not_fit_what_is_kept_starts_anew() {
    let part = |headers: &[(&str, &str)]| reply(206, headers, &CONTENT[6..]);
    for (what, bad) in [
        ("gone range", reply(416, &[("Content-Range", "bytes */3")], "")),
        ("another start", part(&[TAG, ("Content-Range", "bytes 5-14/16")])),
        ("another length", part(&[TAG, ("Content-Range", "bytes 6-14/16")])),
        ("no total", part(&[TAG, ("Content-Range", "bytes 6-15/*")])),
        ("no range", part(&[TAG])),
        ("another version", part(&[("ETag", "\"v2\""), ("Content-Range", "bytes 6-15/16")])),
        ("a smaller whole", reply(206, &[("Content-Range", "bytes 6-6/7")], "xyz")),
    ] {
        let server =
            Server::start(move |asked, n| if n == 0 { bad.clone() } else { rest(asked) }).await;
        let validator = Some(TAG.1.to_owned());
        let mut kept = Kept { bytes: CONTENT[..6].to_vec(), validator, ..Kept::default() };
        assert_eq!(fetch(&server, &mut kept).await.unwrap(), done(), "{what}");
        assert_eq!(kept.bytes, CONTENT, "{what}");
        assert_eq!(ranges(&server), [Some("bytes=6-".to_owned()), None], "{what}");
    }
}

#[tokio::test]
async fn a_part_nobody_asked_for_is_not_taken() {
    let server = Server::start(|asked, n| match n {
        0 => reply(206, &[TAG, ("Content-Range", "bytes 3-15/16")], &CONTENT[3..]),
        _ => rest(asked),
    });
    let (server, mut kept) = (server.await, Kept::default());
    assert_eq!(fetch(&server, &mut kept).await.unwrap(), done());
    assert_eq!(kept.bytes, CONTENT);
}

#[tokio::test]
async fn without_a_version_every_cut_starts_anew_and_ends() {
    let server =
        Server::start(|_, _| named(200, &[("ETag", "W/\"weak\"")], 16, &CONTENT[..9])).await;
    let mut kept = Kept::default();
    let failure = fetch(&server, &mut kept).await.unwrap_err();
    assert_eq!((failure.kind, kept.begun), (FailureKind::Network, 4), "{failure}");
    assert_eq!(ranges(&server), [None, None, None, None]);
}

#[tokio::test]
async fn a_download_that_gets_on_is_not_given_up() {
    const PIECE: usize = 1 << 20;
    let server = Server::start(|_, n| {
        let (first, total) = (n * PIECE, 7 * PIECE);
        let range = format!("bytes {first}-{}/{total}", total - 1);
        let (status, headers) = if n == 0 {
            (200, vec![TAG])
        } else {
            (206, vec![TAG, ("Content-Range", range.as_str())])
        };
        named(status, &headers, total - first, &vec![u8::try_from(n).unwrap(); PIECE])
    });
    let (server, mut kept) = (server.await, Kept::default());
    let limits = Limits { attempts: 2, ..limits() };
    let done = fetch_with(&server, &mut kept, &limits).await.unwrap();
    assert_eq!((done.bytes, server.content().len()), (7 << 20, 7));
    assert!(kept.bytes.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at / PIECE));
}

#[tokio::test]
async fn a_redirect_is_followed_with_nothing_of_ours() {
    let store = Server::start(|asked, _| rest(asked)).await;
    let place = format!("{}/store?tempauth=x", store.origin());
    let server = Server::start(move |_, n| match n % 2 {
        0 => reply(302, &[("Location", "/v1.0/next"), ("Set-Cookie", "a=b")], ""),
        _ => reply(307, &[("Location", place.as_str())], ""),
    });
    let server = server.await;
    let validator = Some(TAG.1.to_owned());
    let mut kept = Kept { bytes: CONTENT[..6].to_vec(), validator, ..Kept::default() };
    assert_eq!(fetch(&server, &mut kept).await.unwrap(), done());
    assert_eq!(kept.bytes, CONTENT);
    assert!(server.content()[0].header("authorization").is_some());
    let (own, foreign) = (server.content()[1].clone(), store.content()[0].clone());
    assert_eq!((own.path.as_str(), foreign.path.as_str()), ("/v1.0/next", "/store?tempauth=x"));
    for asked in [own, foreign] {
        for name in ["authorization", "cookie", "prefer", "client-request-id", "referer"] {
            assert_eq!(asked.header(name), None, "{name}");
        }
        assert_eq!(asked.header("range"), Some("bytes=6-"));
    }
}

#[tokio::test]
async fn a_redirect_that_is_not_to_be_trusted_is_refused() {
    for (location, requests) in [
        ("/v1.0/again", 6),
        ("http://store.example/x?sig=tell", 1),
        ("ftp://127.0.0.1/x", 1),
        ("file:///etc/passwd", 1),
        ("https://me:hunter2@store.example/x", 1),
        ("https://169.254.169.254/latest", 1),
        ("https://[::ffff:10.0.0.1]/", 1),
        ("http://", 1),
        ("", 1),
    ] {
        let server = Server::start(move |_, _| reply(302, &[("Location", location)], "")).await;
        let failure = fetch(&server, &mut Kept::default()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Hostile, "{location}: {failure}");
        assert_eq!(server.content().len(), requests, "{location}");
        let line = failure.to_string();
        assert!(!line.contains("hunter2") && !line.contains("sig="), "{line}");
    }
}

#[tokio::test]
async fn a_refusal_has_its_kind_and_a_stores_refusal_costs_no_token() {
    for (status, kind) in [(403, FailureKind::Permission), (404, FailureKind::NotFound)] {
        let server = Server::start(move |_, _| reply(status, &[], "{}")).await;
        assert_eq!(fetch(&server, &mut Kept::default()).await.unwrap_err().kind, kind);
    }
    let store = Server::start(|_, _| reply(401, &[], "")).await;
    let place = format!("{}/store", store.origin());
    let server = Server::start(move |_, _| reply(302, &[("Location", place.as_str())], "")).await;
    let failure = fetch(&server, &mut Kept::default()).await.unwrap_err();
    assert_eq!((failure.kind, server.tokens()), (FailureKind::Permission, 1));
    assert_eq!(failure.at, Some(store.origin().replace("http://", "")));
}

#[tokio::test]
async fn packed_bytes_and_a_full_disk_are_named() {
    let server = Server::start(|_, _| reply(200, &[("Content-Encoding", "gzip")], "x")).await;
    let failure = fetch(&server, &mut Kept::default()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Service, "{failure}");
    let server = Server::start(|asked, _| rest(asked)).await;
    let mut full = Kept { full: true, ..Kept::default() };
    let failure = fetch(&server, &mut full).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Local);
    assert!(failure.to_string().contains("disk full"), "{failure}");
    assert_eq!(server.content().len(), 1);
    assert!(client(&server).sign_in().await.is_ok());
}
