//! What others put into messages must not break a file, and pictures are kept once.

use super::super::image::tests::{jpeg_file, png_file};
use super::*;

#[test]
fn hostile_bodies_make_whole_files() {
    let nested = format!(
        "{}deep{}",
        "<blockquote><ul><li>".repeat(300),
        "</li></ul></blockquote>".repeat(300)
    );
    let table =
        format!("<table>{}</table>", format!("<tr>{}</tr>", "<td>x</td>".repeat(60)).repeat(40));
    let inner = "<table><tr><td>".repeat(40);
    let bodies = [
        nested,
        table,
        inner,
        "x".repeat(60_000),
        "\u{202E}\u{202E}abc\u{2067}שלום\u{202C}".repeat(500),
        "👩‍💻".repeat(5_000),
        "a\u{301}".repeat(10_000),
        "<p>\u{0}\u{1}\u{1B}[31m) Tj ET endstream endobj</p>".to_owned(),
        "<img src=\"https://graph.microsoft.com/v1.0/hostedContents/none/$value\" width=\"99999999\">".to_owned(),
        "<script>app.alert(1)</script><a href=\"file:///etc/passwd\">x</a>".to_owned(),
        "\u{FFFF}\u{FDD0}\u{E000}\u{10FFFF}\u{85}\u{AD}".to_owned(),
        "<br>".repeat(5_000),
    ];
    let scene = Scene::new();
    for (at, body) in (0..).zip(&bodies) {
        let file = scene.file(vec![html(at, body), text(at + 60, body)]);
        let document = open(&file);
        assert!(document.get_pages().len() >= 2, "{at}");
        let raw = unpacked(&file);
        for forbidden in
            ["/JavaScript", "/JS", "/Launch", "/OpenAction", "/AA", "/EmbeddedFile", "file:///"]
        {
            assert!(!raw.contains(forbidden), "{forbidden} in {at}");
        }
        drop(all_text(&file));
    }
}

#[test]
fn an_entry_without_a_version_is_passed_over() {
    let scene = Scene::new();
    let mut empty = text(1, "x");
    empty.versions.clear();
    let file = scene.file(vec![text(0, "before"), empty, text(2, "after")]);
    assert_order(&all_text(&file), &["before", "after"]);
}

fn with_picture(scene: &mut Scene, at: i64, bytes: Vec<u8>) -> Entry {
    let body = "<p>look: <img src=\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/h1/$value\" \
        alt=\"a chart\"></p>";
    let mut entry = html(at, body);
    entry.attached = vec![stored(&mut scene.store, "hosted:h1", None, bytes)];
    entry
}

fn pictures(file: &[u8]) -> usize {
    let document = open(file);
    let is_picture = |object: &&lopdf::Object| {
        let stream = object.as_stream().ok();
        let kind = stream.and_then(|stream| stream.dict.get(b"Subtype").ok());
        kind.and_then(|kind| kind.as_name().ok()) == Some(b"Image")
    };
    document.objects.values().filter(is_picture).count()
}

#[test]
fn a_picture_is_shown_and_stored_once() {
    let mut scene = Scene::new();
    let png = png_file(40, 30, png::ColorType::Rgb);
    let entries = vec![
        with_picture(&mut scene, 0, png.clone()),
        with_picture(&mut scene, 1, png),
        with_picture(&mut scene, 2, jpeg_file(50, 20)),
        with_picture(&mut scene, 3, b"no picture".to_vec()),
    ];
    let file = scene.file(entries.clone());
    assert_eq!(pictures(&file), 2);
    assert_order(&all_text(&file), &["look:", "Inline image:", "[image: a chart, not shown here]"]);
    scene.options.text_only = true;
    let file = scene.file(entries);
    assert_eq!(pictures(&file), 0);
    assert_order(&all_text(&file), &["[image: a chart]"]);
}

#[test]
fn a_damaged_picture_says_so_in_its_place() {
    let mut scene = Scene::new();
    let mut png = png_file(40, 30, png::ColorType::Rgb);
    png.truncate(png.len() / 2);
    let mut jpeg = jpeg_file(50, 20);
    jpeg.truncate(300);
    let entries = vec![with_picture(&mut scene, 0, png), with_picture(&mut scene, 1, jpeg)];
    let file = scene.file(entries);
    assert_eq!(pictures(&file), 0);
    let note = "[this image is damaged and cannot be shown]";
    assert_order(&all_text(&file), &["look:", note, "Inline image:", "look:", note]);
}

#[test]
fn names_from_outside_cannot_break_out_of_strings() {
    let mut scene = Scene::new();
    scene.chat.topic = Some(") /OpenAction << /S /JavaScript >> (\\ <x> \u{0} 漢字".to_owned());
    scene.options.export_id = "a)b>c<".to_owned();
    let file = scene.file(vec![text(0, "x")]);
    let document = open(&file);
    assert!(document.catalog().unwrap().get(b"OpenAction").is_err());
    let info = document.trailer.get(b"Info").unwrap().as_reference().unwrap();
    let info = document.get_dictionary(info).unwrap();
    let title = info.get(b"Title").unwrap().as_str().unwrap();
    let units: Vec<u16> =
        title[2..].chunks(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect();
    assert_eq!(String::from_utf16(&units).unwrap(), scene.chat.title());
}
