//! A message as a mail: one `.eml` for each message, or for each version.
//!
//! Mail clients show and thread it, and everything that the message says is in it: its text (and
//! HTML where that says more), its attachments, its earlier versions, every id and time as an
//! `X-Teams-` field. Nothing in it comes from a clock or a random number, so that the same message
//! gives the same bytes in every export.
//!
//! Fields, MIME trees and encodings are written here and not by a mail crate: their order is fixed,
//! boundaries and ids are derived, and attachments are streams of known length, which a builder that
//! owns its bytes cannot give. What is written is read back by other programs in the tests.
//!
//! All files are in the one mail of a message; where each version has a mail, with the newest that
//! names them. An earlier one lists what it names.

mod attach;
mod body;
mod day;
mod encode;
mod fields;
pub(super) mod header;
mod identity;
mod mime;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::entry::{Attached, Content, Context, Entry, Piece, SystemEvents};
use crate::format::markup::Places;
use crate::zone::file_stamp;

use body::{Body, View};
pub(crate) use day::Days;
use fields::Fields;
use identity::Identity;
use mime::{Level, Part};

/// Writes the mails of one conversation.
#[derive(Debug)]
pub(crate) struct Mails<'a> {
    context: Context<'a>,
    fields: Fields,
}

impl<'a> Mails<'a> {
    /// For one conversation: what its mails share is made once.
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self { context, fields: Fields::of(&context) }
    }

    /// A message's mails: its latest version, or all of them if that was asked for. Empty for a
    /// system event that is to be left out.
    pub(crate) fn pieces(&self, entry: &Entry) -> Vec<Piece> {
        let views = self.views(entry);
        views.iter().map(|view| self.piece(view)).collect()
    }

    fn views<'e>(&self, entry: &'e Entry) -> Vec<View<'e>> {
        let first =
            if self.context.options.versions { 0 } else { entry.versions.len().saturating_sub(1) };
        let all = self.context.options.versions;
        let views = (first..entry.versions.len()).filter_map(|at| View::of(entry, at, all));
        let is_left_out = self.context.options.system_events == SystemEvents::Omit;
        views.filter(|view| !(is_left_out && view.is_system())).collect()
    }

    fn piece(&self, view: &View<'_>) -> Piece {
        Piece { name: self.name(view), content: self.content(view), messages: 1 }
    }

    /// `{chat}/{time}_{id}.eml`, or `…_v{k}.eml` where there is one for each version.
    fn name(&self, view: &View<'_>) -> String {
        let id = identity::token(&view.entry.key.id);
        let stamp = file_stamp(view.entry.created);
        let slug = &self.context.chat.slug;
        if self.context.options.versions {
            format!("{slug}/{stamp}_{id}_v{}.eml", view.at + 1)
        } else {
            format!("{slug}/{stamp}_{id}.eml")
        }
    }

    /// The mail itself.
    fn content(&self, view: &View<'_>) -> Content {
        let images = self.images(view);
        let body = Body::of(view, &self.context, &images);
        let fields = self.fields.write(view, &self.context);
        let part = self.parts(view, body, &images);
        mime::content(fields, &part, &view.version.address.to_string())
    }

    fn parts(&self, view: &View<'_>, body: Body, images: &Images<'_>) -> Part {
        let (inline, files) = images.split(&view.files, body.html.as_deref());
        let html = body.html.map(|html| Part::text("html", &body::page(&html)));
        let texts = Part::text("plain", &body.text).with(Level::Alternative, html);
        let objects = self.context.objects;
        let inline = inline
            .into_iter()
            .filter_map(|(attached, id)| attach::inline(attached, &id, objects).map(Part::Leaf));
        let main = texts.with(Level::Related, inline);
        let wanted = files.into_iter().filter(|_| !self.context.options.text_only);
        let files = wanted.filter_map(|attached| attach::file(attached, objects).map(Part::Leaf));
        let wants_json = self.context.options.raw_json;
        let json = wants_json.then(|| Part::Leaf(attach::json(view.version.document.json())));
        main.with(Level::Mixed, files.chain(json))
    }

    fn images<'s>(&'s self, view: &View<'s>) -> Images<'s> {
        let shown = if self.context.options.text_only { Vec::new() } else { view.files.clone() };
        Images { shown, identity: &self.fields.identity, context: &self.context }
    }
}

/// The inline images that go along, by their `cid:` addresses.
struct Images<'a> {
    shown: Vec<&'a Attached>,
    identity: &'a Identity,
    context: &'a Context<'a>,
}

impl<'a> Images<'a> {
    /// The `Content-ID` of an attachment that a body can show.
    fn id(&self, attached: &Attached) -> Option<String> {
        let hosted = attached.attachment.strip_prefix("hosted:")?;
        let _bytes = attach::stored(attached)?;
        let kind = attach::media_type(attached, self.context.objects);
        kind.starts_with("image/").then(|| self.identity.content(hosted))
    }

    /// Those that the body shows, and the rest.
    fn split(
        &self,
        attached: &[&'a Attached],
        html: Option<&str>,
    ) -> (Vec<(&'a Attached, String)>, Vec<&'a Attached>) {
        // No text can look like this: in a text the quotation mark is escaped.
        let is_shown =
            |id: &String| html.is_some_and(|it| it.contains(&format!("src=\"cid:{id}\"")));
        let mut images = Vec::new();
        let mut files = Vec::new();
        for &each in attached {
            match self.id(each).filter(is_shown) {
                Some(id) => images.push((each, id)),
                None => files.push(each),
            }
        }
        (images, files)
    }
}

impl Places for Images<'_> {
    fn hosted(&self, id: &str) -> Option<Cow<'_, str>> {
        let is_it = |each: &&&Attached| each.attachment.strip_prefix("hosted:") == Some(id);
        let id = self.id(self.shown.iter().find(is_it)?)?;
        Some(Cow::Owned(format!("cid:{id}")))
    }

    fn file(&self, _index: usize) -> Option<Cow<'_, str>> {
        None
    }
}
