//! Names that mail needs and Teams does not have: message ids, addresses, threads.
//!
//! Every one is derived from ids of the archive, so a second export of the same message has the same
//! names, and a mail client that has both shows one. What an id may hold that a mail address may
//! not is replaced by its hash: the id itself is in an `X-Teams-` field.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_engine::Timestamp;
use sha1::{Digest as _, Sha1};

use crate::digest::{hex, sha256};

use super::header::is_atext;

/// Under which names from chat ids are made: a random value, fixed for ever.
const NAMESPACE: [u8; 16] = [
    0x6b, 0x1f, 0x8e, 0x52, 0x9a, 0x0d, 0x4c, 0x37, 0xb5, 0xe4, 0x21, 0x7d, 0xc8, 0x60, 0x93, 0xfa,
];
/// Ticks of 100 ns between 1601, where Windows counts from, and 1970.
const FILETIME_OF_1970: i64 = 116_444_736_000_000_000;
/// RFC 5321's longest part before the `@`.
const LOCAL_BYTES: usize = 64;
/// RFC 5321's longest address.
const ADDRESS_BYTES: usize = 254;

/// The names of one conversation.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// What stands behind every `@`.
    domain: String,
    /// 16 hex digits that stand for the conversation.
    chat: String,
}

impl Identity {
    pub(super) fn of(tenant: &str, chat: &str) -> Self {
        Self { domain: format!("{}.teams.invalid", label(tenant)), chat: short_hash(chat) }
    }

    /// `<{id}.{version}.{chat}@{tenant}.teams.invalid>`
    pub(super) fn message(&self, id: &str, version: u64) -> String {
        format!("<{}.{version}.{}@{}>", token(id), self.chat, self.domain)
    }

    /// The same of content that came under a version and that readers do not get.
    pub(super) fn variant(&self, id: &str, version: u64, address: &str) -> String {
        let address = address.get(..16).unwrap_or_default();
        format!("<{}.{version}.{address}.{}@{}>", token(id), self.chat, self.domain)
    }

    /// The root that a mail client groups the whole conversation under.
    pub(super) fn thread(&self) -> String {
        format!("<thread.{}@{}>", self.chat, self.domain)
    }

    /// One day's digest, or a part of it.
    pub(super) fn day(&self, day: &str, part: usize) -> String {
        format!("<day.{day}.{part}.{}@{}>", self.chat, self.domain)
    }

    /// An inline content's `Content-ID`, without its brackets: safe in a `cid:` address too.
    pub(super) fn content(&self, hosted: &str) -> String {
        format!("h{}@{}", token(hosted), self.domain)
    }

    /// A user's address, or one that can never be delivered to.
    pub(super) fn user<'a>(&self, id: &str, known: Option<&'a str>) -> Cow<'a, str> {
        match known.map(str::trim).filter(|address| is_address(address)) {
            Some(address) => Cow::Borrowed(address),
            None if id.is_empty() => Cow::Owned(format!("unknown@{}", self.domain)),
            None => Cow::Owned(format!("{}@{}", token(id), self.domain)),
        }
    }

    /// A user's name. Mail headers are ASCII, so an international address stands in the name, as RFC
    /// 6858 has it, before an address that can never be delivered to.
    pub(super) fn name<'a>(name: Option<&'a str>, known: Option<&'a str>) -> Option<Cow<'a, str>> {
        let odd = known.map(str::trim).filter(|text| text.contains('@') && !text.is_ascii());
        match (name, odd) {
            (Some(name), Some(address)) => Some(format!("{name} ({address})").into()),
            (name, address) => name.or(address).map(Cow::Borrowed),
        }
    }

    /// An app's address, which can never be delivered to.
    pub(super) fn app(&self, id: &str) -> String {
        format!("app-{}@{}", token(id), self.domain)
    }

    /// The service's own address.
    pub(super) fn service(&self) -> String {
        format!("teams@{}", self.domain)
    }
}

/// Outlook's `Thread-Index`: the top 48 bits of the time the conversation began, and its GUID.
#[expect(clippy::big_endian_bytes, reason = "Outlook's byte order")]
pub(super) fn thread_index(chat: &str, started: Timestamp) -> String {
    let time = started.ticks().saturating_add(FILETIME_OF_1970).max(0);
    let mut bytes = Vec::with_capacity(22);
    bytes.extend(time.to_be_bytes().into_iter().take(6));
    bytes.extend(uuid(chat));
    STANDARD.encode(bytes)
}

