//! Versions in any order, variants of one version, and which of them readers get.

use std::sync::Arc;

use chatvault_engine::{Memory, MessageKey, RecordKind, Scan, Timestamp, Versions};
use chatvault_support::{Draft, Random, json};

use crate::kit::{self, Vault, ada, ben, everything, texts};

const AT: i64 = 1_700_000_000_000;

fn vault() -> Vault {
    Vault::create(Arc::new(Memory::new()))
}

fn chat_key(chat: &str) -> MessageKey {
    MessageKey {
        record: RecordKind::Message,
        conversation: chat.to_owned(),
        reply_to: None,
        id: AT.to_string(),
    }
}

/// A message's life: written, edited twice, reacted to, deleted.
fn life(chat: &str) -> [String; 5] {
    let first = Draft::chat(chat, AT).from_user("ada", "Ada").text("Tee?");
    [
        first.json(),
        first.clone().edited(AT + 9_000, "Tea?").json(),
        first.clone().edited(AT + 10_000, "Tea at four?").json(),
        first.clone().edited(AT + 100_000, "Tea at four?").set("reactions", "[1]").json(),
        first.deleted(AT + 1_000_000).json(),
    ]
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let longer = |shorter: Vec<usize>| {
        (0..=shorter.len()).map(move |at| {
            let mut longer = shorter.clone();
            longer.insert(at, of - 1);
            longer
        })
    };
    permutations(of - 1).into_iter().flat_map(longer).collect()
}

#[test]
fn edits_and_the_deletion_may_arrive_in_any_order() {
    let orders = permutations(5);
    assert_eq!(orders.len(), 120);
    let mut vault = vault();
    let chat = |number: usize| format!("19:order{number:03}@thread.v2");
    for step in 0..5 {
        let copy = |(number, order): (usize, &Vec<usize>)| {
            (ada(), life(&chat(number))[order[step]].clone().into_bytes())
        };
        let copies: Vec<_> = orders.iter().enumerate().map(copy).collect();
        assert_eq!(vault.commit(&copies).counts.stored, 120);
        // Some versions meet in a segment, some in the journal, some across both.
        if step % 2 == 1 {
            vault.archive().seal().unwrap();
        }
    }
    vault.check();
    for _ in 0..2 {
        let snapshot = vault.archive().snapshot().unwrap();
        for number in 0..120 {
            let key = chat_key(&chat(number));
            let life = life(&chat(number));
            let history = snapshot.history(&key).unwrap();
            assert!(history.iter().map(|row| &row.json).eq(life.iter().map(String::as_bytes)));
            let latest = snapshot.latest(&key).unwrap().unwrap();
            assert_eq!(latest.json, life[4].as_bytes());
        }
        vault.compact();
    }
}

#[test]
fn as_of_a_time_shows_what_stood_there_then() {
    let mut vault = vault();
    let life = life("19:a");
    for version in [3, 0, 4, 2, 1] {
        drop(vault.put(&ada(), &life[version]));
    }
    let table = [
        (-1, None),
        (0, Some(0)),
        (8_999, Some(0)),
        (9_000, Some(1)),
        (99_999, Some(2)),
        (100_000, Some(3)),
        (999_999, Some(3)),
        (1_000_000, Some(4)),
    ];
    for (after_ms, version) in table {
        let versions = Versions::AsOf(Timestamp::from_ms(AT + after_ms));
        let scan = Scan { versions, ..Scan::default() };
        let found = texts(&vault.archive().snapshot().unwrap(), &scan);
        let expected: Vec<_> = version.map(|at: usize| life[at].clone()).into_iter().collect();
        assert_eq!(found, expected, "{after_ms} ms after");
        vault.check_scan(&scan);
    }
}

#[test]
fn an_etag_counts_as_a_number_and_not_as_text() {
    let mut vault = vault();
    let draft = |etag: &str| Draft::chat("19:a", AT).set("etag", &format!("\"{etag}\"")).json();
    for etag in ["1000000000000", "999999999999", "99"] {
        drop(vault.put(&ada(), &draft(etag)));
    }
    let latest = vault.archive().snapshot().unwrap().latest(&chat_key("19:a")).unwrap().unwrap();
    assert_eq!(latest.version, 1_000_000_000_000);
    vault.check();
}

