//! HTML source to the tags and texts that a [`Builder`] takes.
//!
//! The tokens are those of the HTML standard: character references, odd quoting, comments and
//! half-open tags come out as in a browser. What a tag means is the builder's.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

use super::attribute::Attributes;
use super::build::Builder;
use super::tag::Tag;

/// Reads all of `html` into `builder`.
pub(super) fn feed(html: &str, builder: &mut Builder<'_>) {
    let reader = Reader { builder, attributes: Attributes::default(), tag: None, program: false };
    let tokenizer =
        Tokenizer::new_with_emitter(html, Switching { inner: CallbackEmitter::new(reader) });
    // The callback gives no token, so this reads to the end.
    tokenizer.for_each(drop);
}

/// Hands on what is read, one tag or text at a time.
struct Reader<'b, 'm> {
    builder: &'b mut Builder<'m>,
    attributes: Attributes,
    /// The start tag that is being read.
    tag: Option<Tag>,
    /// Inside a script or style: its source is no text.
    program: bool,
}

impl Reader<'_, '_> {
    fn finish_tag(&mut self, self_closing: bool) {
        match self.tag.take() {
            // An empty one, as in SVG, has no source behind it.
            Some(Tag::Program) => self.program = !self_closing,
            Some(tag) => self.builder.open(tag, &self.attributes),
            None => {}
        }
    }
}

impl Callback<Infallible, ()> for Reader<'_, '_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _span: Span<()>) -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                let tag = Tag::of(name);
                if tag.has_attributes() {
                    self.attributes.clear();
                }
                self.tag = Some(tag);
            }
            // End tags can have attributes, too: they mean nothing.
            CallbackEvent::AttributeName { name } if self.tag.is_some_and(Tag::has_attributes) => {
                self.attributes.name(name);
            }
            CallbackEvent::AttributeValue { value }
                if self.tag.is_some_and(Tag::has_attributes) =>
            {
                self.attributes.value(value);
            }
            CallbackEvent::CloseStartTag { self_closing } => self.finish_tag(self_closing),
            CallbackEvent::EndTag { name } => match Tag::of(name) {
                Tag::Program => self.program = false,
                tag => self.builder.close(tag),
            },
            CallbackEvent::String { value } if !self.program => {
                self.builder.text(&String::from_utf8_lossy(value));
            }
            _ => {}
        }
        None
    }
}

/// Lets the source of a script or style be read up to its end tag, whatever is in it.
struct Switching<'b, 'm> {
    inner: CallbackEmitter<Reader<'b, 'm>, Infallible>,
}

impl ForwardingEmitter for Switching<'_, '_> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.inner
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let was_program = self.inner.callback_mut().program;
        let next = self.inner.emit_current_tag();
        let is_program = self.inner.callback_mut().program;
        if is_program && !was_program { Some(State::RawText) } else { next }
    }
}
