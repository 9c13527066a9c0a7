//! What parts look like to other tools, and what a writer refuses.

use std::cell::RefCell;

use chatvault_base::Cancel;

use super::*;
use crate::digest::hex;
use crate::manifest::Manifest;

fn small(files: usize) -> Plan {
    let blob = |bytes, deflates, extension| Blob { bytes, deflates, streams: false, extension };
    let message = |number: usize| Message {
        records: vec![(0, 100)],
        files: vec![blob(2_000, number != 1, "txt"), blob(10, false, "jpg")],
        ..Message::default()
    };
    Plan { groups: (0..files).map(message).collect() }
}

#[test]
fn members_are_of_1980_with_a_mode_and_need_nothing_new() {
    let (memory, index) = small(4).export(1_000_000, 0);
    let zip = read(&memory, &index.parts[0].name);
    let mut archive = ::zip::ZipArchive::new(Cursor::new(zip.as_slice())).unwrap();
    assert!(archive.comment().is_empty());
    for at in 0..archive.len() {
        let member = archive.by_index(at).unwrap();
        let date = member.last_modified().unwrap();
        let date = (date.year(), date.month(), date.day(), date.hour(), date.second());
        assert_eq!(date, (1980, 1, 1, 0, 0));
        assert_eq!(member.unix_mode(), Some(0o100_644));
        assert!(member.extra_data().is_none_or(|extra| extra.is_empty()));
        let name = member.name().unwrap().into_owned();
        let deflates = name.ends_with("0ü.txt") && !name.contains("0001");
        let deflates = deflates || name.contains("messages");
        let method = if deflates {
            ::zip::CompressionMethod::Deflated
        } else {
            ::zip::CompressionMethod::Stored
        };
        assert_eq!(member.compression(), method, "{name}");
    }
    let names: Vec<String> = members(&zip).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[names.len() - 2..], ["manifest.json", "SHA256SUMS"]);
    // The flag for UTF-8 names: at offset 6 of the first local header, whose name is not ASCII.
    assert_eq!(zip[6..8], [0, 8]);
}

#[test]
fn sums_and_manifest_list_every_other_member() {
    let (memory, index) = small(5).export(1_000_000, 0);
    let mut previous = None;
    for part in &index.parts {
        let mut members = members(&read(&memory, &part.name));
        let (_, sums) = members.pop().unwrap();
        let mut lines: Vec<String> = members
            .iter()
            .map(|(name, content)| format!("{}  {name}", hex(&sha256(content))))
            .collect();
        lines.sort_by(|a, b| a[66..].cmp(&b[66..]));
        let sums = String::from_utf8(sums).unwrap();
        assert_eq!(sums.lines().collect::<Vec<_>>(), lines);
        let (_, manifest) = members.pop().unwrap();
        let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
        let listed = manifest.files.iter().map(|file| (&file.path, file.size));
        let there = members.iter().map(|(name, content)| (name, content.len() as u64));
        assert!(listed.eq(there));
        assert_eq!(manifest.previous_part_sha256, previous);
        assert_eq!(manifest.part.of, Some(1));
        previous = Some(part.sha256.clone());
    }
    let names: Vec<&str> = index.parts.iter().map(|part| part.name.as_str()).collect();
    let expected =
        ["ann_20210101-20210401_jsonl_part001.zip", "ann_20210102-20210402_jsonl_part001.zip"];
    assert_eq!(names, expected);
    let beside = String::from_utf8(read(&memory, &format!("{EXPORT}.SHA256SUMS"))).unwrap();
    for name in names.into_iter().chain([format!("{EXPORT}.index.json").as_str()]) {
        let line = format!("{}  {name}\n", hex(&sha256(&read(&memory, name))));
        assert!(beside.contains(&line), "{name}");
    }
}

#[test]
fn a_window_without_messages_has_no_part_but_is_in_the_index() {
    let (memory, index) = Plan::default().export(65_536, 0);
    assert_eq!(index.parts, []);
    let windows: Vec<(u32, u32, u64)> = index
        .windows
        .iter()
        .map(|window| (window.window.k, window.parts, window.counts.messages))
        .collect();
    assert_eq!(windows, [(1, 0, 0), (2, 0, 0)]);
    assert!(index.finished);
    assert_eq!(folder(&memory).len(), 2, "index and sums");
}

