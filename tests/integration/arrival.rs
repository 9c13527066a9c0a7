//! What arrived when: as of a commit, since a commit, for everybody and for one person.

use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Custodian, Depth, Memory, Scan, Sequence, Sighting, Versions};
use chatvault_support::Draft;

use crate::kit::{self, Vault, ada, ben, commit, everything, go_on, rows};

const AT: i64 = 1_700_000_000_000;
const VERSIONS: [Versions; 3] = [Versions::Latest, Versions::All, Versions::EveryVariant];

/// A message, its variant, its edit, then another message; late versions first.
fn vault() -> (Vault, Vec<Sequence>) {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let first = Draft::chat("19:a", AT).text("one");
    let steps = [
        first.clone().edited(AT + 5_000, "three").json(),
        first.json(),
        first.clone().text("one and more").json(),
        first.edited(AT + 9_000, "four").json(),
        Draft::chat("19:b", AT).json(),
    ];
    let sequences = steps.iter().map(|step| vault.put(&ada(), step).sequence).collect();
    (vault, sequences)
}

#[test]
fn as_of_a_commit_is_what_the_archive_held_then() {
    let (vault, sequences) = vault();
    for stage in 0..3 {
        for (arrived, sequence) in sequences.iter().enumerate() {
            for versions in VERSIONS {
                let scan = Scan { versions, as_of_sequence: Some(*sequence), ..Scan::default() };
                vault.check_scan(&scan);
                if versions == Versions::EveryVariant {
                    assert_eq!(vault.expect(&scan).len(), arrived + 1);
                }
            }
        }
        match stage {
            0 => vault.archive().seal().unwrap(),
            _ => vault.compact(),
        }
    }
    let nothing = Scan { as_of_sequence: Some(Sequence(0)), ..Scan::default() };
    assert_eq!(vault.expect(&nothing), []);
    vault.check_scan(&nothing);
    vault.check_scan(&Scan { as_of_sequence: Some(Sequence(u64::MAX)), ..Scan::default() });
}

#[test]
fn since_a_commit_is_what_came_after_it() {
    let (vault, sequences) = vault();
    for _ in 0..2 {
        for (arrived, sequence) in sequences.iter().enumerate() {
            for versions in VERSIONS {
                vault.check_scan(&Scan { versions, since: Some(*sequence), ..Scan::default() });
            }
            let scan = Scan { since: Some(*sequence), ..everything() };
            assert_eq!(vault.expect(&scan).len(), sequences.len() - arrived - 1);
        }
        vault.compact();
    }
    vault.check_scan(&Scan { since: Some(Sequence(0)), ..everything() });
}

#[test]
fn what_came_between_two_commits_is_both_together() {
    let (vault, sequences) = vault();
    for since in &sequences {
        for until in &sequences {
            for versions in VERSIONS {
                let scan = Scan {
                    versions,
                    since: Some(*since),
                    as_of_sequence: Some(*until),
                    ..Scan::default()
                };
                vault.check_scan(&scan);
            }
        }
    }
    let all = Scan { since: None, as_of_sequence: sequences.last().copied(), ..everything() };
    assert_eq!(vault.expect(&all).len(), sequences.len());
    vault.check_scan(&all);
}

#[test]
fn a_sighting_keeps_the_run_and_commit_that_saw_it_first() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let text = Draft::chat("19:a", AT).json();
    let (mut runs, mut first) = (Vec::new(), Vec::new());
    for custodian in [ada(), ben(), ada(), ben()] {
        vault.begin_run();
        runs.push(vault.run);
        let (run, sequence) = (vault.run, vault.put(&custodian, &text).sequence);
        first.push(Sighting { custodian, run, sequence });
        if runs.len() == 1 {
            vault.archive().seal().unwrap();
        }
    }
    assert!(runs.windows(2).all(|pair| pair[0] < pair[1]), "{runs:?}");
    for _ in 0..3 {
        let found = rows(&vault.archive().snapshot().unwrap(), &everything()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].sightings, first[..2]);
        vault.compact();
        vault.reopen();
    }
}

#[test]
fn an_older_question_gets_the_same_answer_after_more_arrived() {
    let (mut vault, sequences) = vault();
    let scan = Scan { as_of_sequence: Some(sequences[2]), ..everything() };
    let then = rows(&vault.archive().snapshot().unwrap(), &scan).unwrap();
    assert_eq!(then.len(), 3);
    for at in 1..200 {
        drop(vault.put(&ben(), &Draft::chat("19:a", AT + at).json()));
    }
    vault.compact();
    let now = rows(&vault.archive().snapshot().unwrap(), &scan).unwrap();
    kit::assert_rows(&now, &then, "as of the third commit");
}

