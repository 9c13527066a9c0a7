//! What becomes of a message after it was sent: reactions, edits, deletion.

use super::cast::only;
use super::graph::{HistoryItem, Reaction};
use super::story::{State, Teller};
use super::time::{self, DAY, MINUTE, SECOND};

/// All states of a message that begins as `first`.
pub(super) fn of(teller: &mut Teller<'_>, author: usize, first: State) -> Vec<State> {
    let mut states = vec![first];
    if teller.chance.one_in(9) {
        for _ in 0..=teller.chance.below(3) {
            push(teller, &mut states, |teller, next| react(teller, author, next));
        }
    }
    if teller.chance.one_in(15) {
        push(teller, &mut states, edit);
    }
    if teller.chance.one_in(50) {
        push(teller, &mut states, delete);
    }
    states
}

/// Adds a state to the last one, some time later.
fn push(
    teller: &mut Teller<'_>,
    states: &mut Vec<State>,
    change: impl FnOnce(&mut Teller<'_>, &mut State),
) {
    let Some(last) = states.last() else { return };
    let wait = match teller.chance.below(2) {
        0 => teller.chance.between(20 * MINUTE, 9 * DAY),
        _ => teller.chance.between(5 * SECOND, 20 * MINUTE),
    };
    let mut next = last.later(last.modified + wait);
    change(teller, &mut next);
    states.push(next);
}

fn react(teller: &mut Teller<'_>, author: usize, next: &mut State) {
    const KINDS: [(&str, &str); 6] = [
        ("like", "Like"),
        ("heart", "Heart"),
        ("👍", "Yes"),
        ("😂", "Laughing with tears"),
        ("🎉", "Party popper"),
        ("🙏", "Folded hands"),
    ];
    let reader = *teller.chance.pick(&teller.conversation.members);
    let (reaction_type, name) = *teller.chance.pick(&KINDS);
    // Nobody applauds himself: the author's finger slipped, and it was taken back.
    if reader == author {
        return;
    }
    let reaction = Reaction {
        reaction_type,
        display_name: Some(name),
        reaction_content_url: None,
        created_date_time: time::text(next.modified),
        user: only(teller.people[reader].nameless()),
    };
    next.message.message_history.push(HistoryItem {
        modified_date_time: time::text(next.modified),
        actions: "reactionAdded",
        reaction: reaction.clone(),
    });
    next.message.reactions.push(reaction);
}

fn edit(teller: &mut Teller<'_>, next: &mut State) {
    let voice = teller.conversation.voice;
    let added = format!("{} {}", voice.edit, voice.sentence(&mut teller.chance));
    let body = &mut next.message.body;
    body.content = match body.content_type {
        "html" => format!("{}<p>{added}</p>", body.content),
        _ => format!("{}\n{added}", body.content),
    };
    // The edit itself happens a moment before the service writes the new version.
    next.message.last_edited_date_time = Some(time::text(next.modified - 97));
}

fn delete(_: &mut Teller<'_>, next: &mut State) {
    next.message.deleted_date_time = Some(time::text(next.modified));
    next.message.body.content = String::new();
    next.message.attachments.clear();
    next.message.mentions.clear();
}
