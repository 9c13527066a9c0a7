//! Columns as another reader sees them, and sizes that were promised.

use bytes::Bytes;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::format::table::fixture::{HOSTILE, NOON, World, changed, entry, said};

/// A file of these messages; it never became larger than was said before.
fn written(world: &World, entries: &[Entry]) -> Vec<u8> {
    let records = Records::new(world.context());
    let mut file = File::new("tenant", &world.options).unwrap();
    let mut most = file.size_with(&Rows::empty());
    for entry in entries {
        let rows = records.record(entry);
        most = file.size_with(&rows);
        file.push(&rows).unwrap();
        assert!(file.size_with(&Rows::empty()) <= most, "the bound only sinks by writing");
    }
    let bytes = file.finish().unwrap();
    assert!(bytes.len() as u64 <= most, "{} bytes, at most {most} were promised", bytes.len());
    bytes
}

fn read(bytes: Vec<u8>) -> Vec<Row> {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

fn field<'r>(row: &'r Row, name: &str) -> &'r Field {
    row.get_column_iter().find(|(column, _)| *column == name).unwrap().1
}

#[test]
fn hostile_texts_come_back_exactly() {
    let world = World::new();
    let entries: Vec<Entry> =
        HOSTILE.iter().zip(0..).map(|(text, at)| entry(&[said(at, text)])).collect();
    let bytes = written(&world, &entries);
    assert_eq!(bytes, written(&world, &entries));
    let rows = read(bytes);
    assert_eq!(rows.len(), HOSTILE.len());
    let words = |text: &str| {
        let json = said(0, text).to_string();
        let document = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
        let message = chatvault_query::message::Message::of(&document);
        chatvault_query::body::plain_text(&message).into_owned()
    };
    for (row, text) in rows.iter().zip(HOSTILE) {
        assert_eq!(field(row, "body_text"), &Field::Str(words(text)));
    }
}

#[test]
fn values_have_their_types() {
    let mut world = World::new();
    world.options.versions = true;
    let first = said(0, "x");
    let edit = json!({"lastEditedDateTime": "2021-05-31T12:00:00.005Z",
        "mentions": [{"id": 0, "mentionText": "Bob", "mentioned": {"user": {"id": "bob"}}},
                     {"id": 1, "mentionText": "all"}]});
    let entry = entry(&[first.clone(), changed(&first, 5, edit)]);
    let rows = read(written(&world, &[entry]));
    let [first, second] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    assert_eq!(field(first, "created_utc"), &Field::TimestampMillis(NOON));
    assert_eq!(field(first, "last_edited_utc"), &Field::Null);
    assert_eq!(field(second, "last_edited_utc"), &Field::TimestampMillis(NOON + 5));
    assert_eq!(field(first, "is_latest"), &Field::Bool(false));
    assert_eq!(field(second, "version_no"), &Field::Long(2));
    let list = |row: &Row, name| match field(row, name) {
        Field::ListInternal(list) => list.elements().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(list(first, "mentions"), []);
    let mentions = ["Bob <bob>", "all"].map(|text| Field::Str(text.to_owned()));
    assert_eq!(list(second, "mentions"), mentions);
    assert_eq!(list(first, "custodians").len(), 2);
}

#[test]
fn a_file_without_rows_is_a_file() {
    let world = World::new();
    let bytes = written(&world, &[]);
    assert_eq!(read(bytes.clone()), [] as [Row; 0]);
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let tenant = about.iter().find(|one| one.key == "tenant_id").unwrap();
    assert_eq!(tenant.value.as_deref(), Some("tenant"));
    let columns = reader.metadata().file_metadata().schema().get_fields().len();
    assert_eq!(columns, WIDTH);
}

#[test]
fn row_groups_are_bounded_and_rows_stay_in_order() {
    let world = World::new();
    let records = Records::new(world.context());
    let mut file = File::new("tenant", &world.options).unwrap();
    let text = "x".repeat(1 << 20);
    for at in 0..40 {
        file.push(&records.record(&entry(&[said(at, &text)]))).unwrap();
    }
    let reader = SerializedFileReader::new(Bytes::from(file.finish().unwrap())).unwrap();
    let groups = reader.metadata().row_groups();
    let rows: Vec<i64> = groups.iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(rows.iter().sum::<i64>(), 40);
    assert!(rows.iter().all(|rows| *rows <= 17), "{rows:?}");
    let ids: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    let times = ids.iter().map(|row| field(row, "created_utc").clone());
    assert!(times.eq((0..40).map(|at| Field::TimestampMillis(NOON + at))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_is_larger_than_was_said(
        texts in prop::collection::vec("\\PC{0,60}|[a-c]{0,3}", 0..40),
        noise in prop::collection::vec(any::<u8>(), 0..3_000),
    ) {
        let world = World::new();
        // Base64 of noise: what neither a dictionary nor zstd can do much about.
        let mut hard = Vec::new();
        crate::content::base64_lines(&noise, crate::content::LineEnd::Lf, &mut hard);
        let hard = String::from_utf8(hard).unwrap();
        let texts = texts.iter().map(String::as_str).chain([hard.as_str()]);
        let entries: Vec<Entry> = texts.zip(0..).map(|(text, at)| entry(&[said(at, text)])).collect();
        prop_assert_eq!(read(written(&world, &entries)).len(), entries.len());
    }
}
