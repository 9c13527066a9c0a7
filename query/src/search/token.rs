//! Text as tokens: what is put into the index, and what a search is compared with.
//!
//! A text is normalized (NFKC) and its letters are folded. Then
//!
//! * a run of letters and digits is a word. It has one position, whatever stands around it: so
//!   `report.pdf` is two words, and a search for it is one for two words in a row;
//! * a run of a script without spaces (Han, Kana, Thai …) has a position per letter. At each are the
//!   letter and the pair that it begins: a search for any part of the run is one for its pairs;
//! * an emoji is a word, with everything that is joined to it.
//!
//! Upper and lower case are one, and signs that most people never write (the points of Hebrew, the vowel
//! signs of Arabic) are left out. Where a word has accents, its form without them is at the same position: searched without
//! accents it is found either way, searched with them only as it was written.
//!
//! Always: a term has about [`MAX_TERM_CHARS`] characters at most, longer words are cut into terms in a
//! row, so nothing is lost; positions never go back by more than one.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use super::character::{
    Kind, PART_BREAK, is_accent, is_point, is_skin_tone, plain_letters, usual_letter,
};

/// Longest term; longer words are cut.
pub(super) const MAX_TERM_CHARS: usize = 64;
/// Stands where a word was cut.
const CUT: char = '\u{1f}';

/// What a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A word or emoji as it is written.
    Exact,
    /// The same without accents, at the same position.
    Plain,
    /// A letter of a script without spaces.
    Letter,
    /// It and the next one.
    Pair,
}

/// Calls `on` with each term, its position and form.
pub(super) fn tokens(text: &str, on: &mut dyn FnMut(&str, u32, Form)) {
    let normal = normalized(text);
    let mut run = Run { on, position: 0, word: String::new(), letters: Letters::default() };
    let mut skip_to = 0;
    for (at, c) in normal.char_indices() {
        if at < skip_to {
            continue;
        }
        match Kind::of(c) {
            Kind::Word => run.word(c),
            Kind::Dense => run.letter(c),
            Kind::Mark => run.mark(c),
            Kind::Ignored => {}
            Kind::Other => run.end(c),
            Kind::Emoji => {
                let rest = normal.get(at..).unwrap_or_default();
                let whole = rest.graphemes(true).next().unwrap_or_default();
                skip_to = at + whole.len();
                run.emoji(whole);
            }
        }
    }
    run.end(' ');
}

fn normalized(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// What is being read.
struct Run<'o> {
    on: &'o mut dyn FnMut(&str, u32, Form),
    position: u32,
    word: String,
    letters: Letters,
}

/// The last two letters of a run without spaces.
#[derive(Default)]
struct Letters {
    before: String,
    last: String,
}

impl Run<'_> {
    fn word(&mut self, c: char) {
        self.end_letters();
        self.word.push(c);
    }

    fn letter(&mut self, c: char) {
        self.end_word();
        self.next_letter();
        self.letters.last.extend(c.to_uppercase().flat_map(char::to_lowercase));
    }

    /// A mark without a letter is nothing. No letter has more than a term can hold.
    fn mark(&mut self, c: char) {
        let letter = &mut self.letters.last;
        if !letter.is_empty() {
            if letter.chars().count() < MAX_TERM_CHARS / 2 {
                letter.push(c);
            }
        } else if !self.word.is_empty() {
            self.word.push(c);
        }
    }

    fn emoji(&mut self, whole: &str) {
        self.end_word();
        self.end_letters();
        let exact: String =
            whole.chars().filter(|c| Kind::of(*c) != Kind::Ignored || *c == '\u{200d}').collect();
        let exact: String = exact.chars().take(MAX_TERM_CHARS).collect();
        let plain: String = exact.chars().filter(|c| !is_skin_tone(*c)).collect();
        (self.on)(&exact, self.position, Form::Exact);
        if plain != exact && !plain.is_empty() {
            (self.on)(&plain, self.position, Form::Plain);
        }
        self.advance();
    }

    fn end(&mut self, c: char) {
        self.end_word();
        self.end_letters();
        if c == PART_BREAK {
            self.advance();
        }
    }

    fn end_letters(&mut self) {
        if !self.letters.last.is_empty() {
            self.next_letter();
            self.letters.before.clear();
        }
    }

    /// Tells the last letter, and the pair that it ends.
    fn next_letter(&mut self) {
        let Letters { before, last } = &mut self.letters;
        if last.is_empty() {
            return;
        }
        (self.on)(last, self.position, Form::Letter);
        if !before.is_empty() {
            before.push_str(last);
            (self.on)(before, self.position.saturating_sub(1), Form::Pair);
        }
        std::mem::swap(before, last);
        last.clear();
        self.advance();
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let exact = folded(&word);
        let mut rest = &*exact;
        while !rest.is_empty() {
            let end = rest.char_indices().nth(MAX_TERM_CHARS).map_or(rest.len(), |(at, _)| at);
            let (term, behind) = rest.split_at(end);
            let cuts = (rest.len() < exact.len(), !behind.is_empty());
            (self.on)(&marked(term, cuts), self.position, Form::Exact);
            if let Some(plain) = without_accents(term) {
                (self.on)(&marked(&plain, cuts), self.position, Form::Plain);
            }
            self.advance();
            rest = behind;
        }
        drop(exact);
        self.word = word;
        self.word.clear();
    }

    fn advance(&mut self) {
        self.position = self.position.saturating_add(1);
    }
}

/// A piece of a word is told from a whole word, by where it was cut.
fn marked(term: &str, cuts: (bool, bool)) -> Cow<'_, str> {
    match cuts {
        (false, false) => Cow::Borrowed(term),
        (false, true) => Cow::Owned(format!("{term}{CUT}")),
        (true, false) => Cow::Owned(format!("{CUT}{term}")),
        (true, true) => Cow::Owned(format!("{CUT}{term}{CUT}")),
    }
}

/// Without the difference between upper and lower case.
///
/// By way of the upper case, so that `ß` meets `SS` and the two sigmas meet.
fn folded(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        let has_upper = word.bytes().any(|byte| byte.is_ascii_uppercase());
        return if has_upper { Cow::Owned(word.to_ascii_lowercase()) } else { Cow::Borrowed(word) };
    }
    let written = word.chars().filter(|c| !is_point(*c)).map(usual_letter);
    let lower = written.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    Cow::Owned(lower.nfc().collect())
}

/// The form that people write who leave accents out; `None` if it is the same, or nothing.
fn without_accents(term: &str) -> Option<String> {
    if term.is_ascii() {
        return None;
    }
    let mut plain = String::with_capacity(term.len());
    for c in term.nfd().filter(|c| !is_accent(*c)) {
        match plain_letters(c) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    let plain: String = plain.nfc().take(MAX_TERM_CHARS).collect();
    (!plain.is_empty() && plain != term).then_some(plain)
}
