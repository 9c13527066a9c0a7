//! Names are safe everywhere, stay recognisable, and never fall together.

use proptest::prelude::*;

use super::*;

#[test]
fn a_name_keeps_what_is_safe_and_marks_what_is_not() {
    let long = format!("{}.docx", "ä".repeat(100));
    let cases = [
        ("report.pdf", "report.pdf"),
        ("a<b>c:d\"e/f\\g|h?i*j", "a_b_c_d_e_f_g_h_i_j"),
        ("tab\there\u{85}", "tab_here_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("  .hidden. ", "hidden"),
        ("e\u{301}te\u{301}.txt", "été.txt"),
        ("right\u{202e}fdp.exe", "right_fdp.exe"),
        ("no\u{a0}break\u{2003}space\u{2028}", "no_break_space_"),
        ("private\u{e000}", "private_"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com1 .txt", "_com1 .txt"),
        ("LPT²", "_LPT²"),
        ("COM10.txt", "COM10.txt"),
        ("common.txt", "common.txt"),
        ("日本語.pptx", "日本語.pptx"),
        ("", "x"),
        ("...", "x"),
        (&long, &format!("{}.docx", "ä".repeat(57))),
    ];
    for (wanted, expected) in cases {
        assert_eq!(safe(wanted, "x"), expected, "{wanted:?}");
    }
}

#[test]
fn a_long_extension_is_part_of_the_name() {
    let wanted = format!("v1.{}", "x".repeat(200));
    assert_eq!(safe(&wanted, "x"), wanted[..NAME_BYTES]);
}

#[test]
fn a_chats_folder_tells_topic_and_chat() {
    assert_eq!(
        slug("Project X / Q1", "19:abc@thread.v2"),
        slug("Project X / Q1", "19:abc@thread.v2")
    );
    assert!(slug("Project X / Q1", "19:a").starts_with("Project-X-_-Q1_"));
    assert_ne!(slug("Lunch", "19:a"), slug("Lunch", "19:b"));
    assert!(slug("", "19:a").starts_with("chat_"));
    assert_eq!(slug(&"w".repeat(500), "19:a").len(), 60 + 1 + 8);
}

#[test]
fn a_path_gives_way_at_the_files_name() {
    assert_eq!(path(&["a", "b"], "c.txt"), "a/b/c.txt");
    let long = path(&[&"f".repeat(100)], &format!("{}.eml", "n".repeat(150)));
    assert_eq!(long.chars().count(), PATH_CHARS);
    assert!(long.ends_with("n.eml"));
}

#[test]
fn names_that_some_system_takes_for_one_are_folded_together() {
    for (one, other) in [("Report.pdf", "report.PDF"), ("straße", "STRASSE"), ("Σς", "σσ")] {
        assert_eq!(fold(one), fold(other));
    }
    assert_ne!(fold("report.pdf"), fold("report-2.pdf"));
}

proptest! {
    #[test]
    fn any_text_becomes_a_safe_name(wanted in any::<String>(), tail in ".{0,200}") {
        let name = safe(&format!("{wanted}{tail}"), "file");
        prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES);
        prop_assert!(!name.chars().any(is_unsafe), "{name:?}");
        prop_assert_eq!(trim(&name), &name);
        prop_assert!(!is_device(&name));
        prop_assert_eq!(&safe(&name, "file"), &name, "a safe name stays");
    }

    #[test]
    fn a_path_has_at_most_200_characters(folder in "[a-zä]{0,150}", file in "[a-zé]{1,150}(\\.[a-z]{1,5})?") {
        let path = path(&[&folder], &file);
        prop_assert!(path.chars().count() <= PATH_CHARS);
    }
}
