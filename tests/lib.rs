//! Holds the integration test program; see `integration/main.rs`.
