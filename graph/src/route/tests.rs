//! Addresses to the letter, and ids that would like to change them.

use chatvault_base::Timestamp;

use super::*;
use crate::filter::{ApplicationKind, Sender, fetch_once};

const ORIGIN: &str = "https://graph.microsoft.com/v1.0";

fn cloud() -> Cloud {
    Cloud::global()
}

/// An address without its origin; what is written is what is sent.
fn shown(link: Result<Link, Failure>) -> String {
    let link = link.unwrap();
    assert_eq!(link.url().as_str(), link.as_str(), "sent as written");
    link.as_str().strip_prefix(ORIGIN).unwrap().to_owned()
}

fn window() -> SentRange {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    SentRange { from: at("2020-06-04T18:03:11.591Z"), to: at("2020-06-05T21:00:09.413Z") }
}

fn export(feed: Feed, filter: &Filter) -> Export<'_> {
    let (id, top) = ("8b08", Some(1000));
    Export { feed, id, deleted_team: false, window: Some(window()), filter, top, model: None }
}

fn address(export: &Export<'_>) -> String {
    shown(first_page(&cloud(), export))
}

fn first(feed: Feed, change: impl FnOnce(&mut Export<'_>)) -> String {
    let filter = Filter::default();
    let mut export = export(feed, &filter);
    change(&mut export);
    address(&export)
}

const MODIFIED: &str = "lastModifiedDateTime%20gt%202020-06-04T18:03:11.591Z%20and%20lastModifiedDateTime%20lt%202020-06-05T21:00:09.413Z";
const CREATED: &str = "createdDateTime%20gt%202020-06-04T18:03:11.591Z%20and%20createdDateTime%20lt%202020-06-05T21:00:09.413Z";

#[test]
fn every_feed_starts_at_its_documented_address() {
    let meetings = "startDateTime=2020-06-04T18:03:11.591Z,endDateTime=2020-06-05T21:00:09.413Z";
    for (feed, address) in [
        (Feed::Chats, format!("/users/8b08/chats/getAllMessages?$top=250&$filter={MODIFIED}")),
        (
            Feed::ChatsDelta,
            "/users/8b08/chats/getAllMessages/delta?$top=50&$filter=lastModifiedDateTime%20gt%202020-06-04T18:03:11.591Z".to_owned(),
        ),
        (
            Feed::RetainedChats,
            format!("/users/8b08/chats/getAllRetainedMessages?$top=250&$filter={MODIFIED}"),
        ),
        (
            Feed::Targeted,
            format!("/users/8b08/teamwork/getAllRetainedTargetedMessages?$top=250&$filter={MODIFIED}"),
        ),
        (
            Feed::Recordings,
            format!("/users/8b08/onlineMeetings/getAllRecordings(meetingOrganizerUserId='8b08',{meetings})"),
        ),
        (
            Feed::RecordingsDelta,
            "/users/8b08/onlineMeetings/getAllRecordings(meetingOrganizerUserId='8b08')/delta".to_owned(),
        ),
        (
            Feed::AdhocRecordings,
            format!("/users/8b08/adhocCalls/getAllRecordings(userId='8b08',{meetings})"),
        ),
        (
            Feed::AdhocTranscripts,
            format!("/users/8b08/adhocCalls/getAllTranscripts(userId='8b08',{meetings})"),
        ),
        (
            Feed::Transcripts,
            format!("/users/8b08/onlineMeetings/getAllTranscripts(meetingOrganizerUserId='8b08',{meetings})"),
        ),
        (
            Feed::TranscriptsDelta,
            "/users/8b08/onlineMeetings/getAllTranscripts(meetingOrganizerUserId='8b08')/delta".to_owned(),
        ),
        (
            Feed::Copilot,
            format!("/copilot/users/8b08/interactionHistory/getAllEnterpriseInteractions?$top=100&$filter={CREATED}"),
        ),
        (Feed::Channels, format!("/teams/8b08/channels/getAllMessages?$top=250&$filter={MODIFIED}")),
        (
            Feed::RetainedChannels,
            format!("/teams/8b08/channels/getAllRetainedMessages?$top=250&$filter={MODIFIED}"),
        ),
    ] {
        assert_eq!(first(feed, |_| ()), address);
    }
}

#[test]
fn deleted_teams_are_somewhere_else() {
    let ask = |feed| first(feed, |export| (export.deleted_team, export.window) = (true, None));
    let teams = "/teamwork/deletedTeams/8b08/channels";
    assert_eq!(ask(Feed::Channels), format!("{teams}/getAllMessages?$top=250"));
    assert_eq!(ask(Feed::RetainedChannels), format!("{teams}/getAllRetainedMessages?$top=250"));
}

#[test]
fn without_options_nothing_is_added() {
    for (feed, address) in [
        (Feed::Chats, "/users/8b08/chats/getAllMessages"),
        (Feed::ChatsDelta, "/users/8b08/chats/getAllMessages/delta"),
        (
            Feed::Recordings,
            "/users/8b08/onlineMeetings/getAllRecordings(meetingOrganizerUserId='8b08')",
        ),
    ] {
        assert_eq!(first(feed, |export| (export.window, export.top) = (None, None)), address);
    }
}

#[test]
fn a_model_is_passed_through_where_it_had_a_meaning() {
    let ask = |feed, model| {
        first(feed, |export| {
            (export.window, export.top, export.model) = (None, Some(0), Some(model));
        })
    };
    assert_eq!(ask(Feed::Chats, Model::A), "/users/8b08/chats/getAllMessages?$top=1&model=A");
    assert_eq!(
        ask(Feed::RetainedChannels, Model::B),
        "/teams/8b08/channels/getAllRetainedMessages?$top=1&model=B"
    );
    for feed in [Feed::Targeted, Feed::Copilot, Feed::Recordings, Feed::TranscriptsDelta] {
        assert!(!ask(feed, Model::A).contains("model"), "{feed}");
    }
}

#[test]
fn a_feed_is_sent_the_parts_of_a_filter_that_it_knows() {
    let users = Filter::from_user("u").or(Sender::Application(ApplicationKind::BOT));
    let app = Filter::from_sender(Sender::ApplicationId("a".into()));
    let mixed = users.clone().or(Sender::ApplicationId("a".into()));
    let class = Filter::from_user("u").or_app_class("c");
    let sent = |feed, filter: &Filter| {
        let address = address(&export(feed, filter));
        address.split_once("$filter=").map(|(_, filter)| filter.to_owned()).unwrap_or_default()
    };
    let both = "from/user/id%20eq%20%27u%27%20or%20from/application/applicationIdentityType%20eq%20%27bot%27";
    assert_eq!(sent(Feed::Chats, &users), format!("({both})%20and%20({MODIFIED})"));
    assert_eq!(sent(Feed::RetainedChats, &users), format!("({both})%20and%20({MODIFIED})"));
    let one = "from/application/id%20eq%20%27a%27";
    assert_eq!(sent(Feed::Targeted, &app), format!("({one})%20and%20({MODIFIED})"));
    for (feed, filter) in [
        (Feed::Channels, &users),
        (Feed::Targeted, &users),
        (Feed::Targeted, &mixed),
        (Feed::Chats, &app),
        (Feed::Chats, &mixed),
    ] {
        assert_eq!(sent(feed, filter), MODIFIED, "{feed}: {filter}");
    }
    assert_eq!(
        sent(Feed::Copilot, &class),
        format!("(appClass%20eq%20%27c%27)%20and%20({CREATED})")
    );
    assert_eq!(sent(Feed::Recordings, &class), "");
}

#[test]
fn a_filters_own_range_narrows_the_window() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let later = at("2020-06-05T00:00:00Z");
    let filter = Filter::default().between(later, Timestamp::MAX);
    let ask = |feed| address(&export(feed, &filter));
    let narrowed = MODIFIED.replace("2020-06-04T18:03:11.591Z", "2020-06-04T23:59:59.999Z");
    assert!(ask(Feed::Chats).ends_with(&narrowed));
    assert!(
        ask(Feed::ChatsDelta).ends_with("lastModifiedDateTime%20gt%202020-06-04T23:59:59.999Z")
    );
    // When something was changed says nothing about when it was made.
    assert!(ask(Feed::Copilot).ends_with(CREATED));
}

