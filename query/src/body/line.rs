//! The running text that is being read: white space and formats.
//!
//! Formats are kept apart from blocks, as they are in a browser: one that is open goes on in the
//! next paragraph, and end tags in the wrong order close what they name. A format becomes a node
//! only where text is in it, each kind at most once, so that they nest at most seven deep.

use std::mem::take;

use super::Inline;
use super::tag::Format;

/// A format that is open, and how many of its tags are.
#[derive(Debug)]
struct Open {
    look: Look,
    tags: usize,
    /// Tells it from one that was closed and opened again.
    serial: usize,
    /// Was anything in it?
    is_used: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Look {
    Format(Format),
    Link(String),
}

impl Look {
    fn around(self, inlines: Vec<Inline>) -> Inline {
        match self {
            Self::Format(Format::Strong) => Inline::Strong(inlines),
            Self::Format(Format::Emphasis) => Inline::Emphasis(inlines),
            Self::Format(Format::Underline) => Inline::Underline(inlines),
            Self::Format(Format::Strike) => Inline::Strike(inlines),
            Self::Format(Format::Superscript) => Inline::Superscript(inlines),
            Self::Format(Format::Subscript) => Inline::Subscript(inlines),
            Self::Link(url) => Inline::Link { url, inlines },
        }
    }
}

/// A format of the current paragraph that has nodes already.
#[derive(Debug)]
struct Node {
    look: Look,
    serial: usize,
    inlines: Vec<Inline>,
}

/// The running text that is being read.
#[derive(Debug, Default)]
pub(super) struct Line {
    open: Vec<Open>,
    serials: usize,
    inlines: Vec<Inline>,
    nodes: Vec<Node>,
    text: String,
    /// What was read last is a space, or nothing.
    spaced: bool,
    /// Nothing but hard spaces was read: a blank line that somebody wanted.
    is_blank: bool,
    /// Inlines made so far, over all paragraphs.
    pub(super) made: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { spaced: true, ..Self::default() }
    }

