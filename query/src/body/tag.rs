//! The tags that mean something.

/// What a tag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Begins and ends a paragraph, and is no more than that.
    Division,
    Heading(u8),
    Quote,
    Preformatted,
    List {
        ordered: bool,
    },
    Item,
    Table,
    Row,
    Cell {
        header: bool,
    },
    Rule,
    Break,
    Format(Format),
    Link,
    CodeSpan,
    Mention,
    Emoji,
    CustomEmoji,
    Image,
    Attachment,
    Span,
    /// Its content is a program, not a text.
    Program,
    Unknown,
}

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Strong,
    Emphasis,
    Underline,
    Strike,
    Superscript,
    Subscript,
}

impl Tag {
    /// By its name, in lower case.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"p" | b"div" | b"section" | b"article" | b"header" | b"footer" | b"main"
            | b"aside" | b"address" | b"figure" | b"figcaption" | b"caption" | b"dl" | b"dt"
            | b"dd" | b"center" | b"form" | b"fieldset" | b"legend" | b"details" | b"summary"
            | b"html" | b"head" | b"title" | b"body" | b"nav" | b"hgroup" | b"option"
            | b"textarea" | b"iframe" | b"frame" | b"frameset" | b"noframes" => Self::Division,
            b"h1" => Self::Heading(1),
            b"h2" => Self::Heading(2),
            b"h3" => Self::Heading(3),
            b"h4" => Self::Heading(4),
            b"h5" => Self::Heading(5),
            b"h6" => Self::Heading(6),
            b"blockquote" | b"quote" => Self::Quote,
            b"pre" | b"codeblock" | b"listing" | b"xmp" | b"plaintext" => Self::Preformatted,
            b"ul" | b"menu" | b"dir" => Self::List { ordered: false },
            b"ol" => Self::List { ordered: true },
            b"li" => Self::Item,
            b"table" => Self::Table,
            b"tr" => Self::Row,
            b"td" => Self::Cell { header: false },
            b"th" => Self::Cell { header: true },
            b"hr" => Self::Rule,
            b"br" => Self::Break,
            b"b" | b"strong" => Self::Format(Format::Strong),
            b"i" | b"em" | b"cite" | b"var" | b"dfn" => Self::Format(Format::Emphasis),
            b"u" | b"ins" => Self::Format(Format::Underline),
            b"s" | b"strike" | b"del" => Self::Format(Format::Strike),
            b"sup" => Self::Format(Format::Superscript),
            b"sub" => Self::Format(Format::Subscript),
            b"a" => Self::Link,
            b"code" | b"tt" | b"kbd" | b"samp" => Self::CodeSpan,
            b"at" => Self::Mention,
            b"emoji" => Self::Emoji,
            b"customemoji" => Self::CustomEmoji,
            b"img" | b"image" => Self::Image,
            b"attachment" => Self::Attachment,
            b"span" => Self::Span,
            b"script" | b"style" => Self::Program,
            _ => Self::Unknown,
        }
    }

    /// Do its attributes say anything?
    pub(super) fn has_attributes(self) -> bool {
        matches!(
            self,
            Self::Quote
                | Self::Preformatted
                | Self::Format(Format::Strong)
                | Self::Link
                | Self::CodeSpan
                | Self::Mention
                | Self::Emoji
                | Self::CustomEmoji
                | Self::Image
                | Self::Attachment
                | Self::Span
        )
    }

    /// Does text behind it begin on another line?
    pub(super) fn is_block(self) -> bool {
        matches!(
            self,
            Self::Division
                | Self::Heading(_)
                | Self::Quote
                | Self::Preformatted
                | Self::List { .. }
                | Self::Item
                | Self::Table
                | Self::Row
                | Self::Cell { .. }
                | Self::Rule
        )
    }
}
