//! Links that may be asked with the bearer token: of the cloud's own host, sent as they came.
//!
//! A `Link` is the proof that its text was checked: absolute, with the scheme, host and port of the
//! cloud's Graph in plain letters, no user info, no fragment, no control character, no backslash,
//! not overlong; and that what goes over the wire is what the service wrote, byte for byte. Only
//! characters that RFC 3986 does not permit, and the apostrophe of a query, are sent as `%XX`.
//!
//! The host is compared as text first and as a parsed URL again, because a URL parser is helpful
//! where a token is at stake: it maps look-alike letters, drops tabs and takes `\` for `/`.

use reqwest::Url;
use url::Position;

use super::cloud::Cloud;
use super::failure::{Failure, FailureKind};

/// Longest link, as it came and as it is sent. Those of the service reach about a thousand bytes.
const LONGEST_BYTES: usize = 32 << 10;

/// What stands in no URL as it is, and the apostrophe, which a query is sent without.
const ESCAPED: &[u8] = b" \"'<>^`{|}";

/// An address that may be asked with the bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    url: Url,
    text: String,
}

impl Link {
    /// Checks a link that came from the service.
    ///
    /// A [`Failure`] if it leads anywhere but to the cloud's own Graph.
    pub fn follow(cloud: &Cloud, text: &str) -> Result<Self, Failure> {
        check(cloud, text).map_err(|reason| hostile(cloud, &reason))
    }

    /// One of our own: `path_and_query` starts with the slash behind `v1.0`.
    ///
    /// Errors are those of [`Link::follow`].
    pub fn own(cloud: &Cloud, path_and_query: &str) -> Result<Self, Failure> {
        Self::follow(cloud, &format!("{}{path_and_query}", cloud.base()))
    }

    /// As it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is sent.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// For errors: continuation tokens are in the query, and stay out of them.
    pub fn path(&self) -> &str {
        self.url.path()
    }
}

/// Checks a link that an answer of the service carries, and gives it as it may be sent.
///
/// For programs that fetch pages by themselves: a `nextLink` that passes belongs to the cloud's own
/// Graph and can be asked with the bearer token. What is given back differs from `text` in the case
/// of scheme and host and in a default port at most, and in characters that no URL may hold, which
/// become `%XX`. Anything else is a [`FailureKind::Hostile`].
///
/// ```
/// use chatvault_graph::{Cloud, check_link};
///
/// let cloud = Cloud::global();
/// let next = "https://graph.microsoft.com/v1.0/users('1')/chats/getallMessages?$skiptoken=a%3d";
/// assert_eq!(check_link(&cloud, next)?, next);
/// assert!(check_link(&cloud, "https://graph.microsoft.com@evil.example/v1.0/users").is_err());
/// # Ok::<(), chatvault_graph::Failure>(())
/// ```
///
/// A [`Failure`] if it is none: see [`Link::follow`].
pub fn check_link(cloud: &Cloud, text: &str) -> Result<String, Failure> {
    Link::follow(cloud, text).map(|link| link.url.into())
}

fn check(cloud: &Cloud, text: &str) -> Result<Link, String> {
    if text.len() > LONGEST_BYTES {
        return Err(format!("it has {} bytes, more than {LONGEST_BYTES}", text.len()));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() || matches!(c, '\\' | '#')) {
        return Err(format!("it has the character {bad:?}"));
    }
    let behind_origin = without_origin(cloud.graph(), text)?;
    // A parser would cut a space off the end.
    if !behind_origin.starts_with('/') || behind_origin.ends_with(' ') {
        return Err("its path is not written out".into());
    }
    let url = Url::parse(text).map_err(|cause| format!("it is no URL ({cause})"))?;
    let sent = &url[Position::BeforePath..];
    if !cloud.owns(&url) || !is_same_but_escaped(behind_origin, sent) {
        return Err("it would be sent as something else than it is written".into());
    }
    if url.as_str().len() > LONGEST_BYTES {
        return Err(format!("it has more than {LONGEST_BYTES} bytes when it is sent"));
    }
    Ok(Link { url, text: text.into() })
}

