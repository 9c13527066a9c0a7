//! One content: asked for, stored, told to whoever commits.

use std::sync::Arc;

use chatvault_graph::{
    Class, Failure, FailureKind, Link, Request,
    download::Downloaded,
    route::{self, HostedPlace},
};
use tokio::sync::mpsc;

use super::commit::{Outcome, Refusal, Stored};
use super::flights::{Answer, Flight};
use super::gates::Verdict;
use super::references::{Meeting, Part, Source};
use super::spool::Download;
use super::walk::Wanted;
use super::{Contents, Item, blocking};
use crate::sync::SyncError;

const NOTHING: &str = "nothing to do: the service itself does not say more";

/// Why a pass ends before its work does.
#[derive(Debug)]
pub(super) enum Halt {
    /// Whoever commits has ended, and says why.
    NobodyCommits,
    Failed(SyncError),
}

impl From<SyncError> for Halt {
    fn from(error: SyncError) -> Self {
        Self::Failed(error)
    }
}

/// Fetches one content and sends what came of it.
pub(super) async fn one(
    contents: &Arc<Contents>,
    wanted: Wanted,
    outcomes: &mpsc::Sender<Outcome>,
) -> Result<(), Halt> {
    let kind = wanted.reference.source.kind();
    if contents.gates.is_closed(kind) {
        return Ok(());
    }
    let Wanted { item, reference } = wanted;
    let (result, end) = match Errand::new(contents, &item, &reference.source) {
        Ok(errand) => contents.run(&errand, &item).await?,
        Err(refusal) => (Err(refusal), None),
    };
    let outcome = Outcome { item, name: reference.name, title: reference.title, result };
    outcomes.send(outcome).await.map_err(|_closed| Halt::NobodyCommits)?;
    end.map_or(Ok(()), |failure| Err(Halt::Failed(SyncError::Service(failure))))
}

/// A request to be made.
struct Errand {
    link: Link,
    /// Asked when the service does not know the first.
    other: Option<Link>,
    class: Class,
    /// What the service counts slowly by: a chat, a channel, a user.
    resource: Option<String>,
    source: Source,
}

impl Errand {
    fn new(contents: &Contents, item: &Item, source: &Source) -> Result<Self, Refusal> {
        let cloud = contents.settings.client.cloud();
        let mut other = None;
        let (link, class, resource) = match source {
            Source::Hosted(content) => {
                let (class, resource) = match &content.place {
                    HostedPlace::Chat(chat) => (Class::Hosted, chat),
                    // Of channels the service has no row of its own in its table of limits.
                    HostedPlace::Channel { channel, .. } => (Class::Other, channel),
                };
                let deleted = contents.is_of_deleted_team(&content.place);
                (route::hosted_content(cloud, content, deleted), class, Some(resource.clone()))
            }
            Source::File(address) => {
                let link = route::share_content(cloud, address).map(|(first, second)| {
                    other = second;
                    first
                });
                (link, Class::Files, None)
            }
            Source::Meeting(meeting) => {
                let user = organizer(meeting, item);
                (meeting_link(contents, meeting, &user), Class::Other, Some(user))
            }
            Source::Nowhere(_, reason) => {
                return Err(Refusal { reason: (*reason).into(), status: None, advice: NOTHING });
            }
        };
        let link = link.map_err(|failure| refusal(&failure))?;
        Ok(Self { link, other, class, resource, source: source.clone() })
    }
}

/// The user below whom the service keeps a meeting: its organizer, if the entry names one.
fn organizer(meeting: &Meeting, item: &Item) -> String {
    let custodian = item.custodian.as_str();
    let user = || custodian.strip_prefix("user:").unwrap_or(custodian).to_owned();
    meeting.organizer.clone().unwrap_or_else(user)
}

fn meeting_link(contents: &Contents, meeting: &Meeting, user: &str) -> Result<Link, Failure> {
    let cloud = contents.settings.client.cloud();
    let content = match meeting.part {
        Part::Recording => route::recording_content,
        Part::Transcript => route::transcript_content,
        Part::TranscriptMetadata => route::transcript_metadata,
    };
    content(cloud, (user, &meeting.of, &meeting.id))
}

/// A drive that refuses names no permission, and which one it asks for is an open question.
pub(crate) const REFUSED_FILES: &str = "if this is so for all files, grant Files.Read.All with admin consent, or \
    Files.ReadWrite.All, which the service's own page asks for; of one file, nobody gave the app access";