/// Ann delivers forty messages, Ben twenty of them, later Ben the others: nothing new is stored then.
fn late_deliveries() -> (Vault, [Sequence; 3]) {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let copies = |custodian: &Custodian, numbers: std::ops::Range<i64>| {
        let copy = |at: i64| (custodian.clone(), Draft::chat("19:a", AT + at).json().into_bytes());
        numbers.map(copy).collect::<Vec<_>>()
    };
    let first = vault.commit(&copies(&ada(), 0..40)).sequence;
    let second = vault.commit(&copies(&ben(), 0..20)).sequence;
    vault.archive().seal().unwrap();
    let third = vault.commit(&copies(&ben(), 10..40)).sequence;
    (vault, [first, second, third])
}

#[test]
fn what_a_custodian_delivered_is_asked_as_of_a_commit_and_since_one() {
    let (mut vault, [first, second, third]) = late_deliveries();
    let bens = |since, as_of_sequence| Scan {
        custodians: vec![ben()],
        since,
        as_of_sequence,
        ..Scan::default()
    };
    for _ in 0..4 {
        let snapshot = vault.archive().snapshot().unwrap();
        let count = |scan: Scan| snapshot.count(&scan).unwrap();
        assert_eq!(count(bens(None, Some(first))), 0);
        assert_eq!(count(bens(None, Some(second))), 20, "later deliveries change no old answer");
        assert_eq!(count(bens(Some(second), None)), 20, "what Ben had not delivered by then");
        assert_eq!(count(bens(Some(second), Some(third))), 20);
        assert_eq!(count(bens(Some(first), Some(second))), 20);
        assert_eq!(count(bens(None, None)), 40);
        let both = Scan { custodians: vec![ben(), ada()], ..bens(Some(first), None) };
        assert_eq!(count(both), 0, "Ann had delivered all of it by then");
        for scan in [bens(None, Some(second)), bens(Some(second), None), bens(None, None)] {
            vault.check_scan(&scan);
        }
        let seen = Scan { as_of_sequence: Some(second), ..everything() };
        let rows = rows(&snapshot, &seen).unwrap();
        assert_eq!(rows.iter().map(|row| row.sightings.len()).sum::<usize>(), 60);
        vault.compact();
        vault.reopen();
    }
}

#[test]
fn a_question_for_one_custodian_since_a_commit_reads_only_where_he_delivered() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let chat = |number: i64| format!("19:c{number}");
    for number in 0..30 {
        let copies: Vec<_> = (0..200)
            .map(|at| (ada(), Draft::chat(&chat(number), AT + at).json().into_bytes()))
            .collect();
        drop(vault.commit(&copies));
        vault.archive().seal().unwrap();
    }
    let before = vault.put(&ben(), &Draft::chat(&chat(3), AT).json()).sequence;
    drop(vault.put(&ben(), &Draft::chat(&chat(7), AT).json()));
    let scan = Scan { custodians: vec![ben()], since: Some(before), ..Scan::default() };
    let explain = vault.archive().snapshot().unwrap().explain(&scan).unwrap();
    assert_eq!((explain.groups, explain.groups_touched), (30, 1), "{:?}", explain.lines);
    vault.check_scan(&scan);
}

#[test]
fn sightings_that_come_while_segments_are_merged_are_kept() {
    let vault = Vault::create(Arc::new(Memory::new()));
    let archive = vault.archive();
    let text = |at: i64| Draft::chat("19:merged", at).json();
    let texts: Vec<String> = (1..=40).map(text).collect();
    let documents: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    for half in documents.chunks(20) {
        commit(archive, &ada(), half);
        archive.seal().unwrap();
    }
    let mut came = None;
    let report = archive.compact(&mut |_| {
        if came.is_none() {
            commit(archive, &ben(), &documents[..30]);
            archive.seal().unwrap();
            came = Some(archive.snapshot().unwrap().sequence());
        }
        ControlFlow::Continue(())
    });
    assert!(report.unwrap().finished);
    let snapshot = archive.snapshot().unwrap();
    let by_ben = Scan { custodians: vec![ben()], ..everything() };
    let found = rows(&snapshot, &by_ben).unwrap();
    assert_eq!(found.len(), 30);
    for row in found {
        let of_ben = row.sightings.iter().find(|sighting| sighting.custodian == ben());
        assert_eq!(of_ben.map(|sighting| sighting.sequence), came);
    }
    assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
}
