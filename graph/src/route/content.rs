//! Addresses of what messages and meetings refer to.
//!
//! Always built from ids. The content URLs of recordings and transcripts can be unusable
//! (`…/$metadata#…`), and those in messages carry the version of whoever asked first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::encode::segment;
use super::hosted::{HostedContent, HostedPlace};
use super::place_of_teams;
use crate::cloud::Cloud;
use crate::failure::Failure;
use crate::link::Link;

/// The bytes of an inline image, code snippet or custom emoji. Of a team that was deleted they are
/// somewhere else, like its messages.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn hosted_content(
    cloud: &Cloud,
    hosted: &HostedContent,
    deleted_team: bool,
) -> Result<Link, Failure> {
    let segment = |id: &str| segment(cloud, id);
    let message = segment(&hosted.message)?;
    let place = match &hosted.place {
        HostedPlace::Chat(chat) => format!("/chats/{}/messages/{message}", segment(chat)?),
        HostedPlace::Channel { team, channel, reply_to } => {
            let teams = place_of_teams(deleted_team);
            let channel = format!("/{teams}/{}/channels/{}", segment(team)?, segment(channel)?);
            match reply_to {
                None => format!("{channel}/messages/{message}"),
                Some(root) => format!("{channel}/messages/{}/replies/{message}", segment(root)?),
            }
        }
    };
    Link::own(cloud, &format!("{place}/hostedContents/{}/$value", segment(&hosted.id)?))
}

/// The bytes of a file attachment, by its `contentUrl`; answered with a redirect to another host.
///
/// Teams may leave `#` and `%` of a file's name as they are, which means another file or none. So
/// there can be two readings of such an address: the likelier comes first, and the other is for when
/// the service does not know it.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn share_content(cloud: &Cloud, content_url: &str) -> Result<(Link, Option<Link>), Failure> {
    let link = |url: &str| {
        let token = URL_SAFE_NO_PAD.encode(url);
        Link::own(cloud, &format!("/shares/u!{token}/driveItem/content"))
    };
    if !content_url.contains(['#', '%']) {
        return Ok((link(content_url)?, None));
    }
    let escaped = content_url.replace('%', "%25").replace('#', "%23");
    let (first, other) =
        if is_escaped(content_url) { (content_url, &*escaped) } else { (&*escaped, content_url) };
    Ok((link(first)?, Some(link(other)?)))
}

/// What is known of a file attachment, by its `contentUrl`; nothing is downloaded.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn share_item(cloud: &Cloud, content_url: &str) -> Result<Link, Failure> {
    let (content, _) = share_content(cloud, content_url)?;
    let item = content.as_str().strip_suffix("/content").unwrap_or(content.as_str());
    Link::follow(cloud, item)
}

/// Does it look like an address that was made from a name, and not like the name itself?
fn is_escaped(url: &str) -> bool {
    let is_hex =
        |part: &str| part.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    !url.contains(['#', ' ']) && url.split('%').skip(1).all(is_hex)
}

/// What was recorded, by the service's id for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A meeting of somebody's calendar.
    Meeting(String),
    /// A call that was none.
    Call(String),
}

/// A recording or transcript, by organizer and id.
pub type Recorded<'a> = (&'a str, &'a Event, &'a str);

/// The video of a recording.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn recording_content(cloud: &Cloud, recorded: Recorded<'_>) -> Result<Link, Failure> {
    event(cloud, recorded, "recordings", "content")
}

/// The text of a transcript as `WebVTT`.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn transcript_content(cloud: &Cloud, recorded: Recorded<'_>) -> Result<Link, Failure> {
    event(cloud, recorded, "transcripts", "content?$format=text/vtt")
}

/// The times and speakers of a transcript.
///
/// A [`Failure`] if an id, or the address, makes no link on the cloud's own Graph.
pub fn transcript_metadata(cloud: &Cloud, recorded: Recorded<'_>) -> Result<Link, Failure> {
    event(cloud, recorded, "transcripts", "metadataContent")
}

fn event(
    cloud: &Cloud,
    (user, event, id): Recorded<'_>,
    list: &str,
    part: &str,
) -> Result<Link, Failure> {
    let (user, id) = (segment(cloud, user)?, segment(cloud, id)?);
    let event = match event {
        Event::Meeting(meeting) => format!("onlineMeetings/{}", segment(cloud, meeting)?),
        Event::Call(call) => format!("adhocCalls/{}", segment(cloud, call)?),
    };
    Link::own(cloud, &format!("/users/{user}/{event}/{list}/{id}/{part}"))
}
