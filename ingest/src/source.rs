//! Where the files are: the only place that opens and lists them.
//!
//! Links to files are followed, links to folders are not (they can go round in circles) and are
//! reported. Names are read in sorted order, so that two runs do the same.

#![expect(clippy::disallowed_methods, reason = "input files are read here and nowhere else")]

use std::ffi::OsStr;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chatvault_engine::Custodian;

use crate::error::Error;

/// What to import.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder with one folder per custodian, named after the custodian: `ID` or `user_ID` for a
    /// user, `team_ID` for a team; `user:ID` and `team:ID` too where names may have a colon. Every
    /// file below it is that custodian's.
    Folders(PathBuf),
    /// Files, and folders of files, of one custodian. `-` is standard input.
    Files {
        /// Whose export it is.
        custodian: Custodian,
        /// Where it is.
        paths: Vec<PathBuf>,
    },
}

/// A file or folder that is one custodian's.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) custodian: Custodian,
    pub(crate) path: PathBuf,
    pub(crate) is_folder: bool,
}

/// Something in a folder that is not read; why, and what to do.
pub(crate) type Unread = (PathBuf, String);

/// What is in a folder, or below it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) hidden: u64,
}

const LINKED_FOLDER: &str = "is a link to a folder, which is not followed: import its target";
const SPECIAL: &str = "is no file and no folder: take it out";
const NO_CUSTODIAN: &str = "belongs to no custodian: move it into a custodian's folder, or import it as that custodian's file";
const NO_NAME: &str = "its name is no custodian: call it user_ID or team_ID";

/// Is this the name of standard input?
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The custodian that a folder is named after.
pub(crate) fn custodian_of(name: &OsStr) -> Option<Custodian> {
    let name = name.to_str()?;
    let typed =
        |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(['_', ':']));
    let custodian = match (typed("user"), typed("team")) {
        (Some(id), _) => Custodian::user(id),
        (_, Some(id)) => Custodian::team(id),
        _ => Custodian::user(name),
    };
    custodian.check().is_ok().then_some(custodian)
}

/// Finds whose the sources are, in order, without listing any custodian's files.
pub(crate) fn places(sources: Vec<Source>) -> Result<(Vec<Input>, Listing), Error> {
    let (mut places, mut rest) = (Vec::new(), Listing::default());
    for source in sources {
        match source {
            Source::Folders(root) => custodian_folders(root, &mut places, &mut rest)?,
            Source::Files { custodian, paths } => {
                custodian.check().map_err(Error::Custodian)?;
                for path in paths {
                    let is_folder = named(&path)?;
                    places.push(Input { custodian: custodian.clone(), path, is_folder });
                }
            }
        }
    }
    let inputs = places.iter().filter(|place| is_standard_input(&place.path)).count();
    if inputs > 1 { Err(Error::InputTwice) } else { Ok((places, rest)) }
}

fn custodian_folders(
    root: PathBuf,
    places: &mut Vec<Input>,
    rest: &mut Listing,
) -> Result<(), Error> {
    let listing = match list(&root) {
        Ok(listing) => listing,
        Err(cause) => return Err(Error::Source { path: root, cause }),
    };
    for path in listing.folders {
        match path.file_name().and_then(custodian_of) {
            Some(custodian) => places.push(Input { custodian, path, is_folder: true }),
            None => rest.unread.push((path, NO_NAME.to_owned())),
        }
    }
    rest.unread.extend(listing.files.into_iter().map(|file| (file, NO_CUSTODIAN.to_owned())));
    rest.unread.extend(listing.unread);
    rest.hidden += listing.hidden;
    Ok(())
}

/// Is there something under this name, and is it a folder?
fn named(path: &Path) -> Result<bool, Error> {
    if is_standard_input(path) {
        return Ok(false);
    }
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(cause) => Err(Error::Source { path: path.to_owned(), cause }),
    }
}

/// What is in one folder, sorted.
fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            listing.hidden += 1;
        } else {
            listing.sort_in(path, kind);
        }
    }
    listing.files.sort_unstable();
    listing.folders.sort_unstable();
    listing.unread.sort_unstable();
    Ok(listing)
}

