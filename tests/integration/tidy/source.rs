//! The project's files as rules see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::rust;

/// A text file of the project.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the project, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// Rust only: the text with comments and literals blanked out, line by line the same.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut source = Self { path: path.to_owned(), text: text.to_owned(), code: String::new() };
        if source.is("rs") {
            source.code = rust::blank(text);
        }
        source
    }

    pub(super) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The file's own name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// A finding at a line, counted from 1.
    pub(super) fn finding(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// The project's folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All sources, documents and configuration files.
pub(super) fn all() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut found = Vec::new();
        collect(&root(), "", &mut found);
        assert!(found.len() > 30, "only {} files: is this the project's folder?", found.len());
        found
    });
    &ALL
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            if is_ours(&path, &name) {
                collect(&entry.path(), &format!("{path}/"), found);
            }
        } else if is_text(&path) {
            found.push(Source::new(&path, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// Not what tools and trials leave behind, and not the fuzzers' inputs.
fn is_ours(path: &str, name: &str) -> bool {
    let foreign = ["fuzz/corpus", "fuzz/artifacts", "fuzz/coverage", "demo"];
    let hidden = name.starts_with('.') && name != ".ci";
    !hidden && !foreign.contains(&path) && name != "target" && !name.ends_with(".cvault")
}

fn is_text(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|found| found.to_str());
    path == ".ci/run" || matches!(extension, Some("rs" | "md" | "toml"))
}
