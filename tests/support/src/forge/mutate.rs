//! Contents that are wrong in one place, by chance that can be repeated.

use super::bytes::varint;
use super::shape::{Field, Shape, Style, fields, put_item, with_field};
use super::{put_block, put_varint};
use crate::Random;

/// Bytes of a forged list at most.
const MOST_BYTES: usize = 1 << 12;

/// Numbers at the edges of what is possible.
const EDGES: [u64; 14] = [
    0,
    1,
    127,
    128,
    4_096,
    65_535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    1 << 32,
    1 << 53,
    1 << 63,
    u64::MAX,
];

/// The contents, forged in one place.
pub fn mutated(shapes: &[Shape], contents: &[u8], random: &mut Random) -> Vec<u8> {
    let found = fields(shapes, contents).unwrap_or_default();
    if found.is_empty() || random.chance(10) {
        return torn(contents, random);
    }
    let at = random.index(found.len());
    let new = forged(&found[at], contents, random);
    with_field(contents, &found, at, &new)
}

/// What a field's bytes are replaced by.
fn forged(field: &Field, contents: &[u8], random: &mut Random) -> Vec<u8> {
    let (own, body) = (&contents[field.at.clone()], &contents[field.body.clone()]);
    match field.shape {
        Shape::Number | Shape::Signed | Shape::Frame => number(own, random),
        Shape::Block | Shape::Inside(_) => match random.below(3) {
            0 => [number(own, random), body.to_vec()].concat(),
            1 => block(&torn(body, random)),
            _ => block(&vec![0; random.index(300)]),
        },
        Shape::List(_, item) | Shape::Pages(_, _, item) => match random.below(3) {
            0 => [number(own, random), body.to_vec()].concat(),
            1 => [own.to_vec(), torn(body, random)].concat(),
            _ => list(item, random),
        },
        _ => torn(own, random),
    }
}

fn number(own: &[u8], random: &mut Random) -> Vec<u8> {
    let before = varint(own).map_or(0, |(number, _)| number);
    let mut out = Vec::new();
    match random.below(8) {
        0 => out.extend_from_slice(&[0xff; 11]),
        1 => put_varint(&mut out, before.wrapping_add(1)),
        2 => put_varint(&mut out, before.wrapping_sub(1)),
        3 => put_varint(&mut out, before ^ (1 << random.below(64))),
        _ => put_varint(&mut out, random.pick(&EDGES).copied().unwrap_or(0)),
    }
    out
}

fn block(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_block(&mut out, bytes);
    out
}

/// Very many of the smallest items.
fn list(item: &[Shape], random: &mut Random) -> Vec<u8> {
    let style = random.pick(&Style::ALL).copied().unwrap_or(Style::Zeros);
    let (mut items, mut count) = (Vec::new(), 0);
    while items.len() < MOST_BYTES && count < MOST_BYTES {
        put_item(&mut items, item, style, count);
        count += 1;
    }
    let mut out = Vec::new();
    put_varint(&mut out, count as u64);
    out.extend_from_slice(&items);
    out
}

/// Bytes flipped, cut off, put in, or written over.
fn torn(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = random.index(out.len());
    match random.below(6) {
        0 => out.truncate(at),
        1 => out.splice(at..at, random.next_u64().to_le_bytes()).for_each(drop),
        2 => out.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0),
        3 => out.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
        4 => out.drain(at..(at + 1 + random.index(9)).min(bytes.len())).for_each(drop),
        _ => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
    }
    out
}
