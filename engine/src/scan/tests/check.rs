//! Holds what a scan gives, whole, by page, on threads and by paths, against the rules.

use super::*;
use crate::document::Value;

/// The same rows page by page, each page behind the cursor of the one before.
pub(super) fn paged(snapshot: &Snapshot, scan: &Scan, page: u64) -> Vec<ContentAddress> {
    let mut found = Vec::new();
    let mut scan = Scan { limit: Some(page), ..scan.clone() };
    loop {
        let mut rows = snapshot.scan(&scan).unwrap();
        assert_eq!(rows.cursor(), None);
        let before = found.len();
        while let Some(row) = rows.next().unwrap() {
            found.push(Compare::default().document(row.json()).unwrap().0);
        }
        if found.len() == before {
            return found;
        }
        let text = rows.cursor().unwrap().to_text();
        scan.cursor = Some(Cursor::from_text(&text).unwrap());
        let rest = snapshot.count(&Scan { limit: None, ..scan.clone() }).unwrap();
        assert!(rest == 0 || found.len() - before == usize::try_from(page).unwrap());
    }
}

pub(super) fn check(world: &mut World, snapshot: &Snapshot, scans: usize) {
    for _ in 0..scans {
        let scan = world.scan();
        let wanted = world.wanted(&scan, snapshot.sequence());
        assert_eq!(all(snapshot, &scan), wanted, "{scan:?}");
        assert_eq!(snapshot.count(&scan).unwrap(), wanted.len() as u64, "{scan:?}");
        let unlimited = Scan { limit: None, ..scan };
        let wanted = world.wanted(&unlimited, snapshot.sequence());
        let page = 1 + world.dice.roll(60);
        assert_eq!(paged(snapshot, &unlimited, page), wanted, "{page} {unlimited:?}");
        let threads = 1 + usize::try_from(world.dice.roll(4)).unwrap();
        let rows = snapshot.scan_on(&unlimited, threads.try_into().unwrap()).unwrap();
        assert_eq!(addresses(rows), wanted, "{threads} {unlimited:?}");
        check_some(snapshot, &unlimited, (&wanted, threads));
        let explain = snapshot.explain(&unlimited).unwrap();
        assert!(explain.rows_touched >= wanted.len() as u64, "{explain:?} {unlimited:?}");
        assert!(explain.rows_touched <= explain.rows && explain.groups_touched <= explain.groups);
    }
}

/// The same rows, read by paths and then whole.
fn check_some(snapshot: &Snapshot, scan: &Scan, (wanted, threads): (&[ContentAddress], usize)) {
    let paths: Vec<Path> = ["from/user/id", "messageType", "a/b"].map(Path::new).into();
    let scan = Scan { paths: paths.clone(), ..scan.clone() };
    let mut rows = snapshot.scan_on(&scan, threads.try_into().unwrap()).unwrap();
    let mut found = Vec::new();
    assert!(!rows.complete().unwrap());
    while let Some(row) = rows.next().unwrap() {
        let (some, stored) = (row.document().unwrap().into_owned(), row.to_stored().unwrap());
        let names: Vec<&str> = some.root().members().map(|(name, _)| name).collect();
        assert_eq!(names, ["messageType", "from"]);
        let cursor = rows.cursor().unwrap();
        assert!(rows.complete().unwrap());
        let row = rows.last().unwrap();
        assert_eq!((row.json(), cursor.address), (&*stored.json, stored.address));
        let whole = row.document().unwrap();
        for path in &paths {
            let texts = [&whole, &some].map(|one| one.get(path).and_then(Value::text));
            assert_eq!(texts[0], texts[1], "{path:?}");
        }
        found.push(whole.address());
    }
    assert_eq!(found, wanted, "{scan:?}");
}
