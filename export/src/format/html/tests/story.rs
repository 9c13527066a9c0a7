//! Three chats with everything that pages can show, as people would write it.

use chatvault_query::people::ConversationKind;
use serde_json::{Value, json};

use super::kit::{at, entry, stored, with};
use super::safe::{assert_links_resolve, assert_safe};
use crate::entry::{Attached, AttachedState, Chat, Entry, Person};

const PEOPLE: [(&str, &str, &str); 6] = [
    (
        "1f0a9c1e-0001-4000-8000-0000000000a1",
        "Katharina Brandt",
        "katharina.brandt@contoso.example",
    ),
    ("1f0a9c1e-0002-4000-8000-0000000000a2", "Tomás Ibáñez", "tomas.ibanez@contoso.example"),
    ("1f0a9c1e-0003-4000-8000-0000000000a3", "Priya Raman", "priya.raman@contoso.example"),
    ("1f0a9c1e-0004-4000-8000-0000000000a4", "יעל כהן", "yael.cohen@contoso.example"),
    ("1f0a9c1e-0005-4000-8000-0000000000a5", "王小明", "xiaoming.wang@contoso.example"),
    ("1f0a9c1e-0006-4000-8000-0000000000a6", "Ed Moss (Fabrikam)", "ed@fabrikam.example"),
];

const GROUP: &str = "19:0a1b2c3d4e5f60718293a4b5c6d7e8f9@thread.v2";

fn people(count: usize) -> Vec<Person> {
    let person = |&(id, name, address): &(&str, &str, &str)| Person {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        address: Some(address.to_owned()),
        other_names: if name.starts_with('K') {
            vec!["Katharina Vogt".to_owned()]
        } else {
            Vec::new()
        },
        joined: Some(at("2021-06-01T07:00:00Z")),
        left: name.starts_with("Ed").then(|| at("2021-06-18T15:10:00Z")),
    };
    PEOPLE[..count].iter().map(person).collect()
}

fn chat(kind: ConversationKind, id: &str, topic: Option<&str>, slug: &str, count: usize) -> Chat {
    Chat {
        id: id.to_owned(),
        kind,
        topic: topic.map(str::to_owned),
        topics: Vec::new(),
        team: (kind == ConversationKind::Channel)
            .then(|| "5c1a2b3c-1111-4222-8333-444455556666".to_owned()),
        started: None,
        participants: people(count),
        slug: slug.to_owned(),
    }
}

fn who(person: usize) -> Value {
    let (id, name, _) = PEOPLE[person];
    let kind = if name.starts_with("Ed") { "federatedUser" } else { "aadUser" };
    json!({"user": {"id": id, "displayName": name, "userIdentityType": kind}})
}

fn says(person: usize, time: &str, html: &str) -> Value {
    let ms = at(time).ms().to_string();
    json!({
        "id": ms, "etag": ms, "messageType": "message", "chatId": GROUP, "createdDateTime": time,
        "lastModifiedDateTime": time, "importance": "normal", "from": who(person),
        "body": {"contentType": "html", "content": html}, "attachments": [], "mentions": [], "reactions": [],
    })
}

fn changed(value: &Value, time: &str, change: Value) -> Value {
    let change =
        with(json!({"etag": at(time).ms().to_string(), "lastModifiedDateTime": time}), change);
    with(value.clone(), change)
}

fn edited(value: &Value, time: &str, html: &str) -> Value {
    changed(
        value,
        time,
        json!({"lastEditedDateTime": time, "body": {"contentType": "html", "content": html}}),
    )
}

fn happened(time: &str, kind: &str, detail: Value) -> Entry {
    let detail =
        with(json!({"@odata.type": format!("#microsoft.graph.{kind}EventMessageDetail")}), detail);
    entry(&[with(
        says(0, time, "<systemEventMessage/>"),
        json!({"messageType": "systemEventMessage", "from": null, "eventDetail": detail}),
    )])
}

fn reacted(kind: &str, person: usize) -> Value {
    json!({"reactionType": kind, "createdDateTime": "2021-06-03T09:00:00Z", "user": who(person)})
}

