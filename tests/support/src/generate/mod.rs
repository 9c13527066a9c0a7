//! Made-up tenants and documents, decided by a seed.

mod documents;
mod pages;
mod tenant;

pub use documents::{broken, odd_document};
pub use pages::{JsonLines, PageFile, page_files};
pub use tenant::{Copy, Shape, Tenant};
