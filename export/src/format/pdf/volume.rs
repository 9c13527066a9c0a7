//! One PDF file: its pages, pictures, links, bookmarks, and what it says about itself.
//!
//! A page is written as soon as it is full. Kept until the end are numbers only: which pages there
//! are, where days begin, which glyphs were used.

use std::collections::HashMap;
use std::fmt::Write as _;

use chatvault_engine::ContentAddress;

use super::archival;
use super::embed::Embedded;
use super::file::{File, Id, pack, push_literal, text_string};
use super::font::{FontError, FontUsed, Fonts};
use super::image::{Pixels, Raster, Turn};
use super::line::{Area, Target};
use super::structure::Structure;

/// A4, in points.
pub(super) const PAGE: (f32, f32) = (595.0, 842.0);

/// Pages that one node of the page tree holds.
const KIDS: usize = 64;

/// A clickable box: left, bottom, right, top.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: Id,
    /// The way from it to its element.
    pub(super) key: usize,
    pub(super) area: Area,
    pub(super) bottom: f32,
    pub(super) top: f32,
}

/// A full page that is not written yet.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) id: Id,
    pub(super) content: Content,
    /// The way from its stretches to their elements.
    pub(super) key: usize,
    pub(super) links: Vec<Link>,
    pub(super) pictures: Vec<usize>,
}

impl Page {
    /// About how many bytes it takes in the file.
    fn len(&self) -> usize {
        self.content.len() + 400 + self.links.len() * 160
    }
}

/// The commands of a page.
#[derive(Debug)]
pub(super) enum Content {
    Plain(Vec<u8>),
    Packed(Vec<u8>),
}

impl Content {
    /// Compresses it, if that is still to do.
    pub(super) fn pack(&mut self) {
        if let Self::Plain(bytes) = self {
            *self = Self::Packed(pack(bytes));
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len() / 3,
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

/// Where a day begins.
#[derive(Clone, Debug)]
pub(super) struct Bookmark {
    /// What days are grouped by when there are many.
    pub(super) group: String,
    pub(super) title: String,
    pub(super) page: Id,
    pub(super) top: f32,
}

/// What a file says about itself.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) title: String,
    pub(super) subject: String,
    pub(super) producer: String,
    /// `20210603232247`, UTC.
    pub(super) stamp: String,
    /// `2021-06-03T23:22:47Z`.
    pub(super) instant: String,
    pub(super) file_id: [u8; 16],
}

/// A file in the making.
pub(super) struct Volume<'f> {
    pub(super) file: File,
    pub(super) fonts: Embedded<'f>,
    pub(super) structure: Structure,
    /// The form that every page shows behind its number.
    pub(super) total: Id,
    catalog: Id,
    tree: Id,
    font_resources: Id,
    pages: Vec<Id>,
    groups: Vec<Id>,
    bookmarks: Vec<Bookmark>,
    /// By content; `None`: it cannot be shown.
    pictures: HashMap<ContentAddress, Option<(usize, Turn)>>,
    picture_ids: Vec<Id>,
    /// Where each message begins, by its id; only asked, never walked.
    places: HashMap<u64, (Id, f32)>,
    pending: Vec<Page>,
    /// About how many bytes the largest page has, its picture not counted.
    largest_page: usize,
}

impl<'f> Volume<'f> {
    pub(super) fn new(fonts: &'f Fonts) -> Self {
        let mut file = File::new();
        let (catalog, tree, font_resources, total) =
            (file.take(), file.take(), file.take(), file.take());
        let structure = Structure::new(&mut file);
        Self {
            file,
            fonts: Embedded::new(fonts),
            structure,
            total,
            catalog,
            tree,
            font_resources,
            pages: Vec::new(),
            groups: Vec::new(),
            bookmarks: Vec::new(),
            pictures: HashMap::new(),
            picture_ids: Vec::new(),
            places: HashMap::new(),
            pending: Vec::new(),
            largest_page: 0,
        }
    }

