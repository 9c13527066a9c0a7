//! Batches and commits: what they report, and that they are whole.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Counts, Custodian, ErrorKind, Memory, RecordKind, Scan, Sequence, Storage,
};
use chatvault_support::{Draft, fixtures};

use crate::kit::{self, ORIGIN, Vault, ada, ben, everything, host, small, texts};

fn vault() -> Vault {
    Vault::create(Arc::new(Memory::new()))
}

fn counts(offered: u64, stored: u64, variants: u64, duplicates: u64, quarantined: u64) -> Counts {
    Counts { offered, stored, variants, duplicates, quarantined }
}

#[test]
fn a_report_counts_each_copy_once_and_for_its_custodian() {
    let mut vault = vault();
    let first = Draft::chat("19:a", 1_000);
    let variant = first.clone().text("more").json();
    let report = vault.commit(&[
        (ada(), first.json().into_bytes()),
        (ben(), first.json().into_bytes()),
        (ben(), variant.into_bytes()),
        (ada(), first.modified(2_000).json().into_bytes()),
        (ada(), b"broken".to_vec()),
    ]);
    assert_eq!(report.counts, counts(5, 2, 1, 1, 1));
    assert_eq!(report.by_custodian.len(), 2);
    assert_eq!(report.by_custodian[&ada()], counts(3, 2, 0, 0, 1));
    assert_eq!(report.by_custodian[&ben()], counts(2, 0, 1, 1, 0));
    vault.check();
}

#[test]
fn offering_a_batch_again_changes_only_counters() {
    let mut vault = vault();
    let samples = fixtures::messages().into_iter().chain(fixtures::unkeyable());
    let copies: Vec<_> = samples.map(|sample| (ada(), sample.json)).collect();
    let first = vault.commit(&copies);
    for stage in 0..4 {
        let before = kit::rows(&vault.archive().snapshot().unwrap(), &everything()).unwrap();
        let report = vault.commit(&copies);
        let same = first.counts.stored + first.counts.variants + first.counts.duplicates;
        assert_eq!(
            report.counts,
            counts(first.counts.offered, 0, 0, same, first.counts.quarantined)
        );
        let after = kit::rows(&vault.archive().snapshot().unwrap(), &everything()).unwrap();
        kit::assert_rows(&after, &before, "after the second offer");
        match stage {
            0 => vault.archive().seal().unwrap(),
            1 => vault.compact(),
            _ => vault.reopen(),
        }
    }
    vault.check();
    vault.verify();
}

#[test]
fn copies_law_holds_over_runs_and_custodians() {
    let mut vault = vault();
    let tenant =
        chatvault_support::generate::Tenant::new(5, &chatvault_support::generate::Shape::SMALL);
    let copies: Vec<_> = tenant.copies().map(|copy| (copy.custodian, copy.json)).collect();
    for (at, batch) in copies.chunks(150).enumerate() {
        if at % 3 == 0 {
            vault.begin_run();
        }
        drop(vault.commit(batch));
    }
    let total = vault.archive().stat().unwrap().counts;
    assert_eq!(total.offered, copies.len() as u64);
    assert_eq!(total.stored, tenant_versions_seen(&vault));
    let mut sum = Counts::default();
    for counts in vault.archive().snapshot().unwrap().custodians().unwrap().into_values() {
        let kept = counts.stored + counts.variants + counts.duplicates + counts.quarantined;
        assert_eq!(counts.offered, kept);
        sum += counts;
    }
    assert_eq!(sum, total);
    vault.check();
    vault.verify();
    vault.reopen();
    vault.check();
    vault.verify();
}

fn tenant_versions_seen(vault: &Vault) -> u64 {
    vault.archive().snapshot().unwrap().count(&everything()).unwrap()
}

