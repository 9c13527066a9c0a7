//! Hostile files: right checksums, wrong contents.
//!
//! A program of its own, because it counts what its process asks of the allocator. Whatever a small
//! file says, a reader, a writer and verification answer with an error that names a file, or with what
//! is right, and ask for less than [`MOST_BYTES`].
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod chance;
mod lists;
mod sizes;
mod snapshots;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use chatvault_engine::Memory;
use chatvault_support::forge::{Proofs, Specimen, Step, Trial};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes that may be in use at once, beyond the files and the specimen.
const MOST_BYTES: usize = 64 << 20;

static SPECIMEN: LazyLock<Specimen> = LazyLock::new(|| Specimen::make().unwrap());

/// Tests take turns: bytes are counted for all threads together.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = &*SPECIMEN;
    alone
}

/// Asks everything of a forged archive, and counts bytes.
fn check(storage: &Memory, what: &str) -> Trial {
    check_steps(&Trial::STEPS, storage, what)
}

/// The same with some questions only.
fn check_steps(steps: &[(&str, Step)], storage: &Memory, what: &str) -> Trial {
    let mut trial = Trial::default();
    for (step, ask) in steps {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        ask(&mut trial, &SPECIMEN, storage);
        let bytes = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(bytes < MOST_BYTES, "{what}: {step} asks for {bytes} bytes");
    }
    trial
}

#[test]
fn the_specimen_is_healthy_and_comes_out_as_it_went_in() {
    let _alone = alone();
    let storage = SPECIMEN.forge.make(Proofs::All).unwrap();
    let trial = check(&storage, "nothing forged");
    assert!(!trial.is_told(), "{trial:?}");
    assert_eq!(trial.rows.as_ref(), Some(&SPECIMEN.rows));
    assert!(SPECIMEN.forge.is_as_it_was(&storage).unwrap());
}
