//! The font files that travel with the program, compressed; `fonts/README.md` says where each is from.

macro_rules! font {
    ($name:literal) => {
        include_bytes!(concat!("../../../../fonts/", $name, ".ttf.gz"))
    };
}

/// One for each [`super::Slot`], in its order.
pub(super) const SLOT_FONTS: [&[u8]; super::SLOTS] = [
    font!("NotoSans-Regular"),
    font!("NotoSans-Bold"),
    font!("NotoSans-Italic"),
    font!("NotoSans-BoldItalic"),
    font!("NotoSansMono-Regular"),
];

/// Who is asked for what those lack, in this order: scripts with a font of their own first, fonts
/// that hold a little of everything last.
pub(super) const FALLBACK_FONTS: [&[u8]; 24] = [
    font!("NotoSansArabic-Regular"),
    font!("NotoSansHebrew-Regular"),
    font!("NotoSansThai-Regular"),
    font!("NotoSansDevanagari-Regular"),
    font!("NotoSansBengali-Regular"),
    font!("NotoSansTamil-Regular"),
    font!("NotoSansTelugu-Regular"),
    font!("NotoSansGujarati-Regular"),
    font!("NotoSansGurmukhi-Regular"),
    font!("NotoSansKannada-Regular"),
    font!("NotoSansMalayalam-Regular"),
    font!("NotoSansOriya-Regular"),
    font!("NotoSansSinhala-Regular"),
    font!("NotoSansArmenian-Regular"),
    font!("NotoSansGeorgian-Regular"),
    font!("NotoSansEthiopic-Regular"),
    font!("NotoSansKhmer-Regular"),
    font!("NotoSansLao-Regular"),
    font!("NotoSansMyanmar-Regular"),
    font!("DroidSansFallbackFull"),
    font!("NanumSquareRoundR"),
    font!("NotoSansSymbols2-Regular"),
    font!("NotoSansSymbols-Regular"),
    font!("NotoSansMath-Regular"),
];

/// For what is an emoji by itself or by the selector behind it.
pub(super) const EMOJI_FONT: &[u8] = font!("NotoEmoji-Regular");