#[test]
fn the_fetch_once_filter_fits_into_an_address() {
    let filter = fetch_once("8b081ef6-4792-4def-b2c9-c363a1bf41d5");
    let address = address(&export(Feed::Chats, &filter));
    assert!(address.len() < 1500, "{} bytes", address.len());
    assert_eq!(address.matches("%20eq%20").count(), 13);
}

#[test]
fn lists_of_the_directory_are_asked_as_documented() {
    let fields = "$select=id,displayName,userPrincipalName,mail,userType,accountEnabled,assignedLicenses&$top=999";
    assert_eq!(shown(users(&cloud(), 999)), format!("/users?{fields}"));
    assert_eq!(
        shown(deleted_users(&cloud(), 999)),
        format!("/directory/deletedItems/microsoft.graph.user?{fields}")
    );
    assert_eq!(
        shown(teams(&cloud(), 999)),
        "/groups?$filter=resourceProvisioningOptions/Any(x:x%20eq%20%27Team%27)&$select=id,displayName,mail&$top=999"
    );
    assert_eq!(shown(deleted_teams(&cloud())), "/teamwork/deletedTeams");
    assert_eq!(
        shown(application(&cloud(), "5b1f")),
        "/applications(appId='5b1f')?$select=passwordCredentials"
    );
}

