//! How a person looks on a page: a colour that is the same on every page, and initials.
//!
//! The colours themselves are in `style.css`, in pairs for light and dark; the tests read them there
//! and hold each against its background. Colour is never the only sign: the name is always written.

use crate::entry::Chat;

/// The classes of the palette.
const CLASSES: [&str; 12] =
    ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11"];

/// The class of the colour of whoever has this id: by their place among those who take part, so that
/// the two of a chat never look alike.
///
/// Of others by FNV-1a, which is fixed forever: the colour must not change with a version of a
/// library.
pub(crate) fn class(chat: &Chat, id: &str) -> &'static str {
    let place = chat.participants.binary_search_by(|person| person.id.as_str().cmp(id));
    let class = |place: usize| CLASSES.get(place % CLASSES.len()).copied();
    place.ok().and_then(class).unwrap_or_else(|| hashed(id))
}

fn hashed(id: &str) -> &'static str {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let index = usize::try_from(mixed(hash) % CLASSES.len() as u64).unwrap_or_default();
    CLASSES.get(index).copied().unwrap_or("p0")
}

/// Every bit from all bits, as `MurmurHash3` ends: ids that differ only in their last character would
/// mostly have one colour without it.
fn mixed(mut hash: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

/// One or two letters for the place where a portrait would be; `?` for a name without any.
pub(crate) fn initials(name: &str) -> String {
    let outside = name.split(['(', '[', '|', '@']).next().unwrap_or(name);
    let mut letters = outside
        .split_whitespace()
        .filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    let first = letters.next();
    let chosen = [first, letters.next_back()];
    let written: String = chosen.into_iter().flatten().flat_map(char::to_uppercase).collect();
    if written.is_empty() { "?".to_owned() } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_last_word() {
        for (name, letters) in [
            ("Ann Example", "AE"),
            ("ann maria van example (Contoso)", "AE"),
            ("王小明", "王"),
            ("مريم حداد", "مح"),
            ("bob@contoso.example", "B"),
            ("  ", "?"),
            ("🦊 (fox)", "?"),
            ("straße", "S"),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
    }

    #[test]
    fn a_colour_is_fixed_and_all_are_used() {
        assert_eq!(
            hashed("b4b3c1e2-0000-4000-8000-000000000001"),
            hashed("b4b3c1e2-0000-4000-8000-000000000001")
        );
        let mut seen: Vec<_> = (0..500).map(|n| hashed(&format!("user-{n}"))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), CLASSES.len());
    }

    /// The value of `--p3:#123456` in a piece of style sheet.
    fn shades(css: &str, name: &str) -> Vec<[f64; 3]> {
        css.match_indices(&format!("--{name}:#"))
            .map(|(at, found)| {
                let hex = &css[at + found.len()..at + found.len() + 6];
                [0, 2, 4].map(|part| {
                    let value =
                        f64::from(u8::from_str_radix(&hex[part..part + 2], 16).unwrap()) / 255.0;
                    if value <= 0.040_45 {
                        value / 12.92
                    } else {
                        ((value + 0.055) / 1.055).powf(2.4)
                    }
                })
            })
            .collect()
    }

    /// The contrast of WCAG 2 between two colours.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let light = |c: [f64; 3]| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] + 0.05;
        let (one, other) = (light(one), light(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_colour_can_be_read_on_its_paper_in_light_and_dark() {
        let css = super::super::page::STYLE;
        let papers = shades(css, "paper");
        assert_eq!(papers.len(), 2, "light and dark");
        let texts = ["ink", "soft", "link", "warn", "ins", "del"].into_iter();
        for name in CLASSES.into_iter().chain(texts) {
            let colours = shades(css, name);
            assert_eq!(colours.len(), 2, "{name}: light and dark");
            for (theme, colour) in colours.into_iter().enumerate() {
                for surface in ["paper", "panel"] {
                    let paper = shades(css, surface)[theme];
                    let ratio = contrast(colour, paper);
                    assert!(ratio >= 4.5, "{name} on {surface} in theme {theme}: {ratio:.2}");
                }
            }
        }
    }
}
