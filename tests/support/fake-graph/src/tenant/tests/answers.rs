//! What questions get: forms, endpoints, accounts that come and go, downloads.

use std::collections::{BTreeSet, HashSet};

use super::*;

#[test]
fn forms_change_what_they_should_and_nothing_else() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let now = end(&setup);
    let origin = "http://127.0.0.1:4711";
    let team = Collection::Channels(tenant.teams(now)[0].id.clone());
    let plain = all_rows(&tenant, &team, now);
    let hidden = Form { unknown_members: false, ..Form::default() };
    let hidden = tenant.rows(&team, Window::default(), now, hidden);
    let beta = Form { beta: true, origin, ..Form::default() };
    let beta = tenant.rows(&team, Window::default(), now, beta);
    let (mut events, mut links) = (0, 0);
    for ((plain, hidden), beta) in plain.iter().zip(&hidden).zip(&beta) {
        let mut before = parsed(&plain.json);
        if plain.message_type == "systemEventMessage" {
            before["messageType"] = "unknownFutureValue".into();
            assert_eq!(plain.sender, &Sender::None);
            events += 1;
        }
        assert_eq!(before, parsed(&hidden.json));
        assert!(!beta.json.contains(CLOUD_ORIGIN) && beta.json.contains("\"onBehalfOf\":null"));
        links += usize::from(beta.json.contains(&format!("{origin}/beta/teams/")));
    }
    assert!(events > 3 && links > 3, "{events} {links}");
}

#[test]
fn endpoints_differ_in_key_order_and_not_in_meaning() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let user = tenant.users(setup.from)[0].id.clone();
    let now = end(&setup);
    let current = all_rows(&tenant, &Collection::Chats(user.clone()), now);
    let delta = all_rows(&tenant, &Collection::ChatsDelta(user.clone()), now);
    let retained = all_rows(&tenant, &Collection::RetainedChats(user), now);
    assert_eq!(current.len(), delta.len());
    for (one, other) in current.iter().zip(&delta) {
        assert!(
            one.json.starts_with("{\"@odata.type\"") && other.json.starts_with("{\"replyToId\"")
        );
        let mut value = parsed(&one.json);
        drop(value.as_object_mut().unwrap().remove("@odata.type"));
        assert_eq!(value, parsed(&other.json));
        let same = retained.iter().find(|item| parsed(&item.json) == parsed(&one.json));
        assert!(same.is_some_and(|same| same.json != one.json), "{}", one.json);
    }
}

#[test]
fn accounts_and_teams_come_go_and_are_kept_for_a_while() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let (first, last) = (setup.from, end(&setup));
    assert!(tenant.users(first).len() > 8 && tenant.deleted_users(first).is_empty());
    let gone = *tenant.deleted_users(last).first().unwrap();
    let at = gone.deleted.unwrap();
    assert!(gone.to_json(last).contains("deletedDateTime"));
    assert!(!gone.to_json(at - 1).contains("deletedDateTime"));
    let chats = Collection::Chats(gone.id.clone());
    assert!(!all_rows(&tenant, &chats, at + 29 * DAY_MS).is_empty());
    assert!(all_rows(&tenant, &chats, at + 30 * DAY_MS).is_empty());
    assert!(tenant.user(&gone.id, at + 30 * DAY_MS).is_none());
    let team = *tenant.deleted_teams(last).first().unwrap();
    let at = team.deleted.unwrap();
    let (live, dead) =
        (Collection::Channels(team.id.clone()), Collection::DeletedTeamChannels(team.id.clone()));
    assert!(
        !all_rows(&tenant, &live, at - 1).is_empty() && all_rows(&tenant, &dead, at - 1).is_empty()
    );
    assert!(all_rows(&tenant, &live, at).is_empty() && !all_rows(&tenant, &dead, at).is_empty());
    assert!(all_rows(&tenant, &dead, at + 30 * DAY_MS).is_empty());
}

#[test]
fn documents_point_at_what_can_be_had() {
    let setup = Setup { messages_per_day: 80, ..Setup::default() };
    let tenant = Tenant::new(&setup);
    let until = end(&setup) + 60 * DAY_MS;
    let objects = tenant.objects(until);
    let (mut refused, mut gone) = (HashSet::new(), 0);
    for one in &objects {
        assert_eq!(tenant.content(&one.path, one.from).as_ref(), Some(&one.content), "{one:?}");
        assert!(one.until.is_none_or(|end| tenant.content(&one.path, end).is_none()));
        gone += usize::from(one.until.is_some());
        if let Content::Refused { status, .. } = one.content {
            let _ = refused.insert((status, std::mem::discriminant(&one.path)));
        }
        if let ContentPath::Hosted { place, message, id } = &one.path {
            let list = ContentPath::HostedList { place: place.clone(), message: message.clone() };
            let Some(Content::List(list)) = tenant.content(&list, one.from) else {
                panic!("no list")
            };
            assert!(list.contains(id.as_str()));
        }
    }
    assert!(gone > 3 && refused.len() >= 3, "{gone} {refused:?}");
    let text: String =
        tenant.truth(until, CLOUD_ORIGIN).iter().map(|one| one.json.to_string()).collect();
    for one in objects {
        match one.path {
            ContentPath::Hosted { id, .. } => {
                assert!(text.contains(&format!("hostedContents/{id}/$value")));
            }
            ContentPath::File { content_url } => assert!(text.contains(&content_url)),
            ContentPath::Recording { id, .. }
            | ContentPath::Transcript { id, .. }
            | ContentPath::TranscriptMetadata { id, .. } => assert!(text.contains(&id)),
            ContentPath::HostedList { .. } => panic!("a list is no object"),
        }
    }
}

#[test]
fn any_part_of_a_generated_stream_can_be_made() {
    let mut whole = vec![0; 1000];
    fill(77, 0, &mut whole);
    for (from, length) in [(0, 1), (1, 7), (8, 16), (13, 500), (999, 1), (500, 500)] {
        let mut part = vec![0; length];
        fill(77, from as u64, &mut part);
        assert_eq!(part, whole[from..from + length], "{from} {length}");
    }
    assert!(whole.iter().collect::<BTreeSet<_>>().len() > 200);
}