/// RFC 9562's version 5: SHA-1 of a namespace and a name.
fn uuid(name: &str) -> [u8; 16] {
    let hash = Sha1::new().chain_update(NAMESPACE).chain_update(name).finalize();
    let mut uuid = [0; 16];
    uuid.iter_mut().zip(hash.as_slice()).for_each(|(to, from)| *to = *from);
    uuid[6] = uuid[6] & 0x0f | 0x50;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// The first 16 hex digits of a text's SHA-256.
pub(super) fn short_hash(text: &str) -> String {
    hex(sha256(text.as_bytes()).get(..8).unwrap_or_default())
}

/// An id as a piece of an address: as it is if every reader takes that, else its hash.
pub(super) fn token(id: &str) -> Cow<'_, str> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let has_lone_dots = !id.starts_with('.') && !id.ends_with('.') && !id.contains("..");
    if !id.is_empty() && id.len() <= 48 && id.bytes().all(is_safe) && has_lone_dots {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(format!("id-{}", short_hash(id)))
    }
}

/// A tenant as a piece of a domain.
fn label(tenant: &str) -> Cow<'_, str> {
    if is_label(tenant) {
        Cow::Borrowed(tenant)
    } else {
        Cow::Owned(format!("t-{}", short_hash(tenant)))
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text is an address that needs no quoting, and nothing else.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_local = (1..=LOCAL_BYTES).contains(&local.len())
        && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
    is_local && text.len() <= ADDRESS_BYTES && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::of("2432b57b-0abd-43db-aa7b-16eadd115d34", "19:abc@thread.v2")
    }

    #[test]
    fn a_message_is_named_by_its_id_version_and_chat() {
        assert_eq!(
            identity().message("1622762567000", 1_622_762_567_111),
            format!(
                "<1622762567000.1622762567111.{}@2432b57b-0abd-43db-aa7b-16eadd115d34.teams.invalid>",
                short_hash("19:abc@thread.v2")
            )
        );
        // What `sha256sum` says of nothing.
        assert_eq!(short_hash(""), "e3b0c44298fc1c14");
    }

    #[test]
    fn ids_that_would_break_an_address_are_hashed() {
        for hostile in ["", "a b", "a>", "a\r\nBcc: x", "a@b", ".a", "a..b", "ä", &"x".repeat(99)]
        {
            let id = identity().message(hostile, 1);
            assert!(id.starts_with("<id-") && id.matches('@').count() == 1, "{id:?}");
            assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
            let tenant = Identity::of(hostile, "c").thread();
            assert!(tenant.contains("@t-"), "{tenant}");
        }
    }

    #[test]
    fn only_an_address_is_taken_for_one() {
        let named = |address| identity().user("oid-1", Some(address)).into_owned();
        for address in ["ann@example.com", "ann_x.com#EXT#@t.onmicrosoft.com", " o'b@example.org "]
        {
            assert_eq!(named(address), address.trim());
        }
        for other in
            ["ann", "a@b@c", "a b@example.com", "<a@b>", "a,b@c.d", "ä@b.c", "a@b_c", "@b", "a@"]
        {
            assert!(named(other).starts_with("oid-1@"), "{other}");
        }
        assert!(identity().user("8:acs:x", None).starts_with("id-"));
    }

    #[test]
    fn an_international_address_stands_in_the_name() {
        let named = |name, known| Identity::name(name, known).map(Cow::into_owned);
        let both = named(Some("Jörg"), Some("müller@exämple.de"));
        assert_eq!(both.as_deref(), Some("Jörg (müller@exämple.de)"));
        assert_eq!(named(None, Some("müller@exämple.de")).as_deref(), Some("müller@exämple.de"));
        assert_eq!(named(Some("Ann"), Some("ann@example.com")).as_deref(), Some("Ann"));
        assert_eq!(named(None, Some("19:ä")), None);
    }

    #[test]
    fn a_thread_index_has_its_time_and_a_guid_of_version_5() {
        let index = thread_index("19:abc@thread.v2", Timestamp::from_ms(1_622_762_567_000));
        let bytes = STANDARD.decode(index).unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[12] >> 4), (22, 1, 5));
        assert_eq!(STANDARD.decode(thread_index("", Timestamp::MIN)).unwrap()[..6], [0; 6]);
    }
}