#[test]
fn nothing_is_seen_of_a_batch_before_it_is_committed_or_if_it_is_dropped() {
    let vault = vault();
    let text = Draft::chat("19:a", 1).json();
    let mut batch = vault.archive().batch(vault.run);
    assert!(batch.is_empty());
    batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
    batch.quarantine(&ada(), b"odd", "cut off", ORIGIN);
    batch.checkpoint("place", b"7");
    assert!(!batch.is_empty() && batch.bytes() >= text.len());
    assert_eq!(batch.len(), 2);
    assert_eq!(vault.archive().snapshot().unwrap().count(&everything()).unwrap(), 0);
    drop(batch);
    assert_eq!(vault.archive().stat().unwrap().counts, Counts::default());
    assert_eq!(vault.archive().checkpoint("place").unwrap(), None);
}

#[test]
fn an_empty_batch_commits_nothing() {
    let vault = vault();
    let report = vault.archive().batch(vault.run).commit().unwrap();
    assert_eq!((report.counts, report.by_custodian.len()), (Counts::default(), 0));
    vault.check();
}

#[test]
fn sequences_grow_with_each_commit_and_after_reopening() {
    let mut vault = vault();
    let mut last = Sequence(0);
    for at in 1..=20 {
        let report = vault.put(&ada(), &Draft::chat("19:a", at).json());
        assert!(report.sequence > last, "{:?} after {last:?}", report.sequence);
        assert!(vault.archive().snapshot().unwrap().sequence() >= report.sequence);
        last = report.sequence;
        if at % 6 == 0 {
            vault.reopen();
        }
    }
}

#[test]
fn checkpoints_come_with_their_commit_and_the_last_one_counts() {
    let mut vault = vault();
    for round in 0..6_u8 {
        let mut batch = vault.archive().batch(vault.run);
        batch.checkpoint("ada/window", &[round; 3]);
        batch.checkpoint(&format!("once/{round}"), b".");
        drop(batch.commit().unwrap());
        if round == 2 {
            vault.archive().seal().unwrap();
        }
        if round == 4 {
            vault.reopen();
        }
        assert_eq!(vault.archive().checkpoint("ada/window").unwrap(), Some(vec![round; 3]));
    }
    vault.compact();
    vault.reopen();
    assert_eq!(vault.archive().checkpoint("ada/window").unwrap(), Some(vec![5; 3]));
    let once = (0..6).map(|round| (format!("once/{round}"), b".".to_vec()));
    assert_eq!(vault.archive().checkpoints("once/").unwrap(), once.collect::<Vec<_>>());
    assert_eq!(vault.archive().checkpoint("ben/window").unwrap(), None);
}

#[test]
fn a_checkpoint_that_was_taken_back_stays_away() {
    let mut vault = vault();
    let put = |vault: &Vault, value: &[u8]| {
        let mut batch = vault.archive().batch(vault.run);
        batch.checkpoint("window", value);
        drop(batch.commit().unwrap());
    };
    let is_away = |vault: &Vault| {
        let archive = vault.archive();
        archive.checkpoint("window").unwrap().is_none()
            && archive.checkpoints("").unwrap().is_empty()
    };
    put(&vault, b"7");
    vault.archive().seal().unwrap();
    put(&vault, b"");
    assert!(is_away(&vault), "at once");
    vault.reopen();
    assert!(is_away(&vault), "from the journal");
    vault.archive().seal().unwrap();
    vault.reopen();
    assert!(is_away(&vault), "from a ledger");
    vault.compact();
    vault.reopen();
    assert!(is_away(&vault), "from the sum of ledgers");
    put(&vault, b"8");
    assert_eq!(vault.archive().checkpoint("window").unwrap(), Some(b"8".to_vec()));
}

