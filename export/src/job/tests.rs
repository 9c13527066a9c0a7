//! Exports of small archives in memory.
