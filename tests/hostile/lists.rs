//! Every kind of list, with as many items as a small file can say.

use std::collections::{BTreeMap, BTreeSet};

use chatvault_engine::Memory;
use chatvault_support::forge::{
    Field, FileKind, Forge, Packing, Part, Piece, Proofs, Shape, Style, Trial, fields, filled,
    put_varint, with_field,
};

use crate::{SPECIMEN, alone, check, check_steps};

/// Bytes of a list: packed as far as readers take it, 16 KB of a file. What the journal says is resident, so
/// this is what the bound holds: links and runs take some 60 times as much.
const BYTES: usize = 1 << 20;
/// Items that no list has.
const TOO_MANY: u64 = 300_000_000;
/// Zeros that are packed tight for as many items.
const ZEROS: usize = 100_000_000;
/// Row groups of a segment that says that it has 262,144 rows.
const GROUPS: usize = 64;

/// The most items of each kind of list, from FORMAT.md, "Limits".
fn limits() -> BTreeMap<String, usize> {
    let document = include_str!("../../engine/FORMAT.md");
    let table = document.split("| list | items at most |").nth(1).unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| "));
    let limit = |row: &str| {
        let mut cells = row.split(" | ");
        let name = cells.next()?.to_owned();
        Some((name, cells.next()?.replace(',', "").parse().ok()?))
    };
    rows.map(|row| limit(row).unwrap()).collect()
}

/// A list in some piece.
#[derive(Clone, Debug)]
struct Place {
    piece: Piece,
    /// Among the piece's fields.
    field: usize,
    name: &'static str,
    shape: Shape,
}

/// One place of each list in each kind of piece: the fullest.
fn places(forge: &Forge) -> Vec<Place> {
    let mut found: BTreeMap<(FileKind, &str, &str), (usize, Place)> = BTreeMap::new();
    for piece in forge.pieces().into_iter().filter(|piece| matches!(piece.part, Part::Contents(_)))
    {
        let kind = FileKind::of(&piece.path).unwrap();
        let contents = forge.contents(&piece);
        let Some(all) = fields(forge.shape(&piece), contents) else { continue };
        for (field, one) in all.iter().enumerate() {
            let Some((name, ..)) = one.shape.listed() else { continue };
            let place = Place { piece: piece.clone(), field, name, shape: one.shape };
            let bytes = one.body.len();
            let best = found.entry((kind, forge.name(&piece), name));
            let best = best.or_insert_with(|| (bytes, place.clone()));
            if best.0 < bytes {
                *best = (bytes, place);
            }
        }
    }
    found.into_values().map(|(_, place)| place).collect()
}

/// The contents of the place's piece with another list in it.
fn with_list(forge: &Forge, place: &Place, list: &[u8]) -> Vec<u8> {
    let contents = forge.contents(&place.piece);
    let all = fields(forge.shape(&place.piece), contents).unwrap();
    with_field(contents, &all, place.field, list)
}

fn forged(forge: &Forge, place: &Place, list: &[u8], packing: Packing) -> Memory {
    let mut forged = forge.clone();
    forged.put(&place.piece, &with_list(forge, place, list), packing);
    forged.make(Proofs::All).unwrap()
}

/// The first questions; with distinct items, which take the most, all of them.
fn check_filled(forge: &Forge, place: &Place, style: Style) -> bool {
    let list = filled(place.shape, style, (limits()[place.name], BYTES));
    let storage = forged(forge, place, &list, Packing::Padded);
    let steps = if style == Style::Distinct { &Trial::STEPS[..] } else { &Trial::STEPS[..2] };
    let what = format!("{style:?} {}, in {}", place.name, place.piece.path);
    check_steps(steps, &storage, &what).is_told()
}

#[test]
fn every_list_of_the_format_is_in_the_specimen() {
    let _alone = alone();
    let known: BTreeSet<String> = limits().into_keys().collect();
    let found = places(&SPECIMEN.forge).into_iter().map(|place| place.name.to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), known);
}

