//! The demo's input: a small firm's weekly exports, as the service would deliver them.
//!
//! Twelve people, their chats and meetings, and a team's channel, over some weeks. Every
//! participant's export returns every message of the chats he is in, in no order, in the state
//! that it has at the time; the next export reaches back two days, so it repeats some and brings
//! the edits, reactions and deletions since. The same at every call.

mod cast;
mod chance;
mod draft;
mod fate;
mod graph;
mod story;
mod time;
mod voice;

use cast::{Conversation, Person, Venue};
use chance::Chance;
use graph::{Message, Page};
use story::{State, Told};
use time::DAY;

/// One page of one custodian's export.
#[derive(Clone, Debug)]
pub(crate) struct DemoPage {
    /// Whose export: `user:…` or `team:…`.
    pub(crate) custodian: String,
    /// The file's name in the custodian's folder.
    pub(crate) name: String,
    /// The page as the service sent it.
    pub(crate) bytes: Vec<u8>,
}

/// All pages, custodian by custodian.
pub(crate) fn pages() -> Vec<DemoPage> {
    let mut chance = Chance::new(2026);
    let people = cast::people(&mut chance);
    let conversations = cast::conversations(&people, &mut chance);
    let told: Vec<_> = (1..)
        .zip(&conversations)
        .map(|(seed, conversation)| story::tell(&people, conversation, Chance::new(seed)))
        .collect();
    let exports = custodians(&people, &conversations);
    exports.iter().flat_map(|export| export.pages(&told, &mut chance)).collect()
}

/// How long everything takes, and how often everybody is exported.
const WEEKS: u64 = 6;

/// What one custodian's exports return.
struct Export {
    custodian: String,
    /// The path that the service answers under.
    path: String,
    /// Numbers of the conversations that it covers.
    conversations: Vec<usize>,
}

/// A user for every person, a team for every channel.
fn custodians(people: &[Person], conversations: &[Conversation]) -> Vec<Export> {
    let mut exports: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(at, person)| Export {
            custodian: format!("user:{}", person.id),
            path: format!("users('{}')/chats/getallMessages", person.id),
            conversations: numbers(conversations, |conversation| {
                !matches!(conversation.place, Venue::Channel { .. })
                    && conversation.members.contains(&at)
            }),
        })
        .collect();
    for (at, conversation) in conversations.iter().enumerate() {
        if let Venue::Channel { team, .. } = &conversation.place {
            exports.push(Export {
                custodian: format!("team:{team}"),
                path: format!("teams('{team}')/channels/getallMessages"),
                conversations: vec![at],
            });
        }
    }
    exports
}

fn numbers(all: &[Conversation], wanted: impl Fn(&Conversation) -> bool) -> Vec<usize> {
    (0..).zip(all).filter(|(_, each)| wanted(each)).map(|(at, _)| at).collect()
}

/// The exports' windows over the time of the last change: a week and two days before it each. The
/// last one is open, so that nothing told is left out.
fn windows() -> impl Iterator<Item = (u64, u64)> {
    (0..WEEKS).map(|week| {
        let from = time::START + (7 * week).saturating_sub(2) * DAY;
        let to = time::START + 7 * (week + 1) * DAY;
        (from, if week + 1 < WEEKS { to } else { u64::MAX })
    })
}

impl Export {
    fn pages(&self, told: &[Vec<Told>], chance: &mut Chance) -> Vec<DemoPage> {
        let mut pages = Vec::new();
        for window in windows() {
            let mut copies = self.copies(told, window, chance);
            chance.shuffle(&mut copies);
            self.cut(&copies, window, &mut pages, chance);
        }
        pages
    }

    /// The states that an export at the end of a window returns.
    fn copies(
        &self,
        told: &[Vec<Told>],
        (from, to): (u64, u64),
        chance: &mut Chance,
    ) -> Vec<Message> {
        let messages = self.conversations.iter().flat_map(|&at| &told[at]);
        messages
            .filter_map(|message| message.states.iter().rfind(|state| state.modified < to))
            .filter(|state| state.modified >= from)
            .map(|state| delivered(state, chance))
            .collect()
    }

