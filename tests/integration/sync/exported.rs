//! What a tenant has beside messages is handed out in every format, with its files, and is checked.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Archive, Memory, Snapshot, Storage, Stored, Timestamp};
use chatvault_export::manifest::{Counts, Index};
use chatvault_export::{Export, Format, Request, Run};
use chatvault_fake_graph::{Behaviour, Setup};
use chatvault_ingest::sync;
use chatvault_query::record::{Text, Texts, cues};
use chatvault_query::{Query, Record};
use mail_parser::{MessageParser, MimeHeaders};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::kit::{World, windowed};
use crate::export::{FORMATS, check, files, is_a, joined, manifests, members, request, run};

/// A tenant with recordings of meetings and calls, their transcripts and talks with Copilot.
fn archive() -> (Archive, Timestamp) {
    let setup = Setup { days: 6, recordings: 6, recording_bytes: 40_000, ..Setup::default() };
    let world = World::new(setup, Behaviour::default());
    world.set_day(6);
    let archive = world.archive_of_all();
    let content = sync::Content { hosted: false, files: false, meetings: true };
    let mut options = world.options();
    options.content = content;
    options.feeds = windowed();
    let _report = world.sync(&archive, &options);
    (archive, Timestamp::from_ms(world.now()))
}

fn stored(snapshot: &Snapshot, record: Record) -> Vec<Stored> {
    let query = Query { record, ..Query::default() };
    let mut answer = query.run(snapshot).unwrap();
    let mut all = Vec::new();
    while let Some(row) = answer.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    all
}

/// A line of each transcript, of letters that every format writes as they are.
fn spoken(snapshot: &Snapshot) -> Vec<String> {
    let texts = Texts::new(snapshot);
    let mut all = Vec::new();
    for row in stored(snapshot, Record::Transcript) {
        if let Text::Here(text) = texts.of(&row.key).unwrap() {
            let is_plain = |line: &String| {
                line.chars().all(|c| c.is_ascii_alphanumeric() || " :.,-".contains(c))
            };
            all.extend(cues(&text).iter().map(ToString::to_string).find(is_plain));
        }
    }
    all
}

/// The files of recordings.
fn films(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for row in stored(snapshot, Record::Recording) {
        for (_, object) in snapshot.links(&row.key).unwrap() {
            let mut film = Vec::new();
            let _length =
                snapshot.object(&object).unwrap().unwrap().read_to_end(&mut film).unwrap();
            all.push(film);
        }
    }
    all
}