fn refusal_of(failure: &Failure, source: &Source) -> Refusal {
    let refusal = refusal(failure);
    match (failure.kind, source) {
        (FailureKind::Permission, Source::File(_)) => Refusal { advice: REFUSED_FILES, ..refusal },
        _ => refusal,
    }
}

fn refusal(failure: &Failure) -> Refusal {
    let (reason, advice) = (failure.to_string().into(), failure.kind.advice());
    Refusal { reason, status: failure.status, advice }
}

/// What came of an errand; with a failure if it is the last one of the pass.
type Done = (Result<Stored, Refusal>, Option<Failure>);

impl Contents {
    async fn run(self: &Arc<Self>, errand: &Errand, item: &Item) -> Result<Done, SyncError> {
        let flight = match self.flights.claim(errand.link.as_str()).await {
            Ok(flight) => flight,
            Err(answer) => return Ok((result_of(answer), None)),
        };
        let contents = Arc::clone(self);
        let address = errand.link.as_str().to_owned();
        let opened = blocking(move || contents.spool.open(&address)).await;
        let mut download = opened.map_err(|cause| self.local(cause))?;
        match self.download(errand, &mut download, item).await {
            Ok(_) => self.keep(download, errand, flight).await,
            Err(failure) => {
                if let Some(cause) = download.failure() {
                    return Err(self.local(cause));
                }
                self.judge(&failure, errand, flight)
            }
        }
    }

    /// Downloads from the one address, or from the other if the service does not know the one.
    async fn download(
        &self,
        errand: &Errand,
        download: &mut Download,
        item: &Item,
    ) -> Result<Downloaded, Failure> {
        let (client, meter) = (&self.settings.client, &item.tally.meter);
        let resource = errand.resource.as_deref();
        let request = Request { link: &errand.link, class: errand.class, resource };
        let first = client.download(&request, download, meter).await;
        match (&first, &errand.other) {
            (Err(failure), Some(other)) if is_unknown(failure) => {
                client.download(&Request { link: other, ..request }, download, meter).await
            }
            _ => first,
        }
    }

    fn is_of_deleted_team(&self, place: &HostedPlace) -> bool {
        match place {
            HostedPlace::Channel { team, .. } => self.settings.deleted_teams.contains(team),
            HostedPlace::Chat(_) => false,
        }
    }

    /// Puts what was downloaded into the archive.
    async fn keep(
        self: &Arc<Self>,
        download: Download,
        errand: &Errand,
        flight: Flight<'_>,
    ) -> Result<Done, SyncError> {
        self.gates.worked(errand.source.kind());
        let bytes = download.bytes();
        if bytes == 0 && matches!(errand.source, Source::Meeting(_)) {
            let reason: Arc<str> = "the service has the entry and not its content yet".into();
            let advice = "nothing to do: the next run asks again";
            return Ok((Err(Refusal { reason, status: None, advice }), None));
        }
        let contents = Arc::clone(self);
        let (address, spool) = blocking(move || {
            let mut whole = download.finish().map_err(|cause| contents.local(cause))?;
            let archive = &contents.settings.archive;
            let address = archive.put_object(&mut whole)?;
            Ok::<_, SyncError>((address, whole.into_files()))
        })
        .await?;
        flight.land(Answer::Stored(address));
        Ok((Ok(Stored { address, bytes, spool }), None))
    }

    fn judge(
        &self,
        failure: &Failure,
        errand: &Errand,
        flight: Flight<'_>,
    ) -> Result<Done, SyncError> {
        let refusal = refusal_of(failure, &errand.source);
        match self.gates.failed(errand.source.kind(), failure) {
            Verdict::Missing { lasting } => {
                if lasting {
                    flight.land(Answer::Refused(refusal.clone()));
                }
                Ok((Err(refusal), None))
            }
            Verdict::MissingAndEnd => Ok((Err(refusal), Some(failure.clone()))),
            Verdict::End if failure.kind == FailureKind::Local => {
                Err(self.local(std::io::Error::other(failure.to_string())))
            }
            Verdict::End => Err(SyncError::Service(failure.clone())),
        }
    }
}

/// Is the address wrong, or nothing there?
fn is_unknown(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::NotFound | FailureKind::Refused)
}

fn result_of(answer: Answer) -> Result<Stored, Refusal> {
    match answer {
        Answer::Stored(address) => Ok(Stored { address, bytes: 0, spool: None }),
        Answer::Refused(refusal) => Err(refusal),
    }
}
