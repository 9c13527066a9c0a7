//! A folder in memory that stops working after so many operations, and can lose what is not synced.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// A folder that stops. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Brittle {
    names: Arc<Mutex<Names>>,
    left: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Names {
    now: BTreeMap<String, Arc<Content>>,
    durable: BTreeMap<String, Arc<Content>>,
}

#[derive(Debug, Default)]
struct Content(Mutex<Bytes>);

#[derive(Clone, Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    durable: Vec<u8>,
}

/// What is left after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The process ended: all that was written is there.
    Process,
    /// The power went: only what was synced is there.
    Power,
}

impl Brittle {
    /// Works for so many operations.
    pub(super) fn new(operations: u64) -> Self {
        Self { names: Arc::default(), left: Arc::new(AtomicU64::new(operations)) }
    }

    /// How many operations are left.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::SeqCst)
    }

    /// The folder after a stop; it works for so many operations.
    pub(super) fn after(&self, stop: Stop, operations: u64) -> Self {
        let names = self.names.lock().unwrap();
        let from = if stop == Stop::Power { &names.durable } else { &names.now };
        let files = from.iter().map(|(name, content)| {
            let bytes = content.0.lock().unwrap();
            let kept = if stop == Stop::Power { bytes.durable.clone() } else { bytes.now.clone() };
            let content = Content(Mutex::new(Bytes { now: kept.clone(), durable: kept }));
            (name.clone(), Arc::new(content))
        });
        let now: BTreeMap<String, Arc<Content>> = files.collect();
        let names = Names { durable: now.clone(), now };
        let left = Arc::new(AtomicU64::new(operations));
        Self { names: Arc::new(Mutex::new(names)), left }
    }

    fn step(&self) -> Result<()> {
        let less = |left: u64| left.checked_sub(1);
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        left.map(drop).map_err(|_none| Error::other("the machine is off"))
    }
}

impl Storage for Brittle {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        self.step()?;
        let mut names = self.names.lock().unwrap();
        if names.now.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let content = Arc::new(Content::default());
        let _none = names.now.insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(Open { content, folder: self.clone() }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let names = self.names.lock().unwrap();
        let content = names.now.get(path).map(Arc::clone).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Open { content, folder: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.step()?;
        let mut names = self.names.lock().unwrap();
        let content = names.now.remove(from).ok_or(ErrorKind::NotFound)?;
        let _replaced = names.now.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.step()?;
        self.names.lock().unwrap().now.remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn list(&self, _folder: &str) -> Result<Vec<FileName>> {
        let names = self.names.lock().unwrap();
        let file = |(name, content): (&String, &Arc<Content>)| FileName {
            name: name.clone(),
            bytes: content.0.lock().unwrap().now.len() as u64,
        };
        Ok(names.now.iter().map(file).collect())
    }

    fn make_folder(&self, _folder: &str) -> Result<()> {
        self.step()
    }

    fn sync_folder(&self, _folder: &str) -> Result<()> {
        self.step()?;
        let mut names = self.names.lock().unwrap();
        names.durable = names.now.clone();
        Ok(())
    }

    fn try_lock(&self, _path: &str, _holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        Ok(Some(Box::new(Guard)))
    }

    fn local_folder(&self, _folder: &str) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct Guard;

impl LockGuard for Guard {}

#[derive(Debug)]
struct Open {
    content: Arc<Content>,
    folder: Brittle,
}

impl WriteFile for Open {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.folder.step()?;
        let start = usize::try_from(offset).unwrap();
        let end = start + bytes.len();
        let mut content = self.content.0.lock().unwrap();
        if content.now.len() < end {
            content.now.resize(end, 0);
        }
        content.now[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.folder.step()?;
        let mut content = self.content.0.lock().unwrap();
        content.durable = content.now.clone();
        Ok(())
    }
}

impl ReadFile for Open {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let content = self.content.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = content.now.get(start..start + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        Ok(self.content.0.lock().unwrap().now.len() as u64)
    }
}
