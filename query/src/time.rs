//! Times as people write them in the fields of a query.

use chatvault_base::time::{self, ACCEPTED};
use chatvault_engine::Timestamp;

use crate::error::{Error, Result};

/// Reads a time: RFC 3339 with a zone, or a date, month or year (its first midnight UTC).
///
/// Ranges are half-open, so `2016-05` to `2016-06` is the whole of May and nothing else.
///
/// # Errors
///
/// [`Error::Value`] if it is none of these; it names `field`.
pub fn parse_time(field: &'static str, text: &str) -> Result<Timestamp> {
    time::parse_time(text).ok_or_else(|| Error::value(field, text, ACCEPTED))
}
