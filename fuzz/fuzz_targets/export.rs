//! Any message, handed out in every format.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::export(bytes));
