//! Downloads: streamed, resumed after a cut, never whole in memory.
//!
//! Invariants: what a redirect leads to sees neither token nor any other header of ours but the
//! range; bytes are only added to bytes of the same version, which the validator proves; what is
//! reported as done has the length that the service named.

use std::io;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, Url};

use super::client::{Client, Request};
use super::cloud::{is_loopback, plain};
use super::course::{Course, Stumble, Style, host};
use super::failure::{Failure, FailureKind, clean};
use super::meter::Meter;
use super::retry::Outcome;

/// From Graph to the store of the bytes it is one step, sometimes two.
const MOST_REDIRECTS: usize = 5;

/// With so much gained a failed attempt does not count: a cut is no reason to give up a download
/// that gets on.
const PROGRESS: u64 = 1 << 20;

/// Where a download goes.
pub trait Sink: Send {
    /// Bytes that are kept already: the request starts there.
    fn kept(&self) -> u64;
    /// What was given to `begin` with them. Without it they cannot be added to.
    fn validator(&self) -> Option<String>;
    /// All kept bytes are void: the next ones are the first.
    fn begin(&mut self, validator: Option<&str>, total: Option<u64>) -> io::Result<()>;
    /// The next bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A download that is complete.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// What the service says that it is.
    pub media_type: Option<String>,
    /// How many there are.
    pub bytes: u64,
    /// The version that it is of.
    pub etag: Option<String>,
}

impl Client {
    /// Downloads into a sink. What the sink has from an earlier process is not fetched again, if
    /// it is still of the same version.
    ///
    /// A [`Failure`], as [`Client::get`] gives; what the sink has stays for another try.
    pub async fn download(
        &self,
        request: &Request<'_>,
        sink: &mut dyn Sink,
        meter: &Meter,
    ) -> Result<Downloaded, Failure> {
        let mut course = Course::new(self, *request, meter);
        let mut reached = sink.kept();
        loop {
            let stumble = match part(&mut course, sink).await {
                Ok(done) => return Ok(done),
                Err(stumble) => stumble,
            };
            if sink.kept() >= reached.saturating_add(PROGRESS) {
                reached = sink.kept();
                course.progressed();
            }
            course.recover(stumble).await?;
        }
    }
}

/// One attempt: the whole, or what is missing of it.
async fn part(course: &mut Course<'_>, sink: &mut dyn Sink) -> Result<Downloaded, Stumble> {
    let from = Start::of(sink);
    let (answer, _permit) = course.send(Style::Bytes(from.headers())).await?;
    let mut answer = follow(course, answer, &from).await?;
    let end = match plan(answer.status(), answer.headers(), &from) {
        Plan::Whole { validator, total } => {
            sink.begin(validator.as_deref(), total).map_err(|error| local(&error))?;
            total
        }
        Plan::Rest { total } => Some(total),
        Plan::Anew(reason) => return Err(anew(sink, reason)),
        Plan::Encoded => {
            let message = format!("{} sent compressed bytes unasked", host(answer.url()));
            return Err(Stumble::Final(Failure::new(FailureKind::Service, message)));
        }
        Plan::Refused => return Err(course.refusal(answer).await),
    };
    let headers = answer.headers();
    let (media_type, etag) = (text(headers, &header::CONTENT_TYPE), text(headers, &header::ETAG));
    while let Some(bytes) = answer.chunk().await.map_err(|error| course.broken(&error))? {
        course.meter.received(bytes.len());
        if end.is_some_and(|end| sink.kept().saturating_add(bytes.len() as u64) > end) {
            return Err(anew(sink, "more bytes came than were named"));
        }
        sink.write(&bytes).map_err(|error| local(&error))?;
    }
    match end {
        Some(end) if sink.kept() < end => Err(cut(&format!("{} of {end} bytes came", sink.kept()))),
        _ => Ok(Downloaded { media_type, bytes: sink.kept(), etag }),
    }
}