impl Listing {
    fn sort_in(&mut self, path: PathBuf, kind: FileType) {
        if kind.is_dir() {
            self.folders.push(path);
        } else if kind.is_file() {
            self.files.push(path);
        } else if kind.is_symlink() {
            match fs::metadata(&path) {
                Ok(target) if target.is_file() => self.files.push(path),
                Ok(target) if target.is_dir() => self.unread.push((path, LINKED_FOLDER.to_owned())),
                Ok(_) => self.unread.push((path, SPECIAL.to_owned())),
                Err(cause) => self.unread.push((path, unreadable(&cause))),
            }
        } else {
            self.unread.push((path, SPECIAL.to_owned()));
        }
    }
}

/// A failure to open or list something, with what to do.
pub(crate) fn unreadable(cause: &io::Error) -> String {
    format!("cannot be read ({cause}): check that it is there and may be read, and import it again")
}

/// Everything below a folder, sorted folder by folder.
pub(crate) fn list_below(folder: &Path) -> Listing {
    let (mut all, mut waiting) = (Listing::default(), vec![folder.to_owned()]);
    while let Some(folder) = waiting.pop() {
        match list(&folder) {
            Ok(listing) => {
                all.files.extend(listing.files);
                all.unread.extend(listing.unread);
                all.hidden += listing.hidden;
                waiting.extend(listing.folders.into_iter().rev());
            }
            Err(cause) => all.unread.push((folder, unreadable(&cause))),
        }
    }
    all
}

/// How many files there are at a place, and how many bytes in them.
pub(crate) fn measure(place: &Input) -> (u64, u64) {
    let files =
        if place.is_folder { list_below(&place.path).files } else { vec![place.path.clone()] };
    let bytes = files.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
    (files.len() as u64, bytes)
}

/// Opens a file, or standard input.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if is_standard_input(path) {
        Ok(Box::new(io::stdin().lock()))
    } else {
        Ok(Box::new(File::open(path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_its_custodian() {
        let cases = [
            ("0123-abc", Some("user:0123-abc")),
            ("user_0123", Some("user:0123")),
            ("user:0123", Some("user:0123")),
            ("team_0123", Some("team:0123")),
            ("team:0123", Some("team:0123")),
            ("teams", Some("user:teams")),
            ("ann@example.org", Some("user:ann@example.org")),
            ("team_", None),
            ("user:", None),
        ];
        for (name, expected) in cases {
            let custodian = custodian_of(OsStr::new(name));
            assert_eq!(custodian.as_ref().map(Custodian::as_str), expected, "{name}");
        }
    }

    #[test]
    fn a_tree_is_listed_in_order_and_nothing_is_passed_over_in_silence() {
        let root = tempfile::tempdir().unwrap();
        for name in
            ["team_b/2.json", "team_b/1.json", "team_b/old/0.json", "a/.DS_Store", "team_/x"]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        fs::write(root.path().join("stray.json"), "{}").unwrap();

        let (places, rest) = places(vec![Source::Folders(root.path().to_owned())]).unwrap();
        let owners: Vec<_> = places.iter().map(|place| place.custodian.as_str()).collect();
        assert_eq!(owners, ["user:a", "team:b"]);
        let unread: Vec<_> = rest.unread.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(unread, [NO_NAME, NO_CUSTODIAN]);

        assert_eq!(list_below(&places[0].path).hidden, 1);
        let files = list_below(&places[1].path).files;
        let names = ["1.json", "2.json", "old/0.json"].map(|name| places[1].path.join(name));
        assert_eq!(files, names);
        assert_eq!(measure(&places[1]), (3, 6));
    }

    #[test]
    fn a_source_that_is_not_there_is_an_error() {
        let path = PathBuf::from("no/such/folder");
        let custodian = Custodian::user("a");
        let sources =
            [Source::Folders(path.clone()), Source::Files { custodian, paths: vec![path] }];
        for source in sources {
            assert!(matches!(places(vec![source]), Err(Error::Source { .. })));
        }
    }

    #[test]
    fn standard_input_can_be_named_once() {
        let twice = vec![PathBuf::from("-"), PathBuf::from("-")];
        let source = Source::Files { custodian: Custodian::user("a"), paths: twice };
        assert!(matches!(places(vec![source]), Err(Error::InputTwice)));
    }
}
