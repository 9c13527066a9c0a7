//! What questions give, as hashes that all peers must agree on.
//!
//! A row counts by its content address, in any order. Of copies that differ in white space, key order or
//! escapes the first one that came is kept, and which one that is depends on threads; so each row must
//! also be, byte for byte, one of the copies that the corpus has.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::corpus::{Corpus, Kind, copy_digest};
use crate::document::Facts;
use crate::peer::{Result, Session};

/// What all questions of a kind gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub rows: u64,
    /// BLAKE3 of each question's rows and the sum of their addresses.
    pub hash: String,
}

/// The rows of one question.
#[derive(Default)]
struct Rows {
    count: u64,
    sum: u128,
    scratch: Vec<u8>,
    wrong: Option<String>,
}

impl Rows {
    fn add(&mut self, document: &[u8], copies: &[u64]) {
        let address = Facts::of(document, &mut self.scratch).map(|facts| facts.address);
        let known = copies.binary_search(&copy_digest(document)).is_ok();
        let Some(address) = address.ok().filter(|_| known) else {
            let text = String::from_utf8_lossy(document).into_owned();
            self.wrong = Some(format!("these are no bytes that came in: {text}"));
            return;
        };
        let (first, last) = (address.first_chunk(), address.last_chunk());
        let half = |bytes: Option<&[u8; 16]>| bytes.map_or(0, |half| u128::from_le_bytes(*half));
        self.sum = self.sum.wrapping_add(half(first) ^ half(last).rotate_left(1));
        self.count += 1;
    }

    fn finish(self, hasher: &mut blake3::Hasher) -> Result<u64> {
        if let Some(wrong) = self.wrong {
            return Err(wrong.into());
        }
        let _ = hasher.update(&self.count.to_le_bytes()).update(&self.sum.to_le_bytes());
        Ok(self.count)
    }
}

/// Asks everything.
pub fn all(session: &mut dyn Session, corpus: &Corpus) -> Result<BTreeMap<String, Answer>> {
    let (copies, questions) = (corpus.copies()?, corpus.questions()?);
    let mut answers = BTreeMap::new();
    for kind in Kind::ALL {
        let (mut hasher, mut count) = (blake3::Hasher::new(), 0);
        for question in questions.by_kind.get(&kind).into_iter().flatten() {
            let mut rows = Rows::default();
            session.ask(question, &mut |document| rows.add(document, &copies))?;
            count += rows.finish(&mut hasher)?;
        }
        drop(answers.insert(kind.name().to_owned(), answer(count, &hasher)));
    }
    for threads in [1, 2] {
        let rows = Mutex::new(Rows::default());
        let add = |document: &[u8]| {
            if let Ok(mut rows) = rows.lock() {
                rows.add(document, &copies);
            }
        };
        if session.scan(threads, &add)? {
            let mut hasher = blake3::Hasher::new();
            let count = rows.into_inner()?.finish(&mut hasher)?;
            drop(answers.insert(format!("scan-{threads}"), answer(count, &hasher)));
        }
    }
    let counted = Answer { rows: session.count()?, hash: String::new() };
    drop(answers.insert("count".to_owned(), counted));
    Ok(answers)
}

fn answer(rows: u64, hasher: &blake3::Hasher) -> Answer {
    Answer { rows, hash: hasher.finalize().to_hex().as_str()[..32].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Size, Source, prepare};
    use crate::peer::{Mode, Place};
    use crate::stores::PEERS;

    #[test]
    fn all_peers_agree_and_store_nothing_twice() {
        let work = std::env::temp_dir().join(format!("chatvault-peers-{}", std::process::id()));
        let (_, corpus) = prepare(&work, &Source::MadeUp(600), &[Size::A]).unwrap().remove(0);
        let (mut first, fresh) = (None, corpus.fresh().unwrap());
        let (_, page) = crate::corpus::page_files(&corpus.pages()).unwrap().remove(0);
        let page = std::fs::read(page).unwrap();
        let known: Vec<Vec<u8>> =
            crate::document::split(&page).unwrap().into_iter().map(Vec::from).collect();
        for peer in PEERS {
            let folder = work.join(peer.name());
            let place = Place { folder, dictionary: corpus.dictionary() };
            peer.import(&place, &corpus.pages(), None).unwrap();
            let mut session = peer.open(&place, Mode::Read).unwrap();
            let answers = all(&mut *session, &corpus).unwrap();
            session.close().unwrap();
            assert_eq!(first.get_or_insert_with(|| answers.clone()), &answers, "{}", peer.name());
            for (documents, new) in [(&known, 0), (&fresh, fresh.len() as u64), (&fresh, 0)] {
                let mut session = peer.open(&place, Mode::Write).unwrap();
                let before = session.count().unwrap();
                session.commit("somebody", documents).unwrap();
                session.close().unwrap();
                let after = peer.open(&place, Mode::Read).unwrap().count().unwrap();
                assert_eq!(after - before, new, "{}", peer.name());
            }
        }
        std::fs::remove_dir_all(work).unwrap();
    }
}
