//! What tests, benches and fuzz targets share: samples, generators, a reference archive, bad disks.
//!
//! Nothing here uses the engine's own parsing: the reference reads JSON by itself, so that a
//! mistake has to be made twice, in two ways, to go unseen.

pub mod ask;
mod clock;
mod draft;
pub mod fixtures;
pub mod forge;
pub mod fuzz;
pub mod generate;
pub mod json;
pub mod model;
mod random;
pub mod storage;
mod time;

use chatvault_engine::{Environment, EnvironmentOptions};

pub use clock::SteppingClock;
pub use draft::{Draft, quoted};
pub use random::Random;
pub use time::{parse_time, stamp, stamp_ticks};

/// An environment with a cache of so many bytes.
pub fn with_cache(bytes: usize) -> Environment {
    let mut options = EnvironmentOptions::default();
    options.cache_bytes = bytes;
    Environment::new(options)
}
