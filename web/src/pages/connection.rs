//! `/a/{org}/connection`: how the tenant is reached. The secret stays in its file.

use std::path::PathBuf;

use askama::Template;
use axum::response::Response;
use chatvault_engine::Timestamp;
use chatvault_ingest::graph::Cloud;
use chatvault_ingest::sync::{self, Check, Connection, SyncOptions};

use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::fields::Fields;
use crate::frame::Frame;

#[derive(Template)]
#[template(path = "connection.html")]
struct View {
    frame: Frame,
    link: String,
    clouds: Vec<&'static str>,
    set: Set,
    findings: Vec<Finding>,
    is_good: bool,
    is_saved: bool,
    problem: Option<Failure>,
}

/// What the form is set to.
#[derive(Default)]
struct Set {
    tenant: String,
    client_id: String,
    cloud: String,
    login_url: String,
    graph_url: String,
    authorities: String,
    secret: String,
    certificate: String,
    expires: String,
}

struct Finding {
    class: &'static str,
    word: &'static str,
    what: String,
    seen: String,
    advice: Option<String>,
}

/// `GET /a/{org}/connection`.
pub(crate) fn show(call: &Call) -> Result<Response> {
    let saved = sync::connection(&*call.organisation()?.reader()?)?;
    let is_saved = saved.is_some();
    view(call, Set::of(&saved.unwrap_or_default()), (Vec::new(), None), is_saved)
}

/// `POST /a/{org}/connection`: tests what the form says, and with `save` keeps it if it is good.
pub(crate) fn save(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let connection = read(&call.form)?;
    let options = SyncOptions::new(org.folder.join("incoming"));
    let tested = connection
        .service(None)
        .map_err(Failure::from)
        .and_then(|service| Ok(sync::check(&service, &options, &[])?));
    let set = Set::of(&connection);
    match tested {
        Err(failure) => view(call, set, (Vec::new(), Some(failure)), false),
        Ok(checks) => {
            let is_good = checks.iter().all(|check| check.outcome.is_ok());
            if is_good && call.form.has("save") {
                org.write(|archive| Ok(sync::save_connection(archive, &connection)?))?;
                return go(format!("{}/accounts", org.link()));
            }
            view(call, set, (checks, None), false)
        }
    }
}

fn view(
    call: &Call,
    set: Set,
    (checks, problem): (Vec<Check>, Option<Failure>),
    is_saved: bool,
) -> Result<Response> {
    let org = call.organisation()?;
    page(&View {
        frame: call.frame("Connection", &org, "accounts"),
        link: org.link(),
        clouds: Cloud::NAMES.into_iter().chain([Connection::CUSTOM]).collect(),
        is_good: !checks.is_empty() && checks.iter().all(|check| check.outcome.is_ok()),
        findings: checks.into_iter().map(finding).collect(),
        set,
        is_saved,
        problem,
    })
}

fn finding(check: Check) -> Finding {
    let (class, word, seen, advice) = match (check.outcome, check.warning) {
        (Ok(seen), None) => ("good", "Good", seen, None),
        (Ok(seen), warning) => ("warn", "Note", seen, warning),
        (Err(failure), _) => {
            let advice = Some(failure.kind.advice().to_owned());
            ("bad", "Failed", failure.to_string(), advice)
        }
    };
    Finding { class, word, what: check.what, seen, advice }
}

impl Set {
    fn of(connection: &Connection) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let path = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
        };
        let day = |ms| {
            let time = chatvault_query::format_time(Timestamp::from_ms(ms));
            time.get(..10).unwrap_or_default().to_owned()
        };
        Self {
            tenant: text(&connection.tenant),
            client_id: text(&connection.client_id),
            cloud: connection.cloud.clone().unwrap_or_else(|| "global".to_owned()),
            login_url: text(&connection.login_url),
            graph_url: text(&connection.graph_url),
            authorities: path(&connection.authorities),
            secret: path(&connection.client_secret_file),
            certificate: path(&connection.certificate),
            expires: connection.secret_expires_ms.map(day).unwrap_or_default(),
        }
    }
}

fn read(form: &Fields) -> Result<Connection> {
    let text = |name: &str| form.get(name).map(str::to_owned);
    let file = |name: &str| form.get(name).map(std::path::absolute).transpose();
    let expires = form.get("expires").map(|day| chatvault_query::parse_time("expires", day));
    let cloud = text("cloud").filter(|cloud| cloud != "global");
    let is_custom = cloud.as_deref() == Some(Connection::CUSTOM);
    Ok(Connection {
        tenant: text("tenant"),
        client_id: text("client_id"),
        login_url: text("login_url").filter(|_| is_custom),
        graph_url: text("graph_url").filter(|_| is_custom),
        cloud,
        authorities: file("authorities")?,
        client_secret_file: file("secret")?,
        certificate: file("certificate")?,
        secret_expires_ms: expires.transpose()?.map(Timestamp::ms),
    })
}
