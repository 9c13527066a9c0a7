//! Who is there: accounts of the tenant, people from elsewhere, and programs that write.

use chatvault_support::{Random, quoted, stamp};

use super::types::{DAY_MS, Ms, Sender, Setup};
use super::words;

/// Somebody with an account in the tenant.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the directory")]
pub struct User {
    /// Object id, a GUID.
    pub id: String,
    /// `displayName`.
    pub name: String,
    /// `userPrincipalName`.
    pub upn: String,
    /// From when the account exists.
    pub created: Ms,
    /// When it was deleted; it can be exported for [`super::RECYCLE_BIN_MS`] more.
    pub deleted: Option<Ms>,
    /// A guest of another tenant: in the directory, without a mailbox here.
    pub guest: bool,
    /// Without a mailbox every export of the user answers 404: guests, and a room or two.
    pub mailbox: bool,
    /// Without the licence the Copilot export answers 403.
    pub copilot: bool,
    /// Without the application access policy the meeting exports answer 403.
    pub meetings: bool,
}

/// Somebody or something that writes, as messages show it.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) sender: Sender,
    pub(super) name: String,
    /// The tenant of the user, if the service tells.
    tenant: Option<String>,
}

/// Everybody. An author's number is the user's number for users; others come behind.
#[derive(Debug)]
pub(super) struct People {
    pub(super) users: Vec<User>,
    pub(super) authors: Vec<Author>,
    /// Numbers of people from elsewhere.
    pub(super) outsiders: Vec<usize>,
    /// Numbers of bots, connectors and the like.
    pub(super) programs: Vec<usize>,
}

/// Kinds of people from elsewhere. The last is newer than the v1.0 enum: nobody knows it yet.
const OUTSIDERS: [&str; 9] = [
    "federatedUser",
    "anonymousGuest",
    "aadUser",
    "personalMicrosoftAccountUser",
    "federatedUser",
    "skypeUser",
    "phoneUser",
    "emailUser",
    "azureCommunicationServicesUser",
];
const PROGRAMS: [(&str, &str); 5] = [
    ("bot", "Stand-up bot"),
    ("office365Connector", "Build news"),
    ("outgoingWebhook", "Menu of the day"),
    ("tenantBot", "House rules"),
    ("aadApplication", "Shift planner"),
];

