//! Pictures, code and files that belong to messages: their names, addresses and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_support::Random;

use super::changes::{self, CUSTOM, Change};
use super::life::{Message, What};
use super::places::{Conversation, Team};
use super::types::{CLOUD_ORIGIN, Content, DELETED_VISIBLE_MS, Ms};
use super::words;

/// A hosted content of a message.
#[derive(Clone, Debug)]
pub(super) struct Hosted {
    pub(super) id: String,
    pub(super) content: Content,
}

/// A file that a message shares.
#[derive(Clone, Debug)]
pub(super) struct SharedFile {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) guid: String,
    pub(super) content: Content,
}

/// What some hosted contents answer although the message is there.
const LOST: Content =
    Content::Refused { status: 404, code: "NotFound", message: "Hosted content was not found." };
const FILE_DELETED: Content = Content::Refused {
    status: 404,
    code: "itemNotFound",
    message: "The resource could not be found.",
};
const FILE_FORBIDDEN: Content =
    Content::Refused { status: 403, code: "accessDenied", message: "Access denied" };
const EXTENSIONS: [(&str, &str); 5] = [
    ("pdf", "application/pdf"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("png", "image/png"),
    ("txt", "text/plain"),
];
/// Chance is split by purpose, so that an edit does not change a message's pictures.
const PICTURES: u64 = 10;
const REACTION: u64 = 19;
const FILE: u64 = 20;

/// Any part of a stream of bytes that a seed decides, without the parts before it.
pub fn fill(seed: u64, offset: u64, out: &mut [u8]) {
    let (mut block, mut skip) = (offset / 8, usize::try_from(offset % 8).unwrap_or(0));
    let mut rest = out;
    while !rest.is_empty() {
        let bytes = scrambled(seed, block).to_le_bytes();
        let part = bytes.get(skip..).unwrap_or_default();
        let count = part.len().min(rest.len());
        let (now, later) = rest.split_at_mut(count);
        now.copy_from_slice(part.get(..count).unwrap_or_default());
        (rest, block, skip) = (later, block + 1, 0);
    }
}

/// The block of a stream that starts anywhere: the state of splitmix64 only counts.
fn scrambled(seed: u64, block: u64) -> u64 {
    Random::new(seed.wrapping_add(block.wrapping_mul(0x9e37_79b9_7f4a_7c15))).next_u64()
}

/// Bytes behind the first bytes of their format.
fn made(media_type: &str, head: &[u8], random: &mut Random) -> Content {
    let large = random.below(20) == 0;
    let length = 200 + random.index(if large { 60_000 } else { 4_000 });
    let mut bytes = vec![0; length];
    fill(random.next_u64(), 0, &mut bytes);
    bytes.splice(..0, head.iter().copied()).for_each(drop);
    Content::Bytes { media_type: media_type.to_owned(), bytes }
}

fn picture(random: &mut Random) -> Content {
    match random.below(20) {
        0 => LOST,
        1..5 => made("image/gif", b"GIF89a", random),
        5..9 => made("image/jpeg", b"\xff\xd8\xff\xe0", random),
        _ => made("image/png", b"\x89PNG\r\n\x1a\n", random),
    }
}

fn code(random: &mut Random) -> Content {
    let lines: Vec<String> =
        (0..20).map(|line| format!("let row_{line} = {:?};\n", words::sentence(random))).collect();
    Content::Bytes { media_type: "text/plain".to_owned(), bytes: lines.concat().into_bytes() }
}

/// Hosted ids are base64 of an address in the old object store, in several forms.
fn hosted_id(random: &mut Random) -> String {
    let object = format!("0-weu-d{}-{}", random.below(20), words::hex(random));
    let (id, url) = match random.below(4) {
        0 => {
            (String::new(), format!("https://eu-api.asm.skype.com/v1/objects/{object}/views/imgo"))
        }
        1 => (object, String::new()),
        _ => {
            let url = format!("https://eu-api.asm.skype.com/v1/objects/{object}/views/imgo");
            (format!("x_{object}"), url)
        }
    };
    STANDARD.encode(format!("id={id},type=1,url={url}"))
}

fn own_pictures(message: &Message) -> u64 {
    match message.what {
        What::Image => 1 + message.seed % 2,
        What::Code | What::PictureCard | What::CustomEmoji => 1,
        _ => 0,
    }
}

/// The purposes of a message's hosted contents; the reaction's picture comes last.
fn purposes(message: &Message) -> impl Iterator<Item = u64> {
    let own = (0..own_pictures(message)).map(|number| PICTURES + number);
    own.chain(has_custom_reaction(message).then_some(REACTION))
}

/// The ids of [`hosted`], in the same order, without the bytes.
pub(super) fn hosted_ids(message: &Message) -> Vec<String> {
    purposes(message).map(|purpose| hosted_id(&mut message.random(purpose))).collect()
}

/// All hosted contents of a message.
pub(super) fn hosted(message: &Message) -> Vec<Hosted> {
    let make = |purpose| {
        let mut random = message.random(purpose);
        let id = hosted_id(&mut random);
        let snippet = message.what == What::Code && purpose != REACTION;
        let content = if snippet { code(&mut random) } else { picture(&mut random) };
        Hosted { id, content }
    };
    purposes(message).map(make).collect()
}

fn has_custom_reaction(message: &Message) -> bool {
    message.changes.iter().any(|(_, one)| matches!(one, Change::React { kind: CUSTOM, .. }))
}

/// Whether anything is to be downloaded with a message.
pub(super) fn has_objects(message: &Message) -> bool {
    message.what == What::File || purposes(message).next().is_some()
}

/// Bytes go with their message: some at once, some with the last copy.
pub(super) fn gone(message: &Message) -> Option<Ms> {
    let deleted = changes::deleted_for_good(message)?;
    Some(if message.seed.is_multiple_of(3) { deleted } else { deleted + DELETED_VISIBLE_MS })
}

/// Where a hosted content is asked for, on the real host under v1.0.
pub(super) fn address(message: &Message, place: &Conversation, teams: &[Team], id: &str) -> String {
    let team = place.team.and_then(|team| teams.get(team));
    let conversation = match team {
        None => format!("chats/{}/messages/{}", place.id, message.created),
        Some(team) => {
            let path = format!("teams/{}/channels/{}/messages", team.id, place.id);
            match message.root {
                None => format!("{path}/{}", message.created),
                Some(root) => format!("{path}/{root}/replies/{}", message.created),
            }
        }
    };
    format!("{CLOUD_ORIGIN}/v1.0/{conversation}/hostedContents/{id}/$value")
}

/// The file that a message shares. Some files are shared again and again in their conversation.
pub(super) fn file(message: &Message, place: &Conversation, teams: &[Team]) -> Option<SharedFile> {
    if message.what != What::File {
        return None;
    }
    let again = message.random(FILE).below(5) == 0;
    let slot = u64::from(message.conversation) * 8 + message.seed % 3;
    let mut random = if again { Random::new(slot ^ 0xf11e) } else { message.random(FILE + 1) };
    let (extension, media_type) = random.pick(&EXTENSIONS).copied().unwrap_or(("bin", ""));
    let (topic, number) = (random.word(&words::TOPICS), random.below(100_000));
    // Teams writes such signs into addresses as they are.
    let name = match number % 5 {
        0 => format!("{topic} #{number} 100%.{extension}"),
        _ => format!("{topic} №{number}.{extension}"),
    };
    let folder = match place.team.and_then(|team| teams.get(team)) {
        Some(team) => {
            let site = team.id.get(..8).unwrap_or_default();
            format!(
                "https://contoso.sharepoint.com/sites/team{site}/Shared Documents/{}",
                place.name
            )
        }
        None => format!(
            "https://contoso-my.sharepoint.com/personal/drive{}_contoso_example/Documents/Microsoft Teams Chat Files",
            message.conversation
        ),
    };
    let content = match random.below(20) {
        0 | 1 => FILE_DELETED,
        2 => FILE_FORBIDDEN,
        _ => made(media_type, name.as_bytes(), &mut random),
    };
    let guid = random.guid().to_uppercase();
    Some(SharedFile { url: format!("{folder}/{name}"), name, guid, content })
}