#[test]
fn runs_are_listed_with_what_was_offered_under_them() {
    let mut vault = vault();
    let _report = vault.put(&ada(), &Draft::chat("19:a", 1).json());
    let _report = vault.put(&ben(), &Draft::chat("19:a", 1).json());
    vault.begin_run();
    let _report = vault.put(&ada(), &Draft::chat("19:a", 2).json());
    vault.reopen();
    let runs = vault.archive().runs().unwrap();
    let counts: Vec<_> = runs
        .iter()
        .map(|run| (run.run.0, &*run.label, run.counts.offered, run.counts.stored))
        .collect();
    assert_eq!(counts, [(1, "test", 2, 1), (2, "another run", 1, 1)]);
    assert!(runs.is_sorted_by_key(|run| run.started));
}

#[test]
fn known_bytes_are_told_by_their_exact_bytes_only() {
    let vault = vault();
    let text = Draft::chat("19:a", 1).json();
    let cut = text.get(..text.len() - 1).unwrap();
    let spaced = format!("{text} ");
    let mut batch = vault.archive().batch(vault.run);
    assert!(!batch.offer_if_known(&ben(), text.as_bytes()), "nothing was stored yet");
    batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
    drop(batch.commit().unwrap());
    let mut batch = vault.archive().batch(vault.run);
    for unknown in [cut, "", "{}", &spaced] {
        assert!(!batch.offer_if_known(&ben(), unknown.as_bytes()), "{unknown}");
    }
    assert!(batch.is_empty());
    // A memory of what was seen may forget; it must not count what it does not know.
    let known = u64::from(batch.offer_if_known(&ben(), text.as_bytes()));
    assert_eq!(batch.len(), known);
    assert_eq!(batch.commit().unwrap().counts, counts(known, 0, 0, known, 0));
    let row = &kit::rows(&vault.archive().snapshot().unwrap(), &everything()).unwrap()[0];
    assert_eq!(row.sightings.len() as u64, 1 + known);
}

#[test]
fn what_is_no_json_is_kept_with_its_reason_and_place() {
    let mut vault = vault();
    let mut batch = vault.archive().batch(vault.run);
    let place = chatvault_engine::Origin { source: "pages/7.json", offset: 4_711 };
    batch.quarantine(&ben(), b"\xff\x00 rest", "page is cut short", place);
    assert_eq!(batch.commit().unwrap().counts, counts(1, 0, 0, 0, 1));
    for _ in 0..2 {
        let listed = vault.archive().snapshot().unwrap().quarantine().unwrap();
        let listed: Vec<_> = listed.map(Result::unwrap).collect();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].bytes, b"\xff\x00 rest");
        assert_eq!((&*listed[0].source, listed[0].offset), (place.source, place.offset));
        assert!(listed[0].reason.contains("page is cut short"));
        vault.reopen();
    }
}

#[test]
fn a_custodian_without_an_id_is_refused_and_nothing_of_its_batch_is_stored() {
    let mut vault = vault();
    let document = Draft::chat("19:a", 1_000).text("hi").json();
    for text in ["", "  ", "user:", "team:", "user:\t ", "team:\u{a0}"] {
        let nobody = Custodian::parse(text);
        assert!(nobody.check().is_err() && Custodian::try_parse(text).is_err(), "{text:?}");
        let mut batch = vault.archive().batch(vault.run);
        batch.offer(&ada(), RecordKind::Message, document.as_bytes(), ORIGIN);
        batch.offer(&nobody, RecordKind::Message, document.as_bytes(), ORIGIN);
        let error = batch.commit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
    }
    assert!(Custodian::try_parse("user:a b").is_ok());
    vault.check();
    drop(vault.put(&ada(), &document));
    vault.reopen();
    vault.check();
    vault.verify();
}

/// Bytes of quarantine files.
fn quarantine_bytes(vault: &Vault) -> u64 {
    let files = vault.storage.list("segments").unwrap();
    files
        .iter()
        .filter(|file| file.name.strip_suffix(".qtn").is_some())
        .map(|file| file.bytes)
        .sum()
}

