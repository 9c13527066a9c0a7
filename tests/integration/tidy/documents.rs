//! Rules about documents: what they name exists, what they say to run is run.

use std::path::Path;

use super::source::{self, Source};
use super::{check, check_file};

#[test]
fn documents_name_files_that_exist() {
    let bad = [
        ("a.md", "See `engine/src/nowhere.rs`."),
        ("a.md", "See [the map](MAP.md)."),
        ("engine/a.md", "See `cli/gone/`."),
        ("a.md", "Start at `unheard_of.rs`."),
    ];
    check(dead_names, &bad);
}

fn dead_names(source: &Source) -> Vec<String> {
    if !source.is("md") {
        return Vec::new();
    }
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (at, line) in (1..).zip(source.text.lines()) {
        let named = quoted(line).filter(|name| is_our_path(name)).chain(links(line));
        for name in named.filter(|name| !exists(folder, name)) {
            findings.push(source.finding(at, &format!("there is no `{name}`")));
        }
    }
    findings
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Targets of links inside the project.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

/// A source or document, or anything below one of our folders. Names of an archive's own files
/// and of what a command is given are not ours; patterns stand for many.
fn is_our_path(name: &str) -> bool {
    if name.contains([' ', '*', '<', '{', '…', '$', ':', '(']) {
        return false;
    }
    let ours = [
        "base", "engine", "graph", "ingest", "query", "export", "web", "cli", "tests", "benches",
        "fuzz", ".ci",
    ];
    let first = name.split('/').next().unwrap_or_default();
    let extension = Path::new(name).extension().and_then(|found| found.to_str());
    (name.contains('/') && ours.contains(&first))
        || (name.len() > 3 && matches!(extension, Some("rs" | "md")))
}

fn exists(folder: &str, name: &str) -> bool {
    let root = source::root();
    let bare = || source::all().iter().any(|source| source.name() == name);
    root.join(name).exists() || root.join(folder).join(name).exists() || bare()
}

#[test]
fn the_readme_and_the_architecture_stay_short() {
    check_file("README.md", |source| at_most(source, 120), &"\n".repeat(121));
    check_file("ARCHITECTURE.md", |source| at_most(source, 200), &"\n".repeat(201));
}

fn at_most(source: &Source, lines: usize) -> Vec<String> {
    let found = source.text.lines().count();
    let long = found > lines;
    long.then(|| source.finding(found, &format!("more than {lines} lines"))).into_iter().collect()
}

// The demo runs on the tests' build: an optimised one would be built for it alone.
#[test]
fn every_command_that_the_documents_list_is_run_by_ci() {
    let bad = "```sh\ncargo never\n```";
    check_file("CONTRIBUTING.md", |source| not_run(source, |_| true), bad);
    check_file(
        "README.md",
        |source| not_run(source, |line| line.starts_with("cargo test")),
        "```sh\ncargo test never\n```",
    );
}

/// Commands of `sh` blocks that `.ci/run` does not contain.
fn not_run(source: &Source, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let script = source::all().iter().find(|source| source.path == ".ci/run");
    let script = script.map_or("", |source| source.text.as_str());
    let run = |command: &str| script.lines().any(|line| line.trim() == command);
    let missing = commands(&source.text).filter(|(_, line)| wanted(line) && !run(line));
    missing.map(|(at, line)| source.finding(at, &format!("`{line}` is not in .ci/run"))).collect()
}

/// The lines of all `sh` blocks without comments.
fn commands(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    (1..).zip(text.lines()).filter_map(move |(at, line)| {
        if line.starts_with("```") {
            inside = line == "```sh";
            return None;
        }
        let command = line.split(" #").next().unwrap_or_default().trim();
        (inside && !command.is_empty() && !command.starts_with('#')).then_some((at, command))
    })
}

#[test]
fn commands_are_found_in_shell_blocks_only() {
    let text = "```sh\n# why\ncargo a   # b\n\n```\ncargo c\n```rust\ncargo d\n```\n";
    assert_eq!(commands(text).collect::<Vec<_>>(), [(3, "cargo a")]);
}
