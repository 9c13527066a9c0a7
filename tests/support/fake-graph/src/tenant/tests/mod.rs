//! What must hold of any tenant, tried on small ones.

mod answers;
mod documents;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::*;

const HOUR: Ms = 3_600_000;

fn small() -> Setup {
    Setup { messages_per_day: 40, ..Setup::default() }
}

fn end(setup: &Setup) -> Ms {
    setup.from + Ms::from(setup.days) * DAY_MS
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn field<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every collection that could be asked about, with its custodian and feed.
fn collections(tenant: &Tenant) -> Vec<(Collection, String, Feed)> {
    use Collection as C;
    let mut all = Vec::new();
    for user in &tenant.story.people.users {
        let id = || user.id.clone();
        for (collection, feed) in [
            (C::Chats(id()), Feed::Current),
            (C::RetainedChats(id()), Feed::Retained),
            (C::Targeted(id()), Feed::Targeted),
            (C::Recordings(id()), Feed::Recordings),
            (C::Transcripts(id()), Feed::Transcripts),
            (C::AdhocRecordings(id()), Feed::AdhocRecordings),
            (C::AdhocTranscripts(id()), Feed::AdhocTranscripts),
            (C::Copilot(id()), Feed::Copilot),
        ] {
            all.push((collection, format!("user:{}", user.id), feed));
        }
    }
    for team in &tenant.story.places.teams {
        let id = || team.id.clone();
        for (collection, feed) in [
            (C::Channels(id()), Feed::Current),
            (C::RetainedChannels(id()), Feed::Retained),
            (C::DeletedTeamChannels(id()), Feed::Current),
            (C::DeletedTeamRetained(id()), Feed::Retained),
        ] {
            all.push((collection, format!("team:{}", team.id), feed));
        }
    }
    all
}

fn all_rows<'a>(tenant: &'a Tenant, collection: &Collection, now: Ms) -> Vec<Item<'a>> {
    tenant.rows(collection, Window::default(), now, Form::default())
}

#[test]
fn equal_setups_give_equal_bytes_and_others_give_others() {
    let answers = |seed| {
        let setup = Setup { seed, ..small() };
        let tenant = Tenant::new(&setup);
        let now = end(&setup) - 3 * DAY_MS;
        let rows: Vec<String> = collections(&tenant)
            .iter()
            .flat_map(|(one, ..)| all_rows(&tenant, one, now))
            .map(|item| item.json.to_string())
            .collect();
        let objects = format!("{:?}", tenant.objects(now));
        let users: Vec<String> = tenant.users(now).iter().map(|user| user.to_json(now)).collect();
        (tenant.id.clone(), rows, objects, users)
    };
    let first = answers(5);
    assert!(first.1.len() > 500, "{}", first.1.len());
    assert_eq!(first, answers(5));
    assert_ne!(first.1, answers(6).1);
}

#[test]
fn everything_an_export_showed_at_some_hour_is_true_and_the_other_way_round() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let until = end(&setup) + 40 * DAY_MS;
    // Documents are kept once written: the same place in memory is the same text, told fast.
    let mut shown: HashMap<(String, Feed), HashMap<*const u8, Arc<str>>> = HashMap::new();
    for (collection, custodian, feed) in collections(&tenant) {
        let seen = shown.entry((custodian, feed)).or_default();
        for now in (setup.from..=until).step_by(usize::try_from(HOUR).unwrap()) {
            for item in all_rows(&tenant, &collection, now) {
                let _ = seen.entry(item.json.as_ptr()).or_insert(item.json);
            }
        }
    }
    // Truth in the key order of the endpoint, but only what was there at a full hour.
    let mut expected: HashMap<(String, Feed), BTreeSet<String>> = HashMap::new();
    let mut brief = 0;
    for truth in tenant.truth(until, CLOUD_ORIGIN) {
        for sighting in &truth.sightings {
            let hour = setup.from + (sighting.from - setup.from + HOUR - 1).div_euclid(HOUR) * HOUR;
            if sighting.until.is_none_or(|end| hour < end) && hour <= until {
                let _ = expected
                    .entry((sighting.custodian.clone(), sighting.feed))
                    .or_default()
                    .insert(parsed(&truth.json).to_string());
            } else {
                brief += 1;
            }
        }
    }
    assert!(brief > 0, "no version was too short for an hourly look");
    for ((custodian, feed), seen) in shown {
        let seen: BTreeSet<String> = seen.values().map(|json| parsed(json).to_string()).collect();
        let wanted = expected.remove(&(custodian.clone(), feed)).unwrap_or_default();
        assert!(seen == wanted, "{custodian} {feed:?}: {} seen, {} true", seen.len(), wanted.len());
    }
    assert!(expected.is_empty());
}