#[test]
fn of_variants_all_are_kept_and_the_longest_is_shown() {
    let short = Draft::chat("19:a", AT).text("x").set("from", r#"{"user":{"id":"ada"}}"#);
    let named = short.clone().set("from", r#"{"user":{"id":"ada","displayName":"Ada"}}"#);
    let spread = short.json().replace(',', " ,\n\n");
    for order in permutations(3) {
        let mut vault = vault();
        let variants = [spread.clone(), named.json(), short.json()];
        for at in &order {
            drop(vault.put(&ada(), &variants[*at]));
        }
        // White space makes nothing longer: only content counts.
        let snapshot = vault.archive().snapshot().unwrap();
        assert_eq!(texts(&snapshot, &Scan::default()), [named.json()], "{order:?}");
        assert_eq!(snapshot.count(&everything()).unwrap(), 2);
        let stat = vault.archive().stat().unwrap();
        assert_eq!((stat.versions, stat.variants, stat.messages), (1, 1, 1));
        vault.check();
        vault.compact();
        vault.check();
    }
}

#[test]
fn of_equally_long_variants_the_smallest_address_is_shown() {
    let mut vault = vault();
    let variants: Vec<_> =
        (10..60).map(|number| Draft::chat("19:a", AT).text(&number.to_string()).json()).collect();
    for (at, variant) in variants.iter().enumerate() {
        drop(vault.put(&ada(), variant));
        if at % 20 == 19 {
            vault.archive().seal().unwrap();
        }
    }
    let address = |text: &&String| {
        let canonical = json::parse(text.as_bytes()).unwrap().canonical();
        *blake3::hash(canonical.as_bytes()).as_bytes()
    };
    let smallest = variants.iter().min_by_key(address).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    assert_eq!(texts(&snapshot, &Scan::default()), std::slice::from_ref(smallest));
    assert_eq!(snapshot.latest(&chat_key("19:a")).unwrap().unwrap().json, smallest.as_bytes());
    vault.check();
}

#[test]
fn a_custodian_sees_the_versions_and_variants_that_were_delivered_to_them() {
    let mut vault = vault();
    let life = life("19:a");
    let longer = Draft::chat("19:a", AT).text("Tee? and something").json();
    for (custodian, text) in
        [(ada(), &life[4]), (ben(), &life[1]), (ada(), &life[0]), (ben(), &longer)]
    {
        drop(vault.put(&custodian, text));
    }
    let seen_by = |custodian, versions| {
        let scan = Scan { custodians: vec![custodian], versions, ..Scan::default() };
        vault.check_scan(&scan);
        texts(&vault.archive().snapshot().unwrap(), &scan)
    };
    assert_eq!(seen_by(ada(), Versions::Latest), [life[4].clone()]);
    assert_eq!(seen_by(ben(), Versions::Latest), [life[1].clone()]);
    let first = Versions::AsOf(Timestamp::from_ms(AT));
    assert_eq!(seen_by(ada(), first), [life[0].clone()]);
    assert_eq!(seen_by(ben(), first), [longer]);
}

#[test]
fn a_duplicate_is_known_in_any_dress_and_adds_only_its_sighting() {
    let mut vault = vault();
    let text = Draft::chat("19:a", AT).text("é/\"😀\u{1}").add("n", "[1.0,1E400,-0]").json();
    drop(vault.put(&ada(), &text));
    let value = json::parse(text.as_bytes()).unwrap();
    for seed in 0..60 {
        if seed == 30 {
            vault.archive().seal().unwrap();
        }
        let dressed = value.redressed(&mut Random::new(seed));
        let report = vault.put(&ben(), &dressed);
        assert_eq!(report.counts.duplicates, 1, "seed {seed}: {dressed}");
    }
    let other = text.replace("1.0", "1.00");
    assert_eq!(vault.put(&ben(), &other).counts.variants, 1, "a number is what was written");
    let snapshot = vault.archive().snapshot().unwrap();
    let row = &kit::rows(&snapshot, &everything()).unwrap()[0];
    assert!(row.json == text.as_bytes() || row.json == other.as_bytes());
    vault.check();
}

#[test]
fn replies_under_two_roots_may_share_an_id() {
    let mut vault = vault();
    let reply = |root: Option<&str>, text: &str| {
        Draft::channel("team", "19:c@thread.tacv2", AT, root).text(text).json()
    };
    let replies = [reply(None, "a"), reply(Some("1"), "b"), reply(Some("2"), "c")];
    for reply in &replies {
        assert_eq!(vault.put(&ada(), reply).counts.stored, 1);
    }
    for (root, text) in [(None, 0), (Some("1"), 1), (Some("2"), 2)] {
        let key = MessageKey { reply_to: root.map(str::to_owned), ..chat_key("19:c@thread.tacv2") };
        let found = vault.archive().snapshot().unwrap().latest(&key).unwrap().unwrap();
        assert_eq!(found.json, replies[text].as_bytes());
    }
    vault.check();
}

#[test]
fn the_same_id_in_two_chats_is_two_messages() {
    let mut vault = vault();
    for chat in ["19:a", "19:b"] {
        assert_eq!(vault.put(&ada(), &Draft::chat(chat, AT).json()).counts.stored, 1);
    }
    assert_eq!(vault.archive().stat().unwrap().messages, 2);
    assert_eq!(vault.archive().stat().unwrap().conversations, 2);
    vault.check();
}

#[test]
fn a_key_that_is_not_there_is_none_and_no_error() {
    let vault = vault();
    let snapshot = vault.archive().snapshot().unwrap();
    assert_eq!(snapshot.latest(&chat_key("19:none")).unwrap(), None);
    assert_eq!(snapshot.history(&chat_key("19:none")).unwrap(), []);
    assert_eq!(snapshot.get(&chatvault_engine::ContentAddress([0; 32])).unwrap(), None);
    assert_eq!(snapshot.links(&chat_key("19:none")).unwrap(), []);
    assert!(snapshot.object(&chatvault_engine::ContentAddress([0; 32])).unwrap().is_none());
}

#[test]
fn one_scan_of_every_row_says_which_ones_others_would_give() {
    let mut vault = vault();
    let chats = ["19:a@thread.v2", "19:b@thread.v2", "19:c@thread.v2"];
    for step in [3, 0, 4, 1, 2] {
        let of = |(number, chat): (usize, &&str)| life(chat)[(step + number) % 5].clone();
        let states: Vec<String> = chats.iter().enumerate().map(of).collect();
        let variant = states[1].replacen('{', "{\"policyViolation\":null,", 1);
        let own = states.iter().map(|json| (ada(), json.clone().into_bytes()));
        let others = [(ben(), states[0].clone().into_bytes()), (ben(), variant.into_bytes())];
        drop(vault.commit(&own.chain(others).collect::<Vec<_>>()));
        if step == 0 {
            vault.archive().seal().unwrap();
        }
    }
    let as_of = |ms| Versions::AsOf(Timestamp::from_ms(AT + ms));
    let all = [Versions::Latest, Versions::All, Versions::EveryVariant, as_of(9_000), as_of(-1)];
    for (versions, custodians) in
        all.into_iter().flat_map(|versions| [(versions, vec![]), (versions, vec![ben()])])
    {
        let snapshot = vault.archive().snapshot().unwrap();
        let scan = |versions| Scan { versions, custodians: custodians.clone(), ..Scan::default() };
        let mut rows = snapshot.scan(&scan(Versions::EveryVariant)).unwrap();
        assert!(!rows.is_chosen(versions).unwrap(), "before the first row");
        let mut chosen = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let json = String::from_utf8(row.json().to_vec()).unwrap();
            chosen.extend(rows.is_chosen(versions).unwrap().then_some(json));
        }
        assert_eq!(chosen, texts(&snapshot, &scan(versions)), "{versions:?} {custodians:?}");
    }
}
