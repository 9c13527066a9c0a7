//! Messages without a page around them, for whoever shows them in one of his own.

use super::card::Scene;
use super::clock::Local;
use super::leaf::{Elsewhere, Known, Leaf};
use super::places::Places;
use super::transcript::Month;
use super::write::Html;
use crate::entry::Entry;

/// Entries of one conversation, in export order, as a page of an export shows them: days and threads.
///
/// It goes with [`STYLE`](super::STYLE), and may stand wherever an element of a page may.
///
/// `elsewhere` gives the address of a message that is not among them, if it is anywhere: a reply links
/// to what it answers.
pub fn fragment(scene: &Scene<'_>, entries: &[Entry], elsewhere: Elsewhere<'_>) -> String {
    let mut leaf = Leaf::new(String::new(), Month { year: 1970, month: 1 }, 1);
    let mut places = Places::default();
    for card in entries.iter().map(|entry| scene.card(entry)) {
        if card.html.is_empty() {
            continue;
        }
        let zone = scene.context.options.zone;
        let local = card.is_dated.then(|| Local::of(zone, card.created)).flatten();
        leaf.add(&card, local, &Known { places: &places, pages: &[], elsewhere });
        places.put(&card.id, 0);
    }
    let mut html = Html::default();
    // A page with a frame has places of its own to jump to: a thread is none.
    leaf.write_sections(&mut html, "<section class=\"thread\">\n");
    html.into_text()
}
