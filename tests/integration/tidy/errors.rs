//! Public functions that can fail say how.

use super::check;
use super::source::Source;

/// The libraries that others read.
const LIBRARIES: [&str; 6] =
    ["base/src/", "engine/src/", "export/src/", "graph/src/", "ingest/src/", "query/src/"];

#[test]
fn public_functions_that_can_fail_say_how() {
    let bad = "/// Reads it.\npub fn read(\n    place: &str,\n) -> Result<Read> {\n";
    let unsaid = "pub async fn read() -> std::result::Result<Read, Failure> {\n";
    check(silent, &[("engine/src/read.rs", bad), ("graph/src/read.rs", unsaid)]);
}

/// Public functions with a `Result` whose documentation names no error.
fn silent(source: &Source) -> Vec<String> {
    if !LIBRARIES.iter().any(|library| source.path.starts_with(library)) {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().collect();
    let public = lines.iter().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        line.starts_with("pub fn ") || line.starts_with("pub async fn ")
    });
    let silent = public.filter(|(at, _)| fails(&lines[*at..]) && !says(&lines[..*at]));
    silent.map(|(at, _)| source.finding(at + 1, "says nothing of its errors")).collect()
}

/// Does the function that begins here give a `Result`?
fn fails(lines: &[&str]) -> bool {
    let behind = lines.iter().position(|line| line.ends_with('{') || line.ends_with(';'));
    let head = lines[..=behind.unwrap_or(0)].join(" ");
    let given = head.rsplit_once("->").map_or("", |(_, given)| given);
    given.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "Result")
}

/// Does the documentation that ends here name an error: its kind, its type, or whose it is?
fn says(lines: &[&str]) -> bool {
    let above = lines.iter().rev().map(|line| line.trim_start());
    let documented = above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
    documented.into_iter().any(|line| {
        let named = |mark: &str| {
            line.match_indices(mark).any(|(at, _)| {
                line[at + mark.len()..].starts_with(|letter: char| letter.is_ascii_uppercase())
            })
        };
        named("`") || ["rror", "ail"].iter().any(|word| line.contains(word))
    })
}
