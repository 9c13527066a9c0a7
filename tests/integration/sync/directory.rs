//! Names, addresses and members come in as records, change as versions, and stay when a team goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Custodian, Depth, Host, Memory, RecordKind, Scan, Timestamp, Versions,
};
use chatvault_fake_graph::{Access, Behaviour, DAY_MS, ROLES, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{self, SyncOptions, SyncReport, Which};
use chatvault_query::people::{Conversation, ConversationKind, Conversations, People};
use serde_json::json;

use super::kit::World;
use crate::kit::{go_on, small};

fn world() -> World {
    World::new(Setup::default(), Behaviour::default())
}

fn options(world: &World) -> SyncOptions {
    let feeds = vec![Feed::Chats, Feed::Channels];
    let mut options = world.options();
    options.feeds = feeds;
    options.directory = true;
    options
}

/// An archive that lives in the tenant's time, with everybody active.
fn archive(world: &World) -> Archive {
    let clock: Arc<dyn chatvault_engine::Clock> = Arc::<_>::clone(&world.clock) as _;
    let archive =
        Archive::create(Host { storage: Arc::new(Memory::new()), clock }, small()).unwrap();
    drop(run(world, &archive));
    drop(sync::activate(&archive, &Which::All, true).unwrap());
    archive
}

fn run(world: &World, archive: &Archive) -> SyncReport {
    let report = world.try_sync(archive, &options(world)).unwrap();
    assert!(report.finished && report.total.balances(), "{report:?}");
    report
}

/// Versions of each kind of record that is no message.
fn counts(archive: &Archive) -> BTreeMap<RecordKind, u64> {
    let snapshot = archive.snapshot().unwrap();
    let kinds = [RecordKind::User, RecordKind::Team, RecordKind::Chat, RecordKind::Member];
    let scan = |record| Scan { record, versions: Versions::EveryVariant, ..Scan::default() };
    kinds.into_iter().map(|record| (record, snapshot.count(&scan(record)).unwrap())).collect()
}

fn conversations(archive: &Archive) -> Conversations {
    let snapshot = archive.snapshot().unwrap();
    Conversations::collect(&snapshot, &[], &mut go_on).unwrap().unwrap()
}

fn title(one: &Conversation, at: i64) -> Option<String> {
    one.title_at(Timestamp::from_ms(at)).map(std::borrow::Cow::into_owned)
}

/// The roster that the fake has of a chat: ids, and names or addresses.
fn roster(world: &World, chat: &str) -> BTreeMap<String, (String, Option<String>)> {
    let members = world.tenant.members(chat, world.now()).unwrap();
    let text = |member: &serde_json::Value, key: &str| member[key].as_str().map(str::to_owned);
    let entry = |member: &serde_json::Value| {
        let name = text(member, "displayName").unwrap();
        (text(member, "userId").unwrap(), (name, text(member, "email")))
    };
    members.iter().map(entry).collect()
}

#[test]
fn every_conversation_has_its_name_and_its_silent_members() {
    let world = world();
    world.set_day(20);
    let archive = archive(&world);
    let report = run(&world, &archive);
    assert_eq!(report.troubles, []);
    let users = world.tenant.users(world.now()).len() as u64;
    assert_eq!(counts(&archive)[&RecordKind::User], users);
    let people = People::collect(&archive.snapshot().unwrap(), &[], &mut go_on).unwrap().unwrap();
    let all = conversations(&archive);
    let mut silent = 0;
    for one in all.iter() {
        let told = title(&one, world.now());
        match one.kind {
            ConversationKind::Channel => {
                let team = world.tenant.teams(world.now());
                let team = team.iter().find(|team| Some(&team.id) == one.team.as_ref());
                let Some(team) = team else { continue };
                assert!(
                    told.as_ref().unwrap().starts_with(&format!("{} / ", team.name)),
                    "{told:?}"
                );
                continue;
            }
            ConversationKind::OneOnOne => {}
            _ => assert!(told.is_some(), "{}", one.id),
        }
        for (id, (name, address)) in roster(&world, &one.id) {
            let there = one.participants().find(|member| member.id == id).unwrap();
            silent += u64::from(there.first_sent.is_none());
            let person = people.get(&id).unwrap();
            assert!(person.names().iter().any(|known| known.name == name), "{person:?}");
            assert_eq!(person.address(), address.as_deref().or(person.address()), "{person:?}");
        }
    }
    assert!(silent > 10, "{silent} members never wrote");
    let again = run(&world, &archive);
    assert_eq!((again.total.stored, again.total.variants), (0, 0), "nothing changed");
    archive.seal().unwrap();
    assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
}

#[test]
fn what_is_renamed_has_each_name_at_its_time() {
    let world = world();
    world.set_day(10);
    let archive = archive(&world);
    drop(run(&world, &archive));
    let before = counts(&archive);
    let all = conversations(&archive);
    // The last team is deleted some days later.
    let lasting = |one: &Conversation| {
        let teams = world.tenant.teams(world.now() + 20 * DAY_MS);
        one.team.is_none() || teams.iter().any(|team| Some(&team.id) == one.team.as_ref())
    };
    let of = |kind| {
        let fits = |one: &Conversation| {
            one.kind == kind && lasting(one) && title(one, world.now()).is_some()
        };
        all.iter().filter(fits).max_by_key(|one| one.messages).unwrap()
    };
    let (chat, channel) = (of(ConversationKind::Group), of(ConversationKind::Channel));
    let team = channel.team.clone().unwrap();
    let old = [&chat, &channel].map(|one| title(one, world.now()).unwrap());
    let user = world.tenant.users(world.now()).into_iter().find(|user| user.mailbox).unwrap();
    let mut behaviour = world.fake.behaviour();
    behaviour.edits = BTreeMap::from([
        (chat.id.clone(), json!({"topic": "Budget 2027"})),
        (channel.id.clone(), json!({"displayName": "Town hall"})),
        (team, json!({"displayName": "Operations"})),
        (
            user.id.clone(),
            json!({"displayName": "Ann Married", "mail": "ann.m@contoso.example",
            "email": "ann.m@contoso.example"}),
        ),
    ]);
    world.fake.set(behaviour);
    let then = world.now();
    archive.seal().unwrap();
    world.set_day(30);
    drop(run(&world, &archive));
    let now = world.now();
    let after = conversations(&archive);
    let titles = |one: &Conversation| {
        let one = after.get(&one.id).unwrap();
        [then, now].map(|at| title(&one, at).unwrap())
    };
    assert_eq!(titles(&chat)[0], old[0]);
    assert_eq!(titles(&chat)[1], "Budget 2027");
    assert_eq!(titles(&channel), [old[1].clone(), "Operations / Town hall".to_owned()]);
    let chats = [chat.id.clone()];
    let snapshot = archive.snapshot().unwrap();
    let mut people = People::collect(&snapshot, &chats, &mut go_on).unwrap().unwrap();
    people.look_up(&snapshot, vec![user.id.clone()]).unwrap();
    let person = people.get(&user.id).unwrap();
    let at = |at: i64| {
        let at = Timestamp::from_ms(at);
        (person.name_at(at).unwrap(), person.address_at(at).unwrap())
    };
    assert_eq!(at(then), (&*user.name, &*user.upn));
    assert_eq!(at(now), ("Ann Married", "ann.m@contoso.example"));
    assert_eq!(counts(&archive)[&RecordKind::Team], before[&RecordKind::Team] + 1);
    archive.seal().unwrap();
    assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
}

#[test]
fn a_permission_that_is_missing_is_told_once_and_made_up_for_when_it_is_granted() {
    let world = world();
    world.set_day(20);
    let archive = archive(&world);
    let roles = |without: &[&str]| {
        let roles = ROLES.into_iter().filter(|role| !without.contains(role));
        let access = Access { roles: roles.map(str::to_owned).collect(), ..Access::default() };
        world.fake.set(Behaviour { access, ..Behaviour::default() });
    };
    roles(&["Channel.ReadBasic.All"]);
    let first = run(&world, &archive);
    let [trouble] = &first.troubles[..] else { panic!("{:?}", first.troubles) };
    assert_eq!(trouble.what, "names of channels");
    assert!(trouble.reason.contains("Channel.ReadBasic.All"), "{trouble:?}");
    let second = run(&world, &archive);
    assert_eq!(second.troubles, []);
    assert!(second.notes.iter().any(|note| note.contains("names of channels")), "{second:?}");
    let named = |archive: &Archive| {
        let scan = Scan { record: RecordKind::Chat, ..Scan::default() };
        let mut channels = 0;
        let mut on = |row: chatvault_engine::RowKeys<'_>| {
            let kind = ConversationKind::of(row.conversation());
            channels += u64::from(kind == ConversationKind::Channel);
        };
        let _rows = archive.snapshot().unwrap().keys(&scan, &mut on).unwrap();
        channels
    };
    assert_eq!(named(&archive), 0);
    roles(&[]);
    let third = run(&world, &archive);
    assert!(third.troubles.is_empty() && !third.notes.iter().any(|note| note.contains("names of")));
    assert!(named(&archive) > 0);
}

