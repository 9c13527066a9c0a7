//! The formats: each a pure function of entries, and what several of them share.

pub(crate) mod csv;
pub(crate) mod dat;
pub(crate) mod eml;
pub mod html;
pub mod jsonl;
pub(crate) mod markup;
pub(crate) mod mbox;
pub(crate) mod parquet;
pub(crate) mod pdf;
pub(crate) mod rsmf;
mod table;
