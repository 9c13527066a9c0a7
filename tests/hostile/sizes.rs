//! Sizes that files claim, and small files that say much.

use std::collections::BTreeMap;

use chatvault_support::forge::{FileKind, Forge, Packing, Part, Piece, Proofs, put_varint};

use crate::{SPECIMEN, alone, check};

fn make(forge: &mut Forge, piece: &Piece, contents: &[u8], packing: Packing) -> bool {
    forge.put(piece, contents, packing);
    let storage = forge.make(Proofs::All).unwrap();
    let what = format!("{} of {}", forge.name(piece), piece.path);
    check(&storage, &what).is_told()
}

/// The header of one frame of each kind, but for the footer: there are two of it.
fn heads() -> Vec<Piece> {
    let forge = &SPECIMEN.forge;
    let mut heads = BTreeMap::new();
    for piece in forge.pieces() {
        let Part::FrameHead(at) = piece.part else { continue };
        let kind = FileKind::of(&piece.path).unwrap();
        let contents = forge.name(&Piece { part: Part::Contents(at), ..piece.clone() });
        if contents != "footer" {
            drop(heads.insert((kind, contents), piece));
        }
    }
    heads.into_values().collect()
}

#[test]
fn a_frame_that_claims_another_size_is_refused() {
    let _alone = alone();
    let mut checked = 0;
    for piece in heads() {
        let is_journal = FileKind::of(&piece.path) == Some(FileKind::Journal);
        let (stored, raw) = if is_journal { (8, 12) } else { (0, 4) };
        for at in [stored, raw] {
            for size in [1, 256 << 20, u32::MAX] {
                let mut head = SPECIMEN.forge.contents(&piece).to_vec();
                head[at..at + 4].copy_from_slice(&size.to_le_bytes());
                let mut forge = SPECIMEN.forge.clone();
                // The last frame of a journal that is wrong is a tail that was never finished.
                let told = make(&mut forge, &piece, &head, Packing::Tight);
                assert!(told || is_journal, "{piece:?} says {size} at {at}");
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "only {checked} headers");
}

#[test]
fn a_large_dictionary_is_refused() {
    let _alone = alone();
    let pieces = SPECIMEN.forge.named(FileKind::Dictionary, "piece");
    for bytes in [255 << 20, 3 << 20, u64::MAX] {
        // The first piece says how large it is.
        let contents = SPECIMEN.forge.contents(&pieces[0]);
        let said = contents.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let mut large = Vec::new();
        put_varint(&mut large, bytes);
        large.extend_from_slice(&contents[said..]);
        large.truncate(contents.len());
        let mut forge = SPECIMEN.forge.clone();
        assert!(make(&mut forge, &pieces[0], &large, Packing::Padded), "{bytes} bytes");
    }
}