#[test]
fn the_same_refused_bytes_are_kept_once_and_counted_for_everybody() {
    let mut vault = vault();
    let broken: Vec<String> = (0..4_000).map(|n| format!("{{broken {n},")).collect();
    let broken = broken.concat();
    let copies = [(ada(), broken.clone()), (ben(), broken.clone()), (ada(), "[1]".to_owned())];
    let copies = copies.map(|(who, text)| (who, text.into_bytes()));
    let mut bytes = 0;
    for round in 1..=6_u64 {
        vault.begin_run();
        drop(vault.commit(&copies));
        drop(vault.put(&ada(), &broken));
        if round == 3 {
            vault.reopen();
        } else if round == 5 {
            vault.compact();
        } else {
            vault.archive().seal().unwrap();
        }
        vault.check();
        vault.verify();
        let listed = vault.archive().snapshot().unwrap().quarantine().unwrap();
        let listed: Vec<_> = listed.map(Result::unwrap).collect();
        let [first, second] = &listed[..] else { unreachable_entries(listed.len()) };
        assert!(first.bytes == broken.as_bytes() && second.bytes == b"[1]");
        assert_eq!((first.copies[&ada()], first.copies[&ben()]), (2 * round, round));
        assert_eq!((second.copies.len(), second.copies[&ada()]), (1, round));
        assert_eq!(first.custodian, ada());
        let more = quarantine_bytes(&vault).saturating_sub(bytes);
        assert!(round == 1 || more < 400, "round {round} stored {more} bytes more");
        bytes = quarantine_bytes(&vault);
    }
}

#[expect(clippy::panic, reason = "the test's own failure")]
fn unreachable_entries(count: usize) -> ! {
    panic!("{count} entries in quarantine, should be two")
}

#[test]
fn batches_of_many_threads_are_all_there() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let archive = Archive::create(host(&storage), small()).unwrap();
    let run = archive.begin_run("threads").unwrap();
    let work = |thread: i64| {
        for number in 0..40 {
            let mut batch = archive.batch(run);
            for nth in 0..5 {
                let at = thread * 1_000_000 + number * 100 + nth + 1;
                let own = Draft::chat(&format!("19:{thread}"), at).json();
                // The threads also race for the same messages.
                let shared = Draft::chat("19:shared", number * 100 + nth + 1).json();
                batch.offer(&ada(), RecordKind::Message, own.as_bytes(), ORIGIN);
                batch.offer(&ben(), RecordKind::Message, shared.as_bytes(), ORIGIN);
            }
            assert_eq!(batch.commit().unwrap().counts.offered, 10);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            drop(scope.spawn(move || work(thread)));
        }
    });
    let stat = archive.stat().unwrap();
    assert_eq!(stat.counts, counts(1_600, 1_000, 0, 600, 0));
    assert_eq!(texts(&archive.snapshot().unwrap(), &Scan::default()).len(), 1_000);
    archive.close().unwrap();
    let archive = Archive::open(host(&storage), small()).unwrap();
    assert_eq!(texts(&archive.snapshot().unwrap(), &Scan::default()).len(), 1_000);
}

#[test]
fn statistics_count_what_is_there() {
    let mut vault = vault();
    let by = |who: &str, chat: &str, at: i64| Draft::chat(chat, at).from_user(who, who);
    let first = by("ada", "19:a", 1);
    for json in [
        first.json(),
        first.clone().text("variant").json(),
        first.modified(9).json(),
        by("ben", "19:b", 2).json(),
        by("ben", "19:b", 3).json(),
    ] {
        drop(vault.put(&ada(), &json));
    }
    for _ in 0..3 {
        let stat = vault.archive().stat().unwrap();
        assert_eq!((stat.versions, stat.variants, stat.messages), (4, 1, 3));
        assert_eq!((stat.conversations, stat.senders, stat.custodians), (2, 2, 1));
        assert!(stat.raw_bytes > 0 && stat.runs >= 1);
        assert!(stat.bytes_by_part.values().sum::<u64>() > 0);
        assert!(stat.commit.sequence >= vault.model.rows[4].sequence);
        vault.reopen();
        vault.compact();
    }
}