#[test]
fn contents_are_addressed_by_ids() {
    let url = "https://contoso.sharepoint.com/sites/a b/Shared Documents/ü.docx";
    let token =
        "u!aHR0cHM6Ly9jb250b3NvLnNoYXJlcG9pbnQuY29tL3NpdGVzL2EgYi9TaGFyZWQgRG9jdW1lbnRzL8O8LmRvY3g";
    let (link, other) = share_content(&cloud(), url).unwrap();
    assert_eq!(shown(Ok(link)), format!("/shares/{token}/driveItem/content"));
    assert!(other.is_none());
    assert_eq!(shown(share_item(&cloud(), url)), format!("/shares/{token}/driveItem"));
    let event = Event::Meeting("MSo=".to_owned());
    let ids = ("u", &event, "VjI+/=");
    let meeting = "/users/u/onlineMeetings/MSo=";
    assert_eq!(
        shown(recording_content(&cloud(), ids)),
        format!("{meeting}/recordings/VjI%2B%2F=/content")
    );
    assert_eq!(
        shown(transcript_content(&cloud(), ids)),
        format!("{meeting}/transcripts/VjI%2B%2F=/content?$format=text/vtt")
    );
    assert_eq!(
        shown(transcript_metadata(&cloud(), ids)),
        format!("{meeting}/transcripts/VjI%2B%2F=/metadataContent")
    );
    let call = Event::Call("c/7".to_owned());
    assert_eq!(
        shown(recording_content(&cloud(), ("u", &call, "r"))),
        "/users/u/adhocCalls/c%2F7/recordings/r/content"
    );
}

#[test]
fn an_address_with_odd_signs_is_read_in_two_ways_and_the_likelier_first() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let decoded = |link: Link| {
        let path = shown(Ok(link));
        let token = path.strip_prefix("/shares/u!").and_then(|rest| rest.split('/').next());
        String::from_utf8(URL_SAFE_NO_PAD.decode(token.unwrap()).unwrap()).unwrap()
    };
    for (url, first, second) in [
        ("https://x/a #3 100%.txt", "https://x/a %233 100%25.txt", "https://x/a #3 100%.txt"),
        ("https://x/a%20b.txt", "https://x/a%20b.txt", "https://x/a%2520b.txt"),
        ("https://x/100%.txt", "https://x/100%25.txt", "https://x/100%.txt"),
        ("https://x/a%20b c", "https://x/a%2520b c", "https://x/a%20b c"),
    ] {
        let (link, other) = share_content(&cloud(), url).unwrap();
        assert_eq!((decoded(link).as_str(), decoded(other.unwrap()).as_str()), (first, second));
    }
}

