//! No part exceeds its cap, nothing is lost, and the bytes are the same with any number of threads.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::check::{check, compare_subjects};
use crate::digest::{Digest, hex};
use crate::manifest::DigestText;

fn blob() -> impl Strategy<Value = Blob> {
    let bytes = prop_oneof![
        4 => 0_usize..3_000,
        2 => 3_000_usize..70_000,
        1 => 70_000_usize..400_000,
    ];
    let extension = prop_oneof![Just("txt"), Just("jpg"), Just("bin")];
    (bytes, any::<bool>(), any::<bool>(), extension).prop_map(
        |(bytes, deflates, streams, extension)| Blob { bytes, deflates, streams, extension },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let bytes =
        prop_oneof![6 => 0_usize..2_000, 2 => 2_000_usize..40_000, 1 => 40_000_usize..200_000];
    (
        prop::collection::vec((0_usize..4, bytes), 0..3),
        prop::collection::vec(blob(), 0..4),
        prop_oneof![5 => Just(0_usize), 1 => 1_usize..4],
    )
        .prop_map(|(records, files, unavailable)| Message {
            records,
            files,
            unavailable,
            closes: None,
        })
}

pub(super) fn plan(most: usize) -> impl Strategy<Value = Plan> {
    let closing = prop::collection::vec(prop::option::weighted(0.2, 0_usize..4), 4);
    (prop::collection::vec(message(), 1..most), closing).prop_map(|(mut groups, closing)| {
        // A closed file gets no more records: close behind its last one.
        for (file, close) in closing.iter().enumerate() {
            let uses = |message: &Message| message.records.iter().any(|(to, _)| *to == file);
            if let (Some(_), Some(last)) = (close, groups.iter().rposition(uses)) {
                groups[last].closes = Some(file);
            }
        }
        Plan { groups }
    })
}

/// Everything of a plan is in the unpacked parts, and nothing else.
pub(super) fn assert_complete(plan: &Plan, storage: &dyn Storage, index: &Index) {
    let mut all = unpack(storage, index);
    all.retain(|name, _| !["manifest.json", "SHA256SUMS"].contains(&name.as_str()));
    let mut lines: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut seen = Digest::default();
    for (number, message) in plan.groups.iter().enumerate() {
        seen.add(&subject(number));
        for (at, blob) in message.files.iter().enumerate() {
            let path = file_path(number, at, *blob);
            assert_eq!(all.remove(&path), Some(blob.make(number * 10 + at)), "{path}");
        }
        for (file, bytes) in &message.records {
            lines.entry(*file).or_default().extend(record(number, *bytes));
        }
    }
    for (file, expected) in lines {
        let file = record_file(file);
        let stem = file.path.trim_end_matches(".csv");
        let names: Vec<String> =
            all.keys().filter(|name| name.starts_with(stem)).cloned().collect();
        let mut found = Vec::new();
        let numbers = std::iter::once(format!("{stem}.csv"))
            .chain((2..1_000).map(|number| format!("{stem}_{number:03}.csv")));
        for name in numbers.take_while(|name| names.contains(name)) {
            let content = all.remove(&name).unwrap();
            let records = content.strip_prefix(file.header.as_slice());
            found.extend_from_slice(records.expect("every file begins with the header"));
        }
        assert!(found == expected, "{}: other records, or in another order", file.path);
    }
    assert_eq!(all.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "nothing else");
    assert_eq!(index.digest, DigestText::from(&seen));
    assert_eq!(index.counts.messages, plan.groups.len() as u64);
}

fn assert_good(plan: &Plan, part_bytes: u64) -> (Memory, Index) {
    let (memory, index) = plan.export(part_bytes, 0);
    for part in &index.parts {
        let bytes = read(&memory, &part.name);
        assert!(bytes.len() as u64 <= part_bytes, "{}: {} bytes", part.name, bytes.len());
        assert_eq!((part.bytes, &part.sha256), (bytes.len() as u64, &hex(&sha256(&bytes))));
    }
    assert_complete(plan, &memory, &index);
    let mut subjects = (0..plan.groups.len()).map(|number| Ok(subject(number)));
    let mut report = check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).unwrap();
    compare_subjects(&index, &mut subjects, &mut report).unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    assert_eq!(report.subjects, plan.groups.len() as u64);
    (memory, index)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn parts_are_complete_and_below_any_cap(plan in plan(12), more in 0_u64..300_000) {
        let part_bytes = LEAST_PART_BYTES + more;
        let (memory, _index) = assert_good(&plan, part_bytes);
        let (threaded, _index) = plan.export(part_bytes, 3);
        prop_assert!(folder(&memory) == folder(&threaded), "threads change nothing");
    }
}

/// Small messages alone: the cap is used to within a message.
#[test]
fn parts_of_small_messages_are_nearly_full() {
    let message = |number: usize| Message {
        files: vec![Blob {
            bytes: 300 + number % 50,
            deflates: false,
            streams: false,
            extension: "bin",
        }],
        ..Message::default()
    };
    let plan = Plan { groups: (0..1_000).map(message).collect() };
    for part_bytes in [65_536, 65_537, 99_999, 131_072, 250_001] {
        let (_memory, index) = assert_good(&plan, part_bytes);
        let full = index.parts.iter().filter(|part| part.window == 1).rev().skip(1);
        for part in full {
            assert!(part.bytes + 1_000 > part_bytes, "{}: {} bytes", part.name, part.bytes);
        }
    }
}

#[test]
fn a_part_can_be_full_to_the_byte() {
    let plan = |bytes| Plan {
        groups: vec![Message {
            files: vec![Blob { bytes, deflates: false, streams: true, extension: "jpg" }],
            ..Message::default()
        }],
    };
    let alone = |bytes| {
        let (_memory, index) = plan(bytes).export(70_000, 0);
        (index.parts.len(), index.parts[0].bytes)
    };
    let (parts, bytes) = alone(60_000);
    assert_eq!(parts, 1);
    let rest = usize::try_from(70_000 - bytes).unwrap();
    assert_eq!(alone(60_000 + rest), (1, 70_000));
    assert!(alone(60_000 + rest + 1).0 > 1, "one more byte is cut");
    let _checked = assert_good(&plan(60_000 + rest + 1), 70_000);
}

#[test]
fn more_than_60_000_members_go_to_the_next_part() {
    let files = |message: usize| Message {
        files: vec![
            Blob { bytes: message % 2, deflates: true, streams: false, extension: "txt" };
            9
        ],
        ..Message::default()
    };
    let plan = Plan { groups: (0..8_400).map(files).collect() };
    let (memory, index) = plan.export(1_000_000_000, 0);
    let most = index.parts.iter().map(|part| part.members).max().unwrap();
    assert!(most <= 60_000 && most > 59_980, "{most}");
    let in_parts: u64 = index.parts.iter().map(|part| u64::from(part.members) - 2).sum();
    assert_eq!(in_parts, 8_400 * 9);
    let report = check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
}
