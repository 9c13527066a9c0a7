//! Pictures, files, recordings and transcripts: there, linked, and told when they cannot be had.

use std::collections::BTreeMap;
use std::io::Read;

use chatvault_engine::{Archive, MessageKey, RecordKind, Scan, Versions};
use chatvault_fake_graph::{Behaviour, Content, ContentPath, Place, Setup, TruthObject, fill};
use chatvault_ingest::sync;

use super::kit::{World, windowed};

/// Keys by conversation and id, since the service's own list names no thread.
fn keys(archive: &Archive) -> BTreeMap<(String, String), Vec<MessageKey>> {
    let mut keys: BTreeMap<_, Vec<MessageKey>> = BTreeMap::new();
    for record in [RecordKind::Message, RecordKind::CallRecording, RecordKind::CallTranscript] {
        let scan = Scan { record, versions: Versions::Latest, ..Scan::default() };
        let snapshot = archive.snapshot().unwrap();
        let mut rows = snapshot.scan(&scan).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let key = row.to_stored().unwrap().key;
            keys.entry((key.conversation.clone(), key.id.clone())).or_default().push(key);
        }
    }
    keys
}

fn bytes_of(content: &Content) -> Option<Vec<u8>> {
    match content {
        Content::Bytes { bytes, .. } => Some(bytes.clone()),
        Content::Generated { seed, len, .. } => {
            let mut bytes = vec![0; usize::try_from(*len).unwrap()];
            fill(*seed, 0, &mut bytes);
            Some(bytes)
        }
        _ => None,
    }
}

/// All objects that are linked to some messages.
fn linked(archive: &Archive, keys: &[MessageKey]) -> Vec<Vec<u8>> {
    let snapshot = archive.snapshot().unwrap();
    let links = keys.iter().flat_map(|key| snapshot.links(key).unwrap());
    let read = |(_, address)| {
        let mut bytes = Vec::new();
        let _length = snapshot.object(&address).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    links.map(read).collect()
}

fn is_there(world: &World, object: &TruthObject) -> bool {
    object.from <= world.now() && object.until.is_none_or(|until| world.now() < until)
}

/// A name with signs that an address does not take as they are.
fn is_odd(path: &ContentPath) -> bool {
    matches!(path, ContentPath::File { content_url } if content_url.contains('#'))
}

fn is_of_deleted_team(world: &World, path: &ContentPath) -> bool {
    let ContentPath::Hosted { place: Place::Channel { team, .. }, .. } = path else { return false };
    world.tenant.deleted_team(team, world.now()).is_some()
}

#[test]
fn everything_that_can_be_had_is_linked_and_the_rest_is_told() {
    let setup = Setup { days: 12, recordings: 3, recording_bytes: 9 << 20, ..Setup::default() };
    let world = World::new(setup, Behaviour::default());
    world.set_day(12);
    let archive = world.archive_of_all();
    let content = sync::Content { hosted: true, files: true, meetings: true };
    let mut options = world.options();
    options.content = content;
    options.feeds = windowed();
    let report = world.sync(&archive, &options);
    let keys = keys(&archive);
    let (mut had, mut odd, mut of_deleted_teams, mut refused) = (0, 0, 0, 0);
    for object in world.tenant.objects(world.now()) {
        let of_message = (object.conversation.clone(), object.message.clone());
        let Some(keys) = keys.get(&of_message).filter(|_| is_there(&world, &object)) else {
            continue;
        };
        match bytes_of(&object.content) {
            Some(bytes) => {
                assert!(linked(&archive, keys).contains(&bytes), "{:?}", object.path);
                had += 1;
                odd += u64::from(is_odd(&object.path));
                of_deleted_teams += u64::from(is_of_deleted_team(&world, &object.path));
            }
            None => refused += u64::from(!matches!(object.path, ContentPath::HostedList { .. })),
        }
    }
    assert!(had > 20 && odd > 0 && of_deleted_teams > 0, "{had}, {odd}, {of_deleted_teams}");
    assert!(report.total.objects >= had, "{:?}", report.total);
    let missing = sync::missing(&archive, None).unwrap();
    assert!(missing.len() as u64 >= refused && refused > 0, "{refused}: {missing:?}");
    assert!(missing.iter().all(|lost| !lost.reason.is_empty() && lost.tries == 1), "{missing:?}");
    assert_eq!(world.fake.seen().bearer_elsewhere, 0, "files come from where no token belongs");
    // The next run tries again what is missing, and fetches nothing twice.
    let again = world.sync(&archive, &options);
    assert_eq!(again.total.objects, 0, "{:?}", again.total);
    let missing = sync::missing(&archive, None).unwrap();
    assert!(missing.iter().all(|lost| lost.tries == 2), "{missing:?}");
}
