//! Writes the story's pages to a folder, for eyes: a browser, a printer.

use super::kit::{Pages, window};
use super::story;
use crate::entry::{Content, Context, NoObjects, Piece, RenderOptions};
use crate::format::html::{Index, Scene, Transcript};

/// `CHATVAULT_LOOK=folder cargo test -p chatvault-export pages_to_look_at -- --ignored`
#[test]
#[ignore = "writes pages for people to look at into the folder named by CHATVAULT_LOOK"]
fn pages_to_look_at() {
    let folder = std::env::var_os("CHATVAULT_LOOK").expect("CHATVAULT_LOOK names a folder");
    let pages = story_pages();
    assert!(pages.len() > 3);
    for (name, page) in pages {
        write(&std::path::Path::new(&folder).join(name), &page);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test that makes files to look at")]
fn write(path: &std::path::Path, page: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, page).unwrap();
}

/// All pages of all chats of the story, and their index.
pub(super) fn story_pages() -> Pages {
    let options = RenderOptions {
        zone: "Europe/Berlin".parse().unwrap(),
        as_of: super::kit::at("2021-07-15T09:00:00Z"),
        export_id: "8d3f5a52-4f0e-5c6f-9a7e-0d5b7b1c2e44".to_owned(),
        ..RenderOptions::default()
    };
    let window = window("2021-05-31T22:00:00Z", "2021-07-31T22:00:00Z");
    let mut pages = Pages::new();
    let mut sink = |piece: Piece| {
        let Content::Bytes(bytes) = piece.content else { panic!("pages are bytes") };
        assert_eq!(pages.insert(piece.name, String::from_utf8(bytes).unwrap()), None);
        Ok(())
    };
    let tenant = "6f1c9b7e-2a44-4f0a-8a7e-3f0f5d1b9a10";
    let mut index = Index::new(tenant, &options, window);
    for (chat, entries) in story::chats() {
        let context = Context {
            tenant,
            chat: &chat,
            names: &super::kit::NoNames,
            options: &options,
            objects: &NoObjects,
        };
        let scene = Scene::new(context);
        let mut transcript = Transcript::new(&scene, window);
        for entry in &entries {
            transcript.push(entry, &mut sink).unwrap();
        }
        let summary = transcript.finish(&mut sink).unwrap();
        index.add(&chat, &summary, &mut sink).unwrap();
    }
    index.finish(&mut sink).unwrap();
    pages
}
