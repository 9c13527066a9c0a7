//! Running files end between records and go on with their header.

use super::cap::assert_complete;
use super::*;

fn lines(count: usize, bytes: usize) -> Plan {
    let message = |_| Message { records: vec![(0, bytes)], ..Message::default() };
    Plan { groups: (0..count).map(message).collect() }
}

#[test]
fn a_running_file_goes_on_in_the_next_part() {
    let plan = lines(4_000, 200);
    let (memory, index) = plan.export(65_536, 0);
    assert_complete(&plan, &memory, &index);
    assert!(index.parts.len() > 3);
    let files: Vec<String> = index
        .parts
        .iter()
        .flat_map(|part| members(&read(&memory, &part.name)))
        .map(|(name, _)| name)
        .filter(|name| name.contains("messages"))
        .collect();
    assert_eq!(files.len(), index.parts.len(), "one in each part");
    assert_eq!(files[..2], ["chat.0/messages.csv", "chat.0/messages_002.csv"]);
    // Half of the records do not deflate: the rest of a part is used all the same.
    let full = index.parts.iter().filter(|part| part.window == 1).rev().skip(1);
    for part in full {
        assert!(part.bytes + 400 > 65_536, "{}: {} bytes", part.name, part.bytes);
    }
}

#[test]
fn a_record_that_is_larger_than_a_part_is_cut_with_its_header() {
    let mut plan = lines(20, 100);
    plan.groups[7].records = vec![(0, 300_000)];
    plan.groups[9].records = vec![(0, 150_000)];
    let (memory, index) = plan.export(65_536, 0);
    assert_complete(&plan, &memory, &index);
}

#[test]
fn a_file_that_was_not_closed_goes_on_in_the_next_window() {
    let (memory, index) = lines(10, 100).export(1_000_000, 0);
    assert_eq!(index.windows.iter().map(|window| window.parts).collect::<Vec<_>>(), [1, 1]);
    let names = index.parts.iter().map(|part| {
        let [(first, _), ..] = &members(&read(&memory, &part.name))[..] else { panic!("empty") };
        first.clone()
    });
    let names: Vec<String> = names.collect();
    assert_eq!(names, ["chat.0/messages.csv", "chat.0/messages_002.csv"], "no path is there twice");
}

#[test]
fn large_running_files_go_through_a_spool_and_come_out_the_same() {
    let plan = lines(420, 100_000);
    let (memory, index) = plan.export(1_000_000_000, 0);
    let (threaded, _index) = plan.export(1_000_000_000, 2);
    assert!(index.parts[0].bytes > 8 << 20, "a spool was needed");
    assert!(folder(&memory) == folder(&threaded));
    assert_complete(&plan, &memory, &index);
}