    /// How many pages it has.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// About how long it would be if it ended behind one more page.
    pub(super) fn estimate(&self) -> usize {
        let pending: usize = self.pending.iter().map(Page::len).sum();
        let bookmarks = self.bookmarks.len() * 220;
        self.file.len()
            + pending
            + bookmarks
            + self.fonts.estimate()
            + self.structure.estimate()
            + self.file.table_len()
            + self.largest_page
            + 6_000
    }

    /// A number for the next page.
    pub(super) fn take_page(&mut self) -> Id {
        if self.pages.len().is_multiple_of(KIDS) {
            let group = self.file.take();
            self.groups.push(group);
        }
        let id = self.file.take();
        self.pages.push(id);
        id
    }

    /// A full page; it is written with the next [`Volume::write_pending`].
    pub(super) fn push(&mut self, page: Page) {
        self.largest_page = self.largest_page.max(page.len());
        self.pending.push(page);
    }

    /// Pages whose contents may be packed elsewhere before they are written.
    pub(super) fn pending(&mut self) -> &mut Vec<Page> {
        &mut self.pending
    }

    pub(super) fn bookmark(&mut self, bookmark: Bookmark) {
        self.bookmarks.push(bookmark);
    }

    /// Writes the full pages, in order.
    pub(super) fn write_pending(&mut self) {
        for mut page in std::mem::take(&mut self.pending) {
            page.content.pack();
            self.write_page(&page);
        }
    }

    fn write_page(&mut self, page: &Page) {
        // Numbers are taken in ascending order, so pages are found by halving.
        let Ok(place) = self.pages.binary_search(&page.id) else { return };
        let Some(parent) = self.groups.get(place / KIDS).copied() else { return };
        let content = self.file.take();
        if let Content::Packed(bytes) = &page.content {
            self.file.stream(content, "/Filter/FlateDecode", bytes);
        }
        page.links.iter().for_each(|link| self.write_link(link));
        let mut body = format!(
            "<</Type/Page/Parent {parent}/MediaBox[0 0 {} {}]/Contents {content}\
             /Resources<</Font {}/XObject<</N {}",
            PAGE.0, PAGE.1, self.font_resources, self.total
        );
        for name in &page.pictures {
            if let Some(id) = self.picture_ids.get(*name) {
                // Writing to a `String` cannot fail.
                let _written = write!(body, "/I{name} {id}");
            }
        }
        let _written = write!(body, ">>>>/StructParents {}/Tabs/S", page.key);
        if !page.links.is_empty() {
            body.push_str("/Annots[");
            for link in &page.links {
                let _written = write!(body, "{} ", link.id);
            }
            body.push(']');
        }
        body.push_str(">>");
        self.file.object(page.id, &body);
    }

    /// A message begins here.
    pub(super) fn begin_message(&mut self, id: u64, page: Id, top: f32) {
        let _twin = self.places.entry(id).or_insert((page, top));
    }

    /// Whether a link leads anywhere from this file.
    pub(super) fn leads(&self, target: &Target) -> bool {
        match target {
            Target::Web(_) => true,
            Target::Message(id) => self.places.contains_key(id),
        }
    }

    fn write_link(&mut self, link: &Link) {
        let (left, right) = (link.area.x, link.area.x + link.area.width);
        let action = match &link.area.target {
            Target::Web(url) => {
                let mut literal = Vec::new();
                push_literal(&mut literal, url.bytes());
                format!("/A<</S/URI/URI{}>>", String::from_utf8_lossy(&literal))
            }
            Target::Message(id) => match self.places.get(id) {
                Some((page, top)) => format!("/Dest[{page} /XYZ null {top:.2} null]"),
                None => String::new(),
            },
        };
        self.file.small(link.id, |body| {
            // Writing to a `String` cannot fail.
            let _written = write!(
                body,
                "<</Type/Annot/Subtype/Link/F 4/Border[0 0 0]/StructParent {}\
                 /Rect[{left:.2} {:.2} {right:.2} {:.2}]{action}>>",
                link.key, link.bottom, link.top
            );
        });
    }

