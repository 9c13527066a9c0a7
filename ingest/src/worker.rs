//! One thread of an import: takes jobs, reads files, fills its own batch.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chatvault_engine::Custodian;

use crate::copies::Copies;
use crate::cut::Cutter;
use crate::queue::{Group, Job, Piece};
use crate::shared::{Shared, add, name};
use crate::source::{self, Input};
use crate::split::{EMPTY, Remarks, offer_lines, split};
use crate::window::ByteWindow;

/// Files that a thread takes at once: enough for small custodians to stay in one piece, few enough
/// for two threads to share a large one.
const GROUP_FILES: usize = 64;

pub(crate) struct Worker<'a> {
    shared: &'a Shared<'a>,
    copies: Copies<'a>,
    cutter: Cutter,
    /// Goes from window to window.
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, copies: Copies::new(shared), cutter: Cutter::new(), buffer: Vec::new() }
    }

    pub(crate) fn run(mut self) {
        while let Some(job) = self.shared.queue.next() {
            match job {
                Job::Piece(piece) => self.piece(piece),
                Job::Input(place) => {
                    self.place(place);
                    self.shared.queue.finished();
                }
                Job::Group(group) => {
                    self.group(&group);
                    self.shared.queue.finished();
                }
            }
        }
        self.copies.finish();
    }

    /// Reads a place's files at once if they are few, else shares them out.
    fn place(&mut self, Input { custodian, path, is_folder }: Input) {
        if !is_folder {
            return self.group(&Group { custodian, files: vec![path] });
        }
        let mut listing = source::list_below(&path);
        let files = std::mem::take(&mut listing.files);
        self.shared.unread(listing);
        let mut groups = groups(&custodian, &files);
        let first = groups.next();
        self.shared.queue.add_groups(groups);
        if let Some(first) = first {
            self.group(&first);
        }
    }

    fn group(&mut self, group: &Group) {
        for file in &group.files {
            if self.shared.stopped() {
                return;
            }
            self.file(&group.custodian, file);
        }
    }

    fn file(&mut self, custodian: &Custodian, path: &Path) {
        let file: Arc<str> = name(path).into();
        let mut remarks = match source::open(path) {
            Ok(reader) => self.read(custodian, &file, reader),
            Err(cause) => {
                Remarks { failure: Some(source::unreadable(&cause)), ..Remarks::default() }
            }
        };
        // A folder may have empty files in it; a command that gives nothing has failed.
        if source::is_standard_input(path) && remarks.warning.as_deref() == Some(EMPTY) {
            remarks.failure = remarks.warning.take();
        }
        self.shared.remark(&file, remarks);
        add(&self.shared.files, 1);
    }

    fn read(&mut self, custodian: &Custodian, file: &Arc<str>, reader: Box<dyn Read>) -> Remarks {
        let reader = Counting { reader, bytes: &self.shared.bytes };
        let mut window = ByteWindow::open(Box::new(reader), std::mem::take(&mut self.buffer));
        let mut remarks = self.split(custodian, file, &mut window);
        remarks.cut_short(&mut window);
        self.buffer = window.into_buffer();
        remarks
    }

    /// Lines are cut into pieces that other threads take, or this one when they are busy.
    fn split(
        &mut self,
        custodian: &Custodian,
        file: &Arc<str>,
        window: &mut ByteWindow<'_>,
    ) -> Remarks {
        let shared = self.shared;
        let mut sink = self.copies.of(custodian, file);
        split(window, &mut self.cutter, &mut sink, &mut |window, count| {
            if shared.stopped() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(hand_over(shared, custodian, file, (window, count)))
        })
    }

    fn piece(&mut self, piece: Piece) {
        let lines = piece.buffer.get(piece.lines).unwrap_or_default();
        let mut sink = self.copies.of(&piece.custodian, &piece.file);
        let mut remarks = Remarks::default();
        let _going_on = offer_lines(lines, piece.offset, (&mut sink, &mut remarks));
        self.shared.remark(&piece.file, remarks);
        self.shared.queue.give_back(piece.buffer);
    }
}

/// Gives lines to another thread; false if they are the last or nobody has room for them.
fn hand_over(
    shared: &Shared<'_>,
    custodian: &Custodian,
    file: &Arc<str>,
    (window, count): (&mut ByteWindow<'_>, usize),
) -> bool {
    if window.ended() {
        return false;
    }
    let Some(spare) = shared.queue.room() else { return false };
    let offset = window.offset();
    let (buffer, lines) = window.cut(count, spare);
    let (custodian, file) = (custodian.clone(), Arc::clone(file));
    shared.queue.add_piece(Piece { custodian, file, offset, buffer, lines });
    true
}

fn groups(custodian: &Custodian, files: &[PathBuf]) -> impl Iterator<Item = Group> {
    files
        .chunks(GROUP_FILES)
        .map(|files| Group { custodian: custodian.clone(), files: files.to_vec() })
}

/// Counts what is read, as it is on disk.
struct Counting<'a, R> {
    reader: R,
    bytes: &'a AtomicU64,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(room)?;
        add(self.bytes, count as u64);
        Ok(count)
    }
}
