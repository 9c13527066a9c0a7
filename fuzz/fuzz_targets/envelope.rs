//! Any bytes as the body of an answer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::envelope(bytes));
