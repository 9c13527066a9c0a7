//! Binary objects: stored once, streamed, linked to messages.

use std::io::{self, Read};
use std::sync::Arc;

use chatvault_engine::{ContentAddress, Memory, MessageKey, RecordKind, Snapshot};
use chatvault_support::{Draft, Random};

use crate::kit::{ORIGIN, Vault, ada};

fn vault() -> Vault {
    Vault::create(Arc::new(Memory::new()))
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    std::iter::repeat_with(|| random.next_u64().to_le_bytes()).flatten().take(length).collect()
}

fn address(bytes: &[u8]) -> ContentAddress {
    ContentAddress(*blake3::hash(bytes).as_bytes())
}

fn read(snapshot: &Snapshot, of: &ContentAddress) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let _ = snapshot.object(of).unwrap()?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Gives a few bytes at a time, and fails at the end if told to.
#[derive(Debug)]
struct Drip<'a> {
    rest: &'a [u8],
    fails: bool,
}

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.fails {
            return Err(io::Error::other("the line broke"));
        }
        let few = out.len().min(977);
        (&mut self.rest).take(few as u64).read(out)
    }
}

#[test]
fn objects_of_all_sizes_come_back_after_reopening() {
    let mut vault = vault();
    let sizes = [0, 1, 4_095, 65_536, 65_537, 1 << 20, (3 << 20) + 17];
    let objects: Vec<_> = (0..).zip(sizes).map(|(seed, size)| noise(seed, size)).collect();
    for object in &objects {
        let mut drip = Drip { rest: object, fails: false };
        assert_eq!(vault.archive().put_object(&mut drip).unwrap(), address(object));
    }
    for _ in 0..2 {
        let snapshot = vault.archive().snapshot().unwrap();
        for object in &objects {
            assert!(read(&snapshot, &address(object)).as_ref() == Some(object));
        }
        assert_eq!(vault.archive().stat().unwrap().objects, objects.len() as u64);
        vault.compact();
        vault.reopen();
    }
    vault.verify();
}

#[test]
fn the_same_bytes_are_stored_once() {
    let mut vault = vault();
    let object = noise(1, 500_000);
    let bytes =
        |vault: &Vault| vault.archive().stat().unwrap().bytes_by_part.get("objects").copied();
    let _ = vault.archive().put_object(&mut &object[..]).unwrap();
    vault.archive().seal().unwrap();
    let once = bytes(&vault).unwrap();
    assert!(once >= 500_000);
    for _ in 0..3 {
        let _ = vault.archive().put_object(&mut &object[..]).unwrap();
        vault.reopen();
    }
    assert!(bytes(&vault).unwrap() < once + 100_000);
    assert_eq!(vault.archive().stat().unwrap().objects, 1);
}

#[test]
fn an_object_whose_source_fails_is_not_there() {
    let mut vault = vault();
    let object = noise(2, 300_000);
    let mut broken = Drip { rest: &object, fails: true };
    assert!(vault.archive().put_object(&mut broken).is_err());
    assert_eq!(read(&vault.archive().snapshot().unwrap(), &address(&object)), None);
    // The archive is not to blame: it goes on.
    let other = noise(3, 1_000);
    let stored = vault.archive().put_object(&mut &other[..]).unwrap();
    vault.reopen();
    assert_eq!(read(&vault.archive().snapshot().unwrap(), &stored), Some(other));
    vault.verify();
}

#[test]
fn links_name_the_attachments_of_a_message() {
    let mut vault = vault();
    let (image, file) = (noise(4, 10_000), noise(5, 20));
    let image = vault.archive().put_object(&mut &image[..]).unwrap();
    let file = vault.archive().put_object(&mut &file[..]).unwrap();
    let text = Draft::chat("19:a", 17).json();
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: "19:a".to_owned(),
        reply_to: None,
        id: "17".to_owned(),
    };
    let mut batch = vault.archive().batch(vault.run);
    batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
    batch.link(&key, "attachment-2", file);
    batch.link(&key, "attachment-1", image);
    drop(batch.commit().unwrap());
    for _ in 0..3 {
        let mut links = vault.archive().snapshot().unwrap().links(&key).unwrap();
        links.sort();
        assert_eq!(links, [("attachment-1".to_owned(), image), ("attachment-2".to_owned(), file)]);
        vault.compact();
        vault.reopen();
    }
}
