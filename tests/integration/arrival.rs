//! What arrived when: as of a commit, since a commit, and first sightings by run.

use std::sync::Arc;

use chatvault_engine::{Memory, Scan, Sequence, Versions};
use chatvault_support::Draft;

use crate::kit::{self, Vault, ada, ben, everything, rows};

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
fn a_sighting_keeps_the_run_that_saw_it_first() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let text = Draft::chat("19:a", AT).json();
    let mut runs = Vec::new();
    for custodian in [ada(), ben(), ada(), ben()] {
        vault.begin_run();
        runs.push(vault.run);
        drop(vault.put(&custodian, &text));
        if runs.len() == 1 {
            vault.archive().seal().unwrap();
        }
    }
    assert!(runs.windows(2).all(|pair| pair[0] < pair[1]), "{runs:?}");
    for _ in 0..3 {
        let found = rows(&vault.archive().snapshot().unwrap(), &everything()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].sightings, [(ada(), runs[0]), (ben(), runs[1])]);
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
