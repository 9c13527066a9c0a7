//! The saved inputs of the fuzzers, replayed: what was found once stays found.

#![expect(clippy::disallowed_methods, reason = "reads the corpus from the project's folder")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chatvault_support::Random;
use chatvault_support::forge::{FileKind, Piece, Specimen};
use chatvault_support::fuzz::{TARGETS, Target};

/// A target has so many saved inputs.
const LEAST_INPUTS: usize = 10;
/// Larger pieces would fill the repository.
const MOST_BYTES: usize = 4096;

#[test]
fn every_saved_input_keeps_its_promise() {
    for target in &TARGETS {
        check_target(target);
    }
}

fn check_target((name, body): &Target) {
    let inputs = inputs(name);
    assert!(inputs.len() >= LEAST_INPUTS, "only {} saved inputs for {name}", inputs.len());
    for path in inputs {
        let bytes = fs::read(&path).unwrap();
        let kept = std::panic::catch_unwind(|| body(&bytes));
        assert!(kept.is_ok(), "{name} breaks at {}", path.display());
    }
}

/// Two pieces of each name of a kind of file, as they are and forged, in place of what is there.
#[test]
#[ignore = "writes the saved inputs of the targets `archive_*` anew"]
fn write_saved_inputs_of_archives() {
    let forge = Specimen::make().unwrap().forge;
    let mut random = Random::new(7);
    for kind in FileKind::ALL.into_iter().filter(|kind| *kind != FileKind::Format) {
        let name = format!("archive_{kind:?}").to_lowercase();
        let _gone = fs::remove_dir_all(folder(&name));
        fs::create_dir_all(folder(&name)).unwrap();
        let of_kind = |piece: &Piece| FileKind::of(&piece.path) == Some(kind);
        let pieces: Vec<Piece> = forge.pieces().into_iter().filter(of_kind).collect();
        let mut written: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, piece) in (0_u8..=255).zip(&pieces) {
            let (what, contents) = (forge.name(piece), forge.contents(piece));
            let count = written.entry(what).or_default();
            if *count == 2 || contents.len() > MOST_BYTES {
                continue;
            }
            *count += 1;
            for forged in 0..3_u8 {
                let mut input = [&[place, forged], contents].concat();
                for _ in 0..forged {
                    let at = 2 + random.index(contents.len().max(1));
                    input.resize(input.len().max(at + 1), 0);
                    input[at] ^= 1 << random.below(8);
                }
                let how =
                    if forged == 0 { "healthy".to_owned() } else { format!("forged-{forged}") };
                let what = what.replace(' ', "-");
                fs::write(folder(&name).join(format!("{what}-{count}-{how}")), input).unwrap();
            }
        }
        assert!(inputs(&name).len() >= LEAST_INPUTS, "{name}");
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(target)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
