//! Which export `--resume` goes on with.

use anyhow::bail;
use chatvault_engine::Storage;
use chatvault_export::Request;
use chatvault_export::folder::{Listed, list};
use chatvault_export::manifest::Index;
use chatvault_query::Commit;
use serde::Deserialize;
use serde_json::Value;

use super::Arguments;
use crate::failure::WrongUsage;

/// The export that was begun in a folder; `None` if there is none, so that it is begun now.
///
/// `given` is what the options ask for now.
pub(super) fn find(
    folder: &dyn Storage,
    arguments: &Arguments,
    given: &Request,
) -> anyhow::Result<Option<Index>> {
    let mut begun = Vec::new();
    for Listed { name, index, .. } in list(folder)? {
        if arguments.name.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        let index = index?;
        if arguments.name.is_some() || !index.finished {
            begun.push((name, index));
        }
    }
    let names: Vec<&str> = begun.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() > 1 {
        let names = names.join(", ");
        bail!(WrongUsage(format!(
            "several exports were begun there ({names}): choose with --name"
        )));
    }
    let Some((_, index)) = begun.pop() else {
        if arguments.format.is_none() {
            bail!(WrongUsage(
                "there is no export to go on with: begin one with --format".to_owned()
            ));
        }
        return Ok(None);
    };
    if let Some(field) = contradiction(given, arguments.format.is_some(), &index) {
        bail!(WrongUsage(format!(
            "the export that was begun has another {field}: leave the options away to go on with it"
        )));
    }
    Ok(Some(index))
}

/// A field that was given now and is another one than at the beginning. Times are compared as the
/// request has them, so those are left to what was pinned.
fn contradiction(given: &Request, has_format: bool, index: &Index) -> Option<String> {
    const PINNED: [&str; 12] = [
        "name",
        "from",
        "to",
        "all_time",
        "at",
        "as_of_sequence",
        "since",
        "tenant",
        "format",
        "collected",
        "known_gaps",
        "others",
    ];
    let begun = index.head.selection.more.get("request")?;
    let since = begun.get("since").and_then(|since| Commit::deserialize(since).ok());
    if given.since.is_some() && given.since.map(Commit::sequence) != since.map(Commit::sequence) {
        return Some("since".to_owned());
    }
    let (given, usual) = (as_json(given)?, as_json(&Request::default())?);
    let fields = given.as_object()?;
    let differs = |(name, value): &(&String, &Value)| {
        let is_given = if *name == "format" { has_format } else { usual.get(name) != Some(value) };
        let is_compared = !PINNED.contains(&name.as_str()) || *name == "format";
        is_given && is_compared && begun.get(name) != Some(value)
    };
    fields.iter().find(differs).map(|(name, _)| name.replace('_', "-"))
}

fn as_json(request: &Request) -> Option<Value> {
    serde_json::to_value(request).ok()
}
