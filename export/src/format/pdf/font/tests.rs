//! Which face shows which character.

use super::*;

fn shows(fonts: &Fonts, c: char) -> bool {
    let mut faces = fonts.candidates(Slot::Regular, false);
    faces.any(|face| fonts.face(face).is_some_and(|face| face.has(c)))
}

#[test]
fn the_built_in_fonts_show_the_scripts_that_are_promised() {
    let fonts = Fonts::builtin().unwrap();
    let samples = [
        "Zażółć gęślą jaźń ßẞ ñ ĩ",
        "Ελληνικά ἀρχή",
        "Русский Ђорђе Қазақ",
        "العربية فارسی اردو",
        "עברית",
        "हिन्दी বাংলা ਪੰਜਾਬੀ ગુજરાતી ଓଡ଼ିଆ தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
        "ไทย ລາວ ខ្មែរ မြန်မာ",
        "Հայերեն ქართული አማርኛ",
        "汉字漢字日本語ひらがなカタカナ",
        "한국어",
        "→ ≤ ∑ ☎ ✓ ★ ░ █ ┼ № € ₹ ₿ • … “”",
        "😀👍❤🎉🦄🫠🇩👩🏽‍💻",
    ];
    for sample in samples {
        let missing: String = sample
            .chars()
            .filter(|c| !super::super::shape::is_ignorable(*c) && *c != ' ')
            .filter(|c| !shows(&fonts, *c))
            .collect();
        assert_eq!(missing, "", "in {sample}");
    }
}

#[test]
fn what_is_no_font_is_refused() {
    let font = face::unpack(builtin::SLOT_FONTS[0]).unwrap();
    for bytes in [
        &b""[..],
        b"OTTO",
        b"no font at all, just text",
        &font[..200],
        b"ttcf\0\x01\0\0\xFF\xFF\xFF\xFF",
    ] {
        assert!(Face::new(bytes.to_vec().into(), 0).is_err(), "{} bytes", bytes.len());
    }
}

#[test]
fn a_font_that_forbids_to_be_embedded_is_refused() {
    let mut bytes = face::unpack(builtin::SLOT_FONTS[0]).unwrap();
    let tables = u16::from(bytes[4]) << 8 | u16::from(bytes[5]);
    let record = (0..usize::from(tables))
        .map(|table| 12 + table * 16)
        .find(|at| &bytes[*at..at + 4] == b"OS/2")
        .unwrap();
    let offset = bytes[record + 8..record + 12]
        .iter()
        .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    bytes[offset + 9] = 2;
    assert_eq!(Face::new(bytes.into(), 0).err(), Some(FontError::Forbidden));
}

#[test]
fn a_damaged_font_of_the_program_is_refused() {
    let font = builtin::SLOT_FONTS[0];
    for bytes in [&font[..font.len() / 2], b"no gzip", b""] {
        assert_eq!(face::unpack(bytes), Err(FontError::Unreadable));
    }
    assert_eq!(Face::packed(&[]).err(), Some(FontError::Unreadable));
}

#[test]
fn scripts_that_stand_together_come_from_one_face() {
    let fonts = Fonts::builtin().unwrap();
    let face = |c: char| {
        let mut faces = fonts.candidates(Slot::Regular, false);
        faces.find(|face| fonts.face(*face).is_some_and(|face| face.has(c)))
    };
    for text in ["漢字かなカナ、。「」ー", "한국어의ㄱ갂힣", "العربية١٢٣،؟", "แบบไทย๑๒๓"]
    {
        let faces: std::collections::BTreeSet<_> = text.chars().map(face).collect();
        assert_eq!(faces.len(), 1, "{text}");
    }
}
