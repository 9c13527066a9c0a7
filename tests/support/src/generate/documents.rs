//! Random odd documents, and documents broken at random, for what must hold for any input.

use crate::fixtures::START_MS;
use crate::{Draft, Random, quoted};

const KEYS: [&str; 10] = ["", "a", "b", "é", "\u{e000}", "a/b", "😀", "@odata.type", "id", "etag"];
const NUMBERS: [&str; 12] = [
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e5",
    "1E400",
    "1.0e+5",
    "9007199254740993",
    "-1.5e-7",
    "18446744073709551616",
    "0.10",
];
const TEXTS: [&str; 12] = [
    r#""""#,
    r#""plain""#,
    r#""\u0000\u001F""#,
    r#""\ud83d""#,
    r#""\ude00\ud83d\ude00""#,
    r#""\"\\\/\b\f\n\r\t""#,
    "\"é\u{2028}\u{feff}\"",
    r#""2023-11-14T22:13:20.5Z""#,
    r#""1700000000123""#,
    r#""0ada0000-1111-4222-8333-444455556666""#,
    r#""0ADA0000-1111-4222-8333-444455556666""#,
    r#""<p>a &amp; b</p>""#,
];

/// A message with random, mostly odd content; few conversations and ids, so that some meet.
pub fn odd_document(random: &mut Random) -> Vec<u8> {
    let chat = format!("19:chat{}@thread.v2", random.below(4));
    let created = START_MS + i64::try_from(random.below(50)).unwrap_or(0);
    let mut draft = Draft::chat(&chat, created);
    if random.chance(60) {
        draft = draft.modified(created + i64::try_from(random.below(5)).unwrap_or(0));
    }
    for key in ["body", "subject", "from", "mentions", "attachments", "importance"] {
        if random.chance(30) {
            draft = draft.set(key, &value(random, 4));
        } else if random.chance(10) {
            draft = draft.without(key);
        }
    }
    while random.chance(40) {
        let key = random.word(&["x", "y", "subject", "webUrl", "z/é"]);
        draft = draft.add(key, &value(random, 5));
    }
    draft.json().into_bytes()
}

fn value(random: &mut Random, depth: u32) -> String {
    match random.below(if depth == 0 { 3 } else { 5 }) {
        0 => random.word(&NUMBERS).to_owned(),
        1 => random.word(&TEXTS).to_owned(),
        2 => random.word(&["null", "true", "false", "[]", "{}"]).to_owned(),
        3 => {
            let items: Vec<_> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", items.join(random.word(&[",", ", ", " ,\n"])))
        }
        _ => {
            let members: Vec<_> = (0..random.below(4)).map(|_| member(random, depth)).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn member(random: &mut Random, depth: u32) -> String {
    let key = quoted(random.word(&KEYS));
    let colon = random.word(&[":", ":", " : "]);
    [key.as_str(), colon, &value(random, depth - 1)].concat()
}

/// The same bytes with a few changes: bits, cuts, repetitions and foreign bytes.
pub fn broken(random: &mut Random, document: &[u8]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for _ in 0..=random.below(3) {
        break_once(random, &mut bytes);
    }
    bytes
}

fn break_once(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.index(bytes.len());
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, *random.pick(b"\"\\{}[],:0\0\n\xff\xed").unwrap_or(&0)),
        2 => drop(bytes.drain(..at)),
        3 => bytes.extend_from_within(at..),
        _ => {
            let bit = 1_u8 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
    }
}