    /// Adds text, every run of white space as one space.
    pub(super) fn text(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let special = rest.find(is_special).unwrap_or(rest.len());
            let (plain, tail) = rest.split_at(special);
            if !plain.is_empty() {
                self.match_formats();
                self.text.push_str(plain);
                self.spaced = false;
            }
            let mut tail = tail.chars();
            if let Some(special) = tail.next() {
                self.special(special);
            }
            rest = tail.as_str();
        }
    }

    fn special(&mut self, special: char) {
        let is_space =
            special == NO_BREAK_SPACE || special.is_ascii_whitespace() || special == '\x0b';
        if is_space && !self.spaced {
            self.match_formats();
            self.text.push(' ');
            self.spaced = true;
        } else if special == NO_BREAK_SPACE && self.is_empty() {
            self.is_blank = true;
        }
    }

    /// Adds text with its white space as it is, but without line breaks.
    pub(super) fn verbatim(&mut self, text: &str) {
        if !text.is_empty() {
            self.match_formats();
            self.text.extend(text.chars().filter_map(visible));
            self.spaced = false;
        }
    }

    pub(super) fn inline(&mut self, inline: Inline) {
        self.match_formats();
        self.spaced = inline == Inline::Break;
        self.end_text();
        self.push(inline);
    }

    pub(super) fn open_format(&mut self, format: Format) {
        let look = Look::Format(format);
        if let Some(open) = self.open.iter_mut().find(|open| open.look == look) {
            open.tags += 1;
        } else {
            self.open_look(look);
        }
    }

    pub(super) fn close_format(&mut self, format: Format) {
        let look = Look::Format(format);
        if let Some(place) = self.open.iter().position(|open| open.look == look)
            && let Some(open) = self.open.get_mut(place)
        {
            open.tags -= 1;
            if open.tags == 0 {
                drop(self.open.remove(place));
            }
        }
    }

    /// Opens a link; an open one ends before it. `None` is a link that leads nowhere.
    pub(super) fn open_link(&mut self, url: Option<String>) {
        self.close_link();
        if let Some(url) = url {
            self.open_look(Look::Link(url));
        }
    }

    pub(super) fn close_link(&mut self) {
        // A link without a text is shown by its address: it would be lost otherwise.
        let unused = self.open.iter().find_map(|open| match &open.look {
            Look::Link(url) if !open.is_used => Some(url.clone()),
            _ => None,
        });
        self.verbatim(&unused.unwrap_or_default());
        self.open.retain(|open| !matches!(open.look, Look::Link(_)));
    }

    fn open_look(&mut self, look: Look) {
        self.serials += 1;
        self.open.push(Open { look, tags: 1, serial: self.serials, is_used: false });
    }

    /// How many formats are open: what [`Line::close_formats`] goes back to.
    pub(super) fn formats(&self) -> usize {
        self.open.len()
    }

    pub(super) fn close_formats(&mut self, to: usize) {
        self.open.truncate(to);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inlines.is_empty() && self.nodes.is_empty() && self.text.is_empty()
    }

    /// Ends the paragraph; `None` if there was nothing in it, not even a wanted blank.
    pub(super) fn finish(&mut self) -> Option<Vec<Inline>> {
        self.spaced = true;
        let was_blank = take(&mut self.is_blank);
        if self.is_empty() {
            return was_blank.then(Vec::new);
        }
        self.close_nodes(0);
        let mut inlines = take(&mut self.inlines);
        trim_end(&mut inlines);
        Some(inlines)
    }

    /// Makes the nodes fit the open formats before something is added.
    fn match_formats(&mut self) {
        let is_open = |(node, open): &(&Node, &Open)| node.serial == open.serial;
        let same = self.nodes.iter().zip(&self.open).take_while(is_open).count();
        if same == self.nodes.len() && same == self.open.len() {
            return;
        }
        self.close_nodes(same);
        self.end_text();
        for open in self.open.iter_mut().skip(same) {
            open.is_used = true;
            let (look, serial) = (open.look.clone(), open.serial);
            // A long address in many paragraphs is as much as many nodes.
            self.made += if let Look::Link(url) = &look { url.len() / NODE_BYTES } else { 0 };
            self.nodes.push(Node { look, serial, inlines: Vec::new() });
        }
    }

    fn close_nodes(&mut self, to: usize) {
        if self.nodes.len() > to {
            self.end_text();
        }
        while self.nodes.len() > to
            && let Some(node) = self.nodes.pop()
        {
            self.push(node.look.around(node.inlines));
        }
        if to == 0 {
            self.end_text();
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            let text = Inline::Text(self.text.as_str().to_owned());
            self.text.clear();
            self.push(text);
        }
    }

    fn push(&mut self, inline: Inline) {
        self.made += 1;
        match self.nodes.last_mut() {
            Some(node) => node.inlines.push(inline),
            None => self.inlines.push(inline),
        }
    }
}

/// A node is about as large as an address of this length.
const NODE_BYTES: usize = 64;

const NO_BREAK_SPACE: char = '\u{a0}';

fn is_special(c: char) -> bool {
    c <= ' ' || c == NO_BREAK_SPACE
}

/// A character of preformatted text on one line; control characters are none.
pub(super) fn visible(c: char) -> Option<char> {
    match c {
        NO_BREAK_SPACE | '\n' | '\r' => Some(' '),
        '\t' => Some('\t'),
        control if control < ' ' => None,
        other => Some(other),
    }
}

/// Takes breaks and the space off the end, and what is empty without them.
fn trim_end(inlines: &mut Vec<Inline>) {
    while let Some(last) = inlines.last_mut() {
        let is_empty = match last {
            Inline::Break => true,
            Inline::Text(text) => {
                text.truncate(text.trim_end_matches(' ').len());
                text.is_empty()
            }
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Underline(inner)
            | Inline::Strike(inner)
            | Inline::Superscript(inner)
            | Inline::Subscript(inner)
            | Inline::Link { inlines: inner, .. } => {
                trim_end(inner);
                inner.is_empty()
            }
            _ => false,
        };
        if !is_empty {
            return;
        }
        drop(inlines.pop());
    }
}
