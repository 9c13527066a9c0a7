//! What chats and channels are called and who is in them: asked of each that has new messages.
//!
//! Invariant: a position moves only when every conversation with messages up to it was answered for.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use chatvault_engine::{Archive, Custodian, RecordKind, Scan, Sequence, Versions};
use chatvault_graph::{
    Answer, Class, Failure, FailureKind, Items, Link, Meter, Request, read_page, route,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::chain::{End, place};
use super::commit::{Page, Work};
use super::drive::{blocking, broken_task};
use super::report::Trouble;
use super::run::{Halt, Run};
use super::{SyncError, store};

/// So many refusals before anything worked are a permission that is missing.
const REFUSALS: u32 = 5;
/// A list of so many pages has no end.
const PAGES: usize = 1_000;

/// Who delivers what is no account's own: users, teams, chats, channels and their members.
pub(super) fn custodian() -> Custodian {
    Custodian::user("directory")
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) troubles: Vec<Trouble>,
    /// What an earlier run has told already.
    pub(super) notes: Vec<String>,
}

/// What is asked, each with a permission and a position of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Chats,
    Channels,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The last commit whose conversations were asked for.
    commit: u64,
    /// A run has told that it may not ask.
    refused: bool,
}

/// Where a message is, as its document says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Where {
    chat_id: Option<String>,
    channel_identity: Option<Channel>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Channel {
    team_id: Option<String>,
}

/// Asks for the names and members of the conversations with messages that are new since the last
/// run that did. Teams that were `deleted` have no channels to ask for.
pub(super) async fn ask(
    run: &Arc<Run>,
    deleted: &HashSet<String>,
    meter: &Arc<Meter>,
) -> Result<Told, Halt> {
    let mut told = Told::default();
    for what in [What::Chats, What::Channels] {
        if what.is_wanted(run) {
            what.ask(run, (deleted, meter), &mut told).await?;
        }
    }
    Ok(told)
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Chats => "chats",
            Self::Channels => "channels",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Chats => "names and members of chats",
            Self::Channels => "names of channels",
        }
    }

    fn is_wanted(self, run: &Run) -> bool {
        let mut feeds = run.options.feeds.iter();
        let messages = Items::Messages;
        feeds.any(|feed| feed.items() == messages && feed.of_team() == (self == Self::Channels))
    }

    async fn ask(
        self,
        run: &Arc<Run>,
        (deleted, meter): (&HashSet<String>, &Arc<Meter>),
        told: &mut Told,
    ) -> Result<(), Halt> {
        let name = store::place(self.name());
        let before: Position = store::get(&run.archive, &name)?.unwrap_or_default();
        let archive = run.archive.clone();
        let found = blocking(move || self.find(&archive, Sequence(before.commit))).await?;
        let (until, mut ids) = found;
        ids.retain(|id| !deleted.contains(id));
        let position = match self.ask_each(run, ids, meter).await? {
            None => Position { commit: until.0, refused: false },
            Some(failure) => {
                let refused = failure.kind == FailureKind::Permission;
                let trouble = Trouble::new(self.words(), &failure);
                if refused && before.refused {
                    told.notes.push(format!("{}: {}", trouble.what, trouble.reason));
                } else {
                    told.troubles.push(trouble);
                }
                Position { refused, ..before }
            }
        };
        if position != before {
            let checkpoints = vec![(name.clone(), store::bytes(&name, &position)?)];
            run.commit(Work { page: None, checkpoints }).await?;
        }
        Ok(())
    }

    /// The chats, or the teams, with messages that came after a commit.
    fn find(
        self,
        archive: &Archive,
        since: Sequence,
    ) -> Result<(Sequence, BTreeSet<String>), SyncError> {
        let snapshot = archive.snapshot()?;
        let mut conversations: BTreeSet<String> = BTreeSet::new();
        let mut present = String::new();
        let scan = Scan { since: Some(since), versions: Versions::All, ..Scan::default() };
        let _rows = snapshot.keys(&scan, &mut |row| {
            if present != row.conversation() {
                row.conversation().clone_into(&mut present);
                let _ = conversations.insert(present.clone());
            }
        })?;
        let mut found = BTreeSet::new();
        for conversation in conversations {
            let conversations = vec![conversation];
            let one = Scan { conversations, limit: Some(1), ..Scan::default() };
            let mut rows = snapshot.scan(&one)?;
            let Some(row) = rows.next()? else { continue };
            let Ok(place) = serde_json::from_slice::<Where>(row.json()) else { continue };
            let team = place.channel_identity.and_then(|channel| channel.team_id);
            found.extend(match self {
                Self::Chats => place.chat_id,
                Self::Channels => team,
            });
        }
        Ok((snapshot.sequence(), found))
    }

    /// Asks for each of them; why not all could be had, if that is no matter of one alone.
    async fn ask_each(
        self,
        run: &Arc<Run>,
        ids: BTreeSet<String>,
        meter: &Arc<Meter>,
    ) -> Result<Option<Failure>, Halt> {
        let (mut waiting, mut running) = (ids.into_iter(), JoinSet::new());
        let (mut failed, mut refusals, mut worked) = (None, 0, false);
        loop {
            while failed.is_none() && !run.is_stopped() && running.len() < run.client.at_once() {
                let Some(id) = waiting.next() else { break };
                let (run, meter) = (Arc::clone(run), Arc::clone(meter));
                let _handle = running.spawn(async move { self.one(&run, &id, &meter).await });
            }
            let Some(done) = running.join_next().await else { break };
            match done.map_err(|cause| Halt::Error(broken_task(cause)))? {
                Ok(()) => worked = true,
                Err(End::Halt(halt)) => return Err(halt),
                Err(End::Failed(failure)) => {
                    refusals += u32::from(failure.kind == FailureKind::Permission);
                    let may_not = failure.names_a_role() || (!worked && refusals >= REFUSALS);
                    if may_not || !is_of_one(&failure) {
                        let _first = failed.get_or_insert(failure);
                    }
                }
            }
        }
        if run.is_stopped() { Err(Halt::Stopped) } else { Ok(failed) }
    }

    async fn one(self, run: &Run, id: &str, meter: &Meter) -> Result<(), End> {
        let cloud = run.client.cloud();
        match self {
            Self::Chats => {
                let answer = get(run, &route::chat(cloud, id)?, meter).await?;
                let whole = 0..answer.body.len();
                keep(run, (RecordKind::Chat, None), answer, vec![whole]).await?;
                let members = route::chat_members(cloud, id)?;
                list(run, (RecordKind::Member, Some(id)), members, meter).await
            }
            Self::Channels => {
                list(run, (RecordKind::Chat, None), route::channels(cloud, id)?, meter).await
            }
        }
    }
}

