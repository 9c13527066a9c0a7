//! Any bytes as a page of an export.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::page(bytes));
