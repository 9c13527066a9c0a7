//! Whole passes against a server on loopback.

mod service;
mod world;

use std::sync::Arc;
use std::time::Duration;

use chatvault_engine::{ContentAddress, RecordKind};
use chatvault_graph::FailureKind;

use super::Kind;
use crate::sync::SyncError;
use service::{Content, made};
use world::{World, file, finish, key, meeting, message, picture, share};

const CHAT: &str = "19:a@thread.v2";

fn bytes(text: &str) -> Content {
    Content::Bytes(text.as_bytes().to_vec())
}

fn address(bytes: &[u8]) -> ContentAddress {
    ContentAddress(*blake3::hash(bytes).as_bytes())
}

fn address_of_made(seed: u64, count: u64) -> ContentAddress {
    let mut hasher = blake3::Hasher::new();
    let mut part = vec![0; 1 << 20];
    for at in (0..count).step_by(part.len()) {
        let wanted = usize::try_from(count - at).unwrap().min(part.len());
        made(seed, at, &mut part[..wanted]);
        let _ = hasher.update(&part[..wanted]);
    }
    ContentAddress(*hasher.finalize().as_bytes())
}

async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_all_kinds_are_stored_linked_and_asked_for_once() {
    let world = World::new().await;
    let row = message(CHAT, "1", &picture(CHAT, "1", "pic"), &file("F1", "b.txt"));
    world.offer(RecordKind::Message, "ann", &[row]);
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    world.offer(RecordKind::CallTranscript, "boss", &[meeting("tra")]);
    world.service.set("/hostedContents/pic/$value", bytes("a picture"));
    world.service.set(&share("b.txt"), Content::Elsewhere("/store/b"));
    world.service.set("/store/b", bytes("a file"));
    world.service.set("/recordings/rec/content", bytes("a film"));
    world.service.set("/transcripts/tra/content", bytes("words"));
    world.service.set("/transcripts/tra/metadataContent", bytes("names"));
    let contents = world.run().await;
    let own = |name: &str, text: &str| (name.to_owned(), address(text.as_bytes()));
    let message = key(RecordKind::Message, CHAT, "1");
    let expected = [own("F1", "a file"), own("hostedContents/pic", "a picture")];
    assert_eq!(world.links(&message), expected);
    let recording = key(RecordKind::CallRecording, "meet", "rec");
    assert_eq!(world.links(&recording), [own("content", "a film")]);
    let transcript = key(RecordKind::CallTranscript, "meet", "tra");
    let expected = [own("content", "words"), own("metadataContent", "names")];
    assert_eq!(world.links(&transcript), expected);
    assert_eq!(world.object(&address(b"a film")), b"a film");
    // Nothing of ours goes to where the file really is.
    assert!(world.service.asked_for("/store/b").iter().all(|asked| !asked.bearer));
    assert!(world.service.asked_for("/users/boss/onlineMeetings/meet/")[0].bearer);
    let tallies = contents.tallies();
    let counted: Vec<_> = tallies
        .iter()
        .map(|(name, tally)| (name.as_str(), tally.objects, tally.object_bytes, tally.failures))
        .collect();
    assert_eq!(counted, [("user:ann", 2, 15, 0), ("user:boss", 3, 16, 0)]);
    assert_eq!(tallies.values().map(|tally| tally.traffic.requests).sum::<u64>(), 6);
    assert_eq!((contents.total().objects, contents.total().object_bytes), (5, 31));
    drop(world.run().await);
    assert_eq!(world.service.state().asked.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_pictures_of_deleted_messages_are_fetched_and_of_deleted_teams_where_they_are() {
    let mut world = World::new().await;
    let _ = world.deleted_teams.insert("gone".to_owned());
    let deleted = message(CHAT, "1", &picture(CHAT, "1", "pic"), &file("F1", "secret plan.docx"));
    let deleted =
        deleted.replace(r#""deletedDateTime":null"#, r#""deletedDateTime":"2023-11-14T23:00:00Z""#);
    let channel = "19:c@thread.tacv2";
    let of_team = |team: &str| {
        let place = format!("/teams/{team}/channels/{channel}/messages/");
        let body =
            picture(channel, "2", "pic2").replace(&format!("/chats/{channel}/messages/"), &place);
        let identity =
            format!(r#""channelIdentity":{{"teamId":"{team}","channelId":"{channel}"}}"#);
        message(channel, "2", &body, "").replace(&format!(r#""chatId":"{channel}""#), &identity)
    };
    world.offer(RecordKind::Message, "ann", &[deleted, of_team("gone")]);
    world.service.set("/chats/", bytes("a picture"));
    world.service.set("/shares/", bytes("a plan"));
    world.service.set("/teamwork/deletedTeams/gone/channels/", bytes("a picture of the team"));
    drop(world.run().await);
    assert_eq!(world.names(&key(RecordKind::Message, CHAT, "1")), ["F1", "hostedContents/pic"]);
    assert_eq!(world.names(&key(RecordKind::Message, channel, "2")), ["hostedContents/pic2"]);
    assert_eq!(world.missing().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_odd_signs_in_its_name_is_asked_for_in_both_spellings() {
    let world = World::new().await;
    let plain = "Budget 2026 #3 100%.xlsx";
    let escaped = plain.replace('%', "%25").replace('#', "%23");
    let rows = [
        message(CHAT, "1", "", &file("F1", plain)),
        message(CHAT, "2", "", &file("F2", "50%25.txt")),
        message(CHAT, "3", "", &file("F3", "gone #1.txt")),
    ];
    world.offer(RecordKind::Message, "ann", &rows);
    world.service.set(&share(&escaped), bytes("a budget"));
    world.service.set(&share("50%25.txt"), bytes("a text"));
    drop(world.run().await);
    assert_eq!(world.names(&key(RecordKind::Message, CHAT, "1")), ["F1"]);
    assert_eq!(world.names(&key(RecordKind::Message, CHAT, "2")), ["F2"]);
    let missing = world.missing();
    assert_eq!((missing.len(), missing[0].content.as_str()), (1, "F3"));
    assert_eq!(missing[0].title.as_deref(), Some("gone #1.txt"), "people know a file by its name");
    assert_eq!(
        world.service.asked_for("/shares/").len(),
        1 + 2 + 2,
        "a space says what is escaped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_of_a_call_without_a_meeting_is_below_its_call() {
    let world = World::new().await;
    let call =
        r#"{"id":"rec","callId":"c7","meetingId":null,"createdDateTime":"2023-12-02T06:59:34Z"}"#;
    world.offer(RecordKind::CallRecording, "boss", &[call.to_owned()]);
    world.service.set("/users/boss/adhocCalls/c7/recordings/rec/content", bytes("a video"));
    drop(world.run().await);
    assert_eq!(world.names(&key(RecordKind::CallRecording, "", "rec")), ["content"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_one_object_and_the_same_address_one_request() {
    let world = World::new().await;
    let emoji = picture(CHAT, "0", "emoji");
    let rows = [
        message(CHAT, "1", &(emoji.clone() + &picture(CHAT, "1", "one")), ""),
        message(CHAT, "2", &(emoji + &picture(CHAT, "2", "two")), ""),
    ];
    world.offer(RecordKind::Message, "ann", &rows);
    for id in ["emoji", "one", "two"] {
        world.service.set(&format!("/hostedContents/{id}/"), bytes("the same"));
    }
    let contents = world.run().await;
    assert_eq!(world.archive.stat().unwrap().objects, 1);
    assert_eq!(world.service.asked_for("/emoji/").len(), 1);
    assert_eq!(contents.total().objects, 4);
    let names = world.names(&key(RecordKind::Message, CHAT, "2"));
    assert_eq!(names, ["hostedContents/emoji", "hostedContents/two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_remembered_tried_by_each_run_once_and_given_up_at_last() {
    let world = World::new().await;
    let row = message(CHAT, "1", &picture(CHAT, "1", "pic"), "");
    world.offer(RecordKind::Message, "ann", &[row]);
    let contents = world.run().await;
    let tries = || world.service.asked_for("/pic/").len();
    let missing = world.missing().pop().unwrap();
    assert_eq!((missing.status, missing.tries, missing.given_up), (Some(404), 1, false));
    assert_eq!(missing.title, None);
    assert_eq!((missing.message.as_str(), missing.custodian.as_str()), ("1", "user:ann"));
    assert_eq!(missing.content, "hostedContents/pic");
    assert!(missing.reason.contains("by the test"), "{}", missing.reason);
    assert_eq!((tries(), contents.total().failures), (1, 1));
    let trouble = contents.tallies().into_values().next().unwrap().troubles.pop().unwrap();
    assert_eq!((trouble.what, trouble.reason), (missing.content, missing.reason));
    // A new row of the same run brings no second try.
    let row = message(CHAT, "2", &picture(CHAT, "2", "late"), "");
    world.offer(RecordKind::Message, "ann", &[row]);
    let _ = finish(&contents).await.unwrap();
    assert_eq!((tries(), world.missing().len()), (1, 2));
    world.pass_days(20);
    let again = world.run().await.total();
    assert_eq!((tries(), again.failures, again.known), (2, 0, 2), "it was told before");
    world.service.set("/late/", bytes("late"));
    world.pass_days(1);
    drop(world.run().await);
    assert_eq!(tries(), 3);
    let left = world.missing();
    assert_eq!((left.len(), left[0].tries, left[0].given_up), (1, 3, true));
    let late = world.names(&key(RecordKind::Message, CHAT, "2"));
    assert_eq!(late, ["hostedContents/late"]);
    drop(world.run().await);
    assert_eq!(tries(), 3);
    let run = world.archive.begin_run("fresh").unwrap();
    let mut batch = world.archive.batch(run);
    super::forget(&world.archive, &mut batch, 0).unwrap();
    drop(batch.commit().unwrap());
    world.service.set("/pic/", bytes("at last"));
    drop(world.run().await);
    assert_eq!((tries(), world.missing().len()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_killed_goes_on_where_it_was() {
    let world = World::new().await;
    let (seed, count, tag) = (1, 12 << 20, "\"v1\"");
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    world.service.set("/recordings/rec/content", Content::Made { seed, bytes: count, tag });
    world.service.state().silent_after = Some(9 << 20);
    let contents = world.begin(&Kind::ALL);
    {
        let pass = contents.pass();
        tokio::pin!(pass);
        let sent = until(|| world.service.state().sent >= 9 << 20);
        tokio::select! {
            _ = &mut pass => panic!("the server is silent"),
            () = sent => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    assert_eq!(world.archive.stat().unwrap().objects, 0);
    assert!(world.spooled() > 0);
    world.service.state().silent_after = None;
    // The killed pass lets go of its files in its own time.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(world.run().await);
    let asked = world.service.asked_for("/rec/");
    let again = asked.last().unwrap();
    let from = again
        .range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<u64>().ok());
    assert!(from.is_some_and(|from| from >= 4 << 20), "{again:?}");
    assert_eq!((asked.len(), again.if_range.as_deref()), (2, Some(tag)));
    let links = world.links(&key(RecordKind::CallRecording, "meet", "rec"));
    assert_eq!(links, [("content".to_owned(), address_of_made(seed, count))]);
    assert_eq!(world.spooled(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_changed_since_it_was_cut_is_fetched_anew() {
    let world = World::new().await;
    let count = 10 << 20;
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    let version = |seed, tag| Content::Made { seed, bytes: count, tag };
    world.service.set("/rec/", version(1, "\"v1\""));
    world.service.state().silent_after = Some(8 << 20);
    let contents = world.begin(&Kind::ALL);
    let killed = tokio::time::timeout(Duration::from_millis(500), contents.pass()).await;
    assert!(killed.is_err());
    world.service.state().silent_after = None;
    world.service.set("/rec/", version(2, "\"v2\""));
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(world.run().await);
    let links = world.links(&key(RecordKind::CallRecording, "meet", "rec"));
    assert_eq!(links, [("content".to_owned(), address_of_made(2, count))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_is_never_in_memory() {
    let world = World::new().await;
    let (seed, count) = (3, 64 << 20);
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    let content = Content::Made { seed, bytes: count, tag: "\"v1\"" };
    world.service.set("/recordings/rec/content", content);
    let contents = world.begin(&Kind::ALL);
    let mut most = 0;
    let pass = finish(&contents);
    tokio::pin!(pass);
    loop {
        tokio::select! {
            done = &mut pass => break assert_eq!(done.unwrap().linked, 1),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
        most = most.max(contents.spool.memory());
    }
    assert_eq!(most, 0);
    let links = world.links(&key(RecordKind::CallRecording, "meet", "rec"));
    assert_eq!(links, [("content".to_owned(), address_of_made(seed, count))]);
    assert_eq!(contents.total().object_bytes, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_stops_when_asked_and_the_next_run_does_the_rest() {
    let world = World::new().await;
    let content = Content::Made { seed: 1, bytes: 10 << 20, tag: "\"v1\"" };
    world.service.set("/recordings/rec/content", content);
    world.service.set("/hostedContents/pic/", bytes("a picture"));
    let row = message(CHAT, "1", &picture(CHAT, "1", "pic"), "");
    world.offer(RecordKind::Message, "ann", &[row]);
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    world.service.state().silent_after = Some(1 << 20);
    let contents = world.begin(&Kind::ALL);
    let stop = async {
        until(|| world.service.state().sent >= 1 << 20).await;
        until(|| !world.service.asked_for("/pic/").is_empty()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = world.stop.send_replace(true);
    };
    let (pass, ()) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(10), contents.pass()), stop);
    let pass = pass.unwrap().unwrap();
    // What was there when it stopped is committed.
    assert_eq!((pass.stopped, pass.linked), (true, 1));
    world.service.state().silent_after = None;
    let _ = world.stop.send_replace(false);
    drop(world.run().await);
    assert_eq!(world.names(&key(RecordKind::CallRecording, "meet", "rec")), ["content"]);
    assert_eq!(world.service.asked_for("/pic/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_closes_its_kind_and_costs_nothing_once_it_is_granted() {
    let world = World::new().await;
    let rows: Vec<String> = (0..60)
        .map(|n| {
            let (id, file) = (format!("{n}"), file("F", &format!("{n}.txt")));
            message(CHAT, &id, &picture(CHAT, &id, &format!("pic{n}")), &file)
        })
        .collect();
    world.offer(RecordKind::Message, "ann", &rows);
    world.service.set("/shares/", Content::Status(403));
    world.service.set("/hostedContents/", bytes("a picture"));
    let contents = world.run().await;
    let closed = contents.closed();
    assert_eq!(
        (closed.len(), closed[0].0, closed[0].1.kind),
        (1, Kind::Files, FailureKind::Permission)
    );
    assert_eq!(contents.total().objects, 60);
    let asked = world.service.asked_for("/shares/").len();
    assert!((20..40).contains(&asked), "{asked}");
    assert_eq!(world.missing().len(), asked);
    world.service.set("/shares/", bytes("a file"));
    drop(world.run().await);
    for n in 0..60 {
        assert_eq!(world.names(&key(RecordKind::Message, CHAT, &n.to_string())).len(), 2, "{n}");
    }
    assert_eq!(world.missing().len(), 0);
    assert_eq!(world.service.asked_for("/hostedContents/").len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_was_switched_off_catches_up() {
    let world = World::new().await;
    let row = message(CHAT, "1", &picture(CHAT, "1", "pic"), &file("F1", "b.txt"));
    world.offer(RecordKind::Message, "ann", &[row]);
    world.service.set("/pic/", bytes("a picture"));
    world.service.set("/shares/", bytes("a file"));
    let message = key(RecordKind::Message, CHAT, "1");
    drop(world.run_of(&[Kind::Hosted]).await.unwrap());
    assert_eq!(world.names(&message), ["hostedContents/pic"]);
    drop(world.run().await);
    assert_eq!(world.names(&message), ["F1", "hostedContents/pic"]);
    assert_eq!(world.service.state().asked.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_with_many_pictures_is_read_in_pieces_and_asked_one_by_one() {
    let world = World::new().await;
    let mut body = String::new();
    for n in 0..700 {
        body += &picture(CHAT, "1", &format!("p{n}"));
    }
    let mut rows = vec![message(CHAT, "1", &body, "")];
    rows.extend((2..400).map(|n| {
        let id = n.to_string();
        let body = if n % 2 == 0 { String::new() } else { picture(CHAT, &id, "own") };
        message(CHAT, &id, &body, "")
    }));
    rows.push(message("19:b@thread.v2", "9", &picture("19:b@thread.v2", "9", "other"), ""));
    world.offer(RecordKind::Message, "ann", &rows);
    world.service.set("/hostedContents/", bytes("a picture"));
    let contents = world.run().await;
    assert_eq!(contents.total().objects, 700 + 199 + 1);
    assert_eq!(world.service.state().asked.len(), 900);
    assert_eq!(world.service.state().most_at_once, 1);
    assert_eq!(world.names(&key(RecordKind::Message, CHAT, "1")).len(), 700);
    assert_eq!(world.names(&key(RecordKind::Message, CHAT, "399")), ["hostedContents/own"]);
    drop(world.run().await);
    assert_eq!(world.service.state().asked.len(), 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_network_ends_the_pass_and_the_next_run_gets_everything() {
    let world = World::new().await;
    let rows: Vec<String> = (0..100)
        .map(|n| {
            let (chat, id) = (format!("19:{n}@thread.v2"), n.to_string());
            message(&chat, &id, &picture(&chat, &id, &format!("pic{n}")), "")
        })
        .collect();
    world.offer(RecordKind::Message, "ann", &rows);
    world.service.set("/hostedContents/", bytes("a picture"));
    world.service.state().down = true;
    let ended = world.run_of(&Kind::ALL).await;
    assert!(
        matches!(&ended, Err(SyncError::Service(failure)) if failure.kind == FailureKind::Network),
        "{ended:?}"
    );
    assert!(world.missing().len() < 100);
    world.service.state().down = false;
    drop(world.run().await);
    assert_eq!((world.missing().len(), world.service.state().asked.len()), (0, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credentials_end_the_pass_and_blame_no_content() {
    let world = World::new().await;
    let row = message(CHAT, "1", &picture(CHAT, "1", "pic"), "");
    world.offer(RecordKind::Message, "ann", &[row]);
    world.service.state().stranger = true;
    let ended = world.run_of(&Kind::ALL).await;
    assert!(
        matches!(&ended, Err(SyncError::Service(failure)) if failure.kind == FailureKind::Credentials),
        "{ended:?}"
    );
    assert_eq!(world.missing().len(), 0);
    world.service.state().stranger = false;
    world.service.set("/pic/", bytes("a picture"));
    assert_eq!(world.run().await.total().objects, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_without_content_is_missing_and_a_file_without_is_not() {
    let world = World::new().await;
    world.offer(RecordKind::CallTranscript, "boss", &[meeting("tra")]);
    world.offer(RecordKind::Message, "ann", &[message(CHAT, "1", "", &file("F1", "b.txt"))]);
    for part in ["/transcripts/", "/shares/"] {
        world.service.set(part, bytes(""));
    }
    drop(world.run().await);
    let missing: Vec<String> = world.missing().into_iter().map(|it| it.content).collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(world.links(&key(RecordKind::Message, CHAT, "1")), [("F1".into(), address(b""))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_keep_is_counted_once_and_not_missing() {
    let world = World::new().await;
    let giphy = r#"<img src=\"https://media.giphy.com/a.gif\">"#;
    let both = giphy.to_owned() + &picture(CHAT, "2", "pic");
    let rows = [message(CHAT, "1", giphy, ""), message(CHAT, "2", &both, "")];
    world.offer(RecordKind::Message, "ann", &rows);
    world.offer(RecordKind::Message, "ann", &[message("19:c@thread.v2", "3", giphy, "")]);
    world.service.set("/pic/", bytes("a picture"));
    let contents = world.run().await;
    assert_eq!((contents.external(), contents.total().objects, world.missing().len()), (3, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_made_is_said_and_nothing_is_lost() {
    let world = World::new().await;
    world.offer(RecordKind::CallRecording, "boss", &[meeting("rec")]);
    world.service.set("/rec/", Content::Made { seed: 1, bytes: 5 << 20, tag: "\"v1\"" });
    world.occupy_spool(true);
    let ended = world.run_of(&Kind::ALL).await;
    assert!(
        matches!(&ended, Err(SyncError::Local { path, .. }) if path.ends_with("incoming")),
        "{ended:?}"
    );
    assert_eq!(world.missing().len(), 0);
    world.occupy_spool(false);
    let contents: Arc<_> = world.run().await;
    assert_eq!((contents.total().objects, contents.sweep().unwrap()), (1, 0));
}
