//! What a reader has to know about a message before its text: edited, deleted, urgent, blocked.

use chatvault_query::message::{Identity, IdentityKind, Importance, Message};

use super::card::Draft;
use super::clock::{self, Local, Shown};
use super::history;

/// The flags beside the time of sending.
pub(super) fn write_flags(draft: &mut Draft<'_>, message: &Message<'_>) {
    if let Some(edited) = message.edited {
        let zone = draft.scene.context.options.zone;
        let day = |time| Local::of(zone, time).map(|local| local.day);
        let same_day = day(edited) == day(draft.entry.created);
        draft.html.raw(" <span class=\"f\">edited ");
        let shown = if same_day { Shown::Clock } else { Shown::Full };
        clock::write_time(&mut draft.html, zone, edited, shown);
        draft.html.raw("</span>");
    }
    match &message.importance {
        Importance::High => {
            draft.html.raw(" <span class=\"i\">High importance</span>");
        }
        Importance::Urgent => {
            draft.html.raw(" <span class=\"i\">Urgent</span>");
        }
        _ => {}
    }
    if draft.entry.is_context {
        draft.html.raw(" <span class=\"f\">shown for context, not part of the selection</span>");
    }
}

/// The banners between the sender and the text.
pub(super) fn write(draft: &mut Draft<'_>, message: &Message<'_>) {
    if message.is_deleted() {
        deleted(draft, message);
    }
    if let Some(policy) = &message.policy {
        draft.html.raw(
            "<p class=\"n\"><strong>Policy</strong>: data loss prevention acted on this message",
        );
        for (before, said) in [
            (": ", policy.action.as_deref()),
            ("; the sender's answer: ", policy.user_action.as_deref()),
            ("; justification: ", policy.justification.as_deref()),
            ("; notice: ", policy.tip.as_ref().and_then(|tip| tip.text.as_deref())),
        ] {
            if let Some(said) = said.filter(|said| !said.is_empty()) {
                draft.html.raw(before).text(said);
            }
        }
        draft.html.raw("</p>");
    }
}

fn deleted(draft: &mut Draft<'_>, message: &Message<'_>) {
    draft.html.raw("<p class=\"n\"><strong>Deleted</strong>");
    if let Some(time) = message.deleted {
        draft.html.raw(" on ");
        clock::write_time(&mut draft.html, draft.scene.context.options.zone, time, Shown::Full);
    }
    let has_text = !chatvault_query::body::plain_text(message).trim().is_empty();
    draft.html.raw(if has_text || history::last_text(draft.entry).is_some() {
        ". Its last archived text:</p>"
    } else {
        ". No text of it was archived.</p>"
    });
}

/// The word beside the name of a sender who is not a person of the organisation.
pub(super) fn outsider(from: &Identity<'_>) -> Option<&'static str> {
    match from.kind {
        IdentityKind::Application => return Some("app"),
        IdentityKind::Device => return Some("device"),
        IdentityKind::User => {}
        _ => return None,
    }
    match from.identity_type.as_deref()? {
        "anonymousGuest" => Some("anonymous guest"),
        "federatedUser" => Some("external"),
        "personalMicrosoftAccountUser" => Some("personal account"),
        "skypeUser" => Some("Skype"),
        "phoneUser" => Some("by phone"),
        "emailUser" => Some("by e-mail"),
        "azureCommunicationServicesUser" => Some("by a connected service"),
        _ => None,
    }
}
