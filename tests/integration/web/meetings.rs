//! A recorded meeting: its film, which a browser can jump about in, beside what was said in it.

use chatvault_engine::{Archive, Custodian, Host, MessageKey, Options, Origin, RecordKind};

use super::kit::{Server, encoded};

/// Eight seconds that any player takes; `.ci/film.py` wrote it.
const FILM: &[u8] = include_bytes!("film.mp4");
const SPOKEN: &[u8] =
    b"WEBVTT\n\n0:0:1.0 --> 0:0:2.5\n<v Ada Able>Good morning &amp; welcome</v>\n\n\
    0:0:5.0 --> 0:0:6.0\n<v Ben>The <b>budget</b>, please</v>\n";
const MEETING: &str = "MSo1N2Y5";

/// A recording and a transcript of one call, and a transcript of another.
fn served() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("team");
    let archive = Archive::create(Host::disk(&place), Options::default()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    let kinds = [
        (RecordKind::CallRecording, "r1", "c1", Some(FILM)),
        (RecordKind::CallTranscript, "t1", "c1", Some(SPOKEN)),
        (RecordKind::CallTranscript, "t2", "c2", None),
    ];
    for (record, id, call, content) in kinds {
        let json = serde_json::json!({
            "id": id, "meetingId": MEETING, "callId": call, "createdDateTime": "2026-03-02T10:00:00Z",
            "endDateTime": "2026-03-02T10:00:08Z", "meetingOrganizer": {"user": {"id": "ada"}},
        });
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("ada"), record, json.to_string().as_bytes(), origin);
        if let Some(mut content) = content {
            let object = archive.put_object(&mut content).unwrap();
            let (conversation, id) = (MEETING.to_owned(), id.to_owned());
            batch.link(&MessageKey { record, conversation, reply_to: None, id }, "content", object);
        }
    }
    assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    archive.close().unwrap();
    Server::start(folder, place)
}

fn film_of(page: &str) -> &str {
    let film = page.split("<video ").nth(1).and_then(|tag| tag.split("src=\"").nth(1)).unwrap();
    film.split('"').next().unwrap()
}

#[test]
fn a_film_stands_beside_its_transcript_with_speakers_from_either_side() {
    let server = served();
    let of = |record: &str, id: &str| {
        server.page(&format!("/a/team/messages/{record}/{}/{id}", encoded(MEETING)))
    };
    let films = [of("recording", "r1"), of("transcript", "t1")].map(|page| {
        for (second, speaker, words) in
            [(1, "Ada Able", "Good morning &#38; welcome"), (5, "Ben", "The budget, please")]
        {
            let seek = format!("<a href=\"#t={second}\" data-seek=\"{second}\">0:00:0{second}</a>");
            let line = format!("<strong><bdi>{speaker}</bdi></strong> <span dir=\"auto\">{words}");
            assert!(page.contains(&format!("{seek} {line}")), "{page}");
        }
        film_of(&page).to_owned()
    });
    assert_eq!(films[0], films[1]);
    let alone = of("transcript", "t2");
    assert!(!alone.contains("<video "), "that call was not recorded: {alone}");
    let list = server.page("/a/team/meetings");
    assert!(list.contains("Recordings") && list.contains("Transcripts"), "{list}");
}

#[test]
fn a_film_is_given_whole_and_from_any_place() {
    let server = served();
    let page = server.page(&format!("/a/team/messages/recording/{}/r1", encoded(MEETING)));
    let film = film_of(&page);
    let ask = |range: &str| {
        server.send("GET", film, &[("Cookie", server.cookie()), ("Range", range)], b"")
    };
    let whole = server.get(film);
    assert_eq!((whole.status, whole.header("content-type")), (200, "video/mp4"));
    assert_eq!((whole.header("accept-ranges"), whole.body.as_slice()), ("bytes", FILM));
    assert!(whole.header("content-disposition").starts_with("inline; "));
    // What a player asks for: the head, a place in the middle, the end.
    let all = FILM.len();
    for (range, from, to) in [
        ("bytes=0-".to_owned(), 0, all),
        ("bytes=1000-1999".to_owned(), 1_000, 2_000),
        (format!("bytes={}-", all - 100), all - 100, all),
        ("bytes=-50".to_owned(), all - 50, all),
    ] {
        let part = ask(&range);
        assert_eq!((part.status, part.body.as_slice()), (206, &FILM[from..to]), "{range}");
        let told = format!("bytes {from}-{}/{all}", to - 1);
        assert_eq!(part.header("content-range"), told, "{range}");
    }
    assert_eq!(ask(&format!("bytes={all}-")).status, 416);
}