/// The answer of a client to an earlier message: an attachment that quotes it.
fn answers(value: Value, person: usize, to: &Value) -> Value {
    let id = to["id"].as_str().unwrap();
    let text = to["body"]["content"].as_str().unwrap();
    let content = json!({"messageId": id, "messagePreview": text, "messageSender": who(person)});
    let html = format!(
        "<attachment id=\"{id}\"></attachment>{}",
        value["body"]["content"].as_str().unwrap()
    );
    with(
        value,
        json!({
            "body": {"contentType": "html", "content": html},
            "attachments": [{"id": id, "contentType": "messageReference", "content": content.to_string()}],
        }),
    )
}

fn group() -> Vec<Entry> {
    [opening(), quarrel(), vec![files()], call(), evening(), close()].concat()
}

/// Who comes, and what is asked.
fn opening() -> Vec<Entry> {
    let user = |person: usize| who(person)["user"].clone();
    let ask = says(
        0,
        "2021-06-03T08:02:11.420Z",
        "<p>Good morning all. Before the audit on Friday I need \
        the <b>final</b> figures for the second quarter. Who has the current sheet?</p>",
    );
    let mention = with(
        says(
            2,
            "2021-06-03T08:03:40Z",
            "<p><at id=\"0\">Tomás Ibáñez</at> has it, I think. The last \
        one I saw is here: <a href=\"https://contoso.sharepoint.example/sites/finance/Q2%20figures.xlsx\">Q2 figures</a></p>",
        ),
        json!({"mentions": [{"id": 0, "mentionText": "Tomás Ibáñez", "mentioned": who(1)}]}),
    );
    vec![
        happened(
            "2021-06-01T07:00:00Z",
            "membersAdded",
            json!({"initiator": who(0), "members": [user(1), user(2), user(5)],
            "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z"}),
        ),
        happened(
            "2021-06-01T07:00:30Z",
            "chatRenamed",
            json!({"initiator": who(0), "chatDisplayName": "Audit Q2: invoices"}),
        ),
        entry(&[ask]),
        entry(&[mention]),
    ]
}

/// Edits, an answer, and a message that is deleted.
fn quarrel() -> Vec<Entry> {
    let first = says(
        1,
        "2021-06-03T08:05:02Z",
        "<p>We invoice 140,000 to Fabrikam in June and the rest in July.</p>",
    );
    let second = edited(
        &first,
        "2021-06-03T08:41:30Z",
        "<p>We invoice 190,000 to Fabrikam in June and nothing in July.</p>",
    );
    let third = edited(
        &second,
        "2021-06-04T06:12:00Z",
        "<p>We invoice 190,000 to Fabrikam in June and nothing in July, as agreed with Ed.</p>",
    );
    let third = with(
        third,
        json!({"reactions": [reacted("like", 0), reacted("🙈", 5), reacted("like", 5)]}),
    );
    let reply = answers(
        says(
            0,
            "2021-06-03T08:07:15Z",
            "<p>That is not what the contract says. Please call me.</p>",
        ),
        1,
        &first,
    );
    let reply = with(reply, json!({"importance": "high"}));
    let delete = says(
        5,
        "2021-06-03T08:09:00Z",
        "<p>Can we take this offline? Nobody needs this in writing.</p>",
    );
    let deleted = changed(
        &delete,
        "2021-06-03T08:10:21Z",
        json!({"deletedDateTime": "2021-06-03T08:10:21Z",
        "body": {"contentType": "html", "content": ""}}),
    );
    vec![entry(&[first, second, third]), entry(&[reply]), entry(&[delete, deleted])]
}