    /// Whether a picture was asked for already.
    pub(super) fn knows_picture(&self, address: &ContentAddress) -> bool {
        self.pictures.contains_key(address)
    }

    /// The name of a picture in the file, and how it is held; `None`: it cannot be shown.
    pub(super) fn picture(&self, address: &ContentAddress) -> Option<(usize, Turn)> {
        self.pictures.get(address).copied().flatten()
    }

    /// Puts a picture into the file, once.
    pub(super) fn add_picture(
        &mut self,
        address: ContentAddress,
        raster: Option<Raster>,
    ) -> Option<(usize, Turn)> {
        let name = raster.map(|raster| {
            let id = self.write_picture(&raster);
            self.picture_ids.push(id);
            (self.picture_ids.len() - 1, raster.turn)
        });
        let _before = self.pictures.insert(address, name);
        name
    }

    fn write_picture(&mut self, raster: &Raster) -> Id {
        let mask = raster.alpha.as_ref().map(|alpha| {
            let id = self.file.take();
            self.file.packed(id, &image_entries(raster, "/DeviceGray"), alpha);
            id
        });
        let id = self.file.take();
        let mask = mask.map(|mask| format!("/SMask {mask}")).unwrap_or_default();
        match &raster.pixels {
            Pixels::Rgb(rgb) => {
                self.file.packed(
                    id,
                    &format!("{}{mask}", image_entries(raster, "/DeviceRGB")),
                    rgb,
                );
            }
            Pixels::Jpeg(bytes, components) => {
                let space = if *components == 1 { "/DeviceGray" } else { "/DeviceRGB" };
                let entries = format!("{}/Filter/DCTDecode{mask}", image_entries(raster, space));
                self.file.stream(id, &entries, bytes);
            }
        }
        id
    }

    /// Ends the file. The form [`Volume::total`] must be written.
    pub(super) fn finish(mut self, about: &About) -> Result<(Vec<u8>, Vec<FontUsed>), FontError> {
        self.write_pending();
        let fonts = self.fonts.write(&mut self.file)?;
        self.file.object(self.font_resources, &format!("<<{}>>", self.fonts.resources()));
        self.write_tree();
        let outline = self.write_outline();
        let [info, metadata, profile] = [(); 3].map(|()| self.file.take());
        self.file.object(
            info,
            &format!(
                "<</Title{}/Subject{}/Producer{}/CreationDate(D:{stamp}Z)/ModDate(D:{stamp}Z)>>",
                text_string(&about.title),
                text_string(&about.subject),
                text_string(&about.producer),
                stamp = about.stamp
            ),
        );
        self.file.stream(metadata, "/Type/Metadata/Subtype/XML", archival::xmp(about).as_bytes());
        self.file.packed(profile, "/N 3", &archival::srgb());
        let outline = outline
            .map(|outline| format!("/Outlines {outline}/PageMode/UseOutlines"))
            .unwrap_or_default();
        let structure = self.structure.root();
        self.structure.finish(&mut self.file);
        self.file.object(
            self.catalog,
            &format!(
                "<</Type/Catalog/Pages {}{outline}/Metadata {metadata}/Lang(en)/MarkInfo\
                 <</Marked true>>/StructTreeRoot {structure}/OutputIntents[<</Type/OutputIntent\
                 /S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB)/DestOutputProfile \
                 {profile}>>]/ViewerPreferences<</DisplayDocTitle true>>>>",
                self.tree
            ),
        );
        Ok((self.file.finish(self.catalog, info, &about.file_id), fonts))
    }

    /// Writes the form that shows how many pages there are.
    pub(super) fn write_total(&mut self, content: &[u8]) {
        let entries = format!(
            "/Type/XObject/Subtype/Form/BBox[0 -4 90 12]/Resources<</Font {}>>",
            self.font_resources
        );
        self.file.packed(self.total, &entries, content);
    }