#[test]
fn a_window_excludes_its_bounds_and_the_order_does_not_depend_on_it() {
    let setup = small();
    let tenant = Tenant::new(&setup);
    let users = tenant.users(setup.from);
    let user = &users.iter().find(|user| user.mailbox).unwrap().id;
    let chats = Collection::Chats(user.clone());
    let all = all_rows(&tenant, &chats, end(&setup));
    let some: Vec<Ms> = all.iter().map(|item| item.modified).collect();
    assert!(some.len() > 100 && !some.is_sorted());
    let mut times = some.clone();
    times.sort_unstable();
    let (after, before) = (times[10], times[90]);
    let window = Window { after: Some(after), before: Some(before) };
    let part = tenant.rows(&chats, window, end(&setup), Form::default());
    let expected: Vec<Ms> =
        some.into_iter().filter(|time| after < *time && *time < before).collect();
    assert_eq!(part.iter().map(|item| item.modified).collect::<Vec<_>>(), expected);
}

#[test]
fn copies_lie_with_the_members_of_the_time_and_follow_late() {
    let setup = Setup { users: 30, ..small() };
    let (lagging, prompt) =
        (Tenant::new(&setup), Tenant::new(&Setup { lag: false, ..setup.clone() }));
    let (mut late, mut outside, mut left) = (0, 0, 0);
    for mailbox in &lagging.mailboxes.users {
        late += mailbox.iter().filter(|entry| entry.from > entry.modified + 3 * HOUR).count();
        for entry in mailbox {
            let follows = mailbox.iter().any(|other| {
                other.message == entry.message
                    && other.version < entry.version
                    && other.from > entry.from
            });
            assert!(!follows && entry.from - entry.modified < LONGEST_LAG_MS);
        }
    }
    assert!(late > 20, "{late}");
    for (number, mailbox) in prompt.mailboxes.users.iter().enumerate() {
        assert!(mailbox.iter().all(|entry| entry.from == entry.modified));
        let has: HashSet<u32> = mailbox.iter().map(|entry| entry.message).collect();
        for (message, one) in (0..).zip(&prompt.story.messages) {
            let place = &prompt.story.places.conversations[one.conversation as usize];
            let user = &prompt.story.people.users[number];
            let member = place.kind != places::Kind::Channel && place.member(number, one.created);
            let wanted = member && user.mailbox && user.active(one.created);
            assert_eq!(has.contains(&message), wanted, "user {number}, message {message}");
            let other_time = place.members.iter().any(|other| other.author == number);
            outside += usize::from(!member && other_time && place.team.is_none());
            let copies = mailbox.iter().filter(|entry| entry.message == message).count();
            left += usize::from(copies > 0 && copies < one.steps());
        }
    }
    assert!(outside > 10 && left > 0, "{outside} {left}");
}

#[test]
fn deleted_messages_go_after_21_days_and_retained_versions_after_30() {
    let setup = Setup { lag: false, ..small() };
    let tenant = Tenant::new(&setup);
    let entries = || tenant.mailboxes.users.iter().zip(&tenant.story.people.users);
    let mut checked = 0;
    for (mailbox, _) in entries().filter(|(_, user)| user.deleted.is_none()) {
        for entry in mailbox {
            let message = &tenant.story.messages[entry.message as usize];
            let step = tenant.versions[entry.version as usize].step as usize;
            let change = step.checked_sub(1).map(|last| message.changes[last].1);
            let next = message.changes.get(step).map(|(at, _)| *at);
            if change == Some(changes::Change::Delete) && next.is_none() {
                assert_eq!(entry.until, entry.modified + 21 * DAY_MS);
                assert_eq!(entry.retained_until, entry.modified + 30 * DAY_MS);
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "{checked}");
}

#[test]
fn retained_questions_give_every_version_and_none_without_a_policy() {
    let setup = Setup { lag: false, ..small() };
    let tenant = Tenant::new(&setup);
    let none = Tenant::new(&Setup { retention: false, ..setup.clone() });
    let mut asked = 0;
    for (collection, ..) in collections(&tenant) {
        let Collection::RetainedChats(user) = &collection else { continue };
        let number = tenant.user_number(user).unwrap();
        assert!(all_rows(&none, &collection, end(&setup)).is_empty());
        for entry in &tenant.mailboxes.users[number] {
            let now = entry.from + 29 * DAY_MS;
            if tenant.user(user, now).is_some() && asked < 300 {
                let rows = all_rows(&tenant, &collection, now);
                let json = tenant.text(
                    (entry.version, entry.bare),
                    render::Layout::Retained,
                    Form::default(),
                );
                assert!(rows.iter().any(|item| item.json == json), "{json}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 300);
}
