//! What comes out is byte for byte what went in first, wherever the row lives.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatvault_engine::{Archive, Memory, RecordKind, Scan};
use chatvault_support::generate::{broken, odd_document};
use chatvault_support::{Random, fixtures};

use crate::kit::{self, ORIGIN, Vault, ada, ben, commit, go_on, seeds, small};

fn vault_of_fixtures() -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let samples = fixtures::messages().into_iter().chain(fixtures::unkeyable());
    let copies: Vec<_> = samples.map(|sample| (ada(), sample.json)).collect();
    drop(vault.commit(&copies));
    vault
}

/// Every sample by its address and by its key.
fn check_samples(vault: &Vault) {
    let snapshot = vault.archive().snapshot().unwrap();
    for row in &vault.model.rows {
        let name = String::from_utf8_lossy(row.json.get(..80).unwrap_or(&row.json));
        let found = snapshot.get(&row.address).unwrap();
        assert!(found == Some(kit::expected(row)), "by address: {name}");
        let history: Vec<_> = snapshot.history(row.key()).unwrap();
        let expected: Vec<_> =
            vault.model.history(row.key()).into_iter().map(kit::expected).collect();
        assert!(history == expected, "by key: {name}");
    }
    vault.check();
}

#[test]
fn every_sample_comes_back_from_journal_segment_and_after_reopening() {
    let mut vault = vault_of_fixtures();
    check_samples(&vault);
    vault.archive().seal().unwrap();
    check_samples(&vault);
    vault.reopen();
    check_samples(&vault);
    vault.compact();
    check_samples(&vault);
    vault.reopen();
    check_samples(&vault);
    vault.verify();
}

#[test]
fn every_sample_is_known_again_in_any_dress() {
    let mut vault = vault_of_fixtures();
    let mut random = Random::new(3);
    let redress = |json: &[u8], random: &mut Random| {
        let value = chatvault_support::json::parse(json).unwrap();
        (ben(), value.redressed(random).into_bytes())
    };
    let stored = vault.model.rows.len();
    for seal in [false, true] {
        if seal {
            vault.archive().seal().unwrap();
        }
        let copies: Vec<_> =
            fixtures::messages().iter().map(|one| redress(&one.json, &mut random)).collect();
        let report = vault.commit(&copies);
        assert_eq!(report.counts.duplicates, copies.len() as u64, "sealed: {seal}");
    }
    assert_eq!(vault.model.rows.len(), stored);
    check_samples(&vault);
}

#[test]
fn each_sample_alone_is_taken_or_quarantined_with_its_bytes() {
    for sample in fixtures::unkeyable() {
        let mut vault = Vault::create(Arc::new(Memory::new()));
        let report = vault.commit(&[(ada(), sample.json.clone())]);
        assert_eq!(report.counts.quarantined, 1, "{}", sample.name);
        let listed = vault.archive().snapshot().unwrap().quarantine().unwrap();
        let listed: Vec<_> = listed.map(Result::unwrap).collect();
        let [outcast] = &listed[..] else { unreachable_sample(sample.name) };
        assert!(outcast.bytes == sample.json, "{}", sample.name);
        assert!(!outcast.reason.is_empty(), "{}", sample.name);
        assert_eq!((&*outcast.source, outcast.offset), (ORIGIN.source, ORIGIN.offset));
        assert_eq!((&outcast.custodian, outcast.run), (&ada(), vault.run));
        assert_eq!(outcast.sequence, report.sequence);
    }
}

#[expect(clippy::panic, reason = "the test's own failure")]
fn unreachable_sample(name: &str) -> ! {
    panic!("{name}: not exactly one entry in quarantine")
}

#[test]
fn nesting_is_taken_to_its_limit_and_no_further() {
    let table = [(1, 0), (127, 0), (128, 0), (129, 1), (1_000, 1), (1_000_000, 1)];
    for (levels, quarantined) in table {
        let mut vault = Vault::create(Arc::new(Memory::new()));
        let json = fixtures::nested(levels);
        let report = vault.commit(&[(ada(), json)]);
        assert_eq!(report.counts.quarantined, quarantined, "{levels} levels");
    }
}

