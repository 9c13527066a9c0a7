//! Messages that programs show to one recipient of a chat only.

use chatvault_support::{quoted, stamp};

use super::extra::{Extra, Maker};
use super::places::Kind;
use super::types::{Feed, Ms, RETAINED_VISIBLE_MS};
use super::words;

/// A targeted message at one version.
#[derive(Clone, Copy)]
struct Version<'a> {
    user: usize,
    program: usize,
    chat: &'a str,
    created: Ms,
    edited: Option<Ms>,
}

pub(super) fn make(maker: &mut Maker<'_>) {
    let places = maker.places;
    for number in 0..maker.setup.targeted {
        let at = maker.time();
        let Some(user) = maker.user(at, |_| true) else { continue };
        let mut chats = places.conversations.iter();
        let chat = chats.find(|one| one.kind == Kind::Group && one.member(user, at));
        let program = maker.random.pick(&maker.people.programs).copied();
        let (Some(chat), Some(program)) = (chat, program) else { continue };
        let first = Version { user, program, chat: &chat.id, created: at, edited: None };
        let edited = (number % 3 == 1).then(|| at + 3_000 + maker.up_to(3_600_000));
        versions(maker, first, edited);
    }
}

/// The first version, and the edited one that replaces it: both are retained for a while.
fn versions(maker: &mut Maker<'_>, first: Version<'_>, edited: Option<Ms>) {
    let from = maker.shown_from(first.created);
    let Some(edited) = edited else { return put(maker, &first, from, Ms::MAX) };
    let replaced = maker.shown_from(edited).max(from);
    put(maker, &first, from, replaced + RETAINED_VISIBLE_MS);
    put(maker, &Version { edited: Some(edited), ..first }, replaced, Ms::MAX);
}

fn put(maker: &mut Maker<'_>, version: &Version<'_>, from: Ms, until: Ms) {
    let authors = &maker.people.authors;
    let (Some(program), Some(user)) = (authors.get(version.program), authors.get(version.user))
    else {
        return;
    };
    let modified = version.edited.map_or(version.created, |at| at + 104);
    let edited = version.edited.map_or("null".to_owned(), |at| quoted(&stamp(at)));
    let text = quoted(&format!("<p>{}</p>", words::escaped(&words::sentence(&mut maker.random))));
    let json = format!(
        r##"{{"@odata.type":"#microsoft.graph.targetedChatMessage","id":"{id}","replyToId":null,"etag":"{modified}","messageType":"message","createdDateTime":"{created}","lastModifiedDateTime":"{changed}","lastEditedDateTime":{edited},"deletedDateTime":null,"subject":"","summary":null,"chatId":{chat},"importance":"normal","locale":"en-us","webUrl":null,"channelIdentity":null,"policyViolation":null,"eventDetail":null,"from":{from_set},"body":{{"contentType":"html","content":{text}}},"attachments":[],"mentions":[],"reactions":[],"messageHistory":[],"recipient":{{"@odata.type":"#microsoft.graph.identity","id":"{recipient}","displayName":{name}}}}}"##,
        id = version.created,
        created = stamp(version.created),
        changed = stamp(modified),
        chat = quoted(version.chat),
        from_set = program.json(true),
        recipient = user.id(),
        name = quoted(&user.name),
    );
    let row = Extra {
        feed: Feed::Targeted,
        user: version.user,
        id: version.created.to_string(),
        etag: modified.to_string(),
        conversation: version.chat.to_owned(),
        created: version.created,
        modified,
        from: from.max(modified),
        until: until.min(maker.shown_until(version.user)),
        sender: program.sender.clone(),
        message_type: "message",
        app_class: None,
        json: json.into(),
        order: maker.order(),
    };
    maker.rows.push(row);
}
