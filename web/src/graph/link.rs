//! What leads on: the question, the commit it is asked of, and the row behind which it goes on.
//!
//! ```text
//! token := base64url(first 16 bytes of HMAC-SHA256(path, 0, question), question as JSON)
//! ```
//!
//! The key is the archive's id: a link is good for the archive that gave it, on any server and after
//! any restart, and one that was changed is refused before it is read.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatvault_engine::{CommitId, Snapshot};
use chatvault_query::Commit;
use serde::{Deserialize, Serialize};

use super::Call;
use super::refusal::{Refusal, Result};
use super::select::Select;

const MAC_BYTES: usize = 16;

/// A question of several pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// The commit that all its pages are of.
    pub(super) at: String,
    /// Only what arrived after this one.
    since: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    select: Option<String>,
    pub(super) top: usize,
    /// The row, or the id, that the last page ended with.
    pub(super) behind: Option<String>,
}

/// How many rows a page has, if nobody says, and at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) usual: usize,
    pub(super) most: usize,
    /// More is refused and not just cut.
    pub(super) is_strict: bool,
}

impl Question {
    /// What a request asks, or goes on to ask.
    pub(super) fn of(call: &Call, snapshot: &Snapshot, size: Size) -> Result<Self> {
        if let Some(token) = call.address.option("skiptoken") {
            let question = Self::open(call, snapshot, token).ok_or_else(Refusal::stale)?;
            snapshot.check_commit(&question.commit()?).map_err(|_other| Refusal::stale())?;
            return Ok(question);
        }
        if let Some(token) = call.address.option("deltatoken") {
            let resync = || Refusal::resync(format!("{}{}", call.origin, call.address.path));
            let question = Self::open(call, snapshot, token).ok_or_else(resync)?;
            snapshot.check_commit(&question.commit()?).map_err(|_other| resync())?;
            let (at, since) = (snapshot.commit().to_string(), Some(question.at));
            return Ok(Self { at, since, behind: None, ..question });
        }
        let option = |name| call.address.option(name).map(str::to_owned);
        let top = match option("top") {
            None => size.usual,
            Some(text) => text.parse().ok().filter(|top| *top > 0).ok_or_else(|| {
                Refusal::bad("Invalid value for $top: a number above zero is expected.")
            })?,
        };
        if size.is_strict && top > size.most {
            let message = format!("Limit of '{}' for Top Query has been exceeded.", size.most);
            return Err(Refusal::bad(message));
        }
        Ok(Self {
            at: snapshot.commit().to_string(),
            since: None,
            filter: option("filter"),
            order: option("orderby"),
            select: option("select"),
            top: top.min(size.most),
            behind: None,
        })
    }

    /// What is wanted of each document.
    pub(super) fn select(&self) -> Result<Select> {
        Select::of(self.select.as_deref())
    }

    fn commit(&self) -> Result<CommitId> {
        self.at.parse().map_err(|_strange| Refusal::stale())
    }

    /// The commit that it is asked of.
    pub(super) fn as_of(&self) -> Option<Commit> {
        self.at.parse().ok()
    }

    pub(super) fn since(&self) -> Option<Commit> {
        self.since.as_deref()?.parse().ok()
    }

    /// Nothing has come in since the last round.
    pub(super) fn is_over(&self) -> bool {
        self.since.as_ref() == Some(&self.at)
    }

    /// The link behind a page.
    pub(super) fn next(&self, call: &Call, snapshot: &Snapshot, behind: String) -> String {
        let question = Self { behind: Some(behind), ..self.clone() };
        question.link(call, snapshot, "$skiptoken")
    }

    /// Where the next round begins.
    pub(super) fn delta(&self, call: &Call, snapshot: &Snapshot) -> String {
        Self { behind: None, since: None, ..self.clone() }.link(call, snapshot, "$deltatoken")
    }

    fn link(&self, call: &Call, snapshot: &Snapshot, name: &str) -> String {
        // A struct of texts and numbers always has a JSON form.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = mac(call, snapshot, &text);
        bytes.extend(text);
        let token = URL_SAFE_NO_PAD.encode(bytes);
        format!("{}{}?{name}={token}", call.origin, call.address.path)
    }

    fn open(call: &Call, snapshot: &Snapshot, token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (sum, text) = bytes.split_at_checked(MAC_BYTES)?;
        if mac(call, snapshot, text) != sum {
            return None;
        }
        serde_json::from_slice(text).ok()
    }
}

fn mac(call: &Call, snapshot: &Snapshot, text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &snapshot.archive());
    let whole = [call.address.path.as_bytes(), &[0], text].concat();
    let sum = hmac::sign(&key, &whole);
    sum.as_ref().get(..MAC_BYTES).unwrap_or_default().to_vec()
}
