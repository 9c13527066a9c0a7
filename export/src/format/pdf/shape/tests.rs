//! Letters become glyphs that can be copied back.

use super::*;

fn fonts() -> Fonts {
    Fonts::builtin().unwrap()
}

/// What the glyphs say, from left to right, and whether the page must carry the text besides.
fn read(word: &Word) -> (String, bool) {
    let mut read = String::new();
    for run in &word.runs {
        for glyph in &run.glyphs {
            read.push_str(&run.text[usize::from(glyph.shows.0)..usize::from(glyph.shows.1)]);
        }
    }
    (read, word.runs.iter().any(|run| run.is_complex))
}

#[test]
fn latin_letters_stand_one_behind_the_other_and_say_themselves() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    for text in ["office", "AVATAR", "naïve", "Straße", "Жук"] {
        let word = shaper.word(text, Slot::Regular, false);
        assert_eq!(read(&word), (text.to_owned(), false));
        assert!(word.width > 0);
    }
}

#[test]
fn right_to_left_words_stand_in_visual_order() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    let word = shaper.word("שלום", Slot::Regular, true);
    assert_eq!(read(&word), ("םולש".to_owned(), false));
}

/// The glyphs of a right-to-left word, in reading order.
fn rtl_glyphs(shaper: &mut Shaper<'_>, text: &str) -> Vec<u16> {
    let word = shaper.word(text, Slot::Regular, true);
    word.runs.iter().flat_map(|run| &run.glyphs).rev().map(|glyph| glyph.id).collect()
}

#[test]
fn arabic_letters_are_joined() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    let joined = rtl_glyphs(&mut shaper, "محمد");
    let apart: Vec<u16> =
        ["م", "ح", "م", "د"].iter().flat_map(|c| rtl_glyphs(&mut shaper, c)).collect();
    assert_eq!(joined.len(), 4);
    assert!(joined.iter().zip(&apart).all(|(joined, apart)| joined != apart), "{joined:?}");
    assert!(joined[0] != joined[2], "the first and the middle letter differ");
}

#[test]
fn an_emoji_sequence_is_one_picture() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    for text in ["👩‍💻", "🇩🇪", "👍🏽", "❤️"] {
        let word = shaper.word(text, Slot::Regular, false);
        let drawn = word.runs.iter().flat_map(|run| &run.glyphs).filter(|glyph| glyph.advance > 0);
        assert_eq!(drawn.count(), 1, "{text}");
    }
}

#[test]
fn a_character_without_a_glyph_is_spelled_and_remembered() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    let word = shaper.word("a\u{13000}b", Slot::Regular, false);
    let missing: Vec<Option<char>> = word.runs.iter().map(|run| run.missing).collect();
    assert_eq!(missing, [None, Some('\u{13000}'), None]);
    assert_eq!(read(&word).0, "a[U+13000]b");
    assert_eq!(&*shaper.word("\u{200D}\u{FEFF}", Slot::Regular, false), &Word::default());
}

#[test]
fn a_word_is_the_same_whether_it_was_kept_or_not() {
    let fonts = fonts();
    let (mut fresh, mut used) = (Shaper::new(&fonts), Shaper::new(&fonts));
    let words = ["hello", "漢字", "नमस्ते", "שלום", "a\u{301}", "ﷺ", "👨‍👩‍👧‍👦", "สวัสดี"];
    for word in words {
        drop(used.word(word, Slot::Bold, false));
    }
    for word in words {
        assert_eq!(fresh.word(word, Slot::Bold, false), used.word(word, Slot::Bold, false));
    }
}

#[test]
fn figures_stand_as_the_shaper_would_set_them() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    for slot in [Slot::Regular, Slot::Bold, Slot::Italic, Slot::BoldItalic, Slot::Mono] {
        for text in ["22:01:59", "1622757600000", "4711", ":"] {
            assert_eq!(*shaper.word(text, slot, false), shaper.shape(text, slot, false), "{text}");
        }
    }
}

#[test]
fn a_ligature_of_a_right_to_left_word_tells_its_letters_one_by_one() {
    let fonts = fonts();
    let mut shaper = Shaper::new(&fonts);
    let word = shaper.word("سلام", Slot::Regular, true);
    assert_eq!(read(&word), ("مالس".to_owned(), false));
    let blanks = word.runs[0].glyphs.iter().filter(|glyph| glyph.id == BLANK);
    assert_eq!(blanks.map(|glyph| glyph.advance).collect::<Vec<_>>(), [0]);
    let marked = shaper.word("جميعاً", Slot::Regular, true);
    assert_eq!(read(&marked), ("ًاعيمج".to_owned(), false));
}
