//! What stands beside and below a message.

use super::*;

#[test]
fn numbers_are_grouped_by_thousands() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
    for (number, text) in cases {
        assert_eq!(grouped(number), text);
    }
    assert_eq!(bytes_words(20_480), "20,480 bytes");
}

#[test]
fn old_reactions_get_their_pictures() {
    let sign = |kind: &'static str| {
        let reaction = Reaction { kind: kind.into(), ..Reaction::default() };
        reaction_sign(&reaction).to_owned()
    };
    assert_eq!(sign("like"), "👍");
    assert_eq!(sign("🎉"), "🎉");
    assert_eq!(sign("custom"), "custom");
}
