//! What an archive can know: everything that some export showed, and when.

use std::collections::BTreeMap;

use super::Tenant;
use super::extra::Extra;
use super::mailbox::Entry;
use super::places::Kind;
use super::render::Layout;
use super::types::{Feed, Form, Ms, Sighting, Truth};

/// Sightings of each version in each look.
type Sightings = BTreeMap<(u32, bool), Vec<Sighting>>;

impl Tenant {
    /// Everything that some export showed before or at `until`: every look of every version, with
    /// the exports that could show it. Sightings that begin later are left out.
    pub fn truth(&self, until: Ms, origin: &str) -> Vec<Truth> {
        let form = Form { origin, ..Form::default() };
        let mut sightings = Sightings::new();
        for (user, mailbox) in self.story.people.users.iter().zip(&self.mailboxes.users) {
            self.collect(&format!("user:{}", user.id), mailbox, until, &mut sightings);
        }
        for (team, mailbox) in self.story.places.teams.iter().zip(&self.mailboxes.teams) {
            self.collect(&format!("team:{}", team.id), mailbox, until, &mut sightings);
        }
        let messages =
            sightings.into_iter().filter_map(|(key, seen)| self.message_truth(key, seen, form));
        let extras = self.extras.iter().filter(|row| row.from <= until && row.from < row.until);
        messages.chain(extras.map(|row| self.extra_truth(row, form))).collect()
    }

    fn collect(&self, custodian: &str, mailbox: &[Entry], until: Ms, into: &mut Sightings) {
        for entry in mailbox.iter().filter(|entry| entry.from <= until) {
            for (feed, retained) in [(Feed::Current, false), (Feed::Retained, true)] {
                let end = entry.ends(retained);
                if entry.from < end && (self.retention || !retained) {
                    into.entry((entry.version, entry.bare)).or_default().push(Sighting {
                        custodian: custodian.to_owned(),
                        feed,
                        from: entry.from,
                        until: (end < Ms::MAX).then_some(end),
                    });
                }
            }
        }
    }

    fn message_truth(
        &self,
        key: (u32, bool),
        sightings: Vec<Sighting>,
        form: Form<'_>,
    ) -> Option<Truth> {
        let version = self.versions.get(key.0 as usize)?;
        let message = self.story.messages.get(version.message as usize)?;
        let place = self.story.places.conversations.get(message.conversation as usize)?;
        let team = place.team.and_then(|team| self.story.places.teams.get(team));
        let modified = message.modified(version.step as usize);
        Some(Truth {
            json: self.text(key, Layout::Current, form),
            conversation: place.id.clone(),
            team: team.filter(|_| place.kind == Kind::Channel).map(|team| team.id.clone()),
            reply_to: message.root.map(|root| root.to_string()),
            id: message.created.to_string(),
            etag: modified.to_string(),
            modified,
            sightings,
        })
    }

    fn extra_truth(&self, row: &Extra, form: Form<'_>) -> Truth {
        let user = self.story.people.users.get(row.user);
        let sighting = Sighting {
            custodian: format!("user:{}", user.map_or("", |user| &user.id)),
            feed: row.feed,
            from: row.from,
            until: (row.until < Ms::MAX).then_some(row.until),
        };
        Truth {
            json: row.json(form),
            conversation: row.conversation.clone(),
            team: None,
            reply_to: None,
            id: row.id.clone(),
            etag: row.etag.clone(),
            modified: row.modified,
            sightings: vec![sighting],
        }
    }
}
