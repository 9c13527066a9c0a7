//! Page folders as a tenant: a folder per custodian, page files with `"value": […]` in it.
//!
//! All files are read into memory once and their items indexed by time. A page is then a copy of
//! the items' own bytes, so that serving is never what a client waits for.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use chatvault_support::parse_time;
use memchr::memmem;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Ms;
use crate::tenant::Window;

/// The users of some page folders, and their messages.
#[derive(Debug)]
pub struct Folders {
    users: Vec<User>,
    by_name: HashMap<String, usize>,
}

#[derive(Debug)]
struct User {
    id: String,
    files: Vec<Vec<u8>>,
    /// Sorted by time.
    items: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    modified: Ms,
    file: u32,
    start: u32,
    length: u32,
}

#[derive(Deserialize)]
struct PageFile<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

impl Folders {
    /// Reads all page files of a folder into memory, with every core there is.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut folders = listing(path)?;
        #[expect(clippy::disallowed_methods, reason = "page folders are the fake's input")]
        folders.retain(|folder| folder.is_dir());
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(folders.len()));
        let work = || -> io::Result<()> {
            while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let user = User::load(folder)?;
                done.lock().unwrap_or_else(PoisonError::into_inner).push(user);
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().map_err(|_panic| io::Error::other("a reader of page files failed"))?
            })
        })?;
        let mut users = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        users.sort_by(|a, b| a.id.cmp(&b.id));
        let names = users.iter().enumerate();
        let by_name = names.flat_map(|(at, user)| [(user.id.to_lowercase(), at), (user.upn(), at)]);
        Ok(Self { by_name: by_name.collect(), users })
    }

    /// The id of a user, by id or by principal name.
    pub fn user(&self, name: &str) -> Option<&str> {
        let at = self.by_name.get(&name.to_lowercase())?;
        self.users.get(*at).map(|user| user.id.as_str())
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// How many items there are in all folders.
    pub fn items(&self) -> usize {
        self.users.iter().map(|user| user.items.len()).sum()
    }

    pub(crate) fn users_json(&self) -> Vec<String> {
        self.users.iter().map(User::to_json).collect()
    }

    pub(crate) fn user_json(&self, id: &str) -> Option<String> {
        self.users.iter().find(|user| user.id == id).map(User::to_json)
    }

    /// The items of a user in a window.
    pub(crate) fn view(&self, id: &str, window: Window, scattered: bool) -> View<'_> {
        let at = self.by_name.get(&id.to_lowercase());
        let user = at.and_then(|at| self.users.get(*at));
        let items = user.map_or(&[][..], |user| user.between(window));
        let files = user.map_or(&[][..], |user| &user.files);
        View { files, items, stride: if scattered { stride(items.len()) } else { 1 } }
    }
}

impl User {
    fn load(folder: &Path) -> io::Result<Self> {
        let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut paths = listing(folder)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut user = Self { id, files: Vec::with_capacity(paths.len()), items: Vec::new() };
        for path in paths {
            #[expect(clippy::disallowed_methods, reason = "page files are the fake's input")]
            let file = fs::read(&path)?;
            user.add(file).map_err(|problem| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {problem}", path.display()))
            })?;
        }
        user.items.sort_by_key(|entry| entry.modified);
        Ok(user)
    }

    fn add(&mut self, file: Vec<u8>) -> Result<(), String> {
        let number = u32::try_from(self.files.len()).map_err(|_many| "too many files")?;
        let page: PageFile<'_> =
            serde_json::from_slice(&file).map_err(|problem| problem.to_string())?;
        let base = file.as_ptr().addr();
        for item in page.value {
            let text = item.get();
            let place = |number: usize| u32::try_from(number).map_err(|_large| "too large");
            let start = place(text.as_ptr().addr() - base)?;
            let modified =
                modified(text.as_bytes()).ok_or("an item has no lastModifiedDateTime")?;
            self.items.push(Entry { modified, file: number, start, length: place(text.len())? });
        }
        self.files.push(file);
        Ok(())
    }

    fn between(&self, window: Window) -> &[Entry] {
        let after = |entry: &Entry| window.after.is_some_and(|bound| entry.modified <= bound);
        let before = |entry: &Entry| window.before.is_none_or(|bound| entry.modified < bound);
        let (start, end) = (self.items.partition_point(after), self.items.partition_point(before));
        self.items.get(start..end).unwrap_or_default()
    }

    fn upn(&self) -> String {
        format!("{}@folders.example", self.id.to_lowercase())
    }

    fn to_json(&self) -> String {
        let upn = self.upn();
        let name = self.id.get(..8).unwrap_or(&self.id);
        json!({"id": self.id, "displayName": name, "userPrincipalName": upn, "mail": upn,
            "accountEnabled": true, "userType": "Member"})
        .to_string()
    }
}

/// `lastModifiedDateTime` of a message: inside texts its quotes are escaped, so the first is it.
fn modified(item: &[u8]) -> Option<Ms> {
    const KEY: &[u8] = b"\"lastModifiedDateTime\"";
    let rest = item.get(memmem::find(item, KEY)? + KEY.len()..)?.trim_ascii_start();
    let value = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    let time = parse_time(std::str::from_utf8(value.get(..end)?).ok()?)?;
    Some(time.ms())
}

/// What a window of a user holds, in the order of its pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    files: &'a [Vec<u8>],
    items: &'a [Entry],
    stride: usize,
}

impl<'a> View<'a> {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The bytes of one item.
    pub(crate) fn item(&self, at: usize) -> Option<&'a [u8]> {
        if at >= self.items.len() {
            return None;
        }
        let entry = self.items.get(at * self.stride % self.items.len())?;
        let (start, length) = (entry.start as usize, entry.length as usize);
        self.files.get(entry.file as usize)?.get(start..start + length)
    }
}

/// A step that visits every index once, in an order far from sorted.
fn stride(length: usize) -> usize {
    let golden = (length / 1000 * 618 + length % 1000 * 618 / 1000).max(1);
    (golden..golden + length).find(|step| coprime(*step, length)).unwrap_or(1)
}

fn coprime(a: usize, b: usize) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

fn listing(folder: &Path) -> io::Result<Vec<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "page folders are the fake's input")]
    let entries = fs::read_dir(folder)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_visits_everything_once() {
        for length in [1, 2, 3, 10, 97, 1000, 1618] {
            let step = stride(length);
            let mut seen: Vec<usize> = (0..length).map(|at| at * step % length).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..length).collect::<Vec<_>>(), "{length}");
        }
    }

    #[test]
    fn the_time_of_an_item_is_its_own() {
        let item = br#"{"subject":"\"lastModifiedDateTime\":\"x\"","lastModifiedDateTime": "1970-01-01T00:00:01Z"}"#;
        assert_eq!(modified(item), Some(1000));
        assert_eq!(modified(b"{}"), None);
    }
}
