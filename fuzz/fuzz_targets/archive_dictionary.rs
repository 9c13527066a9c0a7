//! Any bytes as contents of a dictionary's file, in an archive that is healthy otherwise.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::archive::dictionary(bytes));
