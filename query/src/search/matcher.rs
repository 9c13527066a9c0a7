//! Whether a message meets a search, decided on its text: the measure of every other way.

use std::collections::HashMap;

use super::content::{Content, Part};
use super::token::tokens;
use super::tree::{Phrase, Tree};

/// The terms of a tree, ready to be looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// For each term, where it is wanted.
    terms: HashMap<String, Vec<Place>>,
    /// Starts of words, and where they are wanted.
    prefixes: Vec<(String, Place)>,
    /// How many terms each phrase has.
    sizes: Vec<usize>,
}

/// A phrase by its number, and a term of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    phrase: usize,
    term: usize,
}

impl Wanted {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut wanted = Self::default();
        tree.each_phrase(&mut |phrase| wanted.add(phrase));
        wanted
    }

    fn add(&mut self, phrase: &Phrase) {
        let number = self.sizes.len();
        self.sizes.push(phrase.terms.len());
        let place = |term| Place { phrase: number, term };
        let (whole, prefix) = phrase.split();
        for (at, (_, term)) in whole.iter().enumerate() {
            self.terms.entry(term.clone()).or_default().push(place(at));
        }
        if let Some((_, start)) = prefix {
            self.prefixes.push((start.clone(), place(whole.len())));
        }
    }
}

impl Wanted {
    /// Is any phrase of a tree that is wanted there?
    pub(super) fn is_any_in(&self, tree: &Tree, content: &Content) -> bool {
        let found = found(tree, self, content);
        let mut unwanted = vec![false; found.len()];
        tree.each_unwanted(&mut |phrase| {
            if let Some(place) = unwanted.get_mut(phrase.number) {
                *place = true;
            }
        });
        found.iter().zip(unwanted).any(|(is_there, is_unwanted)| *is_there && !is_unwanted)
    }
}

/// Does a record meet a tree?
pub(super) fn meets(tree: &Tree, wanted: &Wanted, content: &Content) -> bool {
    tree.holds(&found(tree, wanted, content))
}

/// Which phrases are there, by their numbers.
fn found(tree: &Tree, wanted: &Wanted, content: &Content) -> Vec<bool> {
    let mut phrases = Vec::with_capacity(wanted.sizes.len());
    tree.each_phrase(&mut |phrase| phrases.push(phrase));
    let mut found = vec![false; phrases.len()];
    for part in Part::ALL {
        let text = content.part(part);
        let is_open = |at: usize| {
            !found.get(at).copied().unwrap_or(true)
                && phrases.get(at).is_some_and(|phrase| phrase.part.is_none_or(|one| one == part))
        };
        if text.is_empty() || !(0..phrases.len()).any(is_open) {
            continue;
        }
        let hits = hits(text, wanted);
        for (at, phrase) in phrases.iter().enumerate() {
            let is_open = phrase.part.is_none_or(|one| one == part);
            if let Some(place) = found.get_mut(at)
                && is_open
            {
                *place |= hits.get(at).is_some_and(|hits| is_there(phrase, hits));
            }
        }
    }
    found
}

/// For each term of each phrase, the positions where it stands.
type Hits = Vec<Vec<Vec<u32>>>;

fn hits(text: &str, wanted: &Wanted) -> Hits {
    let mut hits: Hits = wanted.sizes.iter().map(|size| vec![Vec::new(); *size]).collect();
    let mut note = |place: Place, position: u32| {
        let term = hits.get_mut(place.phrase).and_then(|phrase| phrase.get_mut(place.term));
        if let Some(positions) = term {
            positions.push(position);
        }
    };
    tokens(text, &mut |term, position, _| {
        for place in wanted.terms.get(term).into_iter().flatten() {
            note(*place, position);
        }
        for (start, place) in &wanted.prefixes {
            if term.starts_with(start.as_str()) {
                note(*place, position);
            }
        }
    });
    hits
}

/// Do the terms stand at the phrase's distances somewhere?
fn is_there(phrase: &Phrase, hits: &[Vec<u32>]) -> bool {
    let Some((first, rest)) = hits.split_first() else { return false };
    let distances = || phrase.terms.iter().skip(1).map(|(distance, _)| *distance);
    first.iter().any(|start| {
        let mut places = rest.iter().zip(distances());
        // The positions of one term only grow.
        places.all(|(hits, distance)| hits.binary_search(&start.saturating_add(distance)).is_ok())
    })
}
