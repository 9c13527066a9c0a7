//! A filter cut into words.

/// A word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Open,
    Close,
    Bare(String),
    Quoted(String),
}

/// Cuts a filter into words; `None` if a quote stays open.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            '(' => (Word::Open, 1),
            ')' => (Word::Close, 1),
            '\'' => quoted(rest)?,
            _ => bare(rest),
        };
        out.push(word);
        rest = rest.get(length..)?.trim_start();
    }
    Some(out)
}

fn quoted(text: &str) -> Option<(Word, usize)> {
    let mut value = String::new();
    let mut at = 1;
    loop {
        let piece = text.get(at..)?;
        let end = piece.find('\'')?;
        value.push_str(piece.get(..end)?);
        at += end + 1;
        if !text.get(at..)?.starts_with('\'') {
            return Some((Word::Quoted(value), at));
        }
        value.push('\'');
        at += 1;
    }
}

fn bare(text: &str) -> (Word, usize) {
    let end = text.find(|c: char| c.is_whitespace() || "()'".contains(c)).unwrap_or(text.len());
    (Word::Bare(text.get(..end).unwrap_or_default().to_owned()), end)
}
