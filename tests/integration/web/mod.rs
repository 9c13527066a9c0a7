//! The page over real HTTP: what it shows, what it starts, and whom it does not let in.

mod backup;
mod downloads;
mod hostile;
mod kit;
mod remote;
mod views;
