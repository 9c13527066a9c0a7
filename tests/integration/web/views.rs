//! What pages show: conversations by pages, messages with their versions, search, the archive.

use chatvault_engine::{Archive, Host, MessageKey, Options, RecordKind, TimeRange, Timestamp};
use chatvault_export::entry::{SystemEvents, Viewer};
use chatvault_query::Record;
use chatvault_web::Settings;

use super::kit::{Server, archive, encoded, message};

const CHAT: &str = "19:a@thread.v2";

/// So many messages, one a minute.
fn talk(messages: u32) -> Vec<String> {
    (0..messages).map(|at| message(CHAT, at, "ada", &format!("<p>word{at}</p>"))).collect()
}

fn chat() -> String {
    format!("/a/team/chats/{}", encoded(CHAT))
}

/// The minutes whose messages a page shows.
fn shown(page: &str) -> Vec<u32> {
    let words = page.split("<p>word").skip(1);
    words.filter_map(|rest| rest.split('<').next()?.parse().ok()).collect()
}

/// Where a link of a kind leads.
fn link(page: &str, rel: &str) -> Option<String> {
    let tag = page.split("<a ").find(|tag| tag.contains(&format!("rel=\"{rel}\"")))?;
    Some(
        tag.split("href=\"").nth(1)?.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"),
    )
}

#[test]
fn a_conversation_is_read_by_pages_that_neither_repeat_nor_leave_out() {
    let server = Server::with(&talk(175));
    let (mut place, mut pages) = (Some(chat()), Vec::new());
    while let Some(path) = place {
        let page = server.page(&path);
        pages.push(shown(&page));
        place = link(&page, "prev");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 50, 25]);
    pages.reverse();
    assert_eq!(pages.concat(), (0..175).collect::<Vec<_>>());
    let (mut place, mut forwards) = (Some(format!("{}?after=0", chat())), Vec::new());
    while let Some(path) = place {
        let page = server.page(&path);
        forwards.extend(shown(&page));
        place = link(&page, "next");
    }
    assert_eq!(forwards, (0..175).collect::<Vec<_>>());
}

#[test]
fn messages_of_one_moment_stay_together_however_many() {
    let mut all = talk(10);
    let mut same = |count: u32| {
        for at in 0..count {
            let id = format!("\"id\":\"{}\"", 9_000_000 + at);
            let text = message(CHAT, 5, "ada", &format!("<p>word{}</p>", 100 + at));
            all.push(text.replacen("\"id\":\"1772438700000\"", &id, 1));
        }
    };
    same(120);
    let server = Server::with(&all);
    let (mut place, mut seen) = (Some(chat()), Vec::new());
    while let Some(path) = place {
        let page = server.page(&path);
        seen.extend(shown(&page));
        place = link(&page, "prev");
    }
    seen.sort_unstable();
    assert_eq!(seen.len(), 130);
    seen.dedup();
    assert_eq!(seen.len(), 130, "each once");
}

/// Blocks that had to be read and decoded for the last minutes of a conversation, with all of it.
fn misses(messages: u32, last: u32) -> (usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let place = archive(&folder, "team", &talk(messages));
    let opened = Archive::open_read_only(Host::disk(&place), Options::default()).unwrap();
    let snapshot = opened.snapshot().unwrap();
    let before = snapshot.cache_use().misses;
    let from = 1_772_438_400_000 + i64::from(messages - last) * 60_000;
    let range = TimeRange { from: Some(Timestamp::from_ms(from)), to: None };
    let mut viewer = Viewer::new(&snapshot, &|_, _| None);
    let found = viewer.between((Record::Message, CHAT), range).unwrap().len();
    (found, snapshot.cache_use().misses - before)
}

#[test]
fn a_page_of_a_long_conversation_reads_no_more_than_one_of_a_short() {
    let (short, long) = (misses(1_000, 50), misses(20_000, 50));
    assert_eq!((short.0, long.0), (50, 50));
    assert!(long.1 <= short.1 * 2, "{} blocks instead of {}", long.1, short.1);
    let whole = misses(20_000, 20_000);
    assert!(whole.1 > long.1 * 4, "all of it reads {} blocks, a page {}", whole.1, long.1);
}

