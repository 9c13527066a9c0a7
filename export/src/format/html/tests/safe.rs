//! Checks a whole set of pages: nothing foreign is in them, nothing is fetched, every link leads
//! somewhere, every message is there once.

use std::collections::HashSet;

use scraper::{ElementRef, Html, Selector};

use super::kit::Pages;
use crate::entry::Entry;
use crate::format::html::page::POLICY;
use crate::format::html::page::STYLE;

const ELEMENTS: &[&str] = &[
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "nav",
    "main",
    "footer",
    "section",
    "article",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "div",
    "span",
    "bdi",
    "br",
    "a",
    "img",
    "time",
    "strong",
    "b",
    "em",
    "u",
    "s",
    "ins",
    "del",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "blockquote",
    "details",
    "summary",
    "input",
    "label",
];

/// What a message's own text may be made of.
const BODY_ELEMENTS: &[&str] = &[
    "p",
    "br",
    "div",
    "span",
    "strong",
    "em",
    "u",
    "s",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "blockquote",
    "a",
    "img",
];

const ATTRIBUTES: &[&str] = &[
    "id",
    "class",
    "lang",
    "dir",
    "href",
    "rel",
    "src",
    "alt",
    "width",
    "height",
    "loading",
    "datetime",
    "aria-label",
    "aria-hidden",
    "scope",
    "open",
    "charset",
    "http-equiv",
    "content",
    "name",
    "data-id",
    "data-etag",
    "data-created",
    "data-modified",
    "data-sender",
    "data-reply-to",
    "data-versions",
    "data-address",
    "data-label",
    "title",
    "type",
    "checked",
    "for",
    "style",
];

fn select<'p>(page: &'p Html, selector: &str) -> Vec<ElementRef<'p>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

/// Fails unless every page is made of our elements only, and would load nothing.
pub(super) fn assert_safe(pages: &Pages) {
    for (name, page) in pages {
        let parsed = Html::parse_document(page);
        assert!(parsed.errors.is_empty(), "{name}: {:?}", parsed.errors);
        for element in select(&parsed, "*") {
            assert_element(name, element);
        }
        for element in select(&parsed, ".b *") {
            assert!(BODY_ELEMENTS.contains(&element.value().name()), "{name}: {element:?}");
        }
        let styles: Vec<String> =
            select(&parsed, "style").iter().map(|style| style.text().collect()).collect();
        assert_eq!(styles, [format!("\n{STYLE}")], "{name}");
        let policy = select(&parsed, "meta[http-equiv=Content-Security-Policy]");
        assert_eq!(
            policy.iter().filter_map(|meta| meta.attr("content")).collect::<Vec<_>>(),
            [POLICY]
        );
    }
}

fn assert_element(name: &str, element: ElementRef<'_>) {
    let value = element.value();
    assert!(ELEMENTS.contains(&value.name()), "{name}: <{}>", value.name());
    for (attribute, text) in value.attrs() {
        assert!(ATTRIBUTES.contains(&attribute), "{name}: {attribute}={text:?}");
        match (value.name(), attribute) {
            ("a", "href") => assert_link(name, text, element),
            ("img", "src") => assert!(text.starts_with("../Attachments/"), "{name}: {text}"),
            ("tr", "style") => {
                let is_place = |c: char| c.is_ascii_digit() || "-:;nml".contains(c);
                assert!(text.chars().all(is_place), "{name}: {text}");
            }
            (_, "href" | "src" | "style") => panic!("{name}: {value:?}"),
            _ => {}
        }
    }
}

fn assert_link(name: &str, link: &str, element: ElementRef<'_>) {
    let scheme = link.split(':').next().filter(|start| start.len() < link.len());
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https" | "mailto") => {
            assert_eq!(element.attr("rel"), Some("noreferrer noopener"), "{name}: {link}");
        }
        Some(other) => panic!("{name}: {other} in {link}"),
        None => assert!(!link.starts_with('/') && !link.contains('\\'), "{name}: {link}"),
    }
}

/// Fails unless every link inside the pages leads to a page and an anchor that exist.
pub(super) fn assert_links_resolve(pages: &Pages) {
    let targets: HashSet<String> =
        pages.iter().flat_map(|(name, page)| anchors(name, page)).collect();
    for (name, page) in pages {
        for link in super::kit::attributes(page, "a", "href") {
            let outside = link.contains(':') || link.starts_with("../Attachments/");
            let target = absolute(name, &link);
            assert!(
                outside || targets.contains(&target),
                "{name}: {link} leads nowhere ({target})"
            );
        }
    }
}

/// `page`, and `page#anchor` for each; every anchor is there once.
fn anchors(name: &str, page: &str) -> Vec<String> {
    let ids = super::kit::attributes(page, "[id]", "id");
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an id comes twice in {name}");
    let with_anchor = ids.iter().map(|id| format!("{name}#{id}"));
    with_anchor.chain([name.to_owned()]).collect()
}

fn absolute(page: &str, link: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    match link.strip_prefix("../") {
        _ if link.starts_with('#') => format!("{page}{link}"),
        Some(rest) => rest.to_owned(),
        None if folder.is_empty() => link.to_owned(),
        None => format!("{folder}/{link}"),
    }
}

/// Fails unless the articles are the entries, each once.
pub(super) fn assert_complete(pages: &Pages, entries: &[Entry]) {
    let mut found = Vec::new();
    for page in pages.values() {
        for article in select(&Html::parse_document(page), "article") {
            let text =
                |name: &str| article.attr(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
            assert!(article.attr("id").is_some_and(|id| id.starts_with('m')));
            let _sender = text("data-sender");
            let root = article.attr("data-reply-to").unwrap_or_default().to_owned();
            found.push((root, text("data-id"), text("data-etag"), text("data-created")));
        }
    }
    let mut wanted: Vec<_> = entries
        .iter()
        .map(|entry| {
            let version = entry.latest().unwrap().version.to_string();
            let root = entry.key.reply_to.clone().unwrap_or_default();
            (root, entry.key.id.clone(), version, crate::zone::rfc3339(entry.created))
        })
        .collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}
