//! `WebVTT`, as transcripts come: who said what, and when.
//!
//! Nothing is refused: what is no cue is skipped, a cue without a voice has no speaker, and a time
//! that cannot be read is none.

use std::fmt;

/// Something that was said by one person in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cue {
    /// When, in milliseconds from the start; words can be older than that.
    pub at_ms: Option<i64>,
    /// Who.
    pub speaker: Option<String>,
    /// What, on one line.
    pub words: String,
}

impl fmt::Display for Cue {
    /// `0:12:05 Speaker: words`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at_ms {
            let (sign, seconds) = (if at < 0 { "-" } else { "" }, at.unsigned_abs() / 1_000);
            let (minutes, hours) = (seconds / 60 % 60, seconds / 3_600);
            write!(f, "{sign}{hours}:{minutes:02}:{:02} ", seconds % 60)?;
        }
        if let Some(speaker) = &self.speaker {
            write!(f, "{speaker}: ")?;
        }
        f.write_str(&self.words)
    }
}

/// The cues of a transcript, in its order; one with several voices gives one for each.
pub fn cues(text: &str) -> Vec<Cue> {
    let mut all = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some((start, _)) = line.split_once("-->") else { continue };
        let said: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        voices(milliseconds(start.trim()), &said.join(" "), &mut all);
    }
    all
}

/// Splits what stands in a cue where another voice begins.
fn voices(at_ms: Option<i64>, said: &str, all: &mut Vec<Cue>) {
    let mut cue = Cue { at_ms, ..Cue::default() };
    let mut rest = said;
    while let Some((before, tag, behind)) = next_tag(rest) {
        push_words(&mut cue.words, before);
        if let Some(speaker) = speaker(tag) {
            end(std::mem::replace(&mut cue, Cue { at_ms, ..Cue::default() }), all);
            cue.speaker = Some(speaker).filter(|name| !name.is_empty());
        } else if tag == "/v" {
            end(std::mem::replace(&mut cue, Cue { at_ms, ..Cue::default() }), all);
        }
        rest = behind;
    }
    push_words(&mut cue.words, rest);
    end(cue, all);
}

fn end(mut cue: Cue, all: &mut Vec<Cue>) {
    let words = cue.words.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() {
        cue.words = words;
        all.push(cue);
    }
}

/// What stands before the next tag, what is in it, and the rest.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('<')?;
    let (tag, behind) = rest.split_once('>')?;
    Some((before, tag, behind))
}

/// The name in `v Name` or `v.loud Name`.
fn speaker(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix('v')?;
    let (classes, name) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let is_voice = classes.is_empty() || classes.starts_with('.');
    is_voice.then(|| {
        let mut decoded = String::new();
        push_words(&mut decoded, name.trim());
        decoded
    })
}

/// The characters that `WebVTT` writes by their names.
const ENTITIES: [(&str, &str); 8] = [
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&nbsp;", "\u{a0}"),
    ("&lrm;", "\u{200e}"),
    ("&rlm;", "\u{200f}"),
    ("&quot;", "\""),
    ("&#39;", "'"),
];

fn push_words(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        out.push_str(before);
        let known = ENTITIES.iter().find(|(name, _)| entity.starts_with(name));
        let (name, character) = known.copied().unwrap_or(("&", "&"));
        out.push_str(character);
        rest = entity.get(name.len()..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// `[-][H:]M:S[.fff]`
fn milliseconds(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut fields = whole.rsplit(':');
    let seconds = fields.next().and_then(number)?;
    let minutes = fields.next().map_or(Some(0), number)?;
    let hours = fields.next().map_or(Some(0), number)?;
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds = hours * 3_600 + minutes * 60 + seconds;
    Some(sign * (seconds * 1_000 + number(&fraction)?))
}

/// At most nine digits.
fn number(digits: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}
