//! Lines come out where they were put.

use super::*;

#[test]
fn only_links_a_reader_may_follow_are_links() {
    for good in ["https://example.com/?a=(b)", "http://x", "mailto:a@b.example", "HTTPS://X/"] {
        assert_eq!(safe_url(good).as_deref(), Some(good));
    }
    assert_eq!(safe_url("https://x/ü").as_deref(), Some("https://x/%C3%BC"));
    let long = format!("https://{}", "x".repeat(3_000));
    for bad in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "x",
        "",
        " https://x",
        "https://a b",
        "https://a\nb",
        "java\tscript:x",
        &long,
    ] {
        assert_eq!(safe_url(bad), None, "{bad:?}");
    }
}

#[test]
fn control_characters_do_not_reach_the_page() {
    assert_eq!(clean("a\tb\r\nc\u{0}\u{1B}d\u{2028}e"), "a    b\ncd\ne");
    assert!(matches!(clean("plain ünïcode\n"), std::borrow::Cow::Borrowed(_)));
}
