//! Rules about Rust sources.

use super::check;
use super::rust::{self, functions};
use super::source::Source;

const MOST_LINES_OF_A_FILE: usize = 600;
const MOST_LINES_OF_A_FUNCTION: usize = 70;

#[test]
fn every_source_says_first_what_it_is() {
    check(opening, &[("a.rs", "use std::fs;\n"), ("a.rs", "")]);
}

fn opening(source: &Source) -> Vec<String> {
    let silent = source.is("rs") && !source.text.starts_with("//! ");
    silent
        .then(|| source.finding(1, "does not open with `//! ` and what it is"))
        .into_iter()
        .collect()
}

#[test]
fn files_and_functions_stay_short() {
    let long = "\n".repeat(MOST_LINES_OF_A_FILE + 1);
    let function = format!("fn f() {{{}}}", "\n".repeat(MOST_LINES_OF_A_FUNCTION));
    check(length, &[("a.rs", &long), ("a.rs", &function)]);
}

fn length(source: &Source) -> Vec<String> {
    if !source.is("rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if source.text.lines().count() > MOST_LINES_OF_A_FILE {
        findings.push(source.finding(1, "the file is too long: look for its second idea"));
    }
    for function in functions(&source.code) {
        let lines = function.text.lines().count();
        if lines > MOST_LINES_OF_A_FUNCTION {
            let what = format!("`{}` has {lines} lines", function.name);
            findings.push(source.finding(function.line, &what));
        }
    }
    findings
}

#[test]
fn threads_are_begun_in_one_place() {
    check(threads, &[("web/src/a.rs", "std::thread::scope(|scope| {});\n")]);
}

fn threads(source: &Source) -> Vec<String> {
    let (folder, _) = source.path.split_once("/src/").unwrap_or_default();
    let is_product = !folder.is_empty() && !folder.contains('/') && !source.path.contains("test");
    if !is_product || source.path.starts_with("base/src/threads/") {
        return Vec::new();
    }
    let code = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let begins = |line: &str| {
        ["thread::spawn(", "thread::scope(", "thread::Builder"].iter().any(|one| line.contains(one))
    };
    let lines = (1..).zip(code.lines()).filter(|(_, line)| begins(line));
    lines
        .map(|(line, _)| source.finding(line, "begin threads by `chatvault_base::threads`"))
        .collect()
}

#[test]
fn every_test_asserts_something() {
    let bad = [
        ("a.rs", "#[test]\nfn t() { run(); }"),
        ("a.rs", "#[test]\nfn t() { let text = \"assert\"; run(text); } // assert"),
        ("a.rs", "fn t() { matches!(x, Err(_)); assert!(y); }"),
        ("a.rs", "fn t() { run();\n    matches!(run(), Some(Ok(_)));\n}"),
    ];
    check(asserts, &bad);
}

fn asserts(source: &Source) -> Vec<String> {
    let tests = functions(&source.code).into_iter().filter(|each| each.is_test);
    let silent = tests.filter(|each| !has_assertion(each.text));
    silent
        .map(|each| source.finding(each.line, &format!("test `{}` asserts nothing", each.name)))
        .chain(bare_matches(source))
        .collect()
}

/// An assertion macro of any kind, or a helper whose name begins with `check`.
fn has_assertion(code: &str) -> bool {
    ["assert", "prop_assert", "debug_assert", "check"].iter().any(|word| {
        code.match_indices(word).any(|(at, _)| {
            let behind = code[at..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            rust::is_word_start(code, at) && behind.starts_with(['!', '(', ':'])
        })
    })
}

/// `matches!(…);` as a statement: it looks like an assertion and checks nothing.
fn bare_matches(source: &Source) -> Vec<String> {
    let code = &source.code;
    let bare = code.match_indices("matches!(").filter(|&(at, found)| {
        let call = &code[at + found.len() - 1..];
        let end = rust::closing(call, '(', ')').unwrap_or(call.len());
        code[..at].trim_end().ends_with([';', '{', '}'])
            && call[end..].trim_start().starts_with(';')
    });
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    bare.map(|(at, _)| source.finding(line(at), "a bare `matches!` checks nothing")).collect()
}

#[test]
fn nothing_is_left_for_later_in_the_sources() {
    let samples: Vec<_> = reminders().map(|word| format!("// {word}: later")).into();
    let bad: Vec<_> = samples.iter().map(|text| ("a.toml", text.as_str())).collect();
    check(left_over, &bad);
}

/// Put together here so that this file does not contain them.
fn reminders() -> [String; 3] {
    [["FIX", "ME"], ["TO", "DO"], ["XX", "X"]].map(|parts| parts.concat())
}

fn left_over(source: &Source) -> Vec<String> {
    let words = reminders();
    let is_reminder = |word: &str| words.iter().any(|reminder| word == reminder);
    let lines = (1..).zip(source.text.lines());
    lines
        .filter(|(_, line)| line.split(|c: char| !c.is_alphanumeric()).any(is_reminder))
        .map(|(at, _)| source.finding(at, "belongs in an issue"))
        .collect()
}

#[test]
fn no_path_of_a_build_machine_is_named() {
    let samples = machine_folders().map(|folder| format!("let x = \"{folder}x\";"));
    let bad: Vec<_> = samples.iter().map(|text| ("a.rs", text.as_str())).collect();
    check(machine_paths, &bad);
}

fn machine_folders() -> [String; 5] {
    ["home", "root", "Users", "work", "mnt"].map(|folder| format!("/{folder}/"))
}

fn machine_paths(source: &Source) -> Vec<String> {
    let folders = machine_folders();
    let starts = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            !line[..at].ends_with(|last: char| last.is_alphanumeric() || "._-}/…".contains(last))
        })
    };
    let lines = (1..).zip(source.text.lines());
    lines
        .filter(|(_, line)| folders.iter().any(|folder| starts(line, folder)))
        .map(|(at, _)| source.finding(at, "names a folder of some machine"))
        .collect()
}
