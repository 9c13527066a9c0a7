//! What stretches of text are to a reader who does not see the page: headings, paragraphs, lists, tables.
//!
//! A flow builds a tree of elements beside its lines, and each item names the element that it is of. Where
//! lines of several columns lie side by side, items of several elements stand on one line. What names no
//! element is an artifact: rules, grounds, heads and feet of pages.

/// The structure types of PDF 1.7 that transcripts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A day, or the cover.
    Section,
    /// A message.
    Article,
    /// Of the file.
    Title,
    /// Of a day, or of a part of the cover.
    Heading,
    /// Time, sender and id of a message.
    Head,
    /// Inside a message.
    Subheading,
    Paragraph,
    Quote,
    List,
    Item,
    Label,
    Body,
    Table,
    Row,
    HeaderCell,
    Cell,
    Figure,
    Link,
    /// To another message.
    Reference,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Section => "Sect",
            Self::Article => "Art",
            Self::Title => "H1",
            Self::Heading => "H2",
            Self::Head => "H3",
            Self::Subheading => "H4",
            Self::Paragraph => "P",
            Self::Quote => "BlockQuote",
            Self::List => "L",
            Self::Item => "LI",
            Self::Label => "Lbl",
            Self::Body => "LBody",
            Self::Table => "Table",
            Self::Row => "TR",
            Self::HeaderCell => "TH",
            Self::Cell => "TD",
            Self::Figure => "Figure",
            Self::Link => "Link",
            Self::Reference => "Reference",
        }
    }

    /// Whether it is told although nothing stands in it: a row has as many cells as the others.
    pub(super) fn may_be_empty(self) -> bool {
        matches!(self, Self::HeaderCell | Self::Cell)
    }
}

/// An element of one tree of them. The default is none: an artifact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Tag {
    /// Its place in [`Elements::list`].
    pub(super) fn index(self) -> Option<usize> {
        usize::try_from(self.0.checked_sub(1)?).ok()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) role: Role,
    pub(super) parent: Tag,
    /// What a picture shows.
    pub(super) alt: Option<Box<str>>,
}

/// A tree of elements in the making; a parent comes before what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements {
    pub(super) list: Vec<Element>,
    /// What new elements are put into.
    open: Tag,
    /// All text goes into this one.
    only: Option<Tag>,
}

impl Elements {
    pub(super) fn add(&mut self, role: Role) -> Tag {
        self.list.push(Element { role, parent: self.open, alt: None });
        Tag(u32::try_from(self.list.len()).unwrap_or(0))
    }

    /// A picture, and what it shows.
    pub(super) fn figure(&mut self, alt: &str) -> Tag {
        const LONGEST: usize = 400;
        let tag = self.add(Role::Figure);
        if let Some(figure) = self.list.last_mut() {
            let alt = if alt.trim().is_empty() { "image" } else { alt };
            figure.alt = Some(alt.chars().take(LONGEST).collect());
        }
        tag
    }

    /// What a paragraph belongs to.
    pub(super) fn leaf(&mut self) -> Tag {
        self.only.unwrap_or_else(|| self.add(Role::Paragraph))
    }

    /// The paragraph that a link is in; any other element is its own.
    pub(super) fn paragraph(&self, tag: Tag) -> Tag {
        match tag.index().and_then(|index| self.list.get(index)) {
            Some(Element { role: Role::Link | Role::Reference, parent, .. }) => *parent,
            _ => tag,
        }
    }

    /// A part of a paragraph.
    pub(super) fn inside(&mut self, paragraph: Tag, role: Role) -> Tag {
        let before = std::mem::replace(&mut self.open, paragraph);
        let tag = self.add(role);
        self.open = before;
        tag
    }

    /// What comes until [`Elements::close`] goes into a new element; if `is_leaf`, all of it is that
    /// element's own text.
    pub(super) fn open(&mut self, role: Role, is_leaf: bool) -> (Tag, Option<Tag>) {
        let before = (self.open, self.only);
        if self.only.is_none() {
            self.open = self.add(role);
            self.only = is_leaf.then_some(self.open);
        }
        before
    }

    pub(super) fn close(&mut self, before: (Tag, Option<Tag>)) {
        (self.open, self.only) = before;
    }
}