/// What follows scheme, host and port, if these are the cloud's own, letter by letter.
fn without_origin<'t>(origin: &str, text: &'t str) -> Result<&'t str, String> {
    let (own_scheme, own_authority) = origin.split_once("://").unwrap_or_default();
    let (scheme, rest) = text.split_once("://").ok_or("it is not absolute")?;
    if !scheme.eq_ignore_ascii_case(own_scheme) {
        return Err(format!("it is not {own_scheme}"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let port = if own_scheme == "https" { ":443" } else { ":80" };
    let [found, own] =
        [authority, own_authority].map(|text| text.strip_suffix(port).unwrap_or(text));
    if !found.eq_ignore_ascii_case(own) {
        return Err(format!("it leads to {}", shown(authority)));
    }
    Ok(path)
}

/// A foreign host for an error: without what may be a password, short, and harmless in a terminal.
fn shown(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host: String = host.chars().take(80).collect();
    format!("{host:?}")
}

/// Is `sent` what `written` says, but for bytes of [`ESCAPED`] and non-ASCII ones as `%XX`?
fn is_same_but_escaped(written: &str, sent: &str) -> bool {
    let mut sent = sent.bytes();
    let mut same = written.bytes().all(|byte| match sent.next() {
        Some(other) if other == byte => true,
        Some(b'%') if ESCAPED.contains(&byte) || !byte.is_ascii() => {
            sent.next() == Some(hex(byte >> 4)) && sent.next() == Some(hex(byte & 15))
        }
        _ => false,
    });
    same &= sent.next().is_none();
    same
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

fn hostile(cloud: &Cloud, reason: &str) -> Failure {
    Failure {
        kind: FailureKind::Hostile,
        status: None,
        code: None,
        message: format!("a link was not followed: {reason}; only {} is asked", cloud.graph()),
        request_id: None,
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &str) -> Result<String, FailureKind> {
        check_link(&Cloud::global(), text).map_err(|failure| failure.kind)
    }

    #[test]
    fn links_as_the_service_writes_them_are_sent_byte_for_byte() {
        for rest in [
            "/v1.0/users('0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5')/chats/getallMessages?$top=2&$skiptoken=U2tpcFZhbHVlPTI%3d%3d",
            "/v1.0/teams('01fe12e0')/channels/getallMessages?$skiptoken=U2tpcFZhbHVlPTA&$filter=lastModifiedDateTime+gt+2019-11-01T00%3a00%3a00Z+and+lastModifiedDateTime+lt+2021-11-01T00%3a00%3a00Z",
            "/beta/teams/fbe2/channels/19:4a95@thread.tacv2/messages?$skiptoken=%5b%7B%22token%22%3a%22%2bRID%3a~vps%3d%23RT%3a1%22%7d%5D",
            "/v1.0/users/8b08/chats/getAllRetainedMessages?$skip=10",
            "/v1.0/users/5ed1/chats/getAllMessages/delta?$deltatoken=aQdv-_y.EP9gLi_1r_4",
            "/v1.0/users/f47b/teamwork/getAllRetainedTargetedMessages?$top=1&$skiptoken=Token",
            "/v1.0//users?x=a?b/../c|d^e`[f];,!*",
            "/v1.0/users?$skiptoken=RFNwdAIAAQ==%zz%",
        ] {
            let link = format!("https://graph.microsoft.com{rest}");
            assert_eq!(follow(&link), Ok(link));
        }
    }

    #[test]
    fn only_what_no_url_may_hold_is_escaped() {
        for (written, sent) in [
            (
                "/v1.0/users({userId})/onlineMeetings/getAllRecordings(meetingOrganizerUserId='8b')?skipToken={t}",
                "/v1.0/users(%7BuserId%7D)/onlineMeetings/getAllRecordings(meetingOrganizerUserId='8b')?skipToken={t}",
            ),
            (
                "/v1.0/x?$filter=MeetingOrganizer%2fUser%2fId+eq+%27{u}%27&y='a b'",
                "/v1.0/x?$filter=MeetingOrganizer%2fUser%2fId+eq+%27{u}%27&y=%27a%20b%27",
            ),
            ("/v1.0/a b/\"<>?\"<>ä", "/v1.0/a%20b/%22%3C%3E?%22%3C%3E%C3%A4"),
        ] {
            let origin = "https://graph.microsoft.com";
            assert_eq!(follow(&format!("{origin}{written}")), Ok(format!("{origin}{sent}")));
        }
    }

    #[test]
    fn the_same_host_in_other_letters_is_the_same_host() {
        for link in
            ["HTTPS://GRAPH.microsoft.COM/v1.0/users", "https://graph.microsoft.com:443/v1.0/users"]
        {
            assert_eq!(follow(link).as_deref(), Ok("https://graph.microsoft.com/v1.0/users"));
        }
    }

    #[test]
    fn anything_that_leads_or_looks_elsewhere_is_refused() {
        let overlong = format!("https://graph.microsoft.com/{}", "a".repeat(LONGEST_BYTES));
        let grows = format!("https://graph.microsoft.com/{}", "ä".repeat(LONGEST_BYTES / 4));
        for link in [
            "https://graph.microsoft.com@evil.example/v1.0/users",
            "https://user@graph.microsoft.com/v1.0/users",
            "https://user:password@graph.microsoft.com/v1.0/users",
            "https://evil.example/v1.0/users",
            "https://graph.microsoft.com.evil.example/v1.0/users",
            "https://evil.example/https://graph.microsoft.com/v1.0/users",
            "https://evil.example\\@graph.microsoft.com/v1.0/users",
            "https:\\\\graph.microsoft.com\\v1.0",
            "https://graph.microsoft.com\\@evil.example/v1.0/users",
            "https://graph.microsoft.com:8443/v1.0/users",
            "https://graph.microsoft.com:0443/v1.0/users",
            "https://graph.microsoft.com:/v1.0/users",
            "http://graph.microsoft.com/v1.0/users",
            "http://graph.microsoft.com:443/v1.0/users",
            "ftp://graph.microsoft.com/v1.0/users",
            "file:///etc/passwd",
            "//evil.example/v1.0/users",
            "///graph.microsoft.com/v1.0/users",
            "https:///graph.microsoft.com/v1.0/users",
            "https:/graph.microsoft.com/v1.0/users",
            "https:graph.microsoft.com/v1.0/users",
            "/v1.0/users",
            "users?$skip=1",
            "?$skip=1",
            "",
            " ",
            "https://graph.microsoft.com",
            "https://graph.microsoft.com?$skip=1",
            "https://graph.microsoft.com./v1.0/users",
            "https://graph%2emicrosoft.com/v1.0/users",
            "https://graph。microsoft.com/v1.0/users",
            "https://ｇraph.microsoft.com/v1.0/users",
            "https://grаph.microsoft.com/v1.0/users",
            "https://graph\u{ad}.microsoft.com/v1.0/users",
            "https://gra\tph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com/v1.0/us\ters",
            "https://graph.microsoft.com/v1.0/us\ners",
            "https://graph.microsoft.com/v1.0/us\u{0}ers",
            "https://graph.microsoft.com/v1.0/us\u{7f}ers",
            "https://graph.microsoft.com/v1.0/us\u{85}ers",
            " https://graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com/v1.0/users ",
            "https://graph.microsoft.com/v1.0/../beta/users",
            "https://graph.microsoft.com/v1.0/./users",
            "https://graph.microsoft.com/v1.0/%2e%2e/beta/users",
            "https://graph.microsoft.com/v1.0/%2E./users",
            "https://graph.microsoft.com/v1.0/users/..",
            "https://graph.microsoft.com/v1.0/users#evil",
            &overlong,
            &grows,
        ] {
            assert_eq!(follow(link), Err(FailureKind::Hostile), "{link:?}");
        }
    }

    #[test]
    fn a_port_of_ones_own_is_needed_everywhere() {
        let cloud = Cloud::custom("http://127.0.0.1:8080", "http://127.0.0.1:8080").unwrap();
        let sent = |text| check_link(&cloud, text).ok();
        let link = "http://127.0.0.1:8080/v1.0/users?$skip=1";
        assert_eq!(sent(link).as_deref(), Some(link));
        for other in [
            "http://127.0.0.1/v1.0/users",
            "http://127.0.0.1:8081/v1.0/users",
            "http://127.1:8080/v1.0/users",
            "http://2130706433:8080/v1.0/users",
            "https://127.0.0.1:8080/v1.0/users",
            "https://graph.microsoft.com/v1.0/users",
        ] {
            assert_eq!(sent(other), None, "{other}");
        }
    }

    #[test]
    fn an_error_shows_neither_password_nor_token() {
        let link = "https://me:secret@evil.example/v1.0/users?$skiptoken=token";
        let failure = check_link(&Cloud::global(), link).unwrap_err();
        let message = failure.to_string();
        assert!(message.contains("evil.example"), "{message}");
        assert!(!message.contains("secret") && !message.contains("token"), "{message}");
    }

    #[test]
    fn our_own_addresses_are_below_the_version() {
        let link = Link::own(&Cloud::global(), "/users?$top=999").unwrap();
        assert_eq!(link.as_str(), "https://graph.microsoft.com/v1.0/users?$top=999");
        assert_eq!((link.url().as_str(), link.path()), (link.as_str(), "/v1.0/users"));
    }
}