/// All texts of an export as people see them, read by other programs' code, without white space:
/// where lines break is a matter of the format.
fn read(format: Format, folder: &dyn Storage) -> String {
    let mut text = String::new();
    for (name, bytes) in members(folder) {
        match name.rsplit('.').next() {
            Some("pdf") => {
                let document = lopdf::Document::load_mem(&bytes).unwrap();
                let pages: Vec<u32> = document.get_pages().keys().copied().collect();
                text += &document.extract_text(&pages).unwrap();
            }
            Some("eml" | "rsmf") => {
                let mail = MessageParser::default().parse(&bytes).unwrap();
                text += &mail.body_text(0).unwrap();
            }
            Some("mbox") => {
                let mails = String::from_utf8(bytes).unwrap();
                for mail in mails.split("\nFrom teams-archive ") {
                    let mail = mail.split_once('\n').unwrap().1;
                    let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
                    text += &mail.body_text(0).unwrap();
                }
            }
            Some("parquet") => {
                let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
                for row in reader.get_row_iter(None).unwrap() {
                    text += &row.unwrap().to_string();
                }
            }
            Some("csv" | "dat" | "html" | "jsonl") if !name.starts_with("Attachments/") => {
                text += &String::from_utf8(bytes).unwrap().replace('®', " ");
            }
            _ => {}
        }
    }
    assert!(!text.is_empty(), "{format:?}");
    text.split_whitespace().collect()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

fn counted(counts: Counts) -> [u64; 3] {
    [counts.copilot, counts.recordings, counts.transcripts]
}

#[test]
fn every_kind_is_in_every_format_and_every_byte_of_it_is_checked() {
    let (archive, now) = archive();
    let snapshot = archive.snapshot().unwrap();
    let kinds = [Record::Copilot, Record::Recording, Record::Transcript];
    let expected = kinds.map(|record| stored(&snapshot, record).len() as u64);
    let (spoken, films) = (spoken(&snapshot), films(&snapshot));
    assert!(expected.iter().all(|count| *count > 2) && spoken.len() > 2 && films.len() > 2);
    for format in FORMATS {
        let export = Export::new(&snapshot, request(format), now).unwrap();
        let plan = export.plan().unwrap();
        assert_eq!([plan.copilot, plan.recordings, plan.transcripts], expected, "{format:?}");
        let (folder, index) = run(&export, 2);
        assert_eq!(counted(index.counts), expected, "{format:?}");
        assert_eq!(index.counts.messages, plan.messages, "{format:?}");
        let (other, _) = run(&export, 0);
        assert!(files(&*folder) == files(&*other), "{format:?}: threads change nothing");
        if format != Format::Jsonl {
            let text = read(format, &*folder);
            for line in &spoken {
                assert!(text.contains(&squeezed(line)), "{format:?}: {line}");
            }
            assert!(text.contains("Recordingofameeting"), "{format:?}");
        }
        let contents: Vec<Vec<u8>> = contents(format, &*folder);
        for film in &films {
            assert!(contents.contains(film), "{format:?}");
        }
        changed_bytes_are_found(&export, &folder, &index);
    }
}

/// The files that belong to entries, wherever the format has them.
fn contents(format: Format, folder: &dyn Storage) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (name, bytes) in members(folder) {
        match format {
            Format::Eml => {
                let mail = MessageParser::default().parse(&bytes);
                let mail = mail.filter(|_| is_a(&name, "eml"));
                all.extend(
                    mail.iter()
                        .flat_map(mail_parser::Message::attachments)
                        .map(|it| it.contents().to_vec()),
                );
            }
            Format::Mbox if is_a(&name, "mbox") => {
                let mails = String::from_utf8(bytes).unwrap();
                for mail in mails.split("\nFrom teams-archive ") {
                    let mail = mail.split_once('\n').unwrap().1;
                    let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
                    all.extend(mail.attachments().map(|it| it.contents().to_vec()));
                }
            }
            Format::Rsmf if is_a(&name, "rsmf") => {
                let mail = MessageParser::default().parse(&bytes).unwrap();
                let inside = mail.attachments().next().unwrap();
                assert_eq!(inside.attachment_name(), Some("rsmf.zip"));
                let mut zip =
                    zip::ZipArchive::new(Cursor::new(inside.contents().to_vec())).unwrap();
                for at in 0..zip.len() {
                    let mut bytes = Vec::new();
                    let _length = zip.by_index(at).unwrap().read_to_end(&mut bytes).unwrap();
                    all.push(bytes);
                }
            }
            _ if name.starts_with("Attachments/") => all.push(bytes),
            _ => {}
        }
    }
    all
}

/// One byte in each part is another one.
fn changed_bytes_are_found(export: &Export, folder: &Arc<dyn Storage>, index: &Index) {
    for part in &index.parts {
        let whole = files(&**folder).remove(&part.name).unwrap();
        let mut other = whole.clone();
        let middle = other.len() / 2;
        other[middle] ^= 1;
        for (bytes, is_good) in [(&other, false), (&whole, true)] {
            folder.remove(&part.name).unwrap();
            folder.create(&part.name).unwrap().write_at(0, bytes).unwrap();
            assert_eq!(check(export, folder).is_good(), is_good, "{}", part.name);
        }
    }
}

