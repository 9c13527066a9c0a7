//! Mails as other programs read them: every mail here goes through `mail-parser`.

mod digest;
mod hostile;

use mail_parser::{MimeHeaders, PartType};
use serde_json::json;

use crate::entry::{Answered, AttachedState, RenderOptions, SystemEvents};

use super::testing::{Case, header, lines, parsed, stored, text};

#[test]
fn the_fields_come_in_the_order_of_the_format() {
    let message = json!({
        "id": "1622762567000", "etag": "1622762567111", "messageType": "message",
        "createdDateTime": "2021-06-03T23:22:47Z", "lastModifiedDateTime": "2021-06-03T23:22:47.111Z",
        "lastEditedDateTime": "2021-06-03T23:22:47.1Z", "deletedDateTime": null, "importance": "urgent",
        "subject": "Plans", "replyToId": "1622762000000",
        "from": {"user": {"id": "ann", "displayName": "Lee, Ann", "userIdentityType": "aadUser"}},
        "body": {"contentType": "text", "content": "hello = you"},
        "reactions": [
            {"reactionType": "like", "user": {"user": {"id": "bob"}}},
            {"reactionType": "heart", "user": {"user": {"id": "eve"}}},
            {"reactionType": "like", "user": {"user": {"id": "eve"}}}
        ]
    });
    let mut case = Case::of(&[message]);
    case.entry.parent =
        Some(Answered { id: "1622762000000".into(), version: Some(7), ..Answered::default() });
    let mail = text(&case.only());
    let chat = "78b5a037edd29845";
    let expected = format!(
        "Date: Thu, 03 Jun 2021 23:22:47 +0000\r\n\
         From: \"Lee, Ann\" <ann@example.com>\r\n\
         To: =?utf-8?B?QsO2Yg==?= <bob@t-1.teams.invalid>, Eve <eve@example.com>\r\n\
         Subject: [Edited] Plans\r\n\
         Message-ID: <1622762567000.1622762567111.{chat}@t-1.teams.invalid>\r\n\
         In-Reply-To: <1622762000000.7.{chat}@t-1.teams.invalid>\r\n\
         References: <thread.{chat}@t-1.teams.invalid>\r\n \
         <1622762000000.7.{chat}@t-1.teams.invalid>\r\n\
         Thread-Topic: Plans\r\n\
         Thread-Index: {}\r\n\
         MIME-Version: 1.0\r\n\
         Importance: high\r\n\
         X-Priority: 1\r\n\
         X-Teams-Tenant-Id: t-1\r\n\
         X-Teams-Chat-Id: 19:abc@thread.v2\r\n\
         X-Teams-Chat-Type: group\r\n\
         X-Teams-Chat-Topic: =?utf-8?B?VMO2cGlj?=\r\n\
         X-Teams-Message-Id: 1622762567000\r\n\
         X-Teams-Etag: 1622762567111\r\n\
         X-Teams-Message-Type: message\r\n\
         X-Teams-Reply-To-Id: 1622762000000\r\n\
         X-Teams-Sender-Id: ann\r\n\
         X-Teams-Sender-Type: aadUser\r\n\
         X-Teams-Created: 2021-06-03T23:22:47.000Z\r\n\
         X-Teams-Last-Modified: 2021-06-03T23:22:47.111Z\r\n\
         X-Teams-Last-Edited: 2021-06-03T23:22:47.100Z\r\n\
         X-Teams-Version: 1/1\r\n\
         X-Teams-Reactions: like=2; heart=1\r\n\
         X-Archive-Address: blake3:{}\r\n\
         X-Archive-Custodians: 2\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\
         \r\n\
         hello =3D you\r\n\r\nReactions: like 2 (bob, eve); heart 1 (eve)\r\n",
        super::identity::thread_index("19:abc@thread.v2", case.entry.created),
        case.entry.versions[0].address,
    );
    assert_eq!(mail, expected);
    assert_eq!(case.pieces()[0].name, "Topic_12345678/20210603T232247000Z_1622762567000.eml");
}

