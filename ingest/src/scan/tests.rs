//! Where values end, in one piece and in every cut into two.

use super::*;

/// Values followed by something that is no part of them.
const VALUES: &[&str] = &[
    "{}",
    "[]",
    r#"{"a":1}"#,
    r#"{"a":{"b":[1,2,{"c":null}]}}"#,
    r#"{"a":"}"}"#,
    r#"{"a":"{[\"]}"}"#,
    r#"{"a":"\\"}"#,
    r#"{"a":"\\\\\""}"#,
    r#"{"a\\":"b"}"#,
    r#"{"a":"\u005c"}"#,
    r#"["]","[","\"]"]"#,
    "{ \"a\" :\r\n\t[ ] }",
    r#"{"html":"<p class=\"x\">{,}</p>","n":-1.5e+3}"#,
    r#"{"สมชาย":"ใจดี","😀":"\ud83d\ude00"}"#,
    r#""text""#,
    r#""te\"xt\\""#,
    r#""""#,
];

const SCALARS: &[&str] = &["0", "-12.5e+7", "true", "false", "null"];

#[test]
fn a_value_ends_where_it_ends_whatever_follows() {
    for value in VALUES.iter().chain(SCALARS) {
        for tail in [",{\"a\":1}", "]", "}", " \n", "\"x", "\n{}"] {
            let input = format!("{value}{tail}");
            assert_eq!(end_of_value(input.as_bytes()), Some(value.len()), "{input}");
        }
        assert_eq!(end_of_value(value.as_bytes()), Some(value.len()), "{value}");
    }
}

#[test]
fn a_value_may_be_cut_anywhere_between_two_pieces() {
    for value in VALUES {
        let input = format!("{value},");
        for cut in 1..value.len() {
            let (first, second) = input.as_bytes().split_at(cut);
            let mut scanner = Scanner::new();
            assert_eq!(scanner.feed(first), Step::More, "{value} at {cut}");
            assert_eq!(scanner.feed(second), Step::End(value.len() - cut), "{value} at {cut}");
        }
    }
}

#[test]
fn every_truncated_value_is_unfinished() {
    for value in VALUES {
        for cut in 0..value.len() {
            assert_eq!(end_of_value(value.as_bytes().split_at(cut).0), None, "{value} at {cut}");
        }
    }
}

#[test]
fn depth_needs_no_stack() {
    let deep = 2_000_000;
    let input = ["[".repeat(deep), "]".repeat(deep)].concat();
    assert_eq!(end_of_value(input.as_bytes()), Some(2 * deep));
    assert_eq!(end_of_value(input.as_bytes().split_at(2 * deep - 1).0), None);
}

#[test]
fn what_is_no_value_is_bad() {
    for input in ["}", "]", ",", ":", "x", "<html>", "\\", "\u{feff}{}"] {
        assert_eq!(Scanner::new().feed(input.as_bytes()), Step::Bad(0), "{input}");
    }
}

#[test]
fn it_stops_where_no_value_can_go_on() {
    // What it reads up to, and what follows.
    let cases = [
        (r#"{"a":1,{"#, r#""b":2}]"#),
        ("{\"a\":1 ,\n {", "}"),
        ("{[", "]}"),
        ("[{]", "}"),
        (r#"{"a":[1}"#, "]"),
        (r#"{"a":"x},{"b"#, r#"":1}"#),
        ("[1,g", "arbage]"),
        ("[\0", "]"),
        ("[\u{e9}", ""),
    ];
    for (seen, rest) in cases {
        let input = format!("{seen}{rest}");
        // The last character of what is seen is the first that cannot be there.
        let bad = seen.len() - seen.chars().next_back().unwrap().len_utf8() + 1;
        assert_eq!(Scanner::new().feed(input.as_bytes()), Step::Bad(bad), "{input}");
    }
}

#[test]
fn brackets_are_told_apart_as_deep_as_they_are_known() {
    for depth in 1..=64 {
        let open = r#"{"a":["#.repeat(depth / 2) + &"[".repeat(depth % 2);
        let close = "]".repeat(depth % 2) + &"]}".repeat(depth / 2);
        let input = format!("{open}{close}");
        assert_eq!(end_of_value(input.as_bytes()), Some(input.len()), "{depth}");
        let wrong = format!("{open}}}");
        assert_eq!(end_of_value(wrong.as_bytes()), None, "{depth}");
        // The outermost is wrong: it is known again when the others are closed.
        let last = close.len() - 1;
        let wrong = format!("{open}{}{}", &close[..last], if depth == 1 { "}" } else { "]" });
        assert_eq!(Scanner::new().feed(wrong.as_bytes()), Step::Bad(wrong.len()), "{depth}");
    }
}

#[test]
fn a_string_ends_at_its_first_bare_quote_however_long_it_is() {
    for length in 0..100 {
        let plain = "x".repeat(length);
        for (inside, end) in [("", 1), ("\\\"", 3), ("\\\\", 3), ("\\u0022é", 9)] {
            let text = format!("\"{plain}{inside}\"\\\"\"");
            assert_eq!(end_of_value(text.as_bytes()), Some(length + end + 1), "{text}");
        }
        assert_eq!(end_of_value(format!("\"{plain}").as_bytes()), None);
        assert_eq!(end_of_value(format!("\"{plain}\\").as_bytes()), None);
    }
}

#[test]
fn trimming_takes_json_white_space_only() {
    let cases: [(&[u8], &[u8]); 5] = [
        (b" \t{} \r\n", b"{}"),
        (b"", b""),
        (b" \r\n", b""),
        (b"\xc2\xa0{}", b"\xc2\xa0{}"),
        (b"a b", b"a b"),
    ];
    for (input, expected) in cases {
        assert_eq!(trim(input), expected);
    }
}
