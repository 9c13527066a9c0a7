//! Searches: a tree, its text, and whether a message meets it. Plain English words only: what other
//! scripts need has tests of its own.

use std::fmt;

use crate::Random;
use crate::json::Value;

#[derive(Clone, Debug)]
pub(super) enum Words {
    All(Vec<Words>),
    Any(Vec<Words>),
    Not(Box<Words>),
    Phrase { part: Option<&'static str>, words: Vec<&'static str>, is_start: bool },
}

const VOCABULARY: [&str; 8] =
    ["tea", "teapot", "offer", "offers", "letter", "budget", "nowhere", "lunch"];
const PARTS: [&str; 2] = ["body", "subject"];

/// A body of some words.
pub(super) fn text(random: &mut Random) -> String {
    let words = (0..random.below(6)).map(|_| {
        let word = random.word(&VOCABULARY);
        if word == "nowhere" { "Tea".to_owned() } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Words {
    /// With at most so many levels.
    pub(super) fn random(random: &mut Random, levels: u64) -> Self {
        let some = |random: &mut Random| {
            (0..2 + random.below(2)).map(|_| Self::random(random, levels - 1)).collect()
        };
        match random.below(if levels > 1 { 6 } else { 3 }) {
            3 => Self::All(some(random)),
            4 => Self::Any(some(random)),
            5 => Self::Not(Box::new(Self::random(random, levels - 1))),
            _ => Self::phrase(random),
        }
    }

    fn phrase(random: &mut Random) -> Self {
        let count = if random.chance(25) { 2 } else { 1 };
        let words = (0..count).filter_map(|_| random.pick(&VOCABULARY).copied()).collect();
        let part = if random.chance(20) { random.pick(&PARTS).copied() } else { None };
        Self::Phrase { part, words, is_start: random.chance(25) }
    }

    pub(super) fn is_met(&self, document: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.is_met(document)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met(document)),
            Self::Not(inside) => !inside.is_met(document),
            Self::Phrase { part, words, is_start } => {
                let is_there = |text: &str| {
                    let found: Vec<String> = words_of(text);
                    found.windows(words.len()).any(|run| stands(run, words, *is_start))
                };
                let asked = |name: &str| part.is_none_or(|part| part == name);
                (asked("body") && body(document).is_some_and(|text| is_there(&text)))
                    || (asked("subject") && subject(document).is_some_and(|text| is_there(&text)))
            }
        }
    }
}

fn stands(run: &[String], words: &[&str], is_start: bool) -> bool {
    let last = words.len() - 1;
    run.iter().zip(words).enumerate().all(|(at, (found, word))| {
        if is_start && at == last { found.starts_with(word) } else { found == word }
    })
}

fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Of an event the service's words are searched, which are none of these.
fn body(document: &Value) -> Option<String> {
    let is_event = matches!(document.member("eventDetail"), Some(Value::Object(_)));
    if is_event { None } else { document.member("body")?.member("content")?.text() }
}

fn subject(document: &Value) -> Option<String> {
    document.member("subject")?.text()
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
            parts.join(word)
        };
        match self {
            Self::All(parts) => f.write_str(&joined(parts, " ")),
            Self::Any(parts) => f.write_str(&joined(parts, " OR ")),
            Self::Not(inside) => write!(f, "-({inside})"),
            Self::Phrase { part, words, is_start } => {
                if let Some(part) = part {
                    write!(f, "{part}:")?;
                }
                write!(f, "\"{}{}\"", words.join(" "), if *is_start { "*" } else { "" })
            }
        }
    }
}
