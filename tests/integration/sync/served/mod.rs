//! `serve --graph` over real HTTP: another archive copies it completely, and clients read it.

mod asked;
mod copy;
mod kit;
mod service;