#[test]
fn only_the_last_part_of_a_window_knows_how_many_there_are() {
    let blob = Blob { bytes: 30_000, deflates: false, streams: false, extension: "jpg" };
    let message = Message { files: vec![blob], ..Message::default() };
    let (memory, index) = Plan { groups: vec![message; 10] }.export(65_536, 0);
    let numbers: Vec<(u32, Option<u32>)> = index
        .parts
        .iter()
        .map(|part| {
            let mut members = members(&read(&memory, &part.name));
            let manifest = members.swap_remove(members.len() - 2).1;
            let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
            (manifest.part.k, manifest.part.of)
        })
        .collect();
    assert_eq!(numbers, [(1, None), (2, None), (3, None), (4, Some(4)), (1, Some(1))]);
}

#[test]
fn a_part_is_released_while_later_ones_are_written() {
    let blob = Blob { bytes: 30_000, deflates: false, streams: false, extension: "jpg" };
    let message = Message { files: vec![blob], ..Message::default() };
    let (memory, released) = (Memory::new(), RefCell::new(Vec::new()));
    let storage = Arc::new(memory.clone());
    let mut writer = Writer::create(storage, settings(65_536, 0), head()).unwrap();
    writer.on_part(|part| {
        let there = read(&memory, &part.name).len() as u64 == part.bytes;
        released.borrow_mut().push((part.name.clone(), there));
        Ok(())
    });
    writer.begin_window(window(1, 1)).unwrap();
    let mut after_each = Vec::new();
    for number in 0..7 {
        writer.add(message.group(number, &[])).unwrap();
        after_each.push(released.borrow().len());
    }
    assert_eq!(after_each, [0, 0, 1, 1, 2, 2, 3]);
    assert_eq!(writer.progress().parts, 3);
    writer.finish_window().unwrap();
    drop(writer);
    assert!(released.borrow().iter().all(|(_, there)| *there));
    assert_eq!(released.borrow().len(), 4);
}

#[test]
fn a_cancelled_export_keeps_its_finished_parts_and_nothing_half() {
    let blob = Blob { bytes: 30_000, deflates: false, streams: true, extension: "jpg" };
    let message = Message { files: vec![blob], ..Message::default() };
    let (memory, cancel) = (Memory::new(), Cancel::default());
    let mut writer = Writer::create(Arc::new(memory.clone()), settings(65_536, 0), head()).unwrap();
    writer.cancel_when(cancel.clone());
    writer.begin_window(window(1, 1)).unwrap();
    // It is asked for while a content is read.
    let first_error = (0..20).find_map(|number| {
        let mut group = message.group(number, &[]);
        for member in &mut group.members {
            if let (6, Content::Stream(stream)) = (number, &mut member.content) {
                let open = std::mem::replace(
                    &mut stream.open,
                    Box::new(|| Ok(Box::new(std::io::empty()))),
                );
                let cancel = cancel.clone();
                stream.open = Box::new(move || {
                    cancel.cancel();
                    open()
                });
            }
        }
        writer.add(group).err()
    });
    assert!(matches!(first_error, Some(Error::Cancelled)));
    assert!(matches!(writer.add(Group::default()), Err(Error::Order(_))));
    drop(writer);
    let index = Index::read(&memory, EXPORT).unwrap().unwrap();
    assert!(!index.finished && !index.parts.is_empty());
    assert_eq!(folder(&memory).len(), index.parts.len() + 2, "no temporary file is left");
}

#[test]
fn settings_and_names_that_cannot_be_are_refused() {
    let create = |settings| Writer::create(Arc::new(Memory::new()), settings, head()).map(drop);
    for wrong in [
        Settings { part_bytes: 65_535, ..Settings::new(EXPORT) },
        Settings { part_bytes: 1 << 32, ..Settings::new(EXPORT) },
        Settings { level: 0, ..Settings::new(EXPORT) },
        Settings { level: 10, ..Settings::new(EXPORT) },
        Settings::new("a/b"),
        Settings::new(""),
    ] {
        let error = create(wrong.clone()).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{wrong:?}: {error}");
    }
    let long = "x".repeat(201);
    for wrong in [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "./a",
        "a\\b",
        "a\nb",
        "C:a",
        "manifest.json",
        "Sha256sums",
        &long,
    ] {
        let group = Group { members: vec![bytes(wrong, b"x")], ..Group::default() };
        let error = write(vec![group]).unwrap_err();
        assert!(matches!(error, Error::MemberName { .. }), "{wrong:?}: {error}");
    }
    let twice = || Group { members: vec![bytes("A.txt", b"x")], ..Group::default() };
    let other = Group { members: vec![bytes("a.TXT", b"y")], ..Group::default() };
    let error = write(vec![twice(), other]).unwrap_err();
    assert!(matches!(error, Error::MemberName { .. }), "{error}");
}

