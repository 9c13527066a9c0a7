//! The attributes of a tag that mean something. All others are forgotten while they are read.

/// An attribute that means something on some tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Alt,
    Class,
    Height,
    Href,
    Id,
    ItemId,
    ItemProp,
    ItemType,
    Src,
    Title,
    Width,
}

const COUNT: usize = Attribute::Width as usize + 1;

impl Attribute {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"alt" => Self::Alt,
            b"class" => Self::Class,
            b"height" => Self::Height,
            b"href" => Self::Href,
            b"id" => Self::Id,
            b"itemid" => Self::ItemId,
            b"itemprop" => Self::ItemProp,
            b"itemtype" => Self::ItemType,
            b"src" => Self::Src,
            b"title" => Self::Title,
            b"width" => Self::Width,
            _ => return None,
        })
    }
}

/// The attributes of the tag that is being read. Of one that comes twice, the first holds.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    values: [Option<String>; COUNT],
    /// Where the value that comes next belongs.
    current: Option<Attribute>,
}

impl Attributes {
    pub(super) fn get(&self, attribute: Attribute) -> Option<&str> {
        self.values.get(attribute as usize)?.as_deref()
    }

    pub(super) fn clear(&mut self) {
        self.values.fill(None);
        self.current = None;
    }

    pub(super) fn name(&mut self, name: &[u8]) {
        self.current = Attribute::of(name).filter(|attribute| self.get(*attribute).is_none());
        if let Some(place) = self.place() {
            *place = Some(String::new());
        }
    }

    pub(super) fn value(&mut self, value: &[u8]) {
        if let Some(Some(place)) = self.place() {
            place.push_str(&String::from_utf8_lossy(value));
        }
    }

    fn place(&mut self) -> Option<&mut Option<String>> {
        self.values.get_mut(self.current? as usize)
    }
}