#[test]
fn a_document_over_the_limit_goes_to_quarantine_and_one_at_the_limit_does_not() {
    let json = fixtures::messages().remove(0).json;
    for (spare, quarantined) in [(0, 0), (1, 1)] {
        let mut options = small();
        options.document_bytes = json.len() - spare;
        let storage: Arc<dyn chatvault_engine::Storage> = Arc::new(Memory::new());
        let archive = Archive::create(kit::host(&storage), options).unwrap();
        let mut batch = archive.batch(archive.begin_run("limit").unwrap());
        let spaced = [b"  \r\n", &json[..], b"\t\n "].concat();
        batch.offer(&ada(), RecordKind::Message, &spaced, ORIGIN);
        assert_eq!(batch.commit().unwrap().counts.quarantined, quarantined, "spare {spare}");
    }
}

#[test]
fn white_space_around_a_document_is_not_part_of_it() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let json = fixtures::messages().remove(0).json;
    let spaced = [b" \r\n\t", &json[..], b" \n"].concat();
    drop(vault.commit(&[(ada(), spaced), (ben(), json.clone())]));
    let found = kit::texts(&vault.archive().snapshot().unwrap(), &kit::everything());
    assert_eq!(found, [String::from_utf8(json).unwrap()]);
    vault.check();
}

#[test]
fn random_odd_documents_come_back_and_broken_ones_do_no_harm() {
    for seed in seeds(6) {
        let mut random = Random::new(seed.0);
        let mut vault = Vault::create(Arc::new(Memory::new()));
        for step in 0..6 {
            let copies: Vec<_> = (0..60).map(|_| (ada(), odd_document(&mut random))).collect();
            drop(vault.commit(&copies));
            if step % 2 == 1 {
                vault.archive().seal().unwrap();
            }
        }
        vault.compact();
        check_samples(&vault);
        conserves_broken_copies(&mut random);
    }
}

/// Whatever a broken copy still is, it is counted once and the archive stays sound.
fn conserves_broken_copies(random: &mut Random) {
    let vault = Vault::create(Arc::new(Memory::new()));
    let mut batch = vault.archive().batch(vault.run);
    for _ in 0..300 {
        let document = odd_document(random);
        batch.offer(&ada(), RecordKind::Message, &broken(random, &document), ORIGIN);
    }
    let counts = batch.commit().unwrap().counts;
    assert_eq!(counts.offered, 300);
    let kept = counts.stored + counts.variants + counts.duplicates + counts.quarantined;
    assert_eq!(kept, 300);
    vault.archive().seal().unwrap();
    let report = vault.archive().verify(chatvault_engine::Depth::Deep, &mut go_on).unwrap();
    assert_eq!(report.damages, []);
}

#[test]
fn other_kinds_of_records_are_rows_of_their_own() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let samples = fixtures::copilot_interactions();
    for _ in 0..2 {
        let mut batch = vault.archive().batch(vault.run);
        for sample in &samples {
            batch.offer(&ada(), RecordKind::CopilotInteraction, &sample.json, ORIGIN);
        }
        let counts = batch.commit().unwrap().counts;
        assert_eq!(counts.stored + counts.duplicates, samples.len() as u64);
        vault.archive().seal().unwrap();
    }
    vault.reopen();
    let snapshot = vault.archive().snapshot().unwrap();
    let record = RecordKind::CopilotInteraction;
    let found = kit::rows(&snapshot, &Scan { record, ..kit::everything() }).unwrap();
    let bytes: BTreeSet<_> = found.iter().map(|row| row.json.clone()).collect();
    assert_eq!(bytes, samples.into_iter().map(|sample| sample.json).collect());
    assert!(found.iter().all(|row| row.key.record == record));
    assert_eq!(kit::rows(&snapshot, &kit::everything()).unwrap(), []);
    let one_conversation: BTreeSet<_> = found.iter().map(|row| &row.key.conversation).collect();
    assert_eq!(one_conversation.len(), 1, "a prompt and its answer belong together");
}

#[test]
fn the_same_bytes_of_two_kinds_are_two_records() {
    let vault = Vault::create(Arc::new(Memory::new()));
    let json = fixtures::messages().remove(0).json;
    commit(vault.archive(), &ada(), &[&json]);
    let mut batch = vault.archive().batch(vault.run);
    batch.offer(&ada(), RecordKind::CallRecording, &json, ORIGIN);
    let counts = batch.commit().unwrap().counts;
    assert_eq!((counts.duplicates, counts.offered), (0, 1));
}
