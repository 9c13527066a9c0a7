//! Bytes: whole and in part, and the second origin where no token belongs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Content, ContentPath, TruthObject, fill};

use super::*;

impl Bench {
    /// Something to download that can be had now.
    fn object(&self, wanted: impl Fn(&TruthObject) -> bool) -> TruthObject {
        let now = self.fake.now();
        let objects = self.tenant.objects(now);
        let there = |object: &&TruthObject| {
            let there = self.tenant.content(&object.path, now);
            wanted(object)
                && there.is_some_and(|content| !matches!(content, Content::Refused { .. }))
        };
        objects.iter().find(there).unwrap().clone()
    }
}

#[test]
fn a_recording_comes_whole_or_in_part() {
    let bench = Bench::new(Behaviour::default());
    let object = bench.object(|object| matches!(object.path, ContentPath::Recording { .. }));
    let ContentPath::Recording { user, of, id } = &object.path else { panic!("filtered above") };
    let (events, event) = of.split_once('/').unwrap();
    let Content::Generated { seed, len, .. } = object.content else { panic!("filtered above") };
    let mut expected = vec![0; usize::try_from(len).unwrap()];
    fill(seed, 0, &mut expected);
    let escaped = |text: &str| query::encode(text);
    let target = format!(
        "/v1.0/users/{user}/{events}/{}/recordings/{}/content",
        escaped(event),
        escaped(id)
    );
    let whole = bench.get(&target);
    assert_eq!((whole.status, whole.whole), (200, true));
    assert!(whole.body == expected);
    let etag = &whole.headers["etag"];
    let part = bench.ask(&target, &format!("Range: bytes=70000-\r\nIf-Range: {etag}\r\n")).unwrap();
    assert_eq!(part.status, 206);
    assert_eq!(part.headers["content-range"], format!("bytes 70000-{}/{len}", len - 1));
    assert!(part.body == expected[70_000..]);
    let changed = bench.ask(&target, "Range: bytes=70000-\r\nIf-Range: \"old\"\r\n").unwrap();
    assert_eq!((changed.status, changed.body.len()), (200, expected.len()));
    let beyond = bench.ask(&target, &format!("Range: bytes={len}-\r\n")).unwrap();
    assert_eq!(
        (beyond.status, beyond.headers["content-range"].clone()),
        (416, format!("bytes */{len}"))
    );
}

#[test]
fn a_shared_file_is_behind_a_redirect_that_wants_no_token() {
    let bench = Bench::new(Behaviour::default());
    let object = bench.object(|object| matches!(object.path, ContentPath::File { .. }));
    let ContentPath::File { content_url } = &object.path else { panic!("filtered above") };
    let share = format!("/v1.0/shares/u!{}/driveItem", URL_SAFE_NO_PAD.encode(content_url));
    let item = bench.get(&share).json();
    let moved = bench.get(&format!("{share}/content"));
    assert_eq!(moved.status, 302);
    let location = moved.headers["location"].clone();
    let target = location.strip_prefix(&bench.fake.elsewhere()).unwrap();
    let ask = |header: &str| {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        send(&bench.fake.elsewhere(), &request).unwrap()
    };
    let file = ask("");
    assert_eq!(file.status, 200);
    assert_eq!(item["size"], file.body.len());
    assert_eq!(bench.fake.seen().bearer_elsewhere, 0);
    assert_eq!(ask("Authorization: Bearer x\r\n").status, 200);
    assert_eq!(bench.fake.seen().bearer_elsewhere, 1);
}

#[test]
fn recordings_are_listed_by_organizer_only() {
    let bench = Bench::new(Behaviour::default());
    let of_meeting = |path: &ContentPath| matches!(path, ContentPath::Recording { of, .. } if of.starts_with("onlineMeetings/"));
    let object = bench.object(|object| of_meeting(&object.path));
    let ContentPath::Recording { user, .. } = &object.path else { panic!("filtered above") };
    let base = format!("/v1.0/users/{user}/onlineMeetings/getAllRecordings");
    assert_eq!(bench.get(&base).status, 400);
    let (called, _) = bench.chain(&format!("{base}(meetingOrganizerUserId='{user}')"));
    let (filtered, _) =
        bench.chain(&format!("{base}?$filter=MeetingOrganizer/User/Id%20eq%20'{user}'"));
    assert!(!called.is_empty());
    assert_eq!(called, filtered);
    let delta = bench.get(&format!("{base}(meetingOrganizerUserId='{user}')/delta")).json();
    assert_eq!(delta["value"].as_array().unwrap().len(), called.len());
    let copilot =
        format!("/v1.0/copilot/users/{user}/interactionHistory/getAllEnterpriseInteractions");
    let one_bound = format!("{copilot}?$filter=createdDateTime%20gt%202025-09-01T00:00:00Z");
    assert!(matches!(bench.get(&one_bound).status, 400 | 403));
}

#[test]
fn pictures_of_a_deleted_team_are_with_the_deleted_teams_and_nowhere_else() {
    let bench = Bench::new(Behaviour::default());
    let now = bench.fake.now();
    let deleted = bench.tenant.deleted_teams(now).first().map(|team| team.id.clone()).unwrap();
    let of_team = |path: &ContentPath| match path {
        ContentPath::Hosted { place: crate::Place::Channel { team, .. }, .. } => *team == deleted,
        _ => false,
    };
    let object = bench.object(|object| of_team(&object.path));
    let ContentPath::Hosted { place, message, id } = &object.path else { panic!("filtered above") };
    let crate::Place::Channel { team, channel, reply_to } = place else { panic!("filtered above") };
    let message = match reply_to {
        Some(root) => format!("{root}/replies/{message}"),
        None => message.clone(),
    };
    let id = query::encode(id);
    let path = format!("{team}/channels/{channel}/messages/{message}/hostedContents/{id}/$value");
    assert_eq!(bench.get(&format!("/v1.0/teams/{path}")).status, 404);
    assert_eq!(bench.get(&format!("/v1.0/teamwork/deletedTeams/{path}")).status, 200);
}

#[test]
fn an_address_with_odd_signs_leads_to_its_file_only_when_they_are_escaped() {
    let bench = Bench::new(Behaviour::default());
    let is_odd = |path: &ContentPath| matches!(path, ContentPath::File { content_url } if content_url.contains('#'));
    let object = bench.object(|object| is_odd(&object.path));
    let ContentPath::File { content_url } = &object.path else { panic!("filtered above") };
    let ask = |url: &str| {
        let id = URL_SAFE_NO_PAD.encode(url);
        bench.get(&format!("/v1.0/shares/u!{id}/driveItem/content")).status
    };
    assert_eq!(ask(content_url), 404);
    assert_eq!(ask(&content_url.replace('%', "%25").replace('#', "%23")), 302);
}