impl User {
    /// The directory's document, `deletedDateTime` included if the user is deleted at `now`.
    pub fn to_json(&self, now: Ms) -> String {
        let deleted = self.deleted.filter(|at| *at <= now);
        // The recycle bin keeps names free for others by putting the id in front.
        let prefix = deleted.map_or(String::new(), |_| self.id.replace('-', ""));
        let upn = quoted(&format!("{prefix}{}", self.upn));
        let mail = if self.mailbox { quoted(&self.upn) } else { "null".to_owned() };
        let kind = if self.guest { "Guest" } else { "Member" };
        let licences = if self.mailbox {
            r#"[{"disabledPlans":[],"skuId":"c7df2760-2c81-4ef7-b578-5b5392b571df"}]"#
        } else {
            "[]"
        };
        let when =
            deleted.map_or(String::new(), |at| format!(r#","deletedDateTime":"{}""#, stamp(at)));
        format!(
            r#"{{"id":"{}","displayName":{},"userPrincipalName":{upn},"mail":{mail},"userType":"{kind}","accountEnabled":{},"assignedLicenses":{licences}{when}}}"#,
            self.id,
            quoted(&self.name),
            deleted.is_none() && (self.mailbox || self.guest),
        )
    }

    fn new(number: usize, setup: &Setup, random: &mut Random) -> Self {
        let (first, last) = (random.word(&words::FIRST), random.word(&words::LAST));
        let guest = number % 20 == 5;
        let plain: String = format!("{first}.{last}").chars().filter(char::is_ascii).collect();
        let host = if guest { "fabrikam.example#EXT#@contoso.example" } else { "contoso.example" };
        let at = if guest { "_" } else { "@" };
        let length = Ms::from(setup.days) * DAY_MS;
        let part = |percent: Ms| setup.from + length * percent / 100;
        let chance = Ms::try_from(random.below(50)).unwrap_or(0);
        Self {
            id: random.guid(),
            name: format!("{first} {last}"),
            upn: format!("{}{number}{at}{host}", plain.to_lowercase().replace('\'', "")),
            created: if number % 9 == 4 { part(chance) } else { setup.from - 400 * DAY_MS },
            deleted: (number % 10 == 3).then(|| part(30 + chance)),
            guest,
            mailbox: !guest && number % 25 != 7,
            copilot: number.is_multiple_of(2),
            meetings: number % 11 != 6,
        }
    }

    /// May write and is written to at that time.
    pub(super) fn active(&self, at: Ms) -> bool {
        self.created <= at && self.deleted.is_none_or(|deleted| at < deleted)
    }
}

impl Author {
    /// As an identity set: who wrote, who started a call, whose reaction.
    pub(super) fn json(&self, named: bool) -> String {
        let name = if named { quoted(&self.name) } else { "null".to_owned() };
        match &self.sender {
            Sender::None => "null".to_owned(),
            Sender::User { .. } => {
                format!(r#"{{"application":null,"device":null,"user":{}}}"#, self.identity(named))
            }
            Sender::Application { id, kind } => format!(
                r#"{{"application":{{"id":"{id}","displayName":{name},"applicationIdentityType":"{kind}"}},"device":null,"user":null}}"#
            ),
        }
    }

    /// The user inside an identity set; `null` of a program.
    pub(super) fn identity(&self, named: bool) -> String {
        let Sender::User { id, kind } = &self.sender else { return "null".to_owned() };
        let name = if named { quoted(&self.name) } else { "null".to_owned() };
        let tenant =
            self.tenant.as_ref().map_or(String::new(), |id| format!(r#","tenantId":"{id}""#));
        format!(
            r##"{{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"{id}","displayName":{name},"userIdentityType":"{kind}"{tenant}}}"##
        )
    }

    /// Id of the user or program.
    pub(super) fn id(&self) -> &str {
        match &self.sender {
            Sender::User { id, .. } | Sender::Application { id, .. } => id,
            Sender::None => "",
        }
    }

    fn outsider(kind: &'static str, number: usize, random: &mut Random) -> Self {
        let id = match kind {
            "anonymousGuest" => words::hex(random),
            "personalMicrosoftAccountUser" => format!("{:016x}", random.next_u64()),
            "skypeUser" => format!("live.visitor{number}"),
            "phoneUser" => format!("4:+49301234{number:03}"),
            "emailUser" => format!("visitor{number}@fabrikam.example"),
            "azureCommunicationServicesUser" => {
                format!("8:acs:{}_{}", random.guid(), random.guid())
            }
            _ => random.guid(),
        };
        let foreign = matches!(kind, "federatedUser" | "aadUser").then(|| random.guid());
        let name = format!("{} {}", random.word(&words::FIRST), random.word(&words::LAST));
        let name = if kind == "anonymousGuest" { format!("{name} (Guest)") } else { name };
        Self { sender: Sender::User { id, kind }, name, tenant: foreign }
    }
}

impl People {
    pub(super) fn new(setup: &Setup, tenant: &str, random: &mut Random) -> Self {
        let users: Vec<User> =
            (0..setup.users as usize).map(|number| User::new(number, setup, random)).collect();
        let mut authors: Vec<Author> = Vec::new();
        for (number, user) in users.iter().enumerate() {
            // The service began to tell the tenant at some time, and not everywhere.
            let told = (number % 4 != 1).then(|| tenant.to_owned());
            let sender = Sender::User { id: user.id.clone(), kind: "aadUser" };
            authors.push(Author { sender, name: user.name.clone(), tenant: told });
        }
        let extra = OUTSIDERS.len() + users.len() / 50;
        for (number, kind) in OUTSIDERS.iter().cycle().take(extra).enumerate() {
            authors.push(Author::outsider(kind, number, random));
        }
        for (kind, name) in PROGRAMS {
            let sender = Sender::Application { id: random.guid(), kind };
            authors.push(Author { sender, name: name.to_owned(), tenant: None });
        }
        let (first, last) = (users.len(), users.len() + extra);
        let programs = (last..authors.len()).collect();
        Self { outsiders: (first..last).collect(), programs, users, authors }
    }

    /// May write at that time; people from elsewhere always.
    pub(super) fn active(&self, author: usize, at: Ms) -> bool {
        self.users.get(author).is_none_or(|user| user.active(at))
    }
}
