//! Known answers, and that the two forms see what each is for.

use proptest::prelude::*;

use super::*;

/// The leaves of RFC 6962's reference tests and the roots of their first 1 to 8.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn roots_are_those_of_the_rfcs_reference() {
    let mut tree = Merkle::default();
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hex(&tree.root()), nothing);
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        let data = [vec![LEAF_BYTE], bytes(leaf)].concat();
        tree.push(sha256(&data));
        assert_eq!(hex(&tree.root()), root);
    }
}

const LEAF_BYTE: u8 = 0;

#[test]
fn a_subject_is_chat_id_and_etag_with_nul_between() {
    let mut digest = Digest::default();
    digest.add(&Subject::new("19:a", "1", "2"));
    assert_eq!(digest.subject_sum(), sha256(b"19:a\x001\x002"));
    assert_eq!(digest.merkle_root(), sha256(b"\x0019:a\x001\x002"));
}

#[test]
fn sums_wrap_at_two_to_the_256th() {
    let one = {
        let mut one = [0; 32];
        one[31] = 1;
        one
    };
    assert_eq!(add_sums(&[0xff; 32], &one), [0; 32]);
    let mut carried = [0; 32];
    carried[23] = 1;
    let mut low = [0; 32];
    low[24..].fill(0xff);
    assert_eq!(add_sums(&low, &one), carried);
}

#[test]
fn a_subject_in_place_of_another_or_twice_changes_the_sum() {
    let [a, b] = ["1", "2"].map(|id| Subject::new("19:a", id, "1"));
    let of = |subjects: &[Subject]| {
        let mut digest = Digest::default();
        for subject in subjects {
            digest.add(subject);
        }
        digest
    };
    assert_eq!(of(&[a, b]).subject_sum(), of(&[b, a]).subject_sum());
    assert_ne!(of(&[a, b]).merkle_root(), of(&[b, a]).merkle_root());
    for other in [&[a, a][..], &[b, b], &[a], &[a, b, b, b]] {
        assert_ne!(of(&[a, b]).subject_sum(), of(other).subject_sum());
    }
}

#[test]
fn hexadecimal_is_exactly_64_lower_case_digits() {
    assert_eq!(unhex(&hex(&sha256(b"x"))), Some(sha256(b"x")));
    for wrong in ["", "00", &"0".repeat(63), &"g".repeat(64), &"A0".repeat(32), &"+1".repeat(32)] {
        assert_eq!(unhex(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_digest_that_was_put_away_goes_on_as_if_never(before in 0_u32..70, after in 0_u32..70) {
        let subject = |n: u32| Subject::new("19:a", &n.to_string(), "1");
        let mut whole = Digest::default();
        (0..before).for_each(|n| whole.add(&subject(n)));
        let kept = whole.peaks().to_vec();
        let mut resumed = Digest::restore(whole.subjects(), &whole.subject_sum(), kept).unwrap();
        for n in before..before + after {
            whole.add(&subject(n));
            resumed.add(&subject(n));
        }
        prop_assert_eq!(resumed, whole);
    }

    #[test]
    fn sums_of_parts_add_up(cut in 0_usize..20) {
        let all: Vec<Subject> = (0..20).map(|n: u32| Subject::new("c", &n.to_string(), "")).collect();
        let of = |subjects: &[Subject]| {
            let mut digest = Digest::default();
            for subject in subjects {
            digest.add(subject);
        }
            digest.subject_sum()
        };
        prop_assert_eq!(add_sums(&of(&all[..cut]), &of(&all[cut..])), of(&all));
    }
}
