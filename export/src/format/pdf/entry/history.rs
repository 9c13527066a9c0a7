//! What a message said in its earlier archived versions.

use chatvault_query::body::Document;

use super::super::flow::Flow;
use super::super::line::{Ink, Style};
use super::{Entries, MOST_VERSIONS, note_style, text_style};
use crate::entry::Version;

impl Entries<'_> {
    /// What it said before, newest first.
    pub(super) fn history(&self, flow: &mut Flow<'_, '_>) {
        let context = self.writer.context;
        let shown = self.earlier();
        let last_words = self.said_above();
        let shown: Vec<_> =
            shown.into_iter().filter(|(number, _)| Some(*number) != last_words).collect();
        if shown.is_empty() {
            return;
        }
        flow.gap(4.0);
        flow.barred(Ink::Rule, |flow| {
            let plural = if shown.len() == 1 { "" } else { "s" };
            let title = format!("Edit history ({} earlier version{plural})", shown.len());
            flow.note(&title, &note_style().bold());
            flow.keep_last();
            for (number, version) in shown {
                let message = version.message();
                let at = message
                    .modified
                    .map_or_else(|| "time unknown".to_owned(), |at| context.options.zone.show(at));
                let of = self.writer.entry.versions.len();
                flow.gap(3.0);
                let is_gone = message.is_deleted() && Document::of(&message).is_empty();
                let gone = if is_gone { ": deleted" } else { "" };
                let variant = version.variant_words();
                let variant = variant.map_or_else(String::new, |words| format!(" ({words})"));
                let title = format!("Version {number} of {of}{variant}, {at}{gone}");
                flow.note(&title, &note_style());
                flow.keep_last();
                let style = Style { size: 8.6, ink: Ink::Muted, ..text_style() };
                self.version_body(flow, version, &style);
            }
        });
    }

    /// The number of the version whose words stand under a notice of deletion already.
    fn said_above(&self) -> Option<usize> {
        let message = self.writer.message;
        if self.writer.context.options.versions || !message.is_deleted() {
            return None;
        }
        let above = Document::of(message).is_empty().then(|| self.last_words())??;
        self.writer
            .entry
            .versions
            .iter()
            .position(|version| std::ptr::eq(version, above))
            .map(|at| at + 1)
    }

    /// The earlier versions, with their numbers from 1: every one on request, else those whose text
    /// differs from the one after them.
    fn earlier(&self) -> Vec<(usize, &Version)> {
        let versions = &self.writer.entry.versions;
        let Some((latest, earlier)) = versions.split_last() else { return Vec::new() };
        let mut shown = Vec::new();
        let body = |version: &Version| version.message().body.content.into_owned();
        if earlier.is_empty() {
            return shown;
        }
        let mut after = body(latest);
        for (index, version) in earlier.iter().enumerate().rev().take(MOST_VERSIONS) {
            let text = body(version);
            if self.writer.context.options.versions || text != after {
                shown.push((index + 1, version));
            }
            after = text;
        }
        shown
    }
}
