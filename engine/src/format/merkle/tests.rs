//! The tree against its recursive definition, and against published roots of its shape.

use super::*;

/// RFC 6962's own definition, word for word.
fn naive<H: HashFunction>(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => H::hash(&[]),
        [only] => *only,
        _ => {
            let k = (0..64).map(|bit| 1_usize << bit).take_while(|k| *k < leaves.len()).last();
            let (left, right) = leaves.split_at(k.unwrap());
            node::<H>(&naive::<H>(left), &naive::<H>(right))
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf::<Blake3>(format!("row {n}").as_bytes())).collect()
}

#[test]
fn the_streamed_root_is_the_recursive_one() {
    let all = leaves(70);
    let mut builder = Builder::<Blake3>::new();
    for count in 0..all.len() {
        assert_eq!(builder.root(), naive::<Blake3>(&all[..count]), "{count} leaves");
        assert_eq!(builder.leaves(), count as u64);
        assert!(builder.roots.len() <= 7, "{count} leaves keep {} roots", builder.roots.len());
        builder.push(format!("row {count}").as_bytes());
    }
}

#[test]
fn every_audit_path_proves_its_leaf_and_nothing_else() {
    for count in 1..70 {
        let all = leaves(count);
        let top = root::<Blake3>(&all);
        for (index, hash) in all.iter().enumerate() {
            let path = audit_path::<Blake3>(&all, index).unwrap();
            let place = (index as u64, count as u64);
            assert!(verify::<Blake3>(*hash, place, &path, &top), "{index} of {count}");
            assert_no_other_proof(*hash, place, &path, &top);
        }
        assert_eq!(audit_path::<Blake3>(&all, count), None);
    }
    assert_eq!(audit_path::<Blake3>(&[], 0), None);
}

fn assert_no_other_proof(hash: Hash, (index, count): (u64, u64), path: &[Hash], top: &Hash) {
    let ok = |hash, place, path: &[Hash], top: &Hash| verify::<Blake3>(hash, place, path, top);
    let other = leaf::<Blake3>(b"another");
    assert!(!ok(other, (index, count), path, top));
    assert!(!ok(hash, (index, count), path, &other));
    assert!(!ok(hash, (count, count), path, top), "an index beyond the end");
    assert!(!ok(hash, (index, 0), path, top), "an empty tree");
    assert!(!ok(hash, (index, count), &[path, &[other]].concat(), top), "a longer path");
    if let Some((_, shorter)) = path.split_last() {
        assert!(!ok(hash, (index, count), shorter, top), "a shorter path");
        assert!(!ok(hash, (index ^ 1, count), path, top), "another index");
    }
}

#[test]
fn a_node_cannot_be_passed_off_as_a_leaf() {
    let all = leaves(2);
    let forged = leaf::<Blake3>(&all.concat());
    assert_ne!(forged, root::<Blake3>(&all));
}

/// Inputs and roots of the reference trees that certificate-transparency implementations share.
const INPUTS: [&[u8]; 8] = [
    &[],
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
/// The audit path of leaf 5 among 8.
const PATH_5_OF_8: [&str; 3] = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
];

#[test]
fn with_sha_256_it_gives_the_published_roots_and_path() {
    let all: Vec<Hash> = INPUTS.iter().map(|input| leaf::<Sha256>(input)).collect();
    for (count, published) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&root::<Sha256>(&all[..count])), *published, "{count} leaves");
    }
    let path = audit_path::<Sha256>(&all, 5).unwrap();
    assert_eq!(path.iter().map(hex).collect::<Vec<_>>(), PATH_5_OF_8);
    assert!(verify::<Sha256>(all[5], (5, 8), &path, &root::<Sha256>(&all)));
}

fn hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// FIPS 180-4 in its plainest form, for these vectors only; the published roots check it too.
#[derive(Clone, Copy, Debug, Default)]
struct Sha256;

impl HashFunction for Sha256 {
    fn hash(parts: &[&[u8]]) -> Hash {
        let mut text = parts.concat();
        let bits = text.len() as u64 * 8;
        text.push(0x80);
        text.resize(text.len().next_multiple_of(64), 0);
        if text.len() as u64 * 8 < bits + 72 {
            text.resize(text.len() + 64, 0);
        }
        let end = text.len();
        for (n, byte) in bits.to_le_bytes().iter().enumerate() {
            text[end - 1 - n] = *byte;
        }
        let state = text
            .chunks_exact(64)
            .fold(fractions(8, 1.0 / 2.0), |state, block| sha_block(&state, block));
        let mut out = [0; 32];
        for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.swap_bytes().to_le_bytes());
        }
        out
    }
}

fn sha_block(state: &[u32], block: &[u8]) -> Vec<u32> {
    let mut w: Vec<u32> = block
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()).swap_bytes())
        .collect();
    let turn = |x: u32, by: [u32; 3]| by.iter().fold(0, |sum, n| sum ^ x.rotate_right(*n));
    for t in 16..64 {
        let (a, b) = (w[t - 15], w[t - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w.push(w[t - 16].wrapping_add(low).wrapping_add(w[t - 7]).wrapping_add(high));
    }
    let mut v = state.to_vec();
    for (k, word) in fractions(64, 1.0 / 3.0).iter().zip(&w) {
        let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        let one = [turn(v[4], [6, 11, 25]), choice, *k, *word];
        let one = one.iter().fold(v[7], |sum, part| sum.wrapping_add(*part));
        v.rotate_right(1);
        v[0] = one.wrapping_add(turn(v[1], [2, 13, 22])).wrapping_add(majority);
        v[4] = v[4].wrapping_add(one);
    }
    state.iter().zip(&v).map(|(a, b)| a.wrapping_add(*b)).collect()
}

/// SHA-256's constants: the first 32 bits of the fractions of roots of the first primes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 2^32")]
fn fractions(count: usize, power: f64) -> Vec<u32> {
    let primes = (2_u32..).filter(|n| (2..*n).all(|d| n % d != 0)).take(count);
    primes.map(|prime| (f64::from(prime).powf(power).fract() * 4_294_967_296.0) as u32).collect()
}