#[test]
fn lines_are_the_stored_rows_in_a_file_for_each_kind() {
    let (archive, now) = archive();
    let snapshot = archive.snapshot().unwrap();
    let export = Export::new(&snapshot, request(Format::Jsonl), now).unwrap();
    let (folder, _) = run(&export, 2);
    for (record, name) in [
        (Record::Message, "messages.jsonl"),
        (Record::Copilot, "copilot.jsonl"),
        (Record::Recording, "recordings.jsonl"),
        (Record::Transcript, "transcripts.jsonl"),
    ] {
        let rows = stored(&snapshot, record).into_iter();
        let expected: Vec<u8> =
            rows.flat_map(|row| [row.json.as_slice(), b"\n"].concat()).collect();
        assert!(joined(&*folder, name) == expected, "{name}");
    }
}

#[test]
fn kinds_that_nobody_asked_for_are_left_out_and_told() {
    let (archive, now) = archive();
    let snapshot = archive.snapshot().unwrap();
    let records = vec![Record::Recording, Record::Message];
    let asked = Request { records, text_only: true, ..request(Format::Csv) };
    let export = Export::new(&snapshot, asked, now).unwrap();
    let (folder, index) = run(&export, 2);
    let [copilot, recordings, transcripts] = counted(index.counts);
    assert!(copilot == 0 && transcripts == 0 && recordings > 2 && index.counts.messages > 0);
    assert!(index.counts.omitted >= recordings, "the films are left out, and counted");
    for manifest in manifests(&*folder) {
        let words = &manifest.head.selection.more["words"]["Left out on request"];
        let words = words.as_str().unwrap();
        assert!(words.ends_with("Copilot interactions; transcripts"), "{words}");
    }
    let table = String::from_utf8(joined(&*folder, ".csv")).unwrap();
    assert_eq!(table.matches(",recording,").count() as u64, recordings);
    assert_eq!(table.matches(",recording.mp4,,omitted,").count() as u64, recordings, "listed");
}

#[test]
fn an_export_of_every_kind_goes_on_where_it_stopped() {
    let (archive, now) = archive();
    let snapshot = archive.snapshot().unwrap();
    for format in [Format::Eml, Format::Html, Format::Jsonl] {
        let asked = Request { part_bytes: 90_000, ..request(format) };
        let export = Export::new(&snapshot, asked, now).unwrap();
        let (whole, index) = run(&export, 2);
        assert!(index.parts.len() > 3, "{format:?}");
        for stop_at in [1, 2, index.parts.len() as u64 - 1] {
            let folder: Arc<dyn Storage> = Arc::new(Memory::new());
            let how = Run { threads: 1, ..Run::default() };
            let stopped = export.run(Arc::clone(&folder), how, &mut |done| {
                if done.parts >= stop_at {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            if stopped.is_ok() {
                continue;
            }
            let begun = Index::read(&*folder, export.name()).unwrap().unwrap();
            let again = Export::of_index(&snapshot, &begun).unwrap();
            let how = Run { resume: true, ..how };
            let _index =
                again.run(Arc::clone(&folder), how, &mut |_| ControlFlow::Continue(())).unwrap();
            assert!(files(&*folder) == files(&*whole), "{format:?} stopped at {stop_at}");
        }
    }
}

#[test]
fn one_session_or_one_meeting_can_be_handed_out() {
    let (archive, now) = archive();
    let snapshot = archive.snapshot().unwrap();
    let session = stored(&snapshot, Record::Copilot)[0].key.conversation.clone();
    let meeting = stored(&snapshot, Record::Recording).into_iter().map(|row| row.key.conversation);
    let meeting = meeting.into_iter().find(|meeting| !meeting.is_empty()).unwrap();
    for (chat, is_session) in [(session, true), (meeting, false)] {
        let asked = Request { chats: vec![chat], ..request(Format::Html) };
        let (folder, index) = run(&Export::new(&snapshot, asked, now).unwrap(), 1);
        let [copilot, recordings, transcripts] = counted(index.counts);
        assert_eq!(
            (copilot > 0, recordings > 0, transcripts > 0),
            (is_session, !is_session, !is_session)
        );
        assert_eq!(index.counts.messages, 0);
        let index = members(&*folder).into_iter().find(|(name, _)| name == "index.html").unwrap();
        let title = if is_session { "Copilot: " } else { "Recordings: " };
        assert!(String::from_utf8(index.1).unwrap().contains(title));
    }
}
