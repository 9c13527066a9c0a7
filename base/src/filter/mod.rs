//! The service's `$filter` language, whatever the fields are.
//!
//! [`read`] makes a [`Tree`] of a text over the fields that somebody knows; what a tree means is
//! theirs to say: `query` decides it on messages, `graph` recognises the forms that the service
//! documents. Written out, a tree is read back as the same.
//!
//! ```
//! use chatvault_base::filter::{Field, Type, read};
//!
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! struct Subject;
//!
//! impl Field for Subject {
//!     const EXPECTED: &'static str = "subject";
//!
//!     fn named(path: &str) -> Option<Self> {
//!         (path == "subject").then_some(Self)
//!     }
//!
//!     fn path(self) -> &'static str {
//!         "subject"
//!     }
//!
//!     fn value_type(self) -> Type {
//!         Type::Text
//!     }
//! }
//!
//! let tree = read::<Subject>("(subject+eq+'a')or not (subject gt 'b')")?;
//! assert_eq!(tree.to_string(), "subject eq 'a' or not (subject gt 'b')");
//! let error = read::<Subject>("subject = 'a'").unwrap_err();
//! assert!(error.to_string().starts_with("filter: character 9: expected eq, ne,"));
//! # Ok::<(), chatvault_base::reader::Unexpected>(())
//! ```

mod read;
mod tree;

pub use crate::reader::Unexpected;
pub use read::{LANGUAGE, read};
pub use tree::{Comparison, Field, Operand, Operator, Tree, Type, quoted};
