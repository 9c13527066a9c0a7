//! What neither the compiler nor clippy checks about the code base.
//!
//! A rule is a function from a source file to its findings. Every rule is first shown a bad
//! sample and must find it: a rule that went blind fails before it can pass anything.

#![expect(clippy::disallowed_methods, reason = "reads the project's own sources")]

mod code;
mod documents;
mod errors;
mod packages;
mod rust;
mod source;

use source::Source;

/// Shows `rule` its bad samples (path and text each), then all sources of the project.
fn check(rule: impl Fn(&Source) -> Vec<String>, bad: &[(&str, &str)]) {
    for (path, text) in bad {
        let sample = Source::new(path, text);
        assert!(!rule(&sample).is_empty(), "the rule does not see what is wrong with {text:?}");
    }
    let findings: Vec<_> = source::all().iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// The same for a file that must exist, so that a rule about it cannot pass for want of it.
fn check_file(path: &str, rule: impl Fn(&Source) -> Vec<String>, bad: &str) {
    let is_it = |source: &Source| source.path == path;
    assert!(source::all().iter().any(is_it), "there is no {path}");
    check(|source| if is_it(source) { rule(source) } else { Vec::new() }, &[(path, bad)]);
}
