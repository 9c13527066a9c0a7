//! The saved inputs of the fuzzers, replayed: what was found once stays found.

#![expect(clippy::disallowed_methods, reason = "reads the corpus from the project's folder")]

use std::fs;
use std::path::{Path, PathBuf};

use chatvault_support::fuzz::{TARGETS, Target};

#[test]
fn every_saved_input_keeps_its_promise() {
    for target in &TARGETS {
        check_target(target);
    }
}

fn check_target((name, body): &Target) {
    let inputs = inputs(name);
    assert!(inputs.len() >= 10, "only {} saved inputs for {name}", inputs.len());
    for path in inputs {
        let bytes = fs::read(&path).unwrap();
        let kept = std::panic::catch_unwind(|| body(&bytes));
        assert!(kept.is_ok(), "{name} breaks at {}", path.display());
    }
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
