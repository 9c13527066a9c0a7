//! The list of a message's files: where each is, how large, its hash, or why it is not there. A picture
//! that stands in the text says so itself.

use super::card::Draft;
use super::write::Html;
use crate::entry::{Attached, AttachedState, Entry, NOT_READ};

/// Appends the list; nothing for a message without files.
pub(super) fn write(draft: &mut Draft<'_>) {
    let entry = draft.entry;
    let is_listed = |file: &&Attached| !draft.seen.contains(&file.attachment);
    let listed: Vec<&Attached> = entry.attached.iter().filter(is_listed).collect();
    if listed.is_empty() {
        return;
    }
    draft.html.raw("<ul class=\"files\" aria-label=\"Attachments\">");
    for file in listed {
        match &file.state {
            AttachedState::Stored { size, sha256, .. } => stored(draft, file, *size, sha256),
            AttachedState::Unavailable { reason } => {
                draft.html.raw("<li class=\"no\">");
                name(&mut draft.html, entry, file);
                draft.html.raw(" <b>UNAVAILABLE</b>: <bdi>").text(reason).raw("</bdi></li>");
            }
            AttachedState::Omitted => {
                draft.html.raw("<li>");
                name(&mut draft.html, entry, file);
                draft.html.raw(" <span class=\"s\">not part of this text-only export</span></li>");
            }
        }
    }
    draft.html.raw("</ul>");
}

fn stored(draft: &mut Draft<'_>, file: &Attached, size: u64, sha256: &[u8; 32]) {
    let link = draft.file_link(file);
    let (html, entry) = (&mut draft.html, draft.entry);
    html.raw("<li>");
    if let Some(link) = &link {
        html.raw("<a").attribute("href", link).raw(">");
    }
    name(html, entry, file);
    html.raw(if link.is_some() { "</a>" } else { "" });
    html.raw(" <span class=\"s\">");
    write_size(html, size);
    html.raw(if link.is_some() { "</span>" } else { ", in the archive, not in this part</span>" });
    if *sha256 != NOT_READ {
        html.raw("<span class=\"x\">SHA-256 ").hex(sha256).raw("</span>");
    }
    html.raw("</li>");
}

fn name(html: &mut Html, entry: &Entry, file: &Attached) {
    let name = Some(file.name.as_str()).filter(|name| !name.trim().is_empty());
    html.raw("<bdi>").text(name.unwrap_or(&file.attachment)).raw("</bdi>");
    if file.is_earlier(entry.versions.len()) {
        html.raw(" <span class=\"s\">of an earlier version</span>");
    }
}

/// `1.2 MB (1,234,567 bytes)`: near enough for people, exact for a comparison.
pub(super) fn write_size(html: &mut Html, size: u64) {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let Some((unit, bytes)) = UNITS.into_iter().find(|(_, bytes)| size >= *bytes) else {
        html.count(size).raw(if size == 1 { " byte" } else { " bytes" });
        return;
    };
    html.count(size / bytes).raw(".").number(size % bytes / (bytes / 10)).raw(" ").raw(unit);
    html.raw(" (").count(size).raw(" bytes)");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_exact() {
        for (size, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB (1,000 bytes)"),
            (1_299_999, "1.2 MB (1,299,999 bytes)"),
            (3_400_000_000, "3.4 GB (3,400,000,000 bytes)"),
        ] {
            let mut html = Html::default();
            write_size(&mut html, size);
            assert_eq!(html.as_str(), shown);
        }
    }
}
