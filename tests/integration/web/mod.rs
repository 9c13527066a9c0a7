//! The page over real HTTP: what it shows, what it starts, and whom it does not let in.
#![expect(clippy::disallowed_methods, reason = "looks at downloads as a person's programs do")]

mod backup;
mod downloads;
mod hostile;
mod kit;
mod meetings;
mod remote;
mod views;
