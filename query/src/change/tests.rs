//! What happened between two versions, as the service shows changes.

use serde_json::{Value, json};

use super::*;

fn message() -> Value {
    json!({"id": "1", "etag": "1", "lastModifiedDateTime": "2020-01-01T00:00:00Z",
        "lastEditedDateTime": null, "deletedDateTime": null, "subject": null,
        "body": {"contentType": "text", "content": "Tee?"}, "attachments": [], "mentions": [],
        "reactions": [], "messageHistory": [], "policyViolation": null})
}

/// The message with some members changed, and a new version.
fn with(message: &Value, changes: &Value) -> Value {
    let mut after = message.clone();
    after["etag"] = "2".into();
    after["lastModifiedDateTime"] = "2020-01-02T00:00:00Z".into();
    for (name, value) in changes.as_object().unwrap() {
        after[name] = value.clone();
    }
    after
}

fn document(json: &Value) -> Document<'static> {
    Document::parse(json.to_string().as_bytes()).unwrap().into_owned()
}

fn between(before: &Value, after: &Value) -> Change {
    Change::between(Some(&document(before)), &document(after))
}

fn told(before: &Value, after: &Value) -> String {
    let names: Vec<&str> = between(before, after).what.into_iter().map(What::name).collect();
    names.join(" ")
}

const TIME: &str = "2020-01-02T00:00:00Z";

#[test]
fn each_kind_of_change_is_told() {
    let plain = message();
    let like = json!([{"reactionType": "like", "user": {"user": {"id": "ben"}}}]);
    let file = json!([{"id": "f1", "name": "plan.docx"}]);
    let gone = with(&plain, &json!({"deletedDateTime": TIME, "body": {"content": ""}}));
    let kept = with(&plain, &json!({"deletedDateTime": TIME}));
    let blocked =
        with(&plain, &json!({"policyViolation": {"dlpAction": 1}, "body": {"content": ""}}));
    let edited = json!({"lastEditedDateTime": TIME, "body": {"content": "Tea?"}, "mentions": [1]});
    for (before, after, expected) in [
        (&plain, with(&plain, &edited), "edited"),
        (&plain, with(&plain, &json!({"body": {"content": "Tea?"}})), "edited"),
        (&plain, with(&plain, &json!({"subject": "Lunch"})), "edited"),
        (&plain, with(&plain, &json!({"subject": ""})), "updated"),
        (&plain, with(&plain, &json!({"lastEditedDateTime": TIME})), "edited"),
        (&plain, with(&plain, &json!({"reactions": like})), "reacted"),
        (&plain, with(&plain, &json!({"messageHistory": [1]})), "reacted"),
        (&plain, with(&plain, &json!({"attachments": file})), "attachments"),
        (
            &plain,
            with(&plain, &json!({"attachments": file, "body": {"content": "x"}})),
            "edited attachments",
        ),
        (&plain, gone.clone(), "deleted"),
        (&plain, kept.clone(), "deleted"),
        (&gone, with(&plain, &json!({})), "restored"),
        (&kept, with(&plain, &edited), "edited restored"),
        (&kept, gone.clone(), "updated"),
        (&plain, blocked.clone(), "updated"),
        (&blocked, with(&plain, &json!({})), "updated"),
        (&plain, with(&plain, &json!({"mentions": [1]})), "updated"),
        (
            &plain,
            with(&plain, &json!({"importance": "high", "reactions": like})),
            "reacted updated",
        ),
        (&plain, with(&plain, &json!({"new": 1})), "updated"),
        (&plain, with(&plain, &json!({"new": null, "@odata.context": "x"})), "updated"),
    ] {
        assert_eq!(told(before, &after), expected, "{before} {after}");
    }
}

#[test]
fn a_first_version_may_have_a_past() {
    let what = |message: &Value| Change::between(None, &document(message)).what;
    assert_eq!(what(&message()), [What::Created]);
    let past = json!({"lastEditedDateTime": TIME, "deletedDateTime": TIME});
    assert_eq!(what(&with(&message(), &past)), [What::Created, What::Edited, What::Deleted]);
}

#[test]
fn reactions_and_attachments_are_told_one_by_one() {
    let reaction =
        |kind: &str, who: &str| json!({"reactionType": kind, "user": {"user": {"id": who}}});
    let custom = json!({"reactionType": "custom", "displayName": "party", "user": null});
    let file = |id: &str, name: &str| json!({"id": id, "name": name});
    let before = with(
        &message(),
        &json!({
            "reactions": [reaction("like", "ann"), reaction("like", "ben"), reaction("like", "ben")],
            "attachments": [file("1", "a"), file("2", "b"), file("3", "c")],
        }),
    );
    let after = with(
        &message(),
        &json!({
            "reactions": [reaction("like", "ben"), custom, reaction("like", "ann")],
            "attachments": [file("3", "c"), file("2", "B"), file("4", "d")],
        }),
    );
    let change = between(&before, &after);
    let reactions: Vec<_> =
        change.reactions.iter().map(|one| (one.side, &*one.kind, one.who.as_deref())).collect();
    assert_eq!(reactions, [(Side::Removed, "like", Some("ben")), (Side::Added, "party", None)]);
    let attachments: Vec<_> =
        change.attachments.iter().map(|one| (one.side, &*one.id, one.name.as_deref())).collect();
    assert_eq!(
        attachments,
        [
            (Side::Removed, "1", Some("a")),
            (Side::Changed, "2", Some("B")),
            (Side::Added, "4", Some("d"))
        ]
    );
    assert_eq!(change.what, [What::Reacted, What::Attachments]);
}

#[test]
fn other_members_are_told_by_name() {
    let before = message();
    let after = with(
        &before,
        &json!({"importance": "high", "from": {"user": {"id": "a"}}, "mentions": [1]}),
    );
    assert_eq!(between(&before, &after).fields, ["from", "importance", "mentions"]);
}

#[test]
fn an_edit_shows_its_words() {
    let before = with(
        &message(),
        &json!({"body": {"contentType": "html", "content": "<p>Tee at <b>4</b>?</p>"}}),
    );
    let after = with(
        &message(),
        &json!({"body": {"contentType": "html", "content": "<p>Tea at 4?</p>"}, "subject": "Tea"}),
    );
    let pieces = text_change(&document(&before), &document(&after));
    let added: Vec<&str> =
        pieces.iter().filter(|piece| piece.mark == Mark::Added).map(|piece| &*piece.text).collect();
    assert_eq!(added.concat(), "Tea\nTea");
    let bold =
        with(&before, &json!({"body": {"contentType": "html", "content": "<p>Tee at 4?</p>"}}));
    assert_eq!(told(&before, &bold), "edited");
    let same = text_change(&document(&before), &document(&bold));
    assert!(same.iter().all(|piece| piece.mark == Mark::Kept));
}

#[test]
fn a_body_is_text_with_its_subject() {
    let html = json!({"subject": "Lunch",
        "body": {"contentType": "html", "content": "<p>a&amp;b</p><p>c</p>"}});
    assert_eq!(plain(&document(&html)), "Lunch\na&b\nc");
    let text = json!({"body": {"contentType": "text", "content": "a <b> "}});
    assert_eq!(plain(&document(&text)), "a <b>");
}

#[test]
fn what_is_no_message_is_compared_as_nothing() {
    let nothing = document(&json!({}));
    assert_eq!(Change::between(Some(&nothing), &nothing).what, [What::Updated]);
    assert_eq!(Change::between(None, &nothing).what, [What::Created]);
}