    /// The page tree: nodes of at most [`KIDS`] pages, and nodes of nodes.
    fn write_tree(&mut self) {
        let mut level: Vec<(Id, usize, Vec<Id>)> = self
            .groups
            .iter()
            .zip(self.pages.chunks(KIDS))
            .map(|(group, pages)| (*group, pages.len(), pages.to_vec()))
            .collect();
        while level.len() > KIDS {
            let mut above = Vec::new();
            for nodes in level.chunks(KIDS) {
                let id = self.file.take();
                let count = nodes.iter().map(|(_, count, _)| count).sum();
                for node in nodes {
                    self.write_node(node, id);
                }
                above.push((id, count, nodes.iter().map(|(id, ..)| *id).collect()));
            }
            level = above;
        }
        let root = self.tree;
        for node in &level {
            self.write_node(node, root);
        }
        let kids = join(level.iter().map(|(id, ..)| *id));
        let count = self.pages.len();
        self.file.object(root, &format!("<</Type/Pages/Kids[{kids}]/Count {count}>>"));
    }

    fn write_node(&mut self, (id, count, kids): &(Id, usize, Vec<Id>), parent: Id) {
        let kids = join(kids.iter().copied());
        let body = format!("<</Type/Pages/Parent {parent}/Kids[{kids}]/Count {count}>>");
        self.file.object(*id, &body);
    }

    /// The bookmarks: days, in groups when there are many.
    fn write_outline(&mut self) -> Option<Id> {
        const MANY: usize = 40;
        let bookmarks = std::mem::take(&mut self.bookmarks);
        if bookmarks.is_empty() {
            return None;
        }
        let root = self.file.take();
        let days = |days: &[Bookmark]| days.iter().map(|day| (day.clone(), Vec::new())).collect();
        let items: Vec<(Bookmark, Vec<Bookmark>)> = match bookmarks.len() {
            0..=MANY => days(&bookmarks),
            _ => bookmarks
                .chunk_by(|a, b| a.group == b.group)
                .filter_map(|days| {
                    let first = days.first()?;
                    Some((Bookmark { title: first.group.clone(), ..first.clone() }, days.to_vec()))
                })
                .collect(),
        };
        let ids: Vec<Id> = items.iter().map(|_| self.file.take()).collect();
        for ((place, (bookmark, days)), id) in items.iter().enumerate().zip(&ids) {
            let inner: Vec<Id> = days.iter().map(|_| self.file.take()).collect();
            for (place, day) in days.iter().enumerate() {
                self.write_bookmark(day, (&inner, place), *id, "");
            }
            let kids = match (inner.first(), inner.last()) {
                (Some(first), Some(last)) => {
                    format!("/First {first}/Last {last}/Count -{}", inner.len())
                }
                _ => String::new(),
            };
            self.write_bookmark(bookmark, (&ids, place), root, &kids);
        }
        let (first, last) = (ids.first()?, ids.last()?);
        let body = format!("<</Type/Outlines/First {first}/Last {last}/Count {}>>", ids.len());
        self.file.object(root, &body);
        Some(root)
    }

    fn write_bookmark(
        &mut self,
        mark: &Bookmark,
        (ids, place): (&[Id], usize),
        parent: Id,
        kids: &str,
    ) {
        let Some(id) = ids.get(place).copied() else { return };
        let near = |name: &str, place: Option<usize>| {
            let id = place.and_then(|place| ids.get(place));
            id.map(|id| format!("/{name} {id}")).unwrap_or_default()
        };
        let body = format!(
            "<</Title{}/Parent {parent}{}{}/Dest[{} /XYZ null {:.2} null]{kids}>>",
            text_string(&mark.title),
            near("Prev", place.checked_sub(1)),
            near("Next", place.checked_add(1)),
            mark.page,
            mark.top
        );
        self.file.small(id, |text| text.push_str(&body));
    }
}

fn join(ids: impl Iterator<Item = Id>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
}

fn image_entries(raster: &Raster, space: &str) -> String {
    let (width, height) = (raster.width, raster.height);
    format!(
        "/Type/XObject/Subtype/Image/Width {width}/Height {height}/BitsPerComponent 8\
         /ColorSpace{space}"
    )
}
