//! Facts of conversations are the same wherever they are read from.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Custodian, Depth, Facts, Memory, Said, Sequence, Snapshot, Storage, Wanted,
};
use chatvault_support::Draft;
use chatvault_support::forge::{FileKind, Forge, Packing, Proofs, Specimen};

use crate::kit::{Vault, ada, go_on, host, small};

const CHAT: &str = "19:long";
const AT: i64 = 1_700_000_000_000;

/// Messages and events of a chat, and an edit of its first message.
fn messages(from: i64, to: i64) -> Vec<(Custodian, Vec<u8>)> {
    let message = |number: i64| {
        let (person, name) = (format!("p{}", number % 7), format!("Name {}", number / 100));
        let draft = Draft::chat(CHAT, AT + number * 1_000);
        let draft = match number % 50 {
            9 => draft.event("membersAdded", &format!(r#""members":[{{"id":"{person}"}}]"#)),
            19 => draft.event("membersDeleted", &format!(r#""members":[{{"id":"{person}"}}]"#)),
            29 => draft.event("chatRenamed", &format!(r#""chatDisplayName":"{name}""#)),
            _ => draft.from_user(&person, &name),
        };
        (ada(), draft.json().into_bytes())
    };
    let first = Draft::chat(CHAT, AT).from_user("p0", "Name 0");
    let edit = first.edited(AT + from * 1_000 + 1, &format!("from {from} on"));
    (from..to).map(message).chain([(ada(), edit.json().into_bytes())]).collect()
}

fn facts_of(snapshot: &Snapshot, conversation: &str, wanted: Wanted) -> Facts {
    snapshot.facts(&[conversation.to_owned()], wanted).unwrap().remove(0)
}

fn facts(vault: &Vault, commit: Sequence) -> [Facts; 2] {
    let snapshot = vault.archive().snapshot().unwrap().as_of(commit);
    [Wanted::Everything, Wanted::Presence].map(|wanted| facts_of(&snapshot, CHAT, wanted))
}

#[test]
fn facts_are_the_same_in_memory_sealed_merged_and_as_of_each_commit() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let mut known: Vec<(Sequence, [Facts; 2])> = Vec::new();
    for step in 0..8 {
        let part = step * 100;
        drop(vault.commit(&messages(part, part + 100)));
        let commit = vault.archive().snapshot().unwrap().sequence();
        known.push((commit, facts(&vault, commit)));
        match step {
            2 | 5 => vault.archive().seal().unwrap(),
            3 | 7 => vault.compact(),
            6 => vault.reopen(),
            _ => {}
        }
        for (commit, expected) in &known {
            assert_eq!(&facts(&vault, *commit), expected, "commit {} in step {step}", commit.0);
        }
    }
    vault.verify();
    let (_, [all, presence]) = known.pop().unwrap();
    let began = all.iter().find(|fact| fact.said == Said::Began).unwrap();
    assert_eq!((began.times, began.last.ms()), (808, AT + 799_000));
    let is_name = |said| matches!(said, Said::Seen | Said::Name(_) | Said::Kind(_));
    assert!(all.iter().filter(|fact| is_name(fact.said)).count() > 50);
    let without: Vec<_> = all.iter().filter(|fact| !is_name(fact.said)).collect();
    assert_eq!(presence.iter().collect::<Vec<_>>(), without);
}

/// The facts of the specimen's long chat, and what verification finds.
fn told(forge: &Forge) -> (Facts, Vec<String>) {
    let storage: Arc<dyn Storage> = Arc::new(forge.make(Proofs::All).unwrap());
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
    let facts = facts_of(&archive.snapshot().unwrap(), "19:talk", Wanted::Everything);
    (facts, report.damages.into_iter().map(|damage| damage.message).collect())
}

#[test]
fn facts_that_are_damaged_are_read_from_rows_and_wrong_ones_are_told() {
    let forge = Specimen::make().unwrap().forge;
    let (expected, damages) = told(&forge);
    assert_eq!((expected.iter().next().map(|fact| fact.times), damages), (Some(256), Vec::new()));
    let piece = forge.named(FileKind::Segment, "facts").pop().unwrap();
    let forged = |contents: &[u8]| {
        let mut forge = forge.clone();
        forge.put(&piece, contents, Packing::Tight);
        told(&forge)
    };
    let contents = forge.contents(&piece).to_vec();
    let (facts, damages) = forged(&contents[..contents.len() - 1]);
    assert_eq!(facts, expected);
    assert!(damages.iter().any(|damage| damage.contains("Facts is damaged")), "{damages:?}");
    let mut wrong = contents;
    *wrong.last_mut().unwrap() += 1;
    let (facts, damages) = forged(&wrong);
    assert_ne!(facts, expected);
    let what = "facts of 19:talk are not what its rows say";
    assert!(damages.iter().any(|damage| damage.contains(what)), "{damages:?}");
}

#[test]
fn nothing_is_said_of_a_conversation_that_is_not_there() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    drop(vault.commit(&messages(0, 1)));
    let snapshot = vault.archive().snapshot().unwrap();
    assert_eq!(facts_of(&snapshot, "19:nobody", Wanted::Everything), Facts::default());
}

#[test]
fn facts_of_many_conversations_are_those_of_each() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let chats = ["19:c", "19:long", "19:a", "19:nobody", "19:b", "19:a"].map(str::to_owned);
    let message = |chat: &str, at: u32| {
        let at = i64::from(at);
        let draft = Draft::chat(chat, AT + at).from_user(&format!("p{}", at % 5), "Somebody");
        (ada(), draft.json().into_bytes())
    };
    let ask = |vault: &Vault| {
        let snapshot = vault.archive().snapshot().unwrap();
        for wanted in [Wanted::Everything, Wanted::Presence] {
            let each: Vec<Facts> = chats.iter().map(|id| facts_of(&snapshot, id, wanted)).collect();
            assert_eq!(snapshot.facts(&chats, wanted).unwrap(), each);
            assert!(each[0] != each[1] && each[2] != each[4], "{each:?}");
            assert_eq!((&each[3], &each[2]), (&Facts::default(), &each[5]));
        }
    };
    let short =
        |from: u32| (from..from + 7).map(|at| message(["19:a", "19:b"][at as usize % 2], at));
    let long = |from: u32| (from..from + 300).map(|at| message("19:long", at));
    drop(vault.commit(&short(0).chain(long(0)).chain([message("19:c", 1)]).collect::<Vec<_>>()));
    ask(&vault);
    vault.archive().seal().unwrap();
    ask(&vault);
    drop(vault.commit(&short(100).chain(long(1_000)).collect::<Vec<_>>()));
    ask(&vault);
    vault.archive().seal().unwrap();
    ask(&vault);
    assert_eq!(vault.archive().snapshot().unwrap().facts(&[], Wanted::Everything).unwrap(), []);
}
