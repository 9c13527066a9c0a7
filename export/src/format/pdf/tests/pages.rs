//! How pages and files come about.

use super::*;

fn long_chat(count: i64) -> Vec<Entry> {
    let words =
        "The budget for the third quarter was agreed after a long talk about travel and training.";
    (0..count)
        .map(|at| {
            text(
                at * 977,
                &format!("Number {at}: {}", &words[..20 + usize::try_from(at * 7 % 60).unwrap()]),
            )
        })
        .collect()
}

#[test]
fn the_bytes_are_the_same_on_any_number_of_threads() {
    let file = |threads| {
        let mut scene = Scene::new();
        scene.limits.threads = threads;
        let entries = long_chat(700).into_iter().chain([text(700_000, "漢字 שלום 👩‍💻 \u{13080}")]);
        scene.file(entries.collect())
    };
    let one = file(1);
    assert!(one == file(2) && one == file(5) && one == file(1));
}

#[test]
fn a_long_chat_goes_on_in_the_next_file_with_its_page_numbers() {
    let mut scene = Scene::new();
    scene.limits.pages_per_file = 20;
    let (pieces, summary) = scene.make(long_chat(1_500));
    assert!(pieces.len() > 3, "{}", pieces.len());
    assert_eq!(summary.files as usize, pieces.len());
    let mut before = 0;
    let mut found = 0;
    for (index, piece) in pieces.iter().enumerate() {
        let part = if index == 0 { String::new() } else { format!("_p{:03}", index + 1) };
        assert_eq!(piece.name, format!("Budget_2021_abcd/transcript_20210602-20210901{part}.pdf"));
        let document = open(&bytes(piece));
        let pages = document.get_pages().len();
        assert!(pages <= 21, "{pages}");
        assert_order(&page_text(&document, 1), &[&format!("Page {}", before + 1)]);
        assert_order(
            &page_text(&document, u32::try_from(pages).unwrap()),
            &[&format!("Page {}", before + pages)],
        );
        let text = all_text(&bytes(piece));
        while text.contains(&format!("Number {found}:")) {
            found += 1;
        }
        before += pages;
    }
    assert_eq!(found, 1_500);
    assert_eq!(summary.pages, before as u64);
}

#[test]
fn a_file_ends_when_it_has_enough_bytes() {
    let mut scene = Scene::new();
    scene.limits.bytes_per_file = 120_000;
    let (pieces, _summary) = scene.make(long_chat(1_500));
    assert!(pieces.len() > 1);
    for piece in &pieces {
        let size = bytes(piece).len();
        assert!(size < 150_000, "{size}");
    }
}

#[test]
fn files_of_64_kib_hold_everything() {
    let mut scene = Scene::new();
    scene.limits.bytes_per_file = 64 << 10;
    let entries = (0..600).map(|at| match at % 40 {
        0 => text(at * 977, "第三季度的预算 и русский שלום"),
        _ => text(at * 977, &format!("Number {at}: about the budget of the third quarter.")),
    });
    let (pieces, summary) = scene.make(entries.collect());
    assert!(pieces.len() > 1, "{}", pieces.len());
    let sizes: Vec<usize> = pieces.iter().map(|piece| bytes(piece).len()).collect();
    assert!(sizes.iter().all(|size| *size <= 64 << 10), "{sizes:?}");
    assert_eq!(summary.counts.messages, 600);
    let all: String = pieces.iter().map(|piece| all_text(&bytes(piece))).collect();
    let found = (0..600).filter(|at| all.contains(&format!("Number {at}:"))).count();
    assert_eq!(found, 585);
}

#[test]
fn a_limit_below_one_page_makes_a_file_of_each_page() {
    let mut scene = Scene::new();
    scene.limits.bytes_per_file = 1;
    let (pieces, _summary) = scene.make(long_chat(60));
    assert!(pieces.len() >= 3, "{}", pieces.len());
    for piece in &pieces {
        assert_eq!(open(&bytes(piece)).get_pages().len(), 2, "a cover and a page");
        let size = bytes(piece).len();
        assert!(size < 32 << 10, "{size}");
    }
}

#[test]
fn every_footer_says_which_export_and_chat_it_is_of() {
    let mut scene = Scene::new();
    scene.options.export_id = "6f1c2a9e-7d5b-5e0f-9a6e-0d6a2f6b8f31".to_owned();
    scene.chat.topic = Some("予算についての非常に長い名前".repeat(12));
    let document = open(&scene.file(vec![text(0, "x")]));
    for page in [1, 2] {
        let words = page_text(&document, page);
        let (_, footer) = words.rsplit_once("予算").unwrap();
        assert_order(
            footer,
            &["\u{2026}", "Export 6f1c2a9e-7d5b-5e0f-9a6e-0d6a2f6b8f31", &format!("Page {page}")],
        );
    }
}

#[test]
fn every_day_has_a_bookmark() {
    let scene = Scene::new();
    let file = scene.file((0..5).map(|day| text(day * 86_400, "x")).collect());
    let document = open(&file);
    let outline = document.get_toc().unwrap();
    let titles: Vec<&str> = outline.toc.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles.len(), 5);
    assert_eq!(titles[..2], ["Thursday, 3 June 2021", "Friday, 4 June 2021"]);
    let file = scene.file((0..60).map(|day| text(day * 86_400, "x")).collect());
    assert_eq!(open(&file).get_toc().unwrap().toc.len(), 63, "three months, and their 60 days");
}

#[test]
fn an_entry_longer_than_a_page_goes_on_under_its_name() {
    let scene = Scene::new();
    let file = scene.file(vec![text(0, &"one line after another\n".repeat(200))]);
    let document = open(&file);
    let pages = document.get_pages().len();
    assert!(pages >= 5, "{pages}");
    for page in 3..=pages {
        assert_order(
            &page_text(&document, u32::try_from(page).unwrap()),
            &["Ann Lee, 22:00:00 (continued)"],
        );
    }
}

#[test]
fn an_empty_window_is_a_cover() {
    let file = Scene::new().file(Vec::new());
    assert_order(&all_text(&file), &["CHAT TRANSCRIPT", "Messages", "0"]);
    assert_eq!(open(&file).get_pages().len(), 1);
}

#[test]
fn the_cover_counts_what_the_file_holds() {
    let scene = Scene::new();
    let (pieces, summary) = scene.make(long_chat(321));
    assert_eq!(summary.counts.messages, 321);
    let document = open(&bytes(&pieces[0]));
    assert_order(
        &page_text(&document, 1),
        &["Pages", &format!("1 to {}", summary.pages), "Messages", "321"],
    );
}
