//! Wherever an export stops, going on comes to the same bytes.

use proptest::prelude::*;

use super::brittle::{Brittle, Stop};
use super::cap::plan;
use super::*;

const CAP: u64 = 65_536;

fn resume(plan: &Plan, storage: Brittle) -> Result<Index> {
    plan.write(Writer::resume(Arc::new(storage), settings(CAP, 0), head())?)
}

/// A plan with all that a position can be in: running files, groups and contents beyond a part.
fn varied() -> Plan {
    let blob = |bytes, deflates, streams, extension| Blob { bytes, deflates, streams, extension };
    let small = |number: usize| Message {
        records: vec![(number % 2, 3_000), (2, 50)],
        files: vec![blob(4_000, number.is_multiple_of(2), true, "txt")],
        ..Message::default()
    };
    let mut groups: Vec<Message> = (0..20).map(small).collect();
    groups[5].files.push(blob(150_000, false, true, "jpg"));
    groups[5].unavailable = 2;
    groups[8].files = vec![blob(50_000, false, false, "bin"); 3];
    groups[11].records = vec![(1, 90_000), (0, 40_000)];
    groups[13].closes = Some(3);
    groups[17].files.push(blob(130_000, false, false, "txt"));
    Plan { groups }
}

#[test]
fn an_export_that_stops_after_any_operation_is_resumed_to_the_same_bytes() {
    let plan = varied();
    let whole = Brittle::new(u64::MAX);
    let index = resume(&plan, whole.clone()).unwrap();
    assert!(index.parts.len() > 8);
    let operations = u64::MAX - whole.left();
    let expected = folder(&whole);
    for stop_after in 0..operations {
        for stop in [Stop::Process, Stop::Power] {
            let storage = Brittle::new(stop_after);
            // The last operation removes the lock's file, which nobody misses.
            let is_last = stop_after + 1 == operations;
            assert_eq!(resume(&plan, storage.clone()).is_ok(), is_last);
            let storage = storage.after(stop, u64::MAX);
            let resumed = resume(&plan, storage.clone()).unwrap();
            assert_eq!(resumed, index, "{stop_after} {stop:?}");
            assert!(folder(&storage) == expected, "{stop_after} {stop:?}: other bytes");
        }
    }
}

#[test]
fn an_index_never_names_a_part_that_is_not_there() {
    let plan = varied();
    let whole = Brittle::new(u64::MAX);
    let _index = resume(&plan, whole.clone()).unwrap();
    for stop_after in 0..u64::MAX - whole.left() - 1 {
        let storage = Brittle::new(stop_after);
        assert!(resume(&plan, storage.clone()).is_err());
        let storage = storage.after(Stop::Power, u64::MAX);
        let Some(index) = Index::read(&storage, EXPORT).unwrap() else { continue };
        for part in index.parts {
            assert_eq!(read(&storage, &part.name).len() as u64, part.bytes, "{stop_after}");
        }
    }
}

#[test]
fn an_export_that_stops_again_and_again_comes_to_its_end() {
    let plan = varied();
    let expected = folder(&{
        let whole = Brittle::new(u64::MAX);
        let _index = resume(&plan, whole.clone()).unwrap();
        whole
    });
    let mut storage = Brittle::new(40);
    let mut tries = 0;
    while resume(&plan, storage.clone()).is_err() {
        storage = storage.after(Stop::Power, 40);
        tries += 1;
        assert!(tries < 100, "every try brings at least one part");
    }
    assert!(tries > 3);
    assert!(folder(&storage) == expected);
}

