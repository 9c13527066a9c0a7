//! Downloads that are cut, killed, changed and tampered with.

use std::time::Duration;

use super::*;

const ADDRESS: &str = "https://graph.microsoft.com/v1.0/x/content";
const TAG: &str = "\"v1\"";

/// So many bytes that differ from place to place.
fn bytes(count: usize) -> Vec<u8> {
    let mut out = vec![0; count];
    blake3::Hasher::new().update(b"seed").finalize_xof().fill(&mut out);
    out
}

fn spool() -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(&folder.path().join("incoming"));
    (folder, spool)
}

fn begun(spool: &Spool, etag: Option<&str>, total: usize) -> Download {
    let mut download = spool.open(ADDRESS).unwrap();
    download.begin(etag, Some(total as u64)).unwrap();
    download
}

fn read(download: Download) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = download.finish().unwrap().read_to_end(&mut out).unwrap();
    out
}

fn files(spool: &Spool) -> usize {
    fs::read_dir(&spool.folder).map_or(0, Iterator::count)
}

#[test]
fn a_small_content_never_touches_the_disk_and_gives_its_memory_back() {
    let (_folder, spool) = spool();
    let content = bytes(SMALL_BYTES);
    let mut download = begun(&spool, Some(TAG), content.len());
    for part in content.chunks(100_000) {
        download.write(part).unwrap();
    }
    assert_eq!(spool.memory.load(Ordering::Relaxed), content.len());
    assert_eq!(download.kept(), content.len() as u64);
    assert!(read(download) == content);
    assert!(!spool.folder.exists());
    assert_eq!(spool.memory.load(Ordering::Relaxed), 0);
}

#[test]
fn one_that_turns_out_large_goes_on_in_a_file() {
    let (_folder, spool) = spool();
    let content = bytes(SMALL_BYTES + 10);
    let mut download = spool.open(ADDRESS).unwrap();
    download.begin(None, None).unwrap();
    let (most, rest) = content.split_at(SMALL_BYTES);
    download.write(most).unwrap();
    assert_eq!(files(&spool), 0);
    download.write(rest).unwrap();
    assert!(files(&spool) > 0);
    assert_eq!(spool.memory.load(Ordering::Relaxed), 0);
    assert!(read(download) == content);
}

#[test]
fn memory_of_all_together_is_bounded() {
    let (_folder, spool) = spool();
    let part = bytes(SMALL_BYTES);
    let downloads: Vec<Download> = (0..MEMORY_BYTES / SMALL_BYTES + 2)
        .map(|number| {
            let mut download = spool.open(&number.to_string()).unwrap();
            download.begin(None, None).unwrap();
            download.write(&part).unwrap();
            download
        })
        .collect();
    assert_eq!(spool.memory.load(Ordering::Relaxed), MEMORY_BYTES);
    assert_eq!(downloads.iter().filter(|it| matches!(it.kept, Kept::File(_))).count(), 2);
    drop(downloads);
    assert_eq!(spool.memory.load(Ordering::Relaxed), 0);
}

#[test]
fn a_download_that_is_dropped_goes_on_where_it_was() {
    let (_folder, spool) = spool();
    let content = bytes(11 << 20);
    let mut download = begun(&spool, Some(TAG), content.len());
    download.write(&content[..6 << 20]).unwrap();
    drop(download);
    let mut again = Spool::new(&spool.folder).open(ADDRESS).unwrap();
    assert_eq!((again.kept(), again.validator().as_deref()), (6 << 20, Some(TAG)));
    again.write(&content[6 << 20..]).unwrap();
    let whole = again.finish().unwrap();
    let left = whole.files.clone().unwrap();
    drop(whole);
    left.remove().unwrap();
    assert_eq!(files(&spool), 0);
}

#[test]
fn one_that_is_killed_goes_on_behind_its_last_note() {
    let (_folder, spool) = spool();
    let content = bytes(6 << 20);
    let mut download = begun(&spool, Some(TAG), 20 << 20);
    for part in content.chunks(1 << 20) {
        download.write(part).unwrap();
    }
    // A killed process drops nothing.
    let _killed = std::mem::ManuallyDrop::new(download);
    let again = spool.open(ADDRESS).unwrap();
    assert_eq!(again.kept(), 4 << 20);
    assert_eq!(again.hasher.finalize(), blake3::hash(&content[..4 << 20]));
    assert_eq!(fs::metadata(&again.files.bytes).unwrap().len(), 4 << 20);
}