/// A message with files and a picture.
fn files() -> Entry {
    let files = with(
        says(
            1,
            "2021-06-03T14:20:09Z",
            "<p>Here are the sheet and the signed offer.</p>\
        <p><img src=\"https://graph.microsoft.com/v1.0/chats/c/messages/m/hostedContents/chart/$value\" alt=\"Q2 chart\" width=\"480\" height=\"270\"></p>",
        ),
        json!({"attachments": [
            {"id": "f1", "contentType": "reference", "contentUrl": "https://contoso.sharepoint.example/f1", "name": "Q2 figures (final).xlsx"},
            {"id": "f2", "contentType": "reference", "contentUrl": "https://contoso.sharepoint.example/f2", "name": "Offer Fabrikam signed.pdf"}]}),
    );
    let mut files = entry(&[files]);
    files.attached = vec![
        stored(
            Some(0),
            "file:f1",
            "Q2 figures (final).xlsx",
            "Attachments/0001_Q2 figures (final).xlsx",
        ),
        Attached {
            state: AttachedState::Unavailable {
                reason: "the file was deleted before it was archived (404 itemNotFound)".to_owned(),
            },
            ..stored(Some(1), "file:f2", "Offer Fabrikam signed.pdf", "")
        },
        stored(None, "hosted:chart", "chart.png", "Attachments/0002_chart.png"),
    ];
    files
}

fn call() -> Vec<Entry> {
    vec![
        happened(
            "2021-06-03T15:00:00Z",
            "callStarted",
            json!({"initiator": who(0), "callEventType": "call", "callId": "1"}),
        ),
        happened(
            "2021-06-03T15:27:08Z",
            "callEnded",
            json!({"initiator": who(0), "callEventType": "call", "callId": "1", "callDuration": "PT27M8S",
            "callParticipants": [{"participant": who(0)}, {"participant": who(1)}]}),
        ),
    ]
}

/// A table, code, and several scripts.
fn evening() -> Vec<Entry> {
    let urgent = with(
        says(
            0,
            "2021-06-17T16:55:00Z",
            "<p>The auditors are asking for the invoice <em>today</em>.</p>",
        ),
        json!({"importance": "urgent"}),
    );
    let table = says(
        2,
        "2021-06-17T17:01:12Z",
        "<p>What I have so far:</p><table><tr><th>Month</th><th>Planned</th><th>Invoiced</th></tr>\
        <tr><td>May</td><td>80,000</td><td>80,000</td></tr><tr><td>June</td><td>140,000</td><td>190,000</td></tr></table>\
        <ol><li>Check the contract</li><li>Ask legal<ul><li>before Friday</li><li>in writing</li></ul></li></ol>",
    );
    let code = says(
        4,
        "2021-06-17T17:05:44Z",
        "<p>我查询了账目，六月有两张发票。请看下面的结果：</p><codeblock class=\"SQL\"><code>SELECT number, amount<br>FROM invoices<br>WHERE customer = 'Fabrikam' AND amount &gt; 100000;</code></codeblock>",
    );
    let rtl = says(
        3,
        "2021-06-17T17:09:03Z",
        "<p>אני לא מאשרת את החשבונית הזאת (190,000) לפני שאראה את החוזה.</p><p>See clause 4.2.</p>",
    );
    [urgent, table, code, rtl].map(|one| entry(&[one])).to_vec()
}

/// A card, an edit that was never archived, a farewell.
fn close() -> Vec<Entry> {
    let user = |person: usize| who(person)["user"].clone();
    let card = with(
        says(1, "2021-06-18T08:00:00Z", "<attachment id=\"c1\"></attachment>"),
        json!({
        "from": {"application": {"id": "bot-1", "displayName": "Approvals", "applicationIdentityType": "bot"}},
        "attachments": [{"id": "c1", "contentType": "application/vnd.microsoft.card.adaptive", "content": json!({
            "type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Approval requested: Invoice 2021-0617"},
            {"type": "FactSet", "facts": [{"title": "Amount", "value": "190,000 EUR"}, {"title": "Requested by", "value": "Tomás Ibáñez"}]}]}).to_string()}]}),
    );
    let unarchived = with(
        says(1, "2021-06-18T08:30:00Z", "<p>Approved by phone.</p>"),
        json!({"lastEditedDateTime": "2021-06-18T12:30:00Z"}),
    );
    vec![
        entry(&[card]),
        entry(&[unarchived]),
        happened(
            "2021-06-18T15:10:00Z",
            "membersDeleted",
            json!({"initiator": who(0), "members": [user(5)]}),
        ),
        entry(&[says(0, "2021-07-02T09:00:00Z", "<p>Thank you all. The audit is closed.</p>")]),
    ]
}

