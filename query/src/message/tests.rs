//! Messages as they come, and as they should not.

use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn parsed(json: &str) -> Document<'_> {
    Document::parse(json.as_bytes()).unwrap()
}

fn sample() -> String {
    json!({
        "id": "1616990032035",
        "etag": "1616990171266",
        "messageType": "message",
        "createdDateTime": "2021-03-29T03:53:52.035Z",
        "lastModifiedDateTime": "2021-03-29T03:56:11.266Z",
        "lastEditedDateTime": "2021-03-29T03:56:11.1Z",
        "deletedDateTime": null,
        "chatId": "19:ann_bob@unq.gbl.spaces",
        "channelIdentity": null,
        "importance": "urgent",
        "locale": "en-us",
        "subject": "",
        "from": {
            "application": null,
            "device": null,
            "user": {
                "@odata.type": "#microsoft.graph.teamworkUserIdentity",
                "id": "8ea0e38b",
                "displayName": "Ann Grün",
                "userIdentityType": "aadUser",
                "tenantId": "2432b57b",
            },
        },
        "body": {"contentType": "html", "content": "<p>\"Hi\"</p>"},
        "attachments": [
            {"id": "153f", "contentType": "reference", "contentUrl": "https://x.example/a b.docx",
             "content": null, "name": "a b.docx", "thumbnailUrl": null, "teamsAppId": null},
            null,
            {"id": "74d2", "contentType": "application/vnd.microsoft.card.hero", "content": "{}"},
        ],
        "mentions": [
            {"id": 0, "mentionText": "Everyone", "mentioned": {"user": null, "conversation":
                {"id": "19:x", "displayName": "Everyone", "conversationIdentityType": "chat"}}},
            {"id": "1", "mentionText": "Flow", "mentioned": {"application":
                {"id": "358f", "displayName": "Flow", "applicationIdentityType": "bot"}}},
        ],
        "reactions": [
            {"reactionType": "💯", "displayName": "Hundred points", "reactionContentUrl": null,
             "createdDateTime": "2024-02-14T22:07:36.3Z", "user": {"user": {"id": "670",
                "displayName": null, "userIdentityType": "aadUser"}}},
        ],
        "policyViolation": {"dlpAction": "blockAccess", "userAction": "none",
            "policyTip": {"generalText": "Blocked.", "matchedConditionDescriptions": ["Card"]}},
        "futureField": [{"deep": [1, {"x": -0.5}]}],
    })
    .to_string()
}

#[test]
fn every_field_is_read() {
    let json = sample();
    let document = parsed(&json);
    let message = Message::of(&document);
    assert_eq!(message.id, "1616990032035");
    assert_eq!(message.etag.as_deref(), Some("1616990171266"));
    assert_eq!(message.message_type, MessageType::Message);
    assert_eq!(message.created, Some(at("2021-03-29T03:53:52.035Z")));
    assert_eq!(message.modified, Some(at("2021-03-29T03:56:11.266Z")));
    assert_eq!(message.edited, Some(at("2021-03-29T03:56:11.1Z")));
    assert_eq!(message.deleted, None);
    assert!(message.is_edited() && !message.is_deleted() && !message.is_system());
    assert_eq!(message.conversation(), Some("19:ann_bob@unq.gbl.spaces"));
    assert_eq!(message.importance, Importance::Urgent);
    assert_eq!(message.subject.as_deref(), Some(""));
    let ann = Identity {
        kind: IdentityKind::User,
        id: "8ea0e38b".into(),
        name: Some("Ann Grün".into()),
        tenant: Some("2432b57b".into()),
        identity_type: Some("aadUser".into()),
    };
    assert_eq!(message.from, Some(ann));
}

#[test]
fn every_list_and_object_is_read() {
    let json = sample();
    let document = parsed(&json);
    let message = Message::of(&document);
    assert_eq!(message.body.kind, BodyKind::Html);
    assert_eq!(message.body.content, "<p>\"Hi\"</p>");
    assert_eq!(message.attachments.len(), 3, "what is no object keeps its place");
    assert_eq!(message.attachments[0].name.as_deref(), Some("a b.docx"));
    assert_eq!(message.attachments[1], Attachment::default());
    assert_eq!(message.mentions[0].who.as_ref().unwrap().kind, IdentityKind::Conversation);
    assert_eq!(message.mentions[1].id, Some(1));
    assert_eq!(message.reactions[0].kind, "💯");
    assert_eq!(message.reactions[0].who.as_ref().unwrap().name, None);
    let policy = message.policy.unwrap();
    assert_eq!(policy.action.as_deref(), Some("blockAccess"));
    assert_eq!(policy.tip.unwrap().conditions, ["Card"]);
}

