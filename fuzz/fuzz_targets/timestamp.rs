//! Any text as a time.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::timestamp(bytes));