/// Does it say nothing about others?
fn is_of_one(failure: &Failure) -> bool {
    failure.kind.lasts()
        || matches!(failure.kind, FailureKind::Refused | FailureKind::Gone | FailureKind::Hostile)
}

async fn get(run: &Run, link: &Link, meter: &Meter) -> Result<Answer, End> {
    let request = Request { link, class: Class::Directory, resource: None };
    Ok(run.unless_stopped(run.client.get(&request, meter)).await??)
}

/// Every entry of a list, page by page.
async fn list(
    run: &Run,
    (record, conversation): (RecordKind, Option<&str>),
    mut link: Link,
    meter: &Meter,
) -> Result<(), End> {
    for _ in 0..PAGES {
        let answer = get(run, &link, meter).await?;
        let body = answer.body.clone();
        let page = read_page(&body);
        let page = page.map_err(|broken| Failure::astray(&link, broken.to_string()))?;
        let items = page.items.iter().map(|item| place(&body, item)).collect();
        let next = page.next.filter(|next| next != link.as_str());
        keep(run, (record, conversation), answer, items).await?;
        let Some(next) = next else { return Ok(()) };
        link = Link::follow(run.client.cloud(), &next)?;
    }
    Err(Failure::astray(&link, "the list does not come to an end").into())
}

async fn keep(
    run: &Run,
    (record, conversation): (RecordKind, Option<&str>),
    answer: Answer,
    items: Vec<Range<usize>>,
) -> Result<(), Halt> {
    let page = Page {
        custodian: custodian(),
        record,
        conversation: conversation.map(str::to_owned),
        source: "graph: directory".to_owned(),
        answer,
        items: Some(items),
    };
    run.commit(Work { page: Some(page), checkpoints: Vec::new() }).await
}
