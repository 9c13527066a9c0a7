//! What stands in documents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chatvault_support::parse_time;

use super::*;

#[test]
fn versions_are_named_by_their_time_and_ids_by_creation() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let truth = tenant.truth(end(&setup) + 40 * DAY_MS, CLOUD_ORIGIN);
    let ms = |value: &Value, key| Some(parse_time(field(value, key))?.ms());
    let (mut edited, mut digits) = (0, BTreeSet::new());
    for one in truth.iter().filter(|one| one.json.contains("lastModifiedDateTime")) {
        let json = parsed(&one.json);
        assert_eq!((field(&json, "id"), field(&json, "etag")), (&*one.id, &*one.etag));
        assert_eq!(ms(&json, "lastModifiedDateTime").unwrap().to_string(), one.etag);
        assert_eq!(ms(&json, "createdDateTime").unwrap().to_string(), one.id);
        if let Some(at) = ms(&json, "lastEditedDateTime") {
            assert!(at < one.modified, "{}", one.json);
            edited += 1;
        }
        let fraction = field(&json, "createdDateTime").split('.').nth(1).map_or(0, str::len);
        let _ = digits.insert(fraction);
    }
    assert!(edited > 50, "{edited}");
    // The Z counts, too.
    assert_eq!(digits, BTreeSet::from([0, 2, 3, 4]));
}

#[test]
fn each_kind_of_event_and_of_odd_thing_occurs() {
    let setup = Setup { messages_per_day: 80, ..Setup::default() };
    let tenant = Tenant::new(&setup);
    let all: Vec<String> =
        tenant.truth(Ms::MAX - 1, CLOUD_ORIGIN).iter().map(|one| one.json.to_string()).collect();
    let text = all.join("\n");
    for event in events::NAMES {
        assert!(text.contains(&format!("#microsoft.graph.{event}EventMessageDetail")), "{event}");
    }
    for odd in [
        "messageReference",
        "forwardedMessageReference",
        "\"reference\"",
        "tabReference",
        "meetingReference",
        "card.codesnippet",
        "card.hologram",
        "hostedContents/",
        "customemoji",
        "\"reactionType\":\"custom\"",
        "reactionRemoved",
        "\"blockAccess",
        "blockAccess\",\"justif",
        "\"override\"",
        "\"critical\"",
        "12345678901234567890",
        "&nbsp;",
        "\u{a0}",
        "\u{200b}",
        "\"subject\":\"\"",
        "\"subject\":null",
        "anonymousGuest",
        "federatedUser",
        "\"bot\"",
        "office365Connector",
        "outgoingWebhook",
        "schema.skype.com/Reply",
        "Copilot.BizChat",
        "Copilot.Word",
        "targetedChatMessage",
        "callTranscript\"",
        "\"mentionText\":\"Everyone\"",
        "\"conversationIdentityType\":\"team\"",
        "@thread.skype",
        "@unq.gbl.spaces",
        "19:meeting_",
        "\"messageHistory\":[]",
        "\"replyToId\":\"",
        "replies/",
    ] {
        let wanted = odd != "\"blockAccess";
        assert!(text.contains(odd) == wanted, "{odd}");
    }
    for json in all {
        let members = parsed(&json).as_object().unwrap().len();
        let ordinary = json.contains("#microsoft.graph.chatMessage\"");
        assert!(!ordinary || members >= 23, "{members} members: {json}");
    }
}

#[test]
fn ids_collide_across_conversations_and_never_in_one_place() {
    let tenant = Tenant::new(&small());
    let mut places: BTreeMap<&str, BTreeSet<(&str, Option<&str>)>> = BTreeMap::new();
    let truth = tenant.truth(Ms::MAX - 1, CLOUD_ORIGIN);
    let mut versions: HashMap<(&str, Option<&str>, &str, &str), usize> = HashMap::new();
    for one in truth.iter().filter(|one| one.json.contains("#microsoft.graph.chatMessage\"")) {
        let place = (one.conversation.as_str(), one.reply_to.as_deref());
        let _ = places.entry(&one.id).or_default().insert(place);
        *versions.entry((place.0, place.1, &one.id, &one.etag)).or_default() += 1;
    }
    assert!(places.values().filter(|places| places.len() > 1).count() > 5);
    // A second look of a version is the only thing that may share its name.
    assert!(versions.values().all(|looks| *looks <= 2));
    assert!(versions.values().any(|looks| *looks == 2));
}
