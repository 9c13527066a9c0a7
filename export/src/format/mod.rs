//! The formats: each a pure function of entries, and what several of them share.

pub mod csv;
pub mod dat;
pub mod eml;
pub mod html;
pub mod jsonl;
pub mod markup;
pub mod mbox;
pub mod parquet;
pub mod pdf;
pub mod rsmf;
mod table;