#[test]
fn texts_without_escapes_are_not_copied() {
    let json = br#"{"id":"7","subject":"plain","summary":"a\nb"}"#;
    let document = Document::parse(json).unwrap();
    let message = Message::of(&document);
    assert!(matches!(message.id, Cow::Borrowed("7")));
    assert!(matches!(message.subject, Some(Cow::Borrowed("plain"))));
    assert_eq!(message.summary.as_deref(), Some("a\nb"));
}

#[test]
fn what_is_of_another_type_counts_as_absent() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    for wrong in ["null", "1", "-1.5", "true", "\"x\"", "[1,[2]]", r#"{"a":{"b":[]}}"#, &deep] {
        let names = [
            "id",
            "etag",
            "createdDateTime",
            "channelIdentity",
            "from",
            "body",
            "attachments",
            "mentions",
            "reactions",
            "eventDetail",
            "policyViolation",
            "importance",
            "new",
        ];
        let fields: Vec<String> = names.iter().map(|name| format!("\"{name}\":{wrong}")).collect();
        let json = format!("{{{},\"subject\":\"kept\"}}", fields.join(","));
        let document = parsed(&json);
        let message = Message::of(&document);
        assert_eq!(message.subject.as_deref(), Some("kept"), "{wrong:.20}");
        assert_eq!((message.created, message.from), (None, None));
        assert_eq!(message.body, Body::default());
    }
}

#[test]
fn odd_values_are_read_all_the_same() {
    let lone = r#"{"id":"1","subject":"a\ud83dz\udc00","body":{"content":"\ud83d\udc40 ok"}}"#;
    let document = parsed(lone);
    let message = Message::of(&document);
    assert_eq!(message.subject.as_deref(), Some("a\u{fffd}z\u{fffd}"));
    assert_eq!(message.body.content, "👀 ok");
    let document = parsed(r#"{"subject":1e999,"id":"2","mentions":[{"id":-1e999}]}"#);
    let message = Message::of(&document);
    assert_eq!((message.id.as_ref(), message.subject), ("2", None));
    assert_eq!(Message::of(&parsed(r#"{"id":"1","id":"2"}"#)).id, "2");
    assert_eq!(Message::of(&parsed("{ }")), Message::default());
}

#[test]
fn an_event_is_known_by_its_type_its_detail_or_its_body() {
    for (json, expected) in [
        (r#"{"messageType":"systemEventMessage"}"#, "systemEventMessage"),
        (r#"{"messageType":"unknownFutureValue","eventDetail":{}}"#, "systemEventMessage"),
        (
            r#"{"messageType":"unknownFutureValue","body":{"content":"<systemEventMessage/>"}}"#,
            "systemEventMessage",
        ),
        (r#"{"messageType":"unknownFutureValue","eventDetail":null}"#, "unknownFutureValue"),
        (r#"{"messageType":"message","eventDetail":{}}"#, "message"),
        (r#"{"messageType":"typing"}"#, "typing"),
        (r"{}", ""),
    ] {
        let document = parsed(json);
        let message = Message::of(&document);
        assert_eq!(message.message_type.name(), expected, "{json}");
        assert_eq!(message.is_system(), expected == "systemEventMessage");
        assert!(!message.is_system() || message.event.is_some());
    }
}

#[test]
fn the_identity_that_is_meant_is_found_in_any_set() {
    for (from, id, kind) in [
        (r#"{"user":null,"application":{"id":"bot"}}"#, "bot", IdentityKind::Application),
        (r#"{"application":{"id":"bot"},"user":{"id":"ann"}}"#, "ann", IdentityKind::User),
        (r#"{"tag":{"id":"t"},"device":{"id":"d"}}"#, "d", IdentityKind::Device),
        (r#"{"id":"flat","displayName":"Flat"}"#, "flat", IdentityKind::User),
        (r#"{"phone":{"id":"+1"}}"#, "+1", IdentityKind::User),
    ] {
        let json = format!(r#"{{"from":{from}}}"#);
        let document = parsed(&json);
        let who = Message::of(&document).from.unwrap();
        assert_eq!((who.id.as_ref(), who.kind), (id, kind), "{from}");
    }
    let nobody = r#"{"from":{"user":null,"application":null,"@odata.type":"x"}}"#;
    assert_eq!(Message::of(&parsed(nobody)).from, None);
}
