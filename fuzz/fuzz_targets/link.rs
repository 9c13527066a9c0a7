//! Any text as a link of the service.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chatvault_support::fuzz::link(bytes));