#[test]
fn a_reply_links_to_its_post_wherever_that_is() {
    const CHANNEL: &str = "19:c@thread.tacv2";
    let post = |minute: u32, root: Option<u32>| {
        let text = message(CHANNEL, minute, "ada", &format!("<p>word{minute}</p>"));
        let place = format!("\"channelIdentity\":{{\"teamId\":\"t\",\"channelId\":\"{CHANNEL}\"}}");
        let text = text.replace(&format!("\"chatId\":\"{CHANNEL}\""), &place);
        let id = |minute: u32| 1_772_438_400_000 + u64::from(minute) * 60_000;
        let reply = root.map(|root| format!("{{\"replyToId\":\"{}\",", id(root)));
        reply.map_or(text.clone(), |reply| text.replacen('{', &reply, 1))
    };
    let mut all: Vec<String> = (0..100).map(|minute| post(minute, None)).collect();
    all.extend([post(101, Some(3)), post(102, Some(7_000))]);
    let server = Server::with(&all);
    let page = server.page(&format!("/a/team/chats/{}", encoded(CHANNEL)));
    let stubs: Vec<&str> = page.split("Replies to ").skip(1).collect();
    assert!(
        stubs[1].starts_with("a post that is not on these pages"),
        "it was not archived: {page}"
    );
    let link = stubs[0].strip_prefix("<a href=\"").unwrap().split('"').next().unwrap();
    let (path, anchor) = link.split_once('#').unwrap();
    let there = server.page(path);
    assert_eq!(shown(&there)[0], 3);
    assert!(there.contains(&format!("id=\"{anchor}\"")), "{there}");
}

#[test]
fn system_events_are_shown_as_the_server_was_told_and_a_view_may_choose() {
    let event = message(CHAT, 1, "ada", "<systemEventMessage/>")
        .replace("\"messageType\":\"message\"", "\"messageType\":\"systemEventMessage\"")
        .replacen(
            '{',
            "{\"eventDetail\":{\"@odata.type\":\"#microsoft.graph.chatRenamedEventMessageDetail\",\
             \"chatDisplayName\":\"Budget\"},",
            1,
        );
    for (system_events, usual) in [(SystemEvents::Text, true), (SystemEvents::Placeholder, false)] {
        let folder = tempfile::tempdir().unwrap();
        let place = archive(&folder, "team", std::slice::from_ref(&event));
        let settings = Settings { place, system_events, ..Settings::default() };
        let server = Server::start_as(folder, settings);
        for (choice, in_words) in
            [("", usual), ("?events=text", true), ("?events=placeholder", false)]
        {
            let page = server.page(&format!("{}{choice}", chat()));
            let sheet = page.split("id=\"messages\"").nth(1).unwrap();
            assert_eq!(sheet.contains("Budget"), in_words, "{system_events:?} {choice}: {sheet}");
            let other = if in_words { "?events=placeholder" } else { "?events=text" };
            assert!(page.contains(&format!("href=\"{other}\"")), "{page}");
        }
        let form = server.page("/a/team/downloads/new");
        assert_eq!(form.contains("value=\"placeholder\" checked"), !usual, "{form}");
        let asked = server.page("/a/team/downloads/new?plan=1&all=1");
        assert!(!asked.contains("value=\"placeholder\" checked"), "it was not ticked: {asked}");
    }
}

#[test]
fn a_day_is_jumped_to_and_an_empty_chat_says_so() {
    let server = Server::with(&talk(3));
    let day = server.page(&format!("{}?at=2026-03-02", chat()));
    assert_eq!(shown(&day), [0, 1, 2]);
    let later = server.page(&format!("{}?at=2026-03-03", chat()));
    assert!(shown(&later).is_empty() && later.contains("There are no messages here"));
    assert_eq!(server.get(&format!("{}?at=noon", chat())).status, 400);
    assert_eq!(server.get("/a/team/chats/unknown").status, 404);
}

