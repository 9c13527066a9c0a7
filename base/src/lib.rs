//! What the parts of chatvault share, and what needs none of them: no archive, no file, no network.
//!
//! | | |
//! |---|---|
//! | [`Timestamp`] | a moment, as the service writes it ([`time::text`]), as people do ([`time::parse_time`]), as a day and a clock ([`time::calendar`]) |
//! | [`Clock`] | time and chance, passed in so that a test can repeat a run |
//! | [`Progress`], [`Cancel`] | how far a long operation is, and how it is told to stop |
//! | [`threads`] | whatever is done on another thread |
//! | [`filter`] | the service's `$filter` language: one reader, one tree |
//! | [`reader`] | a text in a small language: its words, and the error at a character |
//! | [`decimal`] | numbers as digits |
//!
//! But for [`threads`], everything works on the calling thread and keeps nothing. Text from outside never panics: what is
//! none is a `None` or an error.
//!
//! ```
//! use chatvault_base::Timestamp;
//! use chatvault_base::time::{format_time, parse_time};
//!
//! let start = parse_time("2016-05").unwrap();
//! assert_eq!(start, "2016-05-01T02:00:00+02:00".parse()?);
//! assert_eq!((start.date(), format_time(start)), ((2016, 5, 1), "2016-05-01T00:00:00Z".into()));
//! # Ok::<(), chatvault_base::time::InvalidTime>(())
//! ```

mod clock;
pub mod decimal;
pub mod filter;
mod progress;
pub mod reader;
pub mod threads;
pub mod time;

pub use clock::{Clock, SystemClock};
pub use progress::{Cancel, OnProgress, Progress, Unit, continue_if, go_on};
pub use time::Timestamp;