#[test]
fn hosted_contents_are_found_in_any_text_and_asked_at_the_clouds_own_host() {
    for (text, asked) in [
        (
            r#"<img src="https://graph.microsoft.com/v1.0/chats/19:2da4@thread.v2/messages/1615/hostedContents/aWQ9eA==/$value" width="1">"#,
            "/chats/19:2da4@thread.v2/messages/1615/hostedContents/aWQ9eA==/$value",
        ),
        (
            "https://graph.microsoft.com/beta/teams/fbe2/channels/19:4a@thread.tacv2/messages/16/hostedContents/aWQ9/$value",
            "/teams/fbe2/channels/19:4a@thread.tacv2/messages/16/hostedContents/aWQ9/$value",
        ),
        (
            "(https://GRAPH.microsoft.us/v1.0/teams/fbe2/channels/19%3A4a%40thread.tacv2/messages/16/replies/17/hostedContents/a%2Bb/$value)",
            "/teams/fbe2/channels/19:4a@thread.tacv2/messages/16/replies/17/hostedContents/a%2Bb/$value",
        ),
        (
            "x='https://microsoftgraph.chinacloudapi.cn/chats/c/messages/m/hostedContents/h/$value'",
            "/chats/c/messages/m/hostedContents/h/$value",
        ),
        (
            "https://graph.microsoft.com/v1.0/users/u/chats/c/messages/m/hostedContents/h/$value",
            "/chats/c/messages/m/hostedContents/h/$value",
        ),
    ] {
        let found = hosted_in(&cloud(), text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(shown(hosted_content(&cloud(), &found[0], false)), asked);
        let moved = asked.replace("/teams/", "/teamwork/deletedTeams/");
        assert_eq!(shown(hosted_content(&cloud(), &found[0], true)), moved);
        let text = text.replace("/teams/", "/teamwork/deletedTeams/");
        assert_eq!(hosted_in(&cloud(), &text), found);
    }
}

#[test]
fn every_reference_counts_and_nothing_else() {
    let one = |id: &str| {
        format!("https://graph.microsoft.com/v1.0/chats/c/messages/m/hostedContents/{id}/$value")
    };
    let long = "a".repeat(100_000);
    let text =
        format!("{} <img src=\"{}\"><img src=\"{}\">ü{}", one("1"), one("2"), one(&long), one("1"));
    let ids: Vec<String> = hosted_in(&cloud(), &text).into_iter().map(|found| found.id).collect();
    assert_eq!(ids, ["1", "2", &long, "1"]);
    for text in [
        "",
        "/hostedContents/",
        "https://graph.microsoft.com/v1.0/chats/c/messages/m/hostedContents/1",
        "https://graph.microsoft.com/v1.0/chats/c/messages/m/hostedContents/1/value",
        "https://graph.microsoft.com/v1.0/chats/c/messages/m/hostedContents//$value",
        "https://graph.microsoft.com/v1.0/chats/c/hostedContents/1/$value",
        "https://graph.microsoft.com/v1.0/chats/c/x/messages/m/hostedContents/1/$value",
        "https://evil.example/v1.0/chats/c/messages/m/hostedContents/1/$value",
        "https://graph.microsoft.com@evil.example/v1.0/chats/c/messages/m/hostedContents/1/$value",
        "https://graph.microsoft.com /v1.0/chats/c/messages/m/hostedContents/1/$value",
        "https://graph.microsoft.com/v1.0/chats/%ff/messages/m/hostedContents/1/$value",
        "https://graph.microsoft.com/v1.0/$metadata#chats('c')/messages('m')/hostedContents/$entity",
    ] {
        assert_eq!(hosted_in(&cloud(), text), [], "{text}");
    }
}

#[test]
fn a_fakes_own_host_counts_as_graph() {
    let fake = Cloud::custom("http://127.0.0.1:8080", "http://127.0.0.1:8080").unwrap();
    let text = "http://127.0.0.1:8080/v1.0/chats/c/messages/m/hostedContents/1/$value";
    assert_eq!(hosted_in(&fake, text).len(), 1);
    assert_eq!(hosted_in(&cloud(), text).len(), 0);
}

#[test]
fn looking_for_contents_takes_linear_time() {
    for part in
        ["/hostedContents/", "https://graph.microsoft.com/hostedContents/", "/hostedContents/a"]
    {
        assert_eq!(hosted_in(&cloud(), &part.repeat(200_000)), [], "{part}");
    }
}

#[test]
fn an_id_stays_one_segment_whatever_it_holds() {
    for (id, segment) in [
        ("a/b", "a%2Fb"),
        ("a?b", "a%3Fb"),
        ("a#EXT#b", "a%23EXT%23b"),
        ("%2e%2e", "%252e%252e"),
        ("../x", "..%2Fx"),
        ("..\\x", "..%5Cx"),
        ("o'neil@contoso.com", "o%27neil@contoso.com"),
        ("a b+c&d", "a%20b%2Bc%26d"),
        ("$value", "%24value"),
        ("x)/delta", "x%29%2Fdelta"),
        ("\r\n\0ä", "%0D%0A%00%C3%A4"),
        ("...", "..."),
    ] {
        let address = first(Feed::Chats, |export| {
            (export.id, export.window, export.top) = (id, None, None);
        });
        assert_eq!(address, format!("/users/{segment}/chats/getAllMessages"), "{id:?}");
        assert_eq!(encode::decode(segment).as_deref(), Some(id));
    }
    let organizer = first(Feed::RecordingsDelta, |export| export.id = "o'neil");
    assert!(organizer.contains("(meetingOrganizerUserId='o%27%27neil')"), "{organizer}");
}

#[test]
fn an_id_that_can_be_no_segment_is_refused() {
    for id in ["", ".", ".."] {
        let filter = Filter::default();
        let export = Export { id, ..export(Feed::Chats, &filter) };
        assert!(first_page(&cloud(), &export).is_err(), "{id:?}");
        let event = Event::Meeting(id.to_owned());
        assert!(recording_content(&cloud(), ("u", &event, "r")).is_err(), "{id:?}");
        let place = HostedPlace::Chat(id.to_owned());
        let hosted = HostedContent { place, message: "m".into(), id: "h".into() };
        assert!(hosted_content(&cloud(), &hosted, false).is_err(), "{id:?}");
    }
}

#[test]
fn a_feed_has_one_name_everywhere() {
    for feed in Feed::ALL {
        assert_eq!(Feed::named(feed.name()), Some(feed));
        assert_eq!(serde_json::to_string(&feed).unwrap(), format!("{:?}", feed.name()));
        assert_eq!((feed.of_user(), feed.to_string()), (!feed.of_team(), feed.name().to_owned()));
    }
    assert_eq!(Feed::named("mail"), None);
}