/// Follows redirects by hand, with nothing of ours but the range.
async fn follow(
    course: &Course<'_>,
    mut answer: Response,
    from: &Start,
) -> Result<Response, Stumble> {
    let local = course.client.cloud().is_local();
    for _ in 0..MOST_REDIRECTS {
        if !is_redirect(answer.status()) {
            return Ok(answer);
        }
        let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let url = target(answer.url(), location.unwrap_or_default(), local)
            .map_err(|reason| Stumble::Final(Failure::new(FailureKind::Hostile, reason)))?;
        course.meter.request();
        let request = course.client.http.current().raw.get(url).headers(from.headers());
        answer = request.send().await.map_err(|error| course.broken(&error))?;
    }
    if is_redirect(answer.status()) {
        let message = format!("more than {MOST_REDIRECTS} redirects");
        return Err(Stumble::Final(Failure::new(FailureKind::Hostile, message)));
    }
    Ok(answer)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if it may be followed: over TLS, to a host of the network. A cloud on
/// this machine may also send to this machine, and without TLS.
fn target(from: &Url, location: &str, local: bool) -> Result<Url, String> {
    if location.is_empty() {
        return Err(format!("{} redirects to nowhere", host(from)));
    }
    let Ok(url) = from.join(location) else {
        return Err(format!("{} redirects to what is no address", host(from)));
    };
    let here = is_loopback(&url);
    let safe = match url.scheme() {
        "https" => !is_inside(&url) || (local && here),
        "http" => local && here,
        _ => false,
    };
    if safe && plain(&url) {
        return Ok(url);
    }
    let shown = clean(&format!("{}://{}", url.scheme(), host(&url)));
    Err(format!("{} redirects to {shown}, where nothing is fetched from", host(from)))
}

/// Addresses that only this machine or its own network knows.
fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
        }
        Some(url::Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some()
        }
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    }
}

/// Where the next part starts: at nothing, or behind bytes whose version is known.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    at: u64,
    validator: Option<HeaderValue>,
}

impl Start {
    fn of(sink: &dyn Sink) -> Self {
        let validator = sink.validator().and_then(|text| HeaderValue::from_str(&text).ok());
        let at = if validator.is_some() { sink.kept() } else { 0 };
        Self { at, validator }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        drop(headers.insert(header::ACCEPT, HeaderValue::from_static("*/*")));
        drop(headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        let range = HeaderValue::from_str(&format!("bytes={}-", self.at));
        if let (1.., Some(validator), Ok(range)) = (self.at, &self.validator, range) {
            drop(headers.insert(header::RANGE, range));
            drop(headers.insert(header::IF_RANGE, validator.clone()));
        }
        headers
    }
}

/// What an answer to a download means.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// From the first byte on.
    Whole { validator: Option<String>, total: Option<u64> },
    /// What was missing.
    Rest { total: u64 },
    /// Of no use to what is kept: forget it and ask for the whole.
    Anew(&'static str),
    /// Packed, so that its bytes are not those of the content.
    Encoded,
    /// No bytes, but a reason.
    Refused,
}

fn plan(status: StatusCode, headers: &HeaderMap, from: &Start) -> Plan {
    let encoding = text(headers, &header::CONTENT_ENCODING);
    let packed = encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let length = text(headers, &header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    match status.as_u16() {
        200 | 206 if packed => Plan::Encoded,
        200 => Plan::Whole { validator: validator(headers), total: length },
        206 if from.at == 0 => Plan::Anew("a part came, but the whole was asked for"),
        206 => rest(headers, from, length),
        416 if from.at > 0 => Plan::Anew("the range is not there any more"),
        _ => Plan::Refused,
    }
}

fn rest(headers: &HeaderMap, from: &Start, length: Option<u64>) -> Plan {
    let range = text(headers, &header::CONTENT_RANGE);
    let Some((first, last, total)) = range.as_deref().and_then(content_range) else {
        return Plan::Anew("a part came without its place");
    };
    let is_longer = length.is_some_and(|length| length != last - first + 1);
    if first != from.at || is_longer {
        return Plan::Anew("another part came than was asked for");
    }
    let kept = from.validator.as_ref().and_then(|kept| kept.to_str().ok());
    // A date as validator says nothing about a tag that comes along.
    let tag = text(headers, &header::ETAG).filter(|_| kept.is_some_and(|k| k.starts_with('"')));
    if tag.is_some_and(|tag| Some(tag.as_str()) != kept) {
        return Plan::Anew("the content has changed");
    }
    Plan::Rest { total }
}

/// `bytes 5-9/10` as 5, 9, 10. A total that is not known cannot be checked, so it is refused.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let numbers = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (numbers.0 <= numbers.1 && numbers.1 < numbers.2).then_some(numbers)
}

/// What proves a version: a strong tag, or else the time of the last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, &header::ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| text(headers, &header::LAST_MODIFIED))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= 1024).then(|| text.to_owned())
}

fn local(error: &io::Error) -> Stumble {
    let message = format!("what was downloaded cannot be kept: {error}");
    Stumble::Final(Failure::new(FailureKind::Local, message))
}

fn cut(reason: &str) -> Stumble {
    Stumble::Passing(Outcome::Broken, Failure::new(FailureKind::Network, reason))
}

/// Forgets what is kept and counts the attempt.
fn anew(sink: &mut dyn Sink, reason: &str) -> Stumble {
    match sink.begin(None, None) {
        Ok(()) => cut(reason),
        Err(error) => local(&error),
    }
}
