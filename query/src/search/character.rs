//! What a character is to the search: part of a word, of a script without spaces, an emoji, nothing.

use unicode_properties::{
    GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory, emoji::EmojiStatus,
};

/// Stands between the parts of a text that no phrase may cross.
pub(super) const PART_BREAK: char = '\u{1e}';

/// What a character is to the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A letter or digit of a script that puts spaces between its words.
    Word,
    /// A letter of a script that does not, or that glues its particles on.
    Dense,
    /// Belongs to the letter before it.
    Mark,
    /// Begins an emoji.
    Emoji,
    /// Not there: a soft hyphen, a joiner, the direction of text.
    Ignored,
    /// Anything else: it ends what it stands behind.
    Other,
}

impl Kind {
    pub(super) fn of(c: char) -> Self {
        if c.is_ascii() {
            return if c.is_ascii_alphanumeric() { Self::Word } else { Self::Other };
        }
        if is_ignored(c) {
            return Self::Ignored;
        }
        if is_mark(c) {
            return Self::Mark;
        }
        match c {
            _ if c.is_alphabetic() && is_dense(c) => Self::Dense,
            _ if c.is_alphanumeric() && !is_squared_letter(c) => Self::Word,
            _ if is_emoji(c) => Self::Emoji,
            _ => Self::Other,
        }
    }
}

/// Flags and the like are alphabetic to Unicode, but nobody reads them as letters.
fn is_squared_letter(c: char) -> bool {
    matches!(c, '\u{1f100}'..='\u{1f1ff}')
}

fn is_emoji(c: char) -> bool {
    !matches!(c.emoji_status(), EmojiStatus::NonEmoji | EmojiStatus::NonEmojiButEmojiComponent)
}

fn is_mark(c: char) -> bool {
    c >= '\u{300}' && c.general_category_group() == GeneralCategoryGroup::Mark
}

/// What changes nothing about a word: it is typed by one and left out by the other.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{61c}')
}

/// Scripts whose words are not parted by spaces, and Hangul, whose particles are glued on.
fn is_dense(c: char) -> bool {
    matches!(c,
        // Thai, Lao; Myanmar and its extensions; Hangul as letters and syllables; Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aa7f}' | '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{1780}'..='\u{17ff}'
        // Tai Le, New Tai Lue, Tai Tham, Tai Viet; Balinese, Javanese.
        | '\u{1950}'..='\u{19df}' | '\u{1a20}'..='\u{1aaf}' | '\u{aa80}'..='\u{aadf}'
        | '\u{1b00}'..='\u{1b7f}' | '\u{a980}'..='\u{a9df}'
        // Han with its radicals and signs, Kana, Bopomofo, Hangul's compatible letters.
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{303c}' | '\u{3040}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{1aff0}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

/// Is it a sign that most people never write: the points of Hebrew, the vowel signs of Arabic, and
/// the line that makes an Arabic word longer? A word is the same with them and without.
pub(super) fn is_point(c: char) -> bool {
    matches!(c,
        '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{652}'
        | '\u{670}' | '\u{6d6}'..='\u{6ed}')
}

/// Is it a mark that some people leave out: an accent of a Latin, Greek or Cyrillic letter, the
/// hamza of an Arabic one, or what goes around a digit?
///
/// Marks of other scripts, such as the vowels of Hindi, are part of the spelling.
pub(super) fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{653}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// The usual letter for one that is typed either way: the forms of alef, and endings.
pub(super) fn usual_letter(c: char) -> char {
    match c {
        'ٱ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        c => c,
    }
}

/// Letters that people who lack them replace, although Unicode has no accent to take away.
pub(super) fn plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

/// Is it the colour of somebody's skin in an emoji?
pub(super) fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}