    /// Cuts one window's copies into pages; short ones happen, as they do in real exports.
    fn cut(
        &self,
        copies: &[Message],
        (from, to): (u64, u64),
        pages: &mut Vec<DemoPage>,
        chance: &mut Chance,
    ) {
        let mut rest = copies;
        while !rest.is_empty() {
            let size = chance.between(60, 250).min(rest.len() as u64);
            let (value, behind) = rest.split_at(usize::try_from(size).unwrap_or(rest.len()));
            let skip = copies.len() - behind.len();
            rest = behind;
            let page = Page {
                context: "https://graph.microsoft.com/v1.0/$metadata#Collection(chatMessage)",
                count: value.len(),
                next_link: (!rest.is_empty()).then(|| self.next_link(from, to, skip)),
                value: value.iter().collect(),
            };
            pages.push(DemoPage {
                custodian: self.custodian.clone(),
                name: format!("page-{:05}.json", pages.len() + 1),
                // Strings and numbers only: writing them as JSON cannot fail.
                bytes: serde_json::to_vec(&page).unwrap_or_default(),
            });
        }
    }

    fn next_link(&self, from: u64, to: u64, skip: usize) -> String {
        let (path, from) = (&self.path, time::text(from));
        let to = time::text(to.min(time::START + 60 * DAY));
        format!(
            "https://graph.microsoft.com/v1.0/{path}?$top=250&$filter=lastModifiedDateTime gt \
             {from} and lastModifiedDateTime lt {to}&$skip={skip}"
        )
    }
}

/// A copy as one mailbox has it: now and then the sender's name is not filled in yet.
fn delivered(state: &State, chance: &mut Chance) -> Message {
    let mut message = state.message.clone();
    if chance.one_in(900)
        && let Some(user) = message.from.as_mut().and_then(|from| from.user.as_mut())
    {
        user.display_name = None;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    fn key(message: &Value) -> (String, String) {
        let conversation = message["chatId"].as_str();
        let channel = message["channelIdentity"]["channelId"].as_str();
        let id = message["id"].as_str().unwrap();
        (conversation.or(channel).unwrap().to_owned(), id.to_owned())
    }

    #[test]
    fn pages_parse_and_bring_every_version_several_times() {
        let (mut copies, mut custodians) = (0, BTreeSet::new());
        let mut versions: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for page in pages() {
            let parsed: Value = serde_json::from_slice(&page.bytes).unwrap();
            let value = parsed["value"].as_array().unwrap();
            assert_eq!(parsed["@odata.count"], value.len(), "{} {}", page.custodian, page.name);
            copies += value.len();
            for message in value {
                let etag = message["etag"].as_str().unwrap().to_owned();
                let _ = versions.entry(key(message)).or_default().insert(etag);
            }
            let _ = custodians.insert(page.custodian);
        }
        let distinct: usize = versions.values().map(BTreeSet::len).sum();
        assert!(copies > 3 * distinct, "{copies} copies of {distinct} versions");
        assert!(versions.len() > 2_000, "{} messages", versions.len());
        assert!(distinct > versions.len() + 50, "{distinct} versions");
        assert_eq!(custodians.len(), 13);
    }

    #[test]
    fn the_story_has_everything_that_happens_to_messages() {
        let all: String =
            pages().iter().map(|page| String::from_utf8_lossy(&page.bytes).into_owned()).collect();
        let told = [
            "\"deletedDateTime\":\"20",
            "\"lastEditedDateTime\":\"20",
            "reactionAdded",
            "<at id=",
            "card.adaptive",
            "\"contentType\":\"reference\"",
            "messageReference",
            "\"replyToId\":\"",
            "callEndedEvent",
            "membersLeftEvent",
            "@thread.tacv2",
            "<emoji",
            "hostedContents",
            "@odata.nextLink",
            "\"displayName\":null",
        ];
        for each in told {
            assert!(all.contains(each), "no {each} in the demo");
        }
    }

    #[test]
    fn every_demo_is_the_same_demo() {
        let bytes = |pages: Vec<DemoPage>| -> Vec<_> {
            pages.into_iter().map(|page| (page.custodian, page.name, page.bytes)).collect()
        };
        assert!(bytes(pages()) == bytes(pages()));
    }
}
