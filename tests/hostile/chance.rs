//! Forgeries by chance: thousands, the same in every run.

use chatvault_support::Random;
use chatvault_support::forge::{FileKind, Packing, Piece, Proofs, Trial, mutated};

use crate::{SPECIMEN, alone, check_steps};

const FORGERIES: u64 = 200;

/// One of so many is also salvaged and written to.
const WRITTEN_TO: u64 = 10;

/// More for a long run.
fn forgeries() -> u64 {
    let times = std::env::var("CHATVAULT_ROUNDS").ok().and_then(|n| n.parse().ok());
    FORGERIES * times.unwrap_or(1)
}

#[test]
fn no_forgery_panics_takes_memory_or_makes_a_sound_archive_of_other_rows() {
    let _alone = alone();
    let pieces = SPECIMEN.forge.pieces();
    let mut told = 0;
    for seed in 0..forgeries() {
        let random = &mut Random::new(seed);
        let kind = *random.pick(&FileKind::ALL).unwrap();
        let of_kind = |piece: &&Piece| FileKind::of(&piece.path) == Some(kind);
        let pieces: Vec<&Piece> = pieces.iter().filter(of_kind).collect();
        let piece = *random.pick(&pieces).unwrap();
        let before = SPECIMEN.forge.contents(piece);
        let contents = mutated(SPECIMEN.forge.shape(piece), before, random);
        let packing = if random.chance(80) { Packing::Padded } else { Packing::Tight };
        let proofs = if random.chance(80) { Proofs::All } else { Proofs::File };
        let mut forge = SPECIMEN.forge.clone();
        forge.put(piece, &contents, packing);
        let storage = forge.make(proofs).unwrap();
        let what = format!("seed {seed}, {} of {}, {proofs:?}", forge.name(piece), piece.path);
        // A writer merges and packs: that takes ten times as long as the rest.
        let steps = if seed % WRITTEN_TO == 0 { &Trial::STEPS[..] } else { &Trial::STEPS[..2] };
        let trial = check_steps(steps, &storage, &what);
        told += u64::from(trial.is_told());
        trial.check_sound(&SPECIMEN, kind);
        let is_sealed = !matches!(kind, FileKind::Format | FileKind::Manifest | FileKind::Journal);
        if proofs == Proofs::File && is_sealed && !SPECIMEN.forge.is_as_it_was(&storage).unwrap() {
            let named = trial.report.damages.iter().any(|damage| damage.file == piece.path);
            assert!(named, "{what}: {:?}", trial.report.damages);
        }
    }
    assert!(told > FORGERIES / 2, "only {told} were told");
}
