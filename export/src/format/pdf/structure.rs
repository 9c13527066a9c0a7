//! The structure of a file: which element each stretch of its pages belongs to, in reading order.
//!
//! An element is written when the entry that it is of is whole, with numbers of stretches and of other
//! elements. Kept until the end are numbers only: the sections, and for each page and link where its
//! elements are told. Invariant: every stretch with a number is in exactly one element, and the parent tree
//! leads from it there.

use std::fmt::Write as _;

use super::file::{File, Id, push_utf16};
use super::tag::{Elements, Role, Tag};

/// Entries of one node of the parent tree.
const NODE: usize = 128;

/// The tree of a file.
#[derive(Debug)]
pub(super) struct Structure {
    root: Id,
    document: Id,
    sections: Vec<Id>,
    open: Option<(Id, Vec<Id>)>,
    /// By the number that a page or a link has: the elements of its stretches, or its element.
    parents: Vec<Id>,
}

/// Elements some of which are on pages.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) elements: Elements,
    ids: Vec<Option<Id>>,
    kids: Vec<Vec<Kid>>,
}

/// What an element holds.
#[derive(Clone, Copy, Debug)]
enum Kid {
    /// A stretch of a page.
    Stretch(Id, usize),
    Element(Id),
    /// The annotation of a link.
    Annotation(Id, Id),
}

impl Structure {
    pub(super) fn new(file: &mut File) -> Self {
        let (root, document) = (file.take(), file.take());
        Self { root, document, sections: Vec::new(), open: None, parents: Vec::new() }
    }

    /// The tree's number in the file.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// About how many bytes it will take.
    pub(super) fn estimate(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |(_id, kids)| kids.len());
        (open + self.sections.len() + self.parents.len()) * 6 + 500
    }

    /// Ends the section before and begins the next; the cover stands in front of all.
    pub(super) fn section(&mut self, file: &mut File, is_cover: bool) {
        self.end_section(file);
        let id = file.take();
        self.sections.insert(if is_cover { 0 } else { self.sections.len() }, id);
        self.open = Some((id, Vec::new()));
    }

    fn end_section(&mut self, file: &mut File) {
        let Some((id, kids)) = self.open.take() else { return };
        let document = self.document;
        file.small(id, |body| {
            let _written = write!(body, "<</S/{}/P {document}/K[", Role::Section.name());
            push_ids(body, &kids);
            body.push_str("]>>");
        });
    }

    /// Puts the annotation of a link into its element; returns the number of the way back.
    pub(super) fn annotation(
        &mut self,
        file: &mut File,
        (drawn, tag): (&mut Drawn, Tag),
        (page, annotation): (Id, Id),
    ) -> Option<usize> {
        let (id, _role) = self.attach(file, drawn, tag)?;
        drawn.push(tag, Kid::Annotation(page, annotation));
        self.parents.push(id);
        Some(self.parents.len() - 1)
    }

    /// Writes whose the stretches of a page are; returns the number of the way there.
    pub(super) fn page(&mut self, file: &mut File, stretches: &[Id]) -> usize {
        let id = file.take();
        file.small(id, |body| {
            body.push('[');
            push_ids(body, stretches);
            body.push(']');
        });
        self.parents.push(id);
        self.parents.len() - 1
    }

    /// An element's number and what it is; what it is in gets a number, too.
    pub(super) fn attach(
        &mut self,
        file: &mut File,
        drawn: &mut Drawn,
        tag: Tag,
    ) -> Option<(Id, Role)> {
        let index = tag.index()?;
        let element = drawn.elements.list.get(index)?;
        let (role, parent) = (element.role, element.parent);
        if drawn.id(tag).is_none() {
            let above = self.attach(file, drawn, parent);
            // The cells of a row come all at once.
            if drawn.id(tag).is_none() {
                let id = file.take();
                *drawn.ids.get_mut(index)? = Some(id);
                match above {
                    Some(_) => drawn.push(parent, Kid::Element(id)),
                    None => self.push(file, id),
                }
            }
            if role == Role::Row {
                drawn.cells(file, tag);
            }
        }
        drawn.id(tag).map(|id| (id, role))
    }

    /// Puts an element into the section.
    fn push(&mut self, file: &mut File, id: Id) {
        if self.open.is_none() {
            self.section(file, false);
        }
        if let Some((_section, kids)) = &mut self.open {
            kids.push(id);
        }
    }

    /// Writes the elements that got a number; the others are as if they had not been there.
    pub(super) fn write(&self, file: &mut File, drawn: &mut Drawn) {
        let section = self.open.as_ref().map_or(self.document, |(id, _kids)| *id);
        let Drawn { elements, ids, kids } = drawn;
        for ((element, id), kids) in elements.list.iter().zip(ids.iter()).zip(kids) {
            let Some(id) = *id else { continue };
            let kids = std::mem::take(kids);
            let above =
                element.parent.index().and_then(|parent| ids.get(parent).copied().flatten());
            file.small(id, |body| {
                push_element(body, (element.role, above.unwrap_or(section)), &kids);
                if let Some(alt) = &element.alt {
                    body.push_str("/Alt<FEFF");
                    push_utf16(body, alt);
                    body.push('>');
                }
                body.push_str(">>");
            });
        }
        ids.fill(None);
    }

    /// Writes the top of the tree and the ways back.
    pub(super) fn finish(mut self, file: &mut File) {
        self.end_section(file);
        let mut leaves = Vec::new();
        for (index, entries) in self.parents.chunks(NODE).enumerate() {
            let first = index * NODE;
            let id = file.take();
            leaves.push(id);
            file.small(id, |body| {
                let last = first + entries.len() - 1;
                let _written = write!(body, "<</Limits[{first} {last}]/Nums[");
                for (number, entry) in (first..).zip(entries) {
                    let _written = write!(body, "{number} {entry} ");
                }
                body.push_str("]>>");
            });
        }
        let (root, document, next) = (self.root, self.document, self.parents.len());
        let tree = file.take();
        file.small(tree, |body| {
            body.push_str("<</Kids[");
            push_ids(body, &leaves);
            body.push_str("]>>");
        });
        file.small(document, |body| {
            let _written = write!(body, "<</S/Document/P {root}/K[");
            push_ids(body, &self.sections);
            body.push_str("]>>");
        });
        file.small(root, |body| {
            let _written = write!(
                body,
                "<</Type/StructTreeRoot/K {document}/ParentTree {tree}/ParentTreeNextKey {next}>>"
            );
        });
    }
}

