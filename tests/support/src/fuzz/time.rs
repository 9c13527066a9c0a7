//! Times in messages and questions.

use chatvault_engine::Timestamp;

use crate::{Draft, parse_time, quoted};

use super::{archive, check_law, offer, stored};

/// Any text as the times of a message and as a time of a question: never a panic, and whoever
/// understands it understands the same.
pub fn timestamp(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    check_row(text);
    let Ok(asked) = chatvault_query::parse_time("fuzz", text) else { return };
    if let Some(known) = parse_time(text) {
        assert_eq!(asked, known, "{text:?} in a question");
    }
    let written = chatvault_query::format_time(asked);
    assert_eq!(chatvault_query::parse_time("fuzz", &written).ok(), Some(asked), "{written}");
}

fn check_row(text: &str) {
    let made = 1_700_000_000_120;
    let draft = Draft::chat("19:fuzz@thread.v2", made)
        .set("createdDateTime", &quoted(text))
        .set("lastModifiedDateTime", &quoted(text));
    let archive = archive();
    let counts = offer(&archive, &[draft.json().as_bytes()]);
    check_law(counts, 1);
    assert_eq!(counts.stored, 1, "no time is a reason to refuse a message");
    let row = stored(&archive);
    match parse_time(text) {
        Some(known) => assert_eq!((row.created, row.modified), (known, known), "{text:?}"),
        // Read more leniently, or taken from id and etag.
        None if row.created == row.modified => (),
        None => panic!("{text:?} is {} and {}", row.created, row.modified),
    }
    if text.is_empty() {
        assert_eq!(row.created, Timestamp::from_ms(made));
    }
}