#[test]
fn a_list_that_says_more_than_its_kind_has_is_refused_before_memory_is_taken() {
    let _alone = alone();
    let limits = limits();
    for place in places(&SPECIMEN.forge) {
        for count in [limits[place.name] as u64 + 1, u64::from(u32::MAX), u64::MAX] {
            let mut list = Vec::new();
            put_varint(&mut list, count);
            list.resize(BYTES / 2, 0);
            let storage = forged(&SPECIMEN.forge, &place, &list, Packing::Padded);
            let told = check(&storage, &format!("too many {}", place.name)).is_told();
            assert!(told, "{count} {}", place.name);
        }
    }
}

#[test]
fn a_list_that_is_packed_too_tight_is_refused_by_its_frame() {
    let _alone = alone();
    let mut list = Vec::new();
    put_varint(&mut list, TOO_MANY);
    let mut seen = BTreeSet::new();
    let has_frames = |place: &Place| FileKind::of(&place.piece.path) != Some(FileKind::Manifest);
    for place in places(&SPECIMEN.forge).into_iter().filter(has_frames) {
        let bytes = if seen.insert(FileKind::of(&place.piece.path)) { ZEROS } else { ZEROS / 20 };
        list.resize(bytes, 0);
        let storage = forged(&SPECIMEN.forge, &place, &list, Packing::Tight);
        assert!(check(&storage, "packed tight").is_told(), "{place:?}");
    }
}

#[test]
fn a_list_of_as_many_small_items_as_there_can_be_takes_bounded_memory() {
    let _alone = alone();
    let mut told = 0;
    for place in places(&SPECIMEN.forge) {
        for style in Style::ALL {
            told += u32::from(check_filled(&SPECIMEN.forge, &place, style));
        }
    }
    assert!(told > 50, "only {told} were told");
}

#[test]
fn a_list_that_several_commits_fill_takes_no_more_than_that_of_one() {
    let _alone = alone();
    let commits = SPECIMEN.forge.named(FileKind::Journal, "commit");
    assert!(commits.len() > 1, "one commit is what other tests fill");
    for name in ["custodians", "runs", "counters", "checkpoints", "messages with links"] {
        let mut forge = SPECIMEN.forge.clone();
        for piece in &commits {
            let all = fields(forge.shape(piece), forge.contents(piece)).unwrap();
            let is_it = |one: &Field| one.shape.listed().is_some_and(|(of, ..)| of == name);
            let field = all.iter().position(is_it).unwrap();
            let most = (limits()[name], BYTES / commits.len());
            let list = filled(all[field].shape, Style::Distinct, most);
            let contents = with_field(forge.contents(piece), &all, field, &list);
            forge.put(piece, &contents, Packing::Padded);
        }
        let storage = forge.make(Proofs::All).unwrap();
        // A commit that says more of these is another history, unless copies are counted that are not there.
        let told = check(&storage, &format!("{name} in {} commits", commits.len())).is_told();
        assert!(told || name != "counters");
    }
}

#[test]
fn a_list_of_a_segment_that_says_that_it_has_many_rows_takes_bounded_memory() {
    let _alone = alone();
    let mut wide = SPECIMEN.forge.clone();
    let tables = places(&wide).into_iter();
    let tables = tables.filter(|place| FileKind::of(&place.piece.path) == Some(FileKind::Segment));
    let path = tables.clone().next().unwrap().piece.path;
    let sections = [
        "templates",
        "tables",
        "conversations",
        "senders",
        "sets",
        "custodians",
        "entries",
        "predictions",
    ];
    let names: Vec<&str> = tables.map(|place| wide.name(&place.piece)).collect();
    assert!(sections.iter().all(|section| names.contains(section)), "{names:?}");
    wide.widen(&path, GROUPS);
    let is_section = |place: &Place| sections.contains(&wide.name(&place.piece));
    for place in places(&wide).into_iter().filter(is_section) {
        for style in Style::ALL {
            assert!(check_filled(&wide, &place, style), "{place:?}");
        }
    }
}
