//! Answers no honest service gives: a client has to survive them, and keep its token to itself.

use bytes::Bytes;

use super::answer::{Answer, JSON, Outcome};
use super::behaviour::{Foreign, Hostile, Paging};
use super::body::{Step, length};
use super::exports::owner;
use super::faults::{LEAVE, named};
use super::links::{self, Continuation};
use super::render::{Page, context};
use super::request::Asked;
use super::route::{Endpoint, Export};
use super::service::{Service, Source};
use crate::tenant::Window;

/// Rows in a hostile page.
const ROWS: usize = 3;

/// The hostile answer to a request, if it is to have one.
pub(crate) fn answer(service: &Service, asked: &Asked, endpoint: &Endpoint) -> Option<Outcome> {
    let behaviour = service.behaviour();
    let hostile = behaviour.hostile.as_ref()?;
    if behaviour.hostile_for.as_ref().is_some_and(|part| !asked.target.contains(part.as_str())) {
        return None;
    }
    let answer = match endpoint {
        Endpoint::Export(export) if *hostile != Hostile::RedirectLoop => {
            export_answer(service, asked, export, hostile)
        }
        endpoint if endpoint.is_download() && *hostile == Hostile::RedirectLoop => {
            Ok(Answer::redirect(format!("{}/loop/0", service.elsewhere)))
        }
        _ => return None,
    };
    Some(named(service, "hostile", answer))
}

/// A download that leads round and round.
pub(crate) fn redirect_loop(service: &Service, asked: &Asked) -> Option<Answer> {
    let [name, round] = asked.segments.as_slice() else { return None };
    let round: u64 = round.parse().ok().filter(|_| name == "loop")?;
    Some(Answer::redirect(format!("{}/loop/{}", service.elsewhere, (round + 1) % 3)))
}

fn export_answer(service: &Service, asked: &Asked, export: &Export, hostile: &Hostile) -> Outcome {
    let id = owner(service, asked, export)?;
    let rows = rows(service, asked, export, &id);
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let page = |items: &[&[u8]], next: Option<&str>| {
        Page { context: context(service, asked, export.kind.item_type()), items, next }
            .answer(asked, &Paging::default())
    };
    Ok(match hostile {
        Hostile::ForeignLink(foreign) => {
            let next = chain_link(service, asked, export);
            page(&rows, Some(&foreign_link(service, &next, *foreign)))
        }
        Hostile::EndlessEmpty | Hostile::EndlessRows => {
            let next = chain_link(service, asked, export);
            service.hand_out(&next);
            let next = format!("{}{next}", service.origin);
            page(if *hostile == Hostile::EndlessRows { &rows } else { &[] }, Some(&next))
        }
        Hostile::RepeatingLink => {
            service.hand_out(&asked.target);
            page(&rows, Some(&format!("{}{}", service.origin, asked.target)))
        }
        Hostile::HugePage(bytes) => huge(*bytes),
        Hostile::DeepNesting(depth) => deep(*depth),
        Hostile::LengthTooLong => {
            let mut answer = page(&rows, None);
            let promised = length(&answer.steps) + 1000;
            answer.steps.extend([Step::Wait(LEAVE), Step::Cut]);
            answer.with("content-length", promised.to_string())
        }
        Hostile::LengthTooShort => too_short(page(&rows, None)),
        Hostile::RedirectElsewhere => {
            Answer::redirect(format!("{}{}", service.elsewhere, asked.target))
        }
        Hostile::NotJson => Answer::new(
            200,
            "text/html",
            "<!DOCTYPE html><html><body>Sign in to continue</body></html>",
        ),
        Hostile::BrokenText => {
            let broken = broken_text(rows.first().copied().unwrap_or(b"{\"id\":\"1\"}"));
            let mut rows = rows.clone();
            rows.push(&broken);
            page(&rows, None)
        }
        Hostile::ErrorUnder200 => Answer::json(
            "{\"error\":{\"code\":\"UnknownError\",\"message\":\"Something went wrong.\"}}",
        ),
        Hostile::RedirectLoop => Answer::hang_up(),
    })
}

fn rows(service: &Service, asked: &Asked, export: &Export, id: &str) -> Vec<Vec<u8>> {
    let all = Window::default();
    match &service.source {
        Source::Tenant(tenant) => {
            let collection = export.kind.collection(id.to_owned());
            let rows =
                tenant.rows(&collection, all, asked.now, super::exports::form(service, asked));
            rows.into_iter().take(ROWS).map(|row| row.json.as_bytes().to_vec()).collect()
        }
        Source::Folders(folders) => {
            let view = folders.view(id, all, false);
            (0..ROWS).filter_map(|at| Some(view.item(at)?.to_vec())).collect()
        }
    }
}

/// A link of the right kind that was never written before.
fn chain_link(service: &Service, asked: &Asked, export: &Export) -> String {
    let page = u32::try_from(service.next_serial()).unwrap_or(0);
    let next = Continuation { page, at: asked.now, issued: asked.now, ..Continuation::default() };
    links::next(asked, export, &next)
}

fn foreign_link(service: &Service, link: &str, foreign: Foreign) -> String {
    let (_, authority) = service.origin.split_once("://").unwrap_or(("", &service.origin));
    match foreign {
        Foreign::Host => format!("http://graph.evil.invalid{link}"),
        Foreign::Port => format!("{}{link}", service.elsewhere),
        Foreign::Scheme => format!("https://{authority}{link}"),
        Foreign::UserInfo => {
            let (_, elsewhere) = service.elsewhere.split_once("://").unwrap_or_default();
            format!("http://{authority}@{elsewhere}{link}")
        }
    }
}

/// A page of messages that hold nothing but their text, made while it is sent.
fn huge(bytes: u64) -> Answer {
    const HEAD: &str = "{\"@odata.context\":\"\",\"value\":[";
    let filler = "x".repeat(60_000);
    let item = format!("{{\"id\":\"1\",\"etag\":\"1\",\"body\":{{\"content\":\"{filler}\"}}}}");
    let times = bytes / item.len() as u64;
    let steps = vec![
        Step::Bytes(Bytes::from_static(HEAD.as_bytes())),
        Step::Again { bytes: Bytes::from(format!("{item},")), times },
        Step::Bytes(Bytes::from(format!("{item}]}}"))),
    ];
    Answer { steps, ..Answer::json("") }
}

fn deep(depth: usize) -> Answer {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    Answer::json(format!("{{\"value\":[{{\"id\":\"1\",\"deep\":{open}{close}}}]}}"))
}

/// hyper keeps to the length it announced, so this answer is written by hand.
fn too_short(answer: Answer) -> Answer {
    let body: Vec<u8> = answer
        .steps
        .iter()
        .flat_map(|step| if let Step::Bytes(bytes) = step { bytes.to_vec() } else { Vec::new() })
        .collect();
    let promised = body.len() / 2;
    let mut raw =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {promised}\r\n\r\n")
            .into_bytes();
    raw.extend_from_slice(&body);
    Answer { raw: Some(raw.into()), ..answer }
}

fn broken_text(item: &[u8]) -> Vec<u8> {
    let mut broken = item.to_vec();
    let end = broken.len().saturating_sub(1);
    broken.truncate(end);
    broken.extend_from_slice(b",\"broken\":\"\xc3\x28 \xff\"}");
    broken
}
