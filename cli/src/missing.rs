//! What of an archive cannot be read: as people and as `--json` are told.

use chatvault_engine::{Damage, Timestamp};
use chatvault_query::format_time;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;

/// A damage as `--json` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    kind: &'static str,
    file: String,
    offset: Option<u64>,
    message: String,
    conversations: Vec<String>,
    rows: Option<u64>,
    created_from: Option<String>,
    created_to: Option<String>,
    first_commit: Option<u64>,
    last_commit: Option<u64>,
}

impl From<&Damage> for Finding {
    fn from(damage: &Damage) -> Self {
        let is_io = damage.kind == chatvault_engine::ErrorKind::Io;
        let time = |time: fn((Timestamp, Timestamp)) -> Timestamp| {
            damage.created.map(|created| format_time(time(created)))
        };
        Self {
            kind: if is_io { "io" } else { "corrupt" },
            file: damage.file.clone(),
            offset: damage.offset,
            message: damage.message.clone(),
            conversations: damage.conversations.clone(),
            rows: damage.rows,
            created_from: time(|(first, _)| first),
            created_to: time(|(_, last)| last),
            first_commit: damage.commits.map(|(first, _)| first.0),
            last_commit: damage.commits.map(|(_, last)| last.0),
        }
    }
}

pub(crate) fn findings(damages: &[Damage]) -> Vec<Finding> {
    damages.iter().map(Finding::from).collect()
}

/// `file, offset: what; 12 rows; created …; conversations: …`
pub(crate) fn line(damage: &Damage) -> String {
    let Damage { file, message, conversations, .. } = damage;
    let place = damage.offset.map_or_else(String::new, |offset| format!("offset {offset}: "));
    let mut parts = vec![format!("{file}: {place}{message}")];
    parts.extend(damage.rows.filter(|rows| *rows > 0).map(|rows| format!("rows: {rows}")));
    let times = damage.created.map(|(first, last)| (format_time(first), format_time(last)));
    parts.extend(times.map(|(first, last)| format!("created: {first} to {last}")));
    let commits = damage.commits.map(|(first, last)| (first.0, last.0));
    parts.extend(commits.map(|(first, last)| format!("commits: {first} to {last}")));
    if !conversations.is_empty() {
        parts.push(format!("conversations: {}", conversations.join(", ")));
    }
    parts.join("; ")
}

/// Tells what an answer with `--salvage` lacks, and how the command ends because of it.
pub(crate) fn tell(damages: &[Damage], console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    for damage in damages {
        console.warn(format!("missing: {}", line(damage)))?;
    }
    Ok(if damages.is_empty() { Outcome::Done } else { Outcome::Incomplete })
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{ErrorKind, Sequence};

    use super::*;

    #[test]
    fn a_damage_names_place_rows_times_commits_and_conversations() {
        let mut damage = Damage {
            kind: ErrorKind::Corrupt,
            file: "segments/000017.seg".to_owned(),
            offset: Some(4096),
            message: "checksum is 1, should be 2".to_owned(),
            conversations: vec!["19:a".to_owned(), "19:b".to_owned()],
            rows: Some(12),
            created: Some((Timestamp::from_ms(0), Timestamp::from_ms(1))),
            commits: Some((Sequence(3), Sequence(5))),
        };
        let start = "segments/000017.seg: offset 4096: checksum is 1, should be 2";
        assert_eq!(
            line(&damage),
            format!(
                "{start}; rows: 12; created: {} to {}; commits: 3 to 5; conversations: 19:a, 19:b",
                format_time(Timestamp::from_ms(0)),
                format_time(Timestamp::from_ms(1)),
            )
        );
        let shown = serde_json::to_value(Finding::from(&damage)).unwrap();
        assert_eq!((&shown["kind"], &shown["last_commit"]), (&"corrupt".into(), &5.into()));
        (damage.rows, damage.created, damage.commits) = (None, None, None);
        damage.conversations.clear();
        assert_eq!(line(&damage), start);
    }
}
