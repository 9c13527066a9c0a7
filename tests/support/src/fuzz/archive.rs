//! Any bytes as what a piece of an archive's file holds, in an archive that is healthy otherwise.
//!
//! The first byte chooses the piece among those of the kind of file, the second how it is packed and
//! bound; checksums hold always, so they stop nobody.

use std::sync::LazyLock;

use crate::forge::{FileKind, Packing, Piece, Proofs, Specimen, Trial};

static SPECIMEN: LazyLock<Specimen> = LazyLock::new(|| Specimen::make().unwrap());

/// `FORMAT`.
pub fn format(bytes: &[u8]) {
    forged(FileKind::Format, bytes);
}

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    forged(FileKind::Manifest, bytes);
}

/// A journal file.
pub fn journal(bytes: &[u8]) {
    forged(FileKind::Journal, bytes);
}

/// A segment.
pub fn segment(bytes: &[u8]) {
    forged(FileKind::Segment, bytes);
}

/// A ledger.
pub fn ledger(bytes: &[u8]) {
    forged(FileKind::Ledger, bytes);
}

/// A quarantine.
pub fn quarantine(bytes: &[u8]) {
    forged(FileKind::Quarantine, bytes);
}

/// A pack of objects.
pub fn pack(bytes: &[u8]) {
    forged(FileKind::Pack, bytes);
}

/// A dictionary.
pub fn dictionary(bytes: &[u8]) {
    forged(FileKind::Dictionary, bytes);
}

/// Opens, verifies, reads and writes; see [`Trial`] for what must hold.
fn forged(kind: FileKind, bytes: &[u8]) {
    let Some(([piece, how], contents)) = bytes.split_first_chunk::<2>() else { return };
    let of_kind = |piece: &Piece| FileKind::of(&piece.path) == Some(kind);
    let pieces: Vec<Piece> = SPECIMEN.forge.pieces().into_iter().filter(of_kind).collect();
    let piece = &pieces[usize::from(*piece) % pieces.len()];
    let packing = if how & 1 == 0 { Packing::Padded } else { Packing::Tight };
    let proofs = if how & 2 == 0 { Proofs::All } else { Proofs::File };
    let mut forge = SPECIMEN.forge.clone();
    forge.put(piece, contents, packing);
    let storage = forge.make(proofs).unwrap();
    Trial::of(&SPECIMEN, &storage).check_sound(&SPECIMEN, kind);
}
