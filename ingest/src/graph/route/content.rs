//! Addresses of what messages and meetings refer to.
//!
//! Always built from ids. The content URLs of recordings and transcripts can be unusable
//! (`…/$metadata#…`), and those in messages carry the version of whoever asked first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::encode::segment;
use super::hosted::{HostedContent, HostedPlace};
use crate::graph::cloud::Cloud;
use crate::graph::failure::Failure;
use crate::graph::link::Link;

/// The bytes of an inline image, code snippet or custom emoji.
pub(crate) fn hosted_content(cloud: &Cloud, hosted: &HostedContent) -> Result<Link, Failure> {
    let segment = |id: &str| segment(cloud, id);
    let message = segment(&hosted.message)?;
    let place = match &hosted.place {
        HostedPlace::Chat(chat) => format!("/chats/{}/messages/{message}", segment(chat)?),
        HostedPlace::Channel { team, channel, reply_to } => {
            let channel = format!("/teams/{}/channels/{}", segment(team)?, segment(channel)?);
            match reply_to {
                None => format!("{channel}/messages/{message}"),
                Some(root) => format!("{channel}/messages/{}/replies/{message}", segment(root)?),
            }
        }
    };
    Link::own(cloud, &format!("{place}/hostedContents/{}/$value", segment(&hosted.id)?))
}

/// The bytes of a file attachment, by its `contentUrl`; answered with a redirect to another host.
pub(crate) fn share_content(cloud: &Cloud, content_url: &str) -> Result<Link, Failure> {
    let token = URL_SAFE_NO_PAD.encode(content_url);
    Link::own(cloud, &format!("/shares/u!{token}/driveItem/content"))
}

/// The video of a recording, by organizer, meeting and id.
pub(crate) fn recording_content(cloud: &Cloud, ids: [&str; 3]) -> Result<Link, Failure> {
    meeting(cloud, ids, "recordings", "content")
}

/// The text of a transcript as `WebVTT`, by organizer, meeting and id.
pub(crate) fn transcript_content(cloud: &Cloud, ids: [&str; 3]) -> Result<Link, Failure> {
    meeting(cloud, ids, "transcripts", "content?$format=text/vtt")
}

/// The times and speakers of a transcript, by organizer, meeting and id.
pub(crate) fn transcript_metadata(cloud: &Cloud, ids: [&str; 3]) -> Result<Link, Failure> {
    meeting(cloud, ids, "transcripts", "metadataContent")
}

fn meeting(cloud: &Cloud, ids: [&str; 3], list: &str, part: &str) -> Result<Link, Failure> {
    let [user, meeting, id] = ids.map(|id| segment(cloud, id));
    let (user, meeting, id) = (user?, meeting?, id?);
    Link::own(cloud, &format!("/users/{user}/onlineMeetings/{meeting}/{list}/{id}/{part}"))
}