#[test]
fn a_deleted_team_is_not_asked_and_keeps_what_it_was_called() {
    let world = world();
    world.set_day(10);
    let archive = archive(&world);
    drop(run(&world, &archive));
    let named = |archive: &Archive| -> BTreeMap<String, Option<String>> {
        let all = conversations(archive);
        let channels = all.iter().filter(|one| one.kind == ConversationKind::Channel);
        channels.map(|one| (one.id.clone(), title(&one, world.now()))).collect()
    };
    let before = named(&archive);
    let late = world.setup.days * 3 / 5 + 2;
    world.set_day(late);
    let deleted = world.tenant.deleted_teams(world.now());
    assert!(!deleted.is_empty(), "a team was deleted by day {late}");
    let report = run(&world, &archive);
    assert_eq!(report.troubles, []);
    let after = named(&archive);
    let mut kept = 0;
    let all = conversations(&archive);
    for one in
        all.iter().filter(|one| deleted.iter().any(|team| Some(&team.id) == one.team.as_ref()))
    {
        let Some(Some(name)) = before.get(&one.id) else { continue };
        assert!(
            after[&one.id].as_ref().is_some_and(|now| now.contains(" / ") == name.contains(" / "))
        );
        kept += 1;
    }
    assert!(kept > 0, "the deleted team had channels");
}

#[test]
fn left_out_nothing_of_the_directory_is_stored() {
    let world = world();
    world.set_day(20);
    let archive = archive(&world);
    let before = counts(&archive);
    let mut without = options(&world);
    without.directory = false;
    drop(world.sync(&archive, &without));
    assert_eq!(counts(&archive), before);
    let delivered = archive.snapshot().unwrap().custodians().unwrap();
    assert!(delivered.contains_key(&Custodian::user("directory")), "the first run did");
}
