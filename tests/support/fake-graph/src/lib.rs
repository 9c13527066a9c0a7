//! A fake of the Graph export APIs over real HTTP on loopback, deterministic from a seed.
//!
//! Two halves: [`Tenant`] knows what exists and what a question returns at a time, without a clock
//! or a network; the server puts it behind tokens, pages, limits, faults and malice. Instead of a
//! made-up tenant it can serve page folders ([`Folders`]), as fast as memory can be copied.
//!
//! ```no_run
//! use std::sync::Arc;
//! use chatvault_fake_graph::{Behaviour, FakeGraph, Setup, Source, Tenant};
//!
//! let tenant = Arc::new(Tenant::new(&Setup::default()));
//! let fake = FakeGraph::start(Source::Tenant(Arc::clone(&tenant)), Behaviour::default())?;
//! println!("ask {} about tenant {}", fake.origin(), fake.tenant_id());
//! // … let a client work, and then compare with `tenant.truth(…)` and `fake.seen()`.
//! assert_eq!(fake.seen().altered_links, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! **Endpoints.** The token endpoint with secret or certificate; `getAllMessages` and
//! `getAllRetainedMessages` of users, teams and deleted teams; chats' delta; targeted messages;
//! recordings and transcripts (function form, `$filter` form, delta, content with `Range`); Copilot
//! interactions; hosted contents; shares, whose content redirects to a second origin; users, deleted
//! users, teams, deleted teams, chats and members. `/v1.0` and `/beta`.
//!
//! **What a client has to bear.** Links that name another path than was asked, and are refused if
//! changed in a single byte; short, empty, repeated and overlapping pages ([`Paging`]); both bounds of
//! a window or 400; limits per second and for long ([`Throttle`]); accidents of all kinds
//! ([`Faults`]); lies ([`Hostile`]); tokens and continuations that expire. [`Seen`] tells what the
//! client did.
//!
//! **Time.** The tenant's time is set ([`FakeGraph::set_now`]) or real; it decides what is visible
//! and when delta tokens and continuations end. Limits and access tokens go by real time.
//!
//! **On whose word.** `RULES.md` names for each endpoint the page that says so, or that it is assumed.
//!
//! **Alone.** `cargo run -p chatvault-fake-graph -- --help`.

mod folders;
mod server;
mod tenant;

pub use folders::Folders;
pub use server::{
    Access, Behaviour, CLIENT_ID, Class, FakeGraph, Faults, Foreign, Hostile, Paging, ROLES,
    SECRET, Seen, Source, Throttle,
};
pub use tenant::{
    CLOUD_ORIGIN, Collection, Content, ContentPath, DAY_MS, DELETED_VISIBLE_MS, Feed, Form, Item,
    LONGEST_LAG_MS, Ms, Place, RECYCLE_BIN_MS, RETAINED_VISIBLE_MS, Sender, Setup, Sighting, Team,
    Tenant, Truth, TruthObject, User, Window, fill,
};

/// The tenant that page folders stand for.
pub const FOLDER_TENANT: &str = "f17d6b0b-5ebe-4981-a5f6-7b13f0d9db64";
