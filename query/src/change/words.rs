//! Which words of a text were removed, and which were added.

use similar::{Algorithm, DiffTag, capture_diff_slices};

/// Words, spaces and marks of both texts up to which they are compared one by one. Longer texts
/// keep their common start and end; the time is bounded by the square of this.
const MOST_TOKENS: usize = 8_000;

/// What became of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is in both texts.
    Kept,
    /// It is in the text before only.
    Removed,
    /// It is in the text after only.
    Added,
}

/// A piece of two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What became of it.
    pub mark: Mark,
    /// Its text.
    pub text: String,
}

/// Compares two texts word by word. Kept and removed pieces together are the text before, kept and
/// added ones the text after; neighbours have different marks.
///
/// ```
/// use chatvault_query::change::{Mark, words};
///
/// let pieces = words("Tee at four?", "Tea at four?");
/// let shown: Vec<_> = pieces.iter().map(|piece| (piece.mark, &*piece.text)).collect();
/// assert_eq!(shown, [(Mark::Removed, "Tee"), (Mark::Added, "Tea"), (Mark::Kept, " at four?")]);
/// ```
pub fn words(before: &str, after: &str) -> Vec<Piece> {
    let (before, after) = (tokens(before), tokens(after));
    let start = before.iter().zip(&after).take_while(|(left, right)| left == right).count();
    let (head, before) = before.split_at(start);
    let (_, after) = after.split_at(start);
    let pairs = before.iter().rev().zip(after.iter().rev());
    let end = pairs.take_while(|(left, right)| left == right).count();
    let (before, tail) = before.split_at(before.len() - end);
    let (after, _) = after.split_at(after.len() - end);
    let mut pieces = Pieces::default();
    pieces.keep(head);
    if before.len() + after.len() > MOST_TOKENS {
        pieces.change(before, after);
    } else {
        compare(before, after, &mut pieces);
    }
    pieces.keep(tail);
    pieces.finish()
}

fn compare(before: &[&str], after: &[&str], pieces: &mut Pieces) {
    for op in capture_diff_slices(Algorithm::Myers, before, after) {
        let (tag, old, new) = op.as_tag_tuple();
        let old = before.get(old).unwrap_or_default();
        let new = after.get(new).unwrap_or_default();
        if tag == DiffTag::Equal { pieces.keep(old) } else { pieces.change(old, new) }
    }
}

/// Pieces in the making: a change collects until something is kept.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    removed: String,
    added: String,
    /// Kept white space behind a replaced word: part of the change if another one follows.
    space: String,
}

impl Pieces {
    fn keep(&mut self, tokens: &[&str]) {
        let text = tokens.concat();
        let is_replacing = !self.removed.is_empty() && !self.added.is_empty();
        if is_replacing && self.space.is_empty() && text.trim().is_empty() {
            self.space = text;
            return;
        }
        self.close();
        self.push(Mark::Kept, text);
    }

    fn change(&mut self, removed: &[&str], added: &[&str]) {
        if !self.space.is_empty() {
            if removed.is_empty() || added.is_empty() {
                self.close();
            } else {
                self.removed.push_str(&self.space);
                self.added.push_str(&std::mem::take(&mut self.space));
            }
        }
        self.removed.extend(removed.iter().copied());
        self.added.extend(added.iter().copied());
    }

    /// Ends the change that is collected.
    fn close(&mut self) {
        let removed = std::mem::take(&mut self.removed);
        let added = std::mem::take(&mut self.added);
        let space = std::mem::take(&mut self.space);
        self.push(Mark::Removed, removed);
        self.push(Mark::Added, added);
        self.push(Mark::Kept, space);
    }

    fn push(&mut self, mark: Mark, text: String) {
        if text.is_empty() {
            return;
        }
        match self.done.last_mut() {
            Some(last) if last.mark == mark => last.text.push_str(&text),
            _ => self.done.push(Piece { mark, text }),
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.close();
        self.done
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Space,
    /// Stands alone: a mark, or a letter of a script that writes no spaces.
    Single,
}

/// The text in pieces: words, runs of white space, and single marks.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some() && continues(c) {
            continue;
        }
        let class = class(c);
        if last.is_some_and(|last| last != class || class == Class::Single) {
            all.extend(text.get(start..at));
            start = at;
        }
        last = Some(class);
    }
    all.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    all
}

fn class(c: char) -> Class {
    if c.is_whitespace() {
        return Class::Space;
    }
    let writes_no_spaces = matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
            | '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    let is_word =
        (c.is_alphanumeric() || matches!(c, '_' | '\'' | '\u{2019}')) && !writes_no_spaces;
    if is_word { Class::Word } else { Class::Single }
}

/// Does a character belong to the one before it: accents, joiners, variation and skin tones?
fn continues(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `git diff --word-diff` shows it.
    fn shown(before: &str, after: &str) -> String {
        let show = |piece: Piece| match piece.mark {
            Mark::Kept => piece.text,
            Mark::Removed => format!("[-{}-]", piece.text),
            Mark::Added => format!("{{+{}+}}", piece.text),
        };
        words(before, after).into_iter().map(show).collect()
    }

    #[test]
    fn words_are_marked_whole() {
        for (before, after, expected) in [
            ("", "", ""),
            ("same", "same", "same"),
            ("", "new", "{+new+}"),
            ("old", "", "[-old-]"),
            ("Tee at 4?", "Tea at 5?", "[-Tee-]{+Tea+} at [-4-]{+5+}?"),
            ("one two", "eins zwei", "[-one two-]{+eins zwei+}"),
            ("see you", "see you tomorrow", "see you{+ tomorrow+}"),
            ("don't go", "do go", "[-don't-]{+do+} go"),
            ("明日会議", "今日会議", "[-明-]{+今+}日会議"),
            ("cafe\u{301}", "cafe", "[-cafe\u{301}-]{+cafe+}"),
            ("ok 👍🏽", "ok 👍🏿", "ok [-👍🏽-]{+👍🏿+}"),
            ("a\nb\nc", "a\nB\nc", "a\n[-b-]{+B+}\nc"),
        ] {
            assert_eq!(shown(before, after), expected);
        }
    }

    #[test]
    fn texts_that_are_too_long_keep_their_ends() {
        let word = |word: &str| format!("{word} ").repeat(20_000);
        let before = format!("start {}end", word("a b"));
        let after = format!("start {}end", word("x y"));
        let pieces = words(&before, &after);
        let marks: Vec<Mark> = pieces.iter().map(|piece| piece.mark).collect();
        assert_eq!(marks, [Mark::Kept, Mark::Removed, Mark::Added, Mark::Kept]);
        assert_eq!((&*pieces[0].text, &*pieces[3].text), ("start ", " end"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_texts_can_be_told_from_the_pieces(before in "[ab\u{301}日 .]{0,30}", after in "[ab\u{301}日 .]{0,30}") {
            let pieces = words(&before, &after);
            let side = |other: Mark| -> String {
                let kept = pieces.iter().filter(|piece| piece.mark != other);
                kept.map(|piece| piece.text.as_str()).collect()
            };
            prop_assert_eq!(side(Mark::Added), before);
            prop_assert_eq!(side(Mark::Removed), after);
            prop_assert!(pieces.windows(2).all(|pair| pair[0].mark != pair[1].mark));
        }
    }
}