#[test]
fn groups_of_finished_parts_need_not_be_made_again() {
    let plan = varied();
    let (whole, _index) = plan.export(CAP, 0);
    let storage = Brittle::new(70);
    assert!(resume(&plan, storage.clone()).is_err());
    let storage = storage.after(Stop::Power, u64::MAX);
    let mut writer = Writer::resume(Arc::new(storage.clone()), settings(CAP, 0), head()).unwrap();
    let first = writer.first_needed();
    assert!((2..16).contains(&first), "{first}");
    assert!(writer.skip_to(first + 1).is_err());
    writer.begin_window(window(1, 2)).unwrap();
    writer.skip_to(first).unwrap();
    let files: Vec<Arc<RecordFile>> = (0..4).map(record_file).collect();
    for (number, message) in plan.groups.iter().enumerate().skip(usize::try_from(first).unwrap()) {
        if number == 16 {
            writer.finish_window().unwrap();
            writer.begin_window(window(2, 2)).unwrap();
        }
        writer.add(message.group(number, &files)).unwrap();
        if let Some(file) = message.closes {
            writer.close_records(&files[file]).unwrap();
        }
    }
    writer.finish_window().unwrap();
    let _index = writer.finish().unwrap();
    assert!(folder(&storage) == folder(&whole));
}

#[test]
fn a_lost_part_is_written_again_and_a_changed_one_is_an_error() {
    let plan = varied();
    let (memory, index) = plan.export(CAP, 0);
    let expected = folder(&memory);
    let name = &index.parts[3].name;
    let go_on = |memory: &Memory| -> Result<Index> {
        plan.write(Writer::resume(Arc::new(memory.clone()), settings(CAP, 0), head())?)
    };
    assert_eq!(go_on(&memory).unwrap(), index, "a finished export is left alone");
    memory.remove(name).unwrap();
    assert_eq!(go_on(&memory).unwrap(), index);
    assert!(folder(&memory) == expected);
    let bytes = expected[name].len() as u64;
    memory.remove(name).unwrap();
    let changed = memory.create(name).unwrap();
    let mut other = expected[name].clone();
    other[1_000] ^= 1;
    changed.write_at(0, &other).unwrap();
    let error = go_on(&memory).unwrap_err();
    assert!(matches!(&error, Error::Changed { part, .. } if part == name), "{error}");
    changed.write_at(bytes, b"x").unwrap();
    let error = go_on(&memory).unwrap_err();
    assert!(
        error.to_string().ends_with(&format!("it has {} bytes, should have {bytes}", bytes + 1))
    );
}

#[test]
fn other_inputs_are_another_export() {
    let plan = varied();
    let (memory, index) = plan.export(CAP, 0);
    let open = |settings, head| Writer::resume(Arc::new(memory.clone()), settings, head).map(drop);
    let other_id = Head { export_id: "x".to_owned(), ..head() };
    let other_time = Head { asof: "2022-01-01T00:00:00Z".to_owned(), ..head() };
    for (settings, head) in [
        (settings(CAP, 0), other_id),
        (settings(CAP, 0), other_time),
        (settings(CAP + 1, 0), head()),
    ] {
        let error = open(settings, head).unwrap_err();
        assert!(matches!(error, Error::OtherExport { .. }), "{error}");
    }
    let again = Writer::create(Arc::new(memory.clone()), settings(CAP, 0), head()).map(drop);
    assert!(matches!(again, Err(Error::Exists { .. })));

    memory.remove(&index.parts[2].name).unwrap();
    let mut other = plan.clone();
    other.groups[19].records = vec![(0, 1)];
    other.groups[6].records = vec![(0, 2_999)];
    let writer = Writer::resume(Arc::new(memory.clone()), settings(CAP, 0), head()).unwrap();
    let error = other.write(writer).unwrap_err();
    assert!(matches!(error, Error::Differs { .. }), "{error}");
}

#[test]
fn two_writers_at_once_are_one_too_many() {
    let memory = Memory::new();
    let open = || Writer::resume(Arc::new(memory.clone()), settings(CAP, 0), head());
    let first = open().unwrap();
    assert!(matches!(open(), Err(Error::Locked { .. })));
    drop(first);
    assert!(open().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_export_is_resumed_to_the_same_bytes(plan in plan(10), stop_after in 5_u64..120) {
        let whole = Brittle::new(u64::MAX);
        let index = resume(&plan, whole.clone()).unwrap();
        let mut storage = Brittle::new(stop_after);
        if resume(&plan, storage.clone()).is_err() {
            storage = storage.after(Stop::Power, u64::MAX);
            prop_assert_eq!(resume(&plan, storage.clone()).unwrap(), index);
        }
        prop_assert!(folder(&storage) == folder(&whole));
    }
}
