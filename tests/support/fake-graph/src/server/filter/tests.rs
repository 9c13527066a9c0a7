//! What the filter language lets through, and what it means.

use std::sync::Arc;

use super::*;

const RANGE: &str = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z and \
                     lastModifiedDateTime lt 2020-06-05T21:00:09.413z";

fn refusal(text: &str, dialect: Dialect) -> Option<Refused> {
    Filter::parse(text, dialect).err()
}

fn passing(text: &str, dialect: Dialect) -> Vec<usize> {
    let filter = Filter::parse(text, dialect).unwrap();
    let user = |id: &str, kind| Sender::User { id: id.to_owned(), kind };
    let senders = [
        user("u1", "aadUser"),
        user("u2", "anonymousGuest"),
        Sender::Application { id: "app".to_owned(), kind: "bot" },
        Sender::None,
    ];
    let item = |sender| Item {
        modified: 0,
        created: 0,
        sender,
        message_type: if *sender == Sender::None { "systemEventMessage" } else { "message" },
        app_class: Some("IPM.Teams"),
        json: Arc::from("{}"),
    };
    (0..senders.len()).filter(|at| filter.passes(&item(&senders[*at]))).collect()
}

#[test]
fn both_bounds_or_none() {
    let filter = Filter::parse(RANGE, Dialect::Range).unwrap();
    assert_eq!(filter.window.after, Some(1_591_293_791_591));
    assert_eq!(filter.window.before, Some(1_591_390_809_413));
    assert!(filter.is_only_a_window());
    let lower = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z";
    assert_eq!(refusal(lower, Dialect::Chats), Some(Refused::OneSided));
    assert_eq!(refusal(lower, Dialect::Delta), None);
    assert_eq!(refusal(RANGE, Dialect::Delta), Some(Refused::Query));
    assert_eq!(refusal(RANGE, Dialect::Copilot), Some(Refused::Query));
    let inclusive = RANGE.replace("gt", "ge");
    assert_eq!(refusal(&inclusive, Dialect::Chats), Some(Refused::Operator));
}

#[test]
fn what_is_not_documented_is_refused() {
    let quoted = "lastModifiedDateTime gt '2020-06-04T18:03:11Z' and lastModifiedDateTime lt \
                  '2020-06-05T21:00:09Z'";
    let deep = format!("{}from/user/id eq 'a'{}", "(".repeat(5000), ")".repeat(5000));
    let either = format!("from/user/id eq 'u1' or {RANGE}");
    for (text, refused) in [
        (quoted, Refused::Clause),
        ("from/user/id eq 'u1", Refused::Clause),
        ("from/user/id eq u1", Refused::Clause),
        ("from/user/id is 'u1'", Refused::Clause),
        ("(from/user/id eq 'u1'", Refused::Clause),
        ("from/user/id eq 'u1') or (", Refused::Clause),
        ("", Refused::Clause),
        (&deep, Refused::Clause),
        ("from/user/id ne 'u1'", Refused::Query),
        ("subject eq 'x'", Refused::Query),
        ("messsageType eq 'systemEventMessage'", Refused::Query),
        (&either, Refused::Query),
    ] {
        assert_eq!(refusal(text, Dialect::Chats), Some(refused), "{text}");
    }
    assert_eq!(refusal("from/user/id eq 'u1'", Dialect::Range), Some(Refused::Query));
}

#[test]
fn clauses_mean_what_they_say() {
    for (text, expected) in [
        ("from/user/id eq 'U1'", vec![0]),
        ("from/user/id eq 'u1' or from/user/id eq 'u2'", vec![0, 1]),
        ("from/user/userIdentityType eq 'anonymousGuest'", vec![1]),
        ("from/application/applicationIdentityType eq 'bot'", vec![2]),
        ("messageType eq 'systemEventMessage'", vec![3]),
        ("messageType ne 'systemEventMessage'", vec![0, 1, 2]),
        (
            &format!("(from/user/id eq 'u1' or messageType eq 'systemEventMessage') and ({RANGE})"),
            vec![0, 3],
        ),
        ("from/user/id eq 'it''s'", vec![]),
    ] {
        assert_eq!(passing(text, Dialect::Chats), expected, "{text}");
    }
    assert_eq!(passing("from/application/id eq 'app'", Dialect::Targeted), [2]);
    assert_eq!(passing("appClass eq 'x' or appClass eq 'IPM.Teams'", Dialect::Copilot).len(), 4);
    let organizer = Filter::parse("MeetingOrganizer/User/Id eq 'u9'", Dialect::Meetings).unwrap();
    assert_eq!(organizer.organizer.as_deref(), Some("u9"));
}