fn channel() -> Vec<Entry> {
    let post = |person, time, root: Option<&str>, text: &str| {
        let root = root.map(|time| at(time).ms().to_string());
        entry(&[with(
            says(person, time, text),
            json!({"chatId": null, "replyToId": root,
            "channelIdentity": {"teamId": "5c1a2b3c-1111-4222-8333-444455556666", "channelId": "19:finance@thread.tacv2"}}),
        )])
    };
    let (plan, rooms) = ("2021-06-07T07:30:00Z", "2021-06-08T11:00:00Z");
    let mut first = post(
        0,
        plan,
        None,
        "<p>The plan for the audit week is in the wiki. Please read it and ask here.</p>",
    );
    let subject = with(
        serde_json::from_slice(first.versions[0].document.json()).unwrap(),
        json!({"subject": "Audit week: who does what"}),
    );
    first.versions[0].document =
        chatvault_engine::Document::parse(subject.to_string().as_bytes()).unwrap().into_owned();
    vec![
        first,
        post(2, rooms, None, "<p>Which rooms do the auditors get?</p>"),
        post(1, "2021-06-08T11:20:00Z", Some(plan), "<p>I cannot open the wiki page.</p>"),
        post(0, "2021-06-08T11:24:00Z", Some(plan), "<p>You should have access now.</p>"),
        post(
            4,
            "2021-06-09T06:00:00Z",
            Some(rooms),
            "<p>Rooms 4.12 and 4.13 are booked for all five days.</p>",
        ),
        post(5, "2021-07-01T08:00:00Z", Some(plan), "<p>Is the plan for July the same?</p>"),
    ]
}

fn direct() -> Vec<Entry> {
    let lines = [
        (0, "Do you have a minute?"),
        (1, "Sure"),
        (1, "What is it about?"),
        (0, "The Fabrikam invoice. I would rather not discuss it in the group."),
        (
            1,
            "There is nothing to discuss. Ed and I agreed on it, and everybody does it this way at the end of a quarter. 🙄",
        ),
        (0, "Then please send me that agreement by noon."),
    ];
    (0..1_300_usize)
        .map(|index| {
            let (person, text) = lines[index % lines.len()];
            let time = at("2021-06-10T06:00:00Z").ms() + i64::try_from(index).unwrap() * 97_000;
            let time = chatvault_query::format_time(chatvault_engine::Timestamp::from_ms(time));
            entry(&[says(person, &time, &format!("<p>{text}</p>"))])
        })
        .collect()
}

/// The chats with their entries, in export order.
pub(super) fn chats() -> Vec<(Chat, Vec<Entry>)> {
    let topic = Some("Audit Q2: invoices");
    vec![
        (chat(ConversationKind::Group, GROUP, topic, "Audit_Q2_invoices_0a1b2c3d", 6), group()),
        (
            chat(
                ConversationKind::OneOnOne,
                "19:a1_a2@unq.gbl.spaces",
                None,
                "Katharina_Brandt_Tomas_Ibanez_77aa88bb",
                2,
            ),
            direct(),
        ),
        (
            chat(
                ConversationKind::Channel,
                "19:finance@thread.tacv2",
                Some("Finance / General"),
                "Finance_General_99cc00dd",
                6,
            ),
            channel(),
        ),
    ]
}

#[test]
fn a_whole_story_is_safe_and_its_links_lead_somewhere() {
    let pages = super::look::story_pages();
    assert_safe(&pages);
    assert_links_resolve(&pages);
    let articles: usize =
        pages.values().map(|page| super::kit::attributes(page, "article", "id").len()).sum();
    let entries: usize = chats().iter().map(|(_, entries)| entries.len()).sum();
    assert_eq!(articles, entries);
}