#[test]
fn a_conversation_is_found_by_name_and_person() {
    let other = message("19:b@thread.v2", 1, "Zoë", "<p>x</p>");
    let server = Server::with(&[talk(2), vec![other]].concat());
    let list = server.page_with("/a/team/chats", "2 conversations");
    assert!(list.contains("Chat: ada"), "{list}");
    let found = server.page("/a/team/chats?find=ZO%C3%8B");
    assert!(found.contains("1 conversation") && found.contains("19%3Ab%40thread.v2"), "{found}");
    let found = server.page("/a/team/chats?person=ada");
    assert!(found.contains("1 conversation") && found.contains("19%3Aa%40thread.v2"), "{found}");
}

#[test]
fn a_message_shows_each_version_who_received_it_and_its_bytes() {
    let first = message(CHAT, 1, "ada", "<p>the old offer</p>");
    let edited = first
        .replace("the old offer", "the new offer")
        .replace("\"etag\":\"1772438460000\"", "\"etag\":\"1772439000000\"");
    let server = Server::with(&[first.clone(), edited.clone()]);
    let page = server.page(&format!("/a/team/messages/message/{}/1772438460000", encoded(CHAT)));
    assert!(page.contains("<del>old</del>") && page.contains("<ins>new</ins>"), "{page}");
    assert!(page.contains("first version that the archive has") && page.contains("text edited"));
    assert_eq!(page.matches("Received by 1").count(), 2);
    let raw: Vec<&str> =
        page.split("<a href=\"").filter(|tag| tag.contains("Stored JSON")).collect();
    let raw: Vec<Vec<u8>> =
        raw.iter().map(|tag| server.get(tag.split('"').next().unwrap()).body).collect();
    assert_eq!(raw, [edited.into_bytes(), first.into_bytes()], "the newest first, byte for byte");
}

#[test]
fn a_search_is_in_the_address_and_says_when_the_index_is_missing() {
    let server = Server::with(&talk(30));
    let found = server.page("/a/team/search?q=word7&person=ada&from=2026-03-02&to=2026-03-03");
    assert_eq!(shown(&found), [7]);
    assert!(
        found.contains("There is no search index yet"),
        "a small archive is searched all the same"
    );
    assert!(found.contains("value=\"word7\"") && found.contains("value=\"2026-03-02\""));
    let work = server.done("/a/team/index", &[]);
    let built = server.page_with(&work, "Done");
    assert!(built.contains("30 added, 30 in all"), "{built}");
    let found = server.page("/a/team/search?q=word*");
    assert!(!found.contains("no search index"), "{found}");
    let newest: Vec<u32> = (10..30).rev().collect();
    assert_eq!(shown(&found), newest);
    let more = server.page(&format!("/a/team/search{}", link(&found, "next").unwrap()));
    assert_eq!(shown(&more), (0..10).rev().collect::<Vec<_>>());
    let counts = server.page_with("/a/team/search/counts?q=word*", "30 hits");
    assert!(counts.contains("2026-03"), "{counts}");
    let wrong = server.page("/a/team/search?q=(open");
    assert!(wrong.contains("expected a closing bracket"), "{wrong}");
    let nobody = server.page("/a/team/search?person=nobody");
    assert!(nobody.contains("no person is called"), "{nobody}");
}

#[test]
fn the_archive_says_what_it_holds_and_is_verified() {
    let server = Server::with(&talk(12));
    let _page = server.page_with("/a/team", "<dt>Versions</dt><dd>12</dd>");
    let work = server.done("/a/team/verify", &[("deep", "1")]);
    let page = server.page_with(&work, "Sound: ");
    assert!(page.contains("with 12 rows"), "{page}");
    assert!(server.page("/a/team").contains("Sound: "));
    assert!(server.page("/a/team/quarantine").contains("Nothing is in quarantine"));
    assert!(server.page("/a/team/meetings").contains("no recordings and no transcripts"));
    assert!(server.page("/a/team/copilot").contains("no conversations with Copilot"));
    assert!(server.page_with("/a/team/runs", "test").contains("Imports"));
}