#[test]
fn markup_is_an_alternative_and_an_image_is_related_to_it() {
    let mut case = Case::html(
        r#"<p>see <b>this</b> <img src="https://graph.microsoft.com/v1.0/chats/19:abc/messages/1/hostedContents/aWQ9/$value" alt="plan"> ü</p>"#,
    );
    let (image, file) = (b"\x89PNG\r\n\x1a\n image".to_vec(), vec![0xff; 100_000]);
    case.attach(stored("hosted:aWQ9", None, "image", "application/octet-stream"), &image);
    case.attach(stored("file:f", Some(0), "Größe.pdf", "application/pdf"), &file);
    let bytes = case.only();
    let mail = parsed(&bytes);
    let kinds: Vec<String> = mail
        .parts
        .iter()
        .map(|part| {
            let kind = part.content_type().unwrap();
            format!("{}/{}", kind.c_type, kind.c_subtype.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "multipart/mixed",
            "multipart/related",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "image/png",
            "application/pdf"
        ]
    );
    let html = mail.body_html(0).unwrap();
    let id = mail.parts[5].content_id().unwrap();
    assert!(html.contains("<strong>this</strong>"), "{html}");
    assert!(html.contains(&format!("src=\"cid:{id}\"")), "{id}: {html}");
    assert!(mail.body_text(0).unwrap().contains("[image: plan]"));
    assert_eq!(mail.parts[5].contents(), image);
    assert_eq!(mail.parts[6].contents(), file);
    assert_eq!(mail.parts[6].attachment_name(), Some("Größe.pdf"));
    assert_eq!(header(&mail, "X-Teams-Attachments"), "2");
}

#[test]
fn levels_with_one_child_collapse() {
    let mut plain = Case::text("hello");
    assert_eq!(parsed(&plain.only()).parts.len(), 1);
    plain.attach(stored("file:f", Some(0), "a.bin", "application/octet-stream"), b"x");
    let bytes = plain.only();
    let mail = parsed(&bytes);
    assert_eq!(mail.parts.len(), 3);
    assert!(matches!(mail.parts[0].body, PartType::Multipart(_)));
    assert_eq!(parsed(&Case::html("<p>a <b>c</b></p>").only()).parts.len(), 3);
}

#[test]
fn the_stored_json_goes_along_when_asked_for() {
    let mut case = Case::text("hello");
    case.options.raw_json = true;
    let bytes = case.only();
    let mail = parsed(&bytes);
    let json = mail.attachments().next().unwrap();
    assert_eq!(json.attachment_name(), Some("message.json"));
    assert_eq!(json.contents(), case.entry.versions[0].document.json());
}

#[test]
fn without_attachments_the_text_lists_them() {
    let mut case = Case::of(&[json!({
        "id": "1", "messageType": "message", "body": {"contentType": "text", "content": "see"},
        "attachments": [
            {"id": "f", "contentType": "reference", "contentUrl": "https://example.com/f", "name": "f.pdf"},
            {"id": "g", "contentType": "reference", "contentUrl": "https://example.com/g", "name": "g.pdf"}
        ]
    })]);
    case.attach(stored("file:f", Some(0), "f.pdf", "application/pdf"), b"abc");
    let mut gone = stored("file:g", Some(1), "g.pdf", "application/pdf");
    gone.state = AttachedState::Unavailable { reason: "403 forbidden".to_owned() };
    case.entry.attached.push(gone);
    let with = case.only();
    let with = parsed(&with);
    let said = with.body_text(0).unwrap();
    assert!(said.contains("- g.pdf (https://example.com/g, unavailable: 403 forbidden)"), "{said}");
    assert!(!said.contains("- f.pdf (") && with.attachment_count() == 1, "{said}");
    assert_eq!(header(&with, "X-Teams-Attachments-Omitted"), "1");
    case.options.text_only = true;
    let without = case.only();
    let without = parsed(&without);
    let said = without.body_text(0).unwrap();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let line = format!("- f.pdf (3 bytes, SHA-256 {hash}, not included)");
    assert!(said.contains(&line) && said.contains("- g.pdf ("), "{said}");
    assert_eq!(without.attachment_count(), 0);
    assert_eq!(header(&without, "X-Teams-Attachments-Omitted"), "2");
}

fn version(etag: &str, content: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut version = json!({
        "id": "1000", "etag": etag, "messageType": "message",
        "from": {"user": {"id": "ann", "displayName": "Ann"}},
        "lastModifiedDateTime": format!("2021-06-03T00:00:0{}Z", &etag[3..]),
        "body": {"contentType": "html", "content": content}
    });
    let fields = version.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    version
}

fn edited() -> Case {
    Case::of(&[
        version("1000", "<p>first</p>", &json!({})),
        version("1001", "<p>first</p>", &json!({})),
        version("1002", "<p>second</p>", &json!({"lastEditedDateTime": "2021-06-03T00:00:02Z"})),
    ])
}

#[test]
fn the_latest_version_has_the_earlier_ones_below_it() {
    let mail = edited().only();
    let mail = parsed(&mail);
    assert_eq!(mail.subject(), Some("[Edited] Töpic"));
    assert_eq!(
        lines(&mail),
        "second\n\nEdit history (2)\n\nVersion 1 of 3, 2021-06-03 00:00:00 UTC:\n> first\n\n\
         Version 2 of 3, 2021-06-03 00:00:01 UTC: The text is the same."
    );
    assert_eq!(header(&mail, "X-Teams-Version"), "3/3");
}

#[test]
fn every_version_can_have_its_own_mail() {
    let mut case = edited();
    case.options.versions = true;
    let pieces = case.pieces();
    let names: Vec<&str> =
        pieces.iter().map(|piece| piece.name.rsplit('_').next().unwrap()).collect();
    assert_eq!(names, ["v1.eml", "v2.eml", "v3.eml"]);
    let bytes: Vec<Vec<u8>> =
        pieces.iter().map(|piece| piece.content.to_vec(&case.objects).unwrap()).collect();
    let mails: Vec<_> = bytes.iter().map(|bytes| parsed(bytes)).collect();
    let ids: Vec<&str> = mails.iter().map(|mail| mail.message_id().unwrap()).collect();
    let references = mails[2].references().as_text_list().unwrap().to_vec();
    assert_eq!(references.last().map(|id| &**id), Some(ids[1]));
    assert_ne!(ids[0], ids[2]);
    assert_eq!(lines(&mails[0]), "first");
    assert_eq!(lines(&mails[2]), "second");
    let alone = parsed(&edited().only()).message_id().map(str::to_owned);
    assert_eq!(alone.as_deref(), Some(ids[2]));
}

#[test]
fn a_deleted_message_shows_its_last_archived_text() {
    let deleted = json!({"deletedDateTime": "2021-06-03T00:00:09Z"});
    let mark = "[This message was deleted at 2021-06-03 00:00:09 UTC]";
    let kept =
        Case::of(&[version("1000", "<p>first</p>", &json!({})), version("1009", "", &deleted)]);
    let bytes = kept.only();
    let mail = parsed(&bytes);
    assert_eq!(mail.subject(), Some("[Deleted] Töpic"));
    assert!(lines(&mail).starts_with(&format!("{mark}\n\nfirst\n")), "{}", lines(&mail));
    let lost = Case::of(&[version("1009", "", &deleted)]).only();
    assert_eq!(lines(&parsed(&lost)), format!("{mark}\n\n[message deleted; content not captured]"));
}

#[test]
fn an_event_is_words_a_placeholder_or_nothing() {
    let mut case = Case::of(&[json!({
        "id": "1", "messageType": "systemEventMessage", "from": null,
        "body": {"contentType": "html", "content": "<systemEventMessage/>"},
        "eventDetail": {
            "@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
            "chatDisplayName": "Lunch",
            "initiator": {"user": {"id": "ann", "displayName": "Ann"}}
        }
    })]);
    let bytes = case.only();
    let mail = parsed(&bytes);
    assert!(lines(&mail).contains("Ann") && lines(&mail).contains("Lunch"), "{}", lines(&mail));
    assert_eq!(header(&mail, "X-Teams-Event"), "chatRenamed");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(mail.from().unwrap().first().unwrap().address(), Some("teams@t-1.teams.invalid"));
    assert_eq!(mail.to().unwrap().clone().into_list().len(), 3);
    case.options.system_events = SystemEvents::Placeholder;
    assert_eq!(lines(&parsed(&case.only())), "System Event Message can't be previewed");
    case.options.system_events = SystemEvents::Omit;
    assert!(case.pieces().is_empty());
}

#[test]
fn only_those_who_were_there_are_recipients() {
    let mut case = Case::text("hello");
    let created = case.entry.created;
    case.chat.participants[1].left = Some(created);
    case.chat.participants[2].joined = Some(created);
    let bytes = case.only();
    let to = parsed(&bytes).to().unwrap().clone().into_list();
    let to: Vec<_> = to.iter().map(|address| address.address().unwrap().to_owned()).collect();
    assert_eq!(to, ["eve@example.com"]);
    case.chat.participants.clear();
    assert!(text(&case.only()).contains("\r\nTo: undisclosed-recipients:;\r\n"));
}

#[test]
fn apps_and_strangers_have_addresses_that_reach_nobody() {
    for (from, address) in [
        (json!({"application": {"id": "a-1", "displayName": "Bot"}}), "app-a-1@t-1.teams.invalid"),
        (json!({"user": {"id": "zoe"}}), "zoe@t-1.teams.invalid"),
        (
            json!({"user": {"id": "zoe@example.org", "userIdentityType": "emailUser"}}),
            "zoe@example.org",
        ),
        (json!(null), "unknown@t-1.teams.invalid"),
    ] {
        let case = Case::of(&[json!({"id": "1", "messageType": "message", "from": from})]);
        let bytes = case.only();
        let mail = parsed(&bytes);
        assert_eq!(mail.from().unwrap().first().unwrap().address(), Some(address));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let case = edited();
    let other = edited();
    assert_eq!(case.only(), other.only());
    let later = RenderOptions { as_of: case.entry.modified, ..RenderOptions::default() };
    assert_eq!(Case { options: later, ..edited() }.only(), case.only());
}
