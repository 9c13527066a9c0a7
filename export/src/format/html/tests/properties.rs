//! Whatever people write, and whatever the service says they did: the pages stay ours.

use chatvault_query::people::ConversationKind;
use proptest::prelude::*;
use serde_json::json;

use super::kit::{always, chat, entry, message, render, stored, with};
use super::safe::{assert_complete, assert_links_resolve, assert_safe};
use crate::entry::{Attached, AttachedState, RenderOptions};

/// Pieces of what attackers and broken clients send.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</p></div></article></main><script src=//evil.example></script>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"https://evil.example/pixel.gif\">",
    "<img src=\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/pic/$value\" alt='\"><script>'>",
    "<svg onload=alert(1)><animate attributeName=href to=javascript:alert(1)></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=\" java\nscript:alert(1)\">x</a>",
    "<a href=\"data:text/html,<script>\">x</a>",
    "<a href=\"//evil.example\">x</a>",
    "<a href=\"https://ok.example/?a=1&b=&quot;'&gt;\">x</a>",
    "<a href='mailto:a@b.example'>m</a>",
    "<iframe src=https://evil.example></iframe>",
    "<style>@import url(https://evil.example/x.css)</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
    "<form action=https://evil.example><input autofocus onfocus=alert(1)></form>",
    "<object data=x></object><embed src=x><video poster=x><source src=x></video>",
    "<p style=\"background:url(https://evil.example)\" onclick=x id=m1>y</p>",
    "<textarea></textarea><noscript><p title=\"</noscript><script>x</script>\">",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&#0;",
    "&#x3c;script&#x3e;",
    "&lt;b&gt;",
    "\u{0}",
    "\u{202e}",
    "\"'`=",
    "<table><tr><td>a",
    "<ul><li><ol><li>",
    "<blockquote>",
    "<codeblock><code>let a = 1 < 2;",
    "<h1>",
    "<at id=\"0\">Bob</at>",
    "<attachment id=\"a\"></attachment>",
    "<emoji alt=\"<b>\"></emoji>",
    "<systemEventMessage/>",
    "plain",
    "שלום",
    "王小明",
    "🦊",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(HOSTILE).prop_map(str::to_owned),
        1 => "[<>&\"'/= a-z\\PC]{0,8}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hostile_survives(
        bodies in proptest::collection::vec(hostile(), 1..4),
        names in proptest::collection::vec(hostile(), 6),
        kind in proptest::sample::select(vec![ConversationKind::Group, ConversationKind::Channel]),
        versions in any::<bool>(),
    ) {
        let name = |index: usize| names[index].as_str();
        let states: Vec<_> = bodies.iter().enumerate().map(|(index, body)| with(
            message("2021-06-03T12:00:00Z", body),
            json!({
                "etag": (1_622_721_600_000_u64 + index as u64).to_string(),
                "lastEditedDateTime": if index > 0 { json!("2021-06-03T12:01:00Z") } else { json!(null) },
                "subject": name(0),
                "from": {"user": {"id": name(1), "displayName": name(2), "userIdentityType": "aadUser"}},
                "attachments": [
                    {"id": "a", "contentType": "reference", "contentUrl": name(3), "name": name(4)},
                    {"id": "b", "contentType": "application/vnd.microsoft.card.adaptive", "content":
                        json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": name(5)}]}).to_string()},
                    {"id": "c", "contentType": "messageReference", "content": json!({"messageId": name(0),
                        "messagePreview": name(1), "messageSender": {"user": {"id": "x", "displayName": name(2)}}}).to_string()},
                ],
                "mentions": [{"id": 0, "mentionText": name(3), "mentioned": {"user": {"id": "x", "displayName": name(4)}}}],
                "reactions": [{"reactionType": name(5), "displayName": name(0), "createdDateTime": "2021-06-03T12:00:00Z",
                    "user": {"user": {"id": name(1), "displayName": name(2)}}}],
                "policyViolation": {"dlpAction": name(3), "justificationText": name(4)},
            }),
        )).collect();
        let mut one = entry(&states);
        let unavailable = AttachedState::Unavailable { reason: names[4].clone() };
        one.attached = vec![
            stored(Some(0), "file:a", name(4), &format!("Attachments/{}", name(5).replace('/', "_"))),
            stored(None, "hosted:pic", "pic.png", "Attachments/pic.png"),
            Attached { state: unavailable, ..stored(None, "hosted:b", name(3), "") },
        ];
        one.key.id = name(0).to_owned();
        let event = with(message("2021-06-03T13:00:00Z", "<systemEventMessage/>"), json!({
            "messageType": "systemEventMessage", "from": null,
            "eventDetail": {"@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail", "chatDisplayName": name(3),
                "initiator": {"user": {"id": name(4), "displayName": name(5)}}}}));
        let entries = [one, entry(&[event])];
        let mut chat = chat(kind, name(0));
        chat.participants[0].name = Some(names[1].clone());
        chat.participants[0].other_names = vec![names[2].clone()];
        chat.participants[1].address = Some(names[3].clone());
        let options = RenderOptions { versions, raw_json: versions, ..RenderOptions::default() };
        let pages = render(&chat, &options, always(), &entries);
        assert_safe(&pages);
        assert_links_resolve(&pages);
        let mut entries = entries;
        for entry in &mut entries {
            entry.key.id.retain(is_kept);
        }
        assert_complete(&pages, &entries);
    }
}

/// Characters that HTML can hold; the others are no text there.
fn is_kept(character: char) -> bool {
    !character.is_ascii_control() || matches!(character, '\t' | '\n')
}
