//! Who may ask: a browser that was given the token, on a page of this server's own.
//!
//! | attack | answer |
//! |---|---|
//! | another site's name that leads here | `Host` must be one of ours |
//! | another site's page that posts here | `Origin` must be ours, a form carries a key, the cookie is strict |
//! | another user of this machine | a token at each start, then a cookie that no script reads |
//! | a script in a message | a policy without one that is not ours; messages never become markup |
//! | another site's frame around a page | `frame-ancestors 'none'` |

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;
use crate::fields::Fields;
use crate::frame;
use crate::site::Site;

/// What a browser may do with a page of ours: nothing that is not from here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where a server listens, as far as requests must agree with it.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) site: Arc<Site>,
    pub(crate) address: SocketAddr,
    pub(crate) is_tls: bool,
}

pub(crate) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = match gate.judge(&request) {
        Verdict::Pass => next.run(request).await,
        Verdict::Enter(place) => gate.enter(&place),
        Verdict::Refuse(failure) => frame::alone(&failure),
    };
    harden(response.headers_mut());
    response
}

enum Verdict {
    Pass,
    /// It has the token: it gets the cookie, and goes on to this place.
    Enter(String),
    Refuse(Failure),
}

impl Gate {
    fn judge(&self, request: &Request) -> Verdict {
        let headers = request.headers();
        let Some(host) = self.own_host(headers) else {
            return refuse(StatusCode::MISDIRECTED_REQUEST, "This server does not go by that name");
        };
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if !is_read && !self.is_own_page(headers, host) {
            return refuse(StatusCode::FORBIDDEN, "This was not sent by a page of this server");
        }
        let path = request.uri().path();
        if path.starts_with("/assets/") {
            return Verdict::Pass;
        }
        let fields = Fields::of(request.uri().query().unwrap_or_default().as_bytes());
        let keys = &self.site.keys;
        let has_token = fields.get("token").is_some_and(|token| is_equal(token, &keys.token));
        if is_read && has_token {
            let rest = fields.with("token", None);
            let mark = if rest.is_empty() { "" } else { "?" };
            return Verdict::Enter(format!("{path}{mark}{rest}"));
        }
        if cookies(headers, &self.cookie()).any(|value| is_equal(value, &keys.session)) {
            return Verdict::Pass;
        }
        let line = "This browser has not shown the token of this server".to_owned();
        let advice = "Open the address that chatvault serve printed when it was started: the token is in it, \
                      and it is a new one at each start.";
        let advice = Some(advice.to_owned());
        Verdict::Refuse(Failure { status: StatusCode::UNAUTHORIZED, line, advice })
    }

    /// The name by which it was called, if that is one of its own.
    pub(crate) fn own_host<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let host = headers.get(HOST)?.to_str().ok()?;
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
            _ => (host, if self.is_tls { 443 } else { 80 }),
        };
        let own = self.address.ip();
        let is_own = ["localhost", "127.0.0.1", "[::1]"].contains(&name)
            || name.trim_start_matches('[').trim_end_matches(']').parse() == Ok(own);
        let is_named = self.site.hosts().iter().any(|host| host.eq_ignore_ascii_case(name));
        let is_here = port == self.address.port();
        (is_named || (is_own && is_here)).then_some(host)
    }

    /// Did a page of this server send it? A browser says so with each post.
    fn is_own_page(&self, headers: &HeaderMap, host: &str) -> bool {
        let scheme = if self.is_tls { "https" } else { "http" };
        let own = format!("{scheme}://{host}");
        headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes() == own.as_bytes())
    }

    fn enter(&self, place: &str) -> Response {
        let secure = if self.is_tls { "; Secure" } else { "" };
        let (name, session) = (self.cookie(), &self.site.keys.session);
        let cookie = format!("{name}={session}; Path=/; HttpOnly; SameSite=Strict{secure}");
        // Two slashes would lead to another server.
        let place = format!("/{}", place.trim_start_matches(['/', '\\']));
        (StatusCode::SEE_OTHER, [(LOCATION, place), (SET_COOKIE, cookie)]).into_response()
    }

    /// Servers on other ports of this machine share cookies.
    fn cookie(&self) -> String {
        format!("chatvault-{}", self.address.port())
    }
}

fn refuse(status: StatusCode, line: &str) -> Verdict {
    Verdict::Refuse(Failure { status, line: line.to_owned(), advice: None })
}

/// The values of a cookie.
pub(crate) fn cookies<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs =
        all.flat_map(|cookie| cookie.split(';')).filter_map(|one| one.trim().split_once('='));
    pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value)
}

/// Without telling by its time where they differ.
pub(crate) fn is_equal(left: &str, right: &str) -> bool {
    verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}

pub(crate) fn harden(headers: &mut HeaderMap) {
    let said = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Under `no-referrer` a browser would not say the origin of our own forms.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in said {
        drop(headers.insert(name, HeaderValue::from_static(value)));
    }
    // A page is private; what is content-addressed says so itself. A file has a policy of its own.
    let _ = headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let _ = headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
}
