//! What people asked Copilot, and its answers.

use chatvault_support::{quoted, stamp};

use super::extra::{Extra, Maker};
use super::types::{DAY_MS, Feed, Ms, Sender};
use super::words;

/// Where it was asked: `appClass`, `conversationType` and what the assistant is called there. The
/// last is newer than the documentation.
const APPS: [(&str, &str, &str); 6] = [
    ("IPM.SkypeTeams.Message.Copilot.BizChat", "bizchat", "Microsoft 365 Chat"),
    ("IPM.SkypeTeams.Message.Copilot.Teams", "appchat", "Copilot in Teams"),
    ("IPM.SkypeTeams.Message.Copilot.Word", "appchat", "Copilot in Word"),
    ("IPM.SkypeTeams.Message.Copilot.Excel", "appchat", "Copilot in Excel"),
    ("IPM.SkypeTeams.Message.Copilot.Loop", "appchat", "Copilot in Loop"),
    ("IPM.SkypeTeams.Message.Copilot.Telescope", "futurechat", "Copilot in Telescope"),
];
const COPILOT: &str = "fb8d773d-7ef8-4ec0-a117-179f88add510";

/// One side of an exchange.
struct Part<'a> {
    app: (&'static str, &'static str, &'static str),
    session: &'a str,
    request: &'a str,
    at: Ms,
}

pub(super) fn make(maker: &mut Maker<'_>) {
    for day in 0..Ms::from(maker.setup.days) {
        for _ in 0..maker.setup.prompts_per_day {
            let at = maker.setup.from + day * DAY_MS + maker.up_to(DAY_MS);
            if let Some(user) = maker.user(at, |user| user.copilot) {
                exchange(maker, user, at);
            }
        }
    }
}

fn exchange(maker: &mut Maker<'_>, user: usize, at: Ms) {
    let app = maker.random.pick(&APPS).copied().unwrap_or(APPS[0]);
    let thread = words::hex(&mut maker.random);
    let session = format!("19:{thread}AbCdEfGhIjK1@thread.v2");
    let request = maker.random.guid();
    let answered = at + 400 + maker.up_to(9_000);
    let prompt = Part { app, session: &session, request: &request, at };
    ask(maker, user, &prompt);
    answer(maker, user, &Part { at: answered, ..prompt });
}

fn ask(maker: &mut Maker<'_>, user: usize, part: &Part<'_>) {
    let Some(author) = maker.people.authors.get(user) else { return };
    let sender = author.sender.clone();
    let (id, tenant) = (author.id(), maker.tenant);
    let from = format!(
        r##""application":null,"device":null,"user":{{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"{id}","displayName":"8:orgid:{id}","userIdentityType":"aadUser","tenantId":"{tenant}"}}"##
    );
    let text = quoted(&words::sentence(&mut maker.random));
    let rest = format!(
        r#""body":{{"contentType":"text","content":{text}}},"attachments":[],"links":[],"mentions":[]"#
    );
    put(maker, (user, sender), part, &format!(r"{}{from}}},{rest}", head("userPrompt", part)));
}

fn answer(maker: &mut Maker<'_>, user: usize, part: &Part<'_>) {
    let name = part.app.2;
    let sender = Sender::Application { id: COPILOT.to_owned(), kind: "bot" };
    let from = format!(
        r##""device":null,"user":null,"application":{{"@odata.type":"#microsoft.graph.teamworkApplicationIdentity","id":"{COPILOT}","displayName":"{name}","applicationIdentityType":"bot"}}"##
    );
    let card = words::hex(&mut maker.random);
    let text = quoted(&words::passage(&mut maker.random));
    let content = quoted(&format!(
        "{{\r\n  \"type\": \"AdaptiveCard\",\r\n  \"version\": \"1.0\",\r\n  \"body\": [\r\n    {{ \"type\": \"TextBlock\", \"text\": {text} }}\r\n  ]\r\n}}"
    ));
    let link = "https://contoso-my.sharepoint.com/personal/plans/Documents/Plan%20B.docx?web=1";
    let rest = format!(
        r#""body":{{"contentType":"html","content":"<attachment id=\"{card}\"></attachment>"}},"attachments":[{{"attachmentId":"{card}","contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{content},"name":null}}],"links":[{{"linkUrl":"{link}","displayName":"Plan B.docx","linkType":"File"}}],"mentions":[]"#
    );
    put(maker, (user, sender), part, &format!(r"{}{from}}},{rest}", head("aiResponse", part)));
}

/// Everything up to the inside of `from`.
fn head(interaction: &str, part: &Part<'_>) -> String {
    let (class, conversation, name) = part.app;
    let contexts = if conversation == "appchat" {
        format!(
            r#"[{{"contextReference":"https://contoso.example/context/{}","displayName":"{name}","contextType":"TeamsMeeting"}}]"#,
            part.request
        )
    } else {
        "[]".to_owned()
    };
    format!(
        r##""id":"{at}","sessionId":"{}","requestId":"{}","appClass":"{class}","interactionType":"{interaction}","conversationType":"{conversation}","etag":"{at}","createdDateTime":"{}","locale":"en-us","contexts":{contexts},"from":{{"@odata.type":"#microsoft.graph.chatMessageFromIdentitySet","##,
        part.session,
        part.request,
        stamp(part.at),
        at = part.at,
    )
}

fn put(maker: &mut Maker<'_>, (user, sender): (usize, Sender), part: &Part<'_>, inside: &str) {
    let id = part.at.to_string();
    let row = Extra {
        feed: Feed::Copilot,
        user,
        etag: id.clone(),
        id,
        conversation: part.session.to_owned(),
        created: part.at,
        modified: part.at,
        from: maker.shown_from(part.at),
        until: maker.shown_until(user),
        sender,
        message_type: "",
        app_class: Some(part.app.0),
        json: format!("{{{inside}}}").into(),
        order: maker.order(),
    };
    maker.rows.push(row);
}