#[test]
fn a_changed_content_starts_anew() {
    let (_folder, spool) = spool();
    let mut download = begun(&spool, Some(TAG), 8 << 20);
    download.write(&bytes(5 << 20)).unwrap();
    drop(download);
    let mut again = spool.open(ADDRESS).unwrap();
    assert_eq!(again.kept(), 5 << 20);
    again.begin(Some("\"v2\""), Some(3)).unwrap();
    again.write(b"new").unwrap();
    assert_eq!((again.kept(), again.validator().as_deref()), (3, Some("\"v2\"")));
    assert_eq!(read(again), b"new");
    assert_eq!(files(&spool), 0);
}

#[test]
fn bytes_that_their_note_does_not_prove_are_not_trusted() {
    type Harm = fn(&Files);
    let harms: [(&str, Harm); 6] = [
        ("a bit flipped", |files| {
            let mut bytes = fs::read(&files.bytes).unwrap();
            bytes[1 << 20] ^= 1;
            fs::write(&files.bytes, bytes).unwrap();
        }),
        ("bytes lost", |files| {
            let file = OpenOptions::new().write(true).open(&files.bytes).unwrap();
            file.set_len(4 << 20).unwrap();
        }),
        ("note torn", |files| fs::write(&files.note, b"{\"etag\":").unwrap()),
        ("note gone", |files| fs::remove_file(&files.note).unwrap()),
        ("bytes gone", |files| fs::remove_file(&files.bytes).unwrap()),
        ("no tag", |files| {
            let note = fs::read_to_string(&files.note).unwrap();
            let end = note.find(",\"total\"").unwrap();
            fs::write(&files.note, format!("{{\"etag\":null{}", &note[end..])).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let (_folder, spool) = spool();
        let mut download = begun(&spool, Some(TAG), 8 << 20);
        download.write(&bytes(5 << 20)).unwrap();
        let files = download.files.clone();
        drop(download);
        harm(&files);
        let again = spool.open(ADDRESS).unwrap();
        assert_eq!((again.kept(), again.validator()), (0, None), "{what}");
    }
}

#[test]
fn a_whole_download_asks_for_its_last_byte_again() {
    let (_folder, spool) = spool();
    let content = bytes(5 << 20);
    let mut download = begun(&spool, Some(TAG), content.len());
    download.write(&content).unwrap();
    drop(download.finish().unwrap());
    let mut again = spool.open(ADDRESS).unwrap();
    assert_eq!(again.kept(), content.len() as u64 - 1);
    again.write(&content[content.len() - 1..]).unwrap();
    assert!(read(again) == content);
}

#[test]
fn a_weak_tag_promises_nothing() {
    let (_folder, spool) = spool();
    let mut download = begun(&spool, Some("W/\"1\""), 8 << 20);
    download.write(&bytes(5 << 20)).unwrap();
    assert_eq!(download.validator(), None);
    drop(download);
    assert_eq!(spool.open(ADDRESS).unwrap().kept(), 0);
}

#[test]
fn a_disk_that_takes_no_more_is_told_and_keeps_what_it_has() {
    let (folder, _) = spool();
    // A file stands where the folder should be.
    let place = folder.path().join("occupied");
    fs::write(&place, b"").unwrap();
    let spool = Spool::new(&place.join("incoming"));
    let mut download = spool.open("a");
    if let Ok(download) = &mut download {
        assert!(download.begin(Some(TAG), Some(5 << 20)).is_err());
        assert!(download.failure().is_some());
        assert!(download.write(b"x").is_err());
    }
    // Some systems say so at once.
    assert!(download.is_ok() || download.is_err_and(|cause| cause.raw_os_error().is_some()));
    assert_eq!(spool.memory.load(Ordering::Relaxed), 0);
}

#[test]
fn only_old_files_of_ours_are_swept() {
    let (_folder, spool) = spool();
    assert_eq!(spool.sweep(i64::MAX).unwrap(), 0);
    let mut old = begun(&spool, Some(TAG), 8 << 20);
    old.write(&bytes(5 << 20)).unwrap();
    let files_of_old = old.files.clone();
    drop(old);
    fs::write(spool.folder.join("notes.txt"), b"mine").unwrap();
    let day = Duration::from_hours(24);
    for path in [&files_of_old.bytes, &files_of_old.note] {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + day * 10).unwrap();
    }
    let mut new = spool.open("another").unwrap();
    new.begin(Some(TAG), Some(8 << 20)).unwrap();
    let before = i64::try_from((day * 11).as_millis()).unwrap();
    assert_eq!((spool.sweep(before).unwrap(), files(&spool)), (2, 2));
    drop(new);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, spool) = spool();
    let mut download = begun(&spool, Some(TAG), 8 << 20);
    download.write(&bytes(5 << 20)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&spool.folder), 0o700);
    assert_eq!((mode(&download.files.bytes), mode(&download.files.note)), (0o600, 0o600));
}