impl Drawn {
    pub(super) fn new(elements: Elements) -> Self {
        let count = elements.list.len();
        Self { elements, ids: vec![None; count], kids: vec![Vec::new(); count] }
    }

    fn id(&self, tag: Tag) -> Option<Id> {
        self.ids.get(tag.index()?).copied().flatten()
    }

    /// The number of an element's next stretch on a page, of which `stretches` are told already.
    pub(super) fn stretch(
        &mut self,
        tag: Tag,
        id: Id,
        (page, stretches): (Id, &mut Vec<Id>),
    ) -> usize {
        let number = stretches.len();
        stretches.push(id);
        self.push(tag, Kid::Stretch(page, number));
        number
    }

    fn push(&mut self, tag: Tag, kid: Kid) {
        if let Some(kids) = tag.index().and_then(|index| self.kids.get_mut(index)) {
            kids.push(kid);
        }
    }

    /// Gives the cells of a row their numbers, those that are empty, too.
    fn cells(&mut self, file: &mut File, row: Tag) {
        let Some(start) = row.index() else { return };
        let below = self.elements.list.iter().enumerate().skip(start + 1);
        let cells: Vec<usize> = below
            .take_while(|(_, element)| element.parent.index().is_some_and(|at| at >= start))
            .filter(|(_, element)| element.parent == row && element.role.may_be_empty())
            .map(|(index, _)| index)
            .collect();
        for cell in cells {
            let id = file.take();
            if let Some(slot) = self.ids.get_mut(cell) {
                *slot = Some(id);
            }
            self.push(row, Kid::Element(id));
        }
    }
}

fn push_ids(body: &mut String, ids: &[Id]) {
    for id in ids {
        // Writing to a `String` cannot fail.
        let _written = write!(body, "{id} ");
    }
}

/// An element but for its end. Stretches of the page named by `Pg` are numbers, others say theirs.
fn push_element(body: &mut String, (role, parent): (Role, Id), kids: &[Kid]) {
    // Writing to a `String` cannot fail.
    let _written = write!(body, "<</S/{}/P {parent}", role.name());
    let first = kids.iter().find_map(|kid| match kid {
        Kid::Stretch(page, _) => Some(*page),
        _ => None,
    });
    if let Some(page) = first {
        let _written = write!(body, "/Pg {page}");
    }
    body.push_str("/K[");
    for kid in kids {
        let _written = match kid {
            Kid::Stretch(page, number) if Some(*page) == first => write!(body, "{number} "),
            Kid::Stretch(page, number) => {
                write!(body, "<</Type/MCR/Pg {page}/MCID {number}>>")
            }
            Kid::Element(id) => write!(body, "{id} "),
            Kid::Annotation(page, id) => write!(body, "<</Type/OBJR/Pg {page}/Obj {id}>>"),
        };
    }
    body.push(']');
}
