//! Rules about packages: who may depend on whom.

use super::check;
use super::source::Source;

/// Our packages by their folders, and which of ours each may use.
const EDGES: [(&str, &[&str]); 13] = [
    ("base", &[]),
    ("graph", &["base"]),
    ("engine", &["base"]),
    ("ingest", &["base", "engine", "graph"]),
    ("query", &["base", "engine"]),
    ("export", &["base", "engine", "query"]),
    ("web", &["base", "engine", "ingest", "query", "export"]),
    ("cli", &["engine", "ingest", "query", "export", "web"]),
    ("tests/support", &["engine", "ingest", "query", "export"]),
    ("tests/support/fake-graph", &["support"]),
    ("tests", &["engine", "ingest", "query", "export", "web", "cli", "support", "fake-graph"]),
    ("benches", &["engine", "ingest", "query", "export", "support", "fake-graph"]),
    ("fuzz", &["support"]),
];

/// What has no business in an embedded library.
const FOREIGN: [&str; 12] = [
    "anyhow",
    "async-std",
    "clap",
    "color-eyre",
    "comfy-table",
    "crossterm",
    "ctrlc",
    "indicatif",
    "miette",
    "ratatui",
    "smol",
    "tokio",
];

#[test]
fn packages_depend_on_each_other_in_one_direction_only() {
    let bad = [
        ("engine/Cargo.toml", "[dependencies]\nchatvault-query.workspace = true\n"),
        ("ingest/Cargo.toml", "[dev-dependencies]\nchatvault-query = { path = \"../query\" }\n"),
        ("query/Cargo.toml", "[dependencies.chatvault-cli]\npath = \"../cli\"\n"),
        ("query/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nclap.workspace = true\n"),
        ("engine/Cargo.toml", "[build-dependencies]\ntokio = \"1\"\n"),
        ("novel/Cargo.toml", "[package]\nname = \"novel\"\n"),
    ];
    check(edges, &bad);
}

fn edges(source: &Source) -> Vec<String> {
    let Some(folder) = source.path.strip_suffix("/Cargo.toml") else { return Vec::new() };
    // A workspace below another has its own rules (`benches/peers` compares other engines).
    let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == folder) else {
        let inner = source.text.contains("[workspace]");
        let unknown = source.finding(1, "say in tidy what this package may depend on");
        return if inner { Vec::new() } else { vec![unknown] };
    };
    let library = ["base", "engine", "query"].contains(&folder);
    let found = dependencies(&source.text).filter(|name| match name.strip_prefix("chatvault-") {
        Some(ours) => !allowed.contains(&ours),
        None => library && FOREIGN.contains(name),
    });
    found.map(|name| source.finding(1, &format!("must not depend on `{name}`"))).collect()
}

/// The names under every table of dependencies, `[dependencies.name]` too.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = table.ends_with("dependencies");
            return table.rsplit_once("dependencies.").map(|(_, name)| name);
        }
        let name = line.split([' ', '.', '=']).next()?;
        (inside && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

#[test]
fn the_lists_of_dependencies_are_read_in_every_form() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n\n# c\n\
                    [dev-dependencies.d]\nversion = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest).collect::<Vec<_>>(), ["a", "b", "d"]);
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    check(lints, &[("a/Cargo.toml", "[package]\nname = \"a\"\n")]);
}

fn lints(source: &Source) -> Vec<String> {
    let package = source.name() == "Cargo.toml" && source.text.contains("[package]");
    let own = source.text.contains("[workspace]");
    let missing = package && !own && !source.text.contains("[lints]\nworkspace = true");
    missing.then(|| source.finding(1, "lacks `[lints] workspace = true`")).into_iter().collect()
}