#[test]
fn what_another_writer_commits_is_seen_and_its_lock_is_told() {
    let server = Server::with(&talk(1));
    assert_eq!(shown(&server.page(&chat())), [0]);
    let place = server.folder.path().join("team");
    let writer = Archive::open(Host::disk(&place), Options::default()).unwrap();
    let mut batch = writer.batch(writer.begin_run("other").unwrap());
    let origin = chatvault_engine::Origin { source: "x", offset: 0 };
    let (ben, kind) = (chatvault_engine::Custodian::user("ben"), RecordKind::Message);
    batch.offer(&ben, kind, talk(2)[1].as_bytes(), origin);
    drop(batch.commit().unwrap());
    assert_eq!(shown(&server.page(&chat())), [0, 1]);
    let refused = server.post("/a/team/private-chats", &[("on", "1")]);
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("Another process writes this archive"), "{}", refused.text());
    writer.close().unwrap();
    assert_eq!(server.post("/a/team/private-chats", &[("on", "1")]).status, 303);
}

#[test]
fn organisations_are_archives_of_a_folder_and_private_chats_are_switched_on_there() {
    let folder = tempfile::tempdir().unwrap();
    drop(archive(&folder, "team", &talk(1)));
    let place = folder.path().to_owned();
    let server = Server::start(folder, place);
    assert!(server.page("/").contains("team"));
    let connect = server.done("/", &[("name", "Müller GmbH")]);
    assert_eq!(connect, "/a/M%C3%BCller%20GmbH/connection");
    let list = server.page("/");
    assert!(list.contains("Switch on private-chat backup of Müller GmbH"), "off at first: {list}");
    assert!(list.contains("Switch off private-chat backup of team"), "made on the command line");
    let accounts = server.page("/a/M%C3%BCller%20GmbH/accounts");
    assert!(accounts.contains("Private-chat backup is off"), "{accounts}");
    assert_eq!(server.done("/a/M%C3%BCller%20GmbH/private-chats", &[("on", "1")]), "/");
    assert!(!server.page("/a/M%C3%BCller%20GmbH/accounts").contains("Private-chat backup is off"));
    for name in ["../x", ".x", "a/b", "", "team"] {
        assert!([400, 409].contains(&server.post("/", &[("name", name)]).status), "{name}");
    }
}

#[test]
fn pictures_come_from_the_archive_whole_or_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let source = "https://graph.microsoft.com/v1.0/chats/x/messages/1/hostedContents/aWQ/$value";
    let body = format!("<p>see</p><img src=\"{source}\" alt=\"plan\">");
    let place = archive(&folder, "team", &[message(CHAT, 1, "ada", &body)]);
    let writer = Archive::open(Host::disk(&place), Options::default()).unwrap();
    let bytes = [b"\x89PNG\r\n\x1a\n".as_slice(), &vec![7; 300_000]].concat();
    let object = writer.put_object(&mut &bytes[..]).unwrap();
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: CHAT.to_owned(),
        reply_to: None,
        id: "1772438460000".to_owned(),
    };
    let mut batch = writer.batch(writer.begin_run("contents").unwrap());
    batch.link(&key, "hostedContents/aWQ", object);
    drop(batch.commit().unwrap());
    writer.close().unwrap();
    let server = Server::start(folder, place);
    let page = server.page(&chat());
    assert!(!page.contains("graph.microsoft.com"), "nothing is asked for elsewhere: {page}");
    let image = page.split("src=\"").find(|rest| rest.starts_with("/a/team/objects/")).unwrap();
    let image = image.split('"').next().unwrap();
    let whole = server.get(image);
    assert_eq!((whole.status, whole.header("content-type")), (200, "image/png"));
    assert!(whole.header("cache-control").contains("immutable") && whole.body == bytes);
    let headers = [("Cookie", server.cookie()), ("Range", "bytes=1-3")];
    let part = server.send("GET", image, &headers, b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"PNG"[..]));
    assert_eq!(part.header("content-range"), "bytes 1-3/300008");
    let behind = [("Cookie", server.cookie()), ("Range", "bytes=400000-")];
    assert_eq!(server.send("GET", image, &behind, b"").status, 416);
}