fn bytes(path: &str, content: &[u8]) -> Member<'static> {
    Member { path: path.to_owned(), content: Content::Bytes(content.to_vec()), source: None }
}

fn write(groups: Vec<Group<'_>>) -> Result<Index> {
    let mut writer = Writer::create(Arc::new(Memory::new()), settings(65_536, 0), head())?;
    writer.begin_window(window(1, 1))?;
    groups.into_iter().try_for_each(|group| writer.add(group))?;
    writer.finish_window()?;
    writer.finish()
}

#[test]
fn a_content_that_is_not_what_was_announced_is_an_error() {
    let stream = |bytes, sha256, extension: &str, content: Vec<u8>| {
        let open = move || -> std::io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(Cursor::new(content.clone())))
        };
        let stream = Stream { bytes, sha256, open: Box::new(open) };
        let path = format!("a.{extension}");
        let member = Member { path, content: Content::Stream(stream), source: None };
        Group { members: vec![member], ..Group::default() }
    };
    for extension in ["jpg", "txt"] {
        for length in [1_000, 200_000, 3_000_000_usize] {
            let content = make(1, length, extension == "txt");
            let right = Some(sha256(&content));
            let announced = length as u64;
            let write = |bytes, sha256| {
                let group = stream(bytes, sha256, extension, content.clone());
                write(vec![group]).map(drop)
            };
            assert!(write(announced, right).is_ok() && write(announced, None).is_ok());
            for (bytes, sha256) in
                [(announced + 1, None), (announced - 1, None), (announced, Some([0; 32]))]
            {
                let error = write(bytes, sha256).unwrap_err();
                let expected = matches!(error, Error::OtherContent { .. });
                assert!(expected, "{extension} {length} {bytes}: {error}");
            }
        }
    }
    let open = || Err(std::io::Error::other("lost"));
    let stream = Stream { bytes: 5, sha256: None, open: Box::new(open) };
    let member =
        Member { path: "a.jpg".to_owned(), content: Content::Stream(stream), source: None };
    let error = write(vec![Group { members: vec![member], ..Group::default() }]).unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error}");
}

#[test]
fn a_manifest_that_no_part_can_hold_is_an_error_that_says_how_much_it_needs() {
    let mut head = head();
    head.selection.chats = (0..3_000).map(|n| format!("19:{n:030}@thread.v2")).collect();
    let mut writer = Writer::create(Arc::new(Memory::new()), settings(65_536, 0), head).unwrap();
    writer.begin_window(window(1, 1)).unwrap();
    let error = writer.add(Group::default()).unwrap_err();
    let Error::TooSmall { needed, .. } = error else { panic!("{error}") };
    assert!((100_000..200_000).contains(&needed), "{needed}");
}

#[test]
fn calls_in_a_wrong_order_are_refused() {
    let mut writer = Writer::create(Arc::new(Memory::new()), settings(65_536, 0), head()).unwrap();
    assert!(matches!(writer.finish_window(), Err(Error::Order(_))));
    writer.begin_window(window(1, 1)).unwrap();
    assert!(matches!(writer.begin_window(window(2, 2)), Err(Error::Order(_))));
    assert!(matches!(writer.finish(), Err(Error::Order(_))));
}

#[test]
fn a_group_that_alone_exceeds_a_part_keeps_the_order_of_its_pieces() {
    let blob = |bytes| Blob { bytes, deflates: false, streams: true, extension: "jpg" };
    let files = vec![blob(40_000), blob(180_000), blob(40_000), blob(100)];
    let message = Message { records: vec![(0, 10)], files, unavailable: 3, closes: None };
    let plan = Plan { groups: vec![message] };
    let (memory, index) = plan.export(65_536, 0);
    let names: Vec<Vec<String>> = index
        .parts
        .iter()
        .map(|part| {
            let names = members(&read(&memory, &part.name)).into_iter().map(|(name, _)| name);
            names.filter(|name| name.starts_with("Att")).collect()
        })
        .collect();
    let flat: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    let expected = [
        "Attachments/0000_0ü.jpg",
        "Attachments/0000_1ü.jpg.REJOIN.txt",
        "Attachments/0000_1ü.jpg.part001",
        "Attachments/0000_1ü.jpg.part002",
        "Attachments/0000_1ü.jpg.part003",
        "Attachments/0000_2ü.jpg",
        "Attachments/0000_3ü.jpg",
    ];
    assert_eq!(flat, expected);
    assert_eq!(index.counts.unavailable, 3);
    cap::assert_complete(&plan, &memory, &index);
}
