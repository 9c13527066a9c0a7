//! Where to ask and as whom: cloud, app registration, credential, limits.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chatvault_engine::Timestamp;
use chatvault_ingest::graph::{InvalidCloud, Limits, Secret};
use chatvault_ingest::sync::{Connection, ConnectionError, Service};
use chatvault_query::parse_time;

use super::arguments::{Connection as Arguments, Pace};
use crate::failure::WrongUsage;

/// The environment variable that may hold the secret.
const SECRET_VARIABLE: &str = "CHATVAULT_CLIENT_SECRET";

const IN_THE_OPEN: &str = "a secret is never an argument, because every user of this machine can read \
    arguments and shells remember them: make a new secret, put it into a file that only you can read, \
    and pass --client-secret-file FILE or set CHATVAULT_CLIENT_SECRET";

/// The service that is named, and remarks about how it was named.
pub(super) fn service(
    connection: &Connection,
    pace: &Pace,
) -> anyhow::Result<(Service, Vec<String>)> {
    let limits = limits(pace, connection)?;
    let mut told = Vec::new();
    if let Some(file) = &connection.certificate {
        told = remarks("--certificate", file)?;
    } else if let Some(file) = &connection.client_secret_file {
        told = remarks("--client-secret-file", file)?;
    }
    let proof = (&connection.certificate, &connection.client_secret_file);
    let secret = match proof {
        (None, None) => std::env::var_os(SECRET_VARIABLE).map(secret).transpose()?,
        _ => None,
    };
    let service = connection.service(secret).map_err(|error| meant(connection, error))?;
    Ok((Service { limits, ..service }, told))
}

/// The secret of the environment.
fn secret(variable: OsString) -> Result<Secret, WrongUsage> {
    let text = variable.into_string().ok();
    let text = text.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
    match text {
        Some(text) if !text.is_empty() => Ok(Secret::new(text.to_owned())),
        _ => Err(WrongUsage(format!("{SECRET_VARIABLE} is empty or no text"))),
    }
}

/// What to say instead, in words of the command line.
fn meant(connection: &Connection, error: ConnectionError) -> anyhow::Error {
    let named = |value: &Option<String>, option: &str, variable: &str, what: &str| {
        if value.as_deref().is_some_and(|value| !value.trim().is_empty()) {
            return format!("{option} is not {what}: letters, digits, dots and hyphens only");
        }
        format!("say {what}: {option} ID, or set {variable}")
    };
    let line = match error {
        ConnectionError::Tenant => {
            let what = "the tenant's id or one of its domains";
            named(&connection.tenant, "--tenant", "CHATVAULT_TENANT", what)
        }
        ConnectionError::ClientId => {
            let what = "the app registration's application (client) id";
            named(&connection.client_id, "--client-id", "CHATVAULT_CLIENT_ID", what)
        }
        ConnectionError::Addresses => {
            "--cloud custom needs --login-url URL and --graph-url URL".to_owned()
        }
        ConnectionError::OwnAddresses => {
            "--login-url and --graph-url are for --cloud custom".to_owned()
        }
        ConnectionError::NoProof => {
            "say what proves the app: --client-secret-file FILE, --certificate FILE, or set \
             CHATVAULT_CLIENT_SECRET"
                .to_owned()
        }
        ConnectionError::Credential(cause) => return cause.into(),
        ConnectionError::Unfit(
            cause @ (InvalidCloud::Unreadable { .. } | InvalidCloud::NoCertificate { .. }),
        ) => return cause.into(),
        other => other.to_string(),
    };
    WrongUsage(line).into()
}

/// What the command line says, and for the rest what the archive keeps.
pub(super) fn named(
    arguments: &Arguments,
    saved: Option<Connection>,
) -> anyhow::Result<Connection> {
    if arguments.secret_in_the_open.is_some() {
        return Err(WrongUsage(IN_THE_OPEN.to_owned()).into());
    }
    let expires = arguments.secret_expires.as_deref();
    let expires = expires.map(|text| parse_time("secret-expires", text)).transpose()?;
    let whole = |file: &Option<PathBuf>| file.as_ref().map(|file| absolute(file)).transpose();
    let said = Connection {
        tenant: arguments.tenant.clone(),
        client_id: arguments.client_id.clone(),
        cloud: arguments.cloud.clone(),
        login_url: arguments.login_url.clone(),
        graph_url: arguments.graph_url.clone(),
        authorities: whole(&arguments.authorities)?,
        client_secret_file: whole(&arguments.client_secret_file)?,
        certificate: whole(&arguments.certificate)?,
        secret_expires_ms: expires.map(Timestamp::ms),
    };
    Ok(saved.map_or_else(|| said.clone(), |saved| over(said.clone(), saved)))
}

/// What belongs together is taken from one of both: a cloud's addresses, what proves the app.
fn over(said: Connection, saved: Connection) -> Connection {
    let cloud = if said.cloud.is_some() { &said } else { &saved };
    let (login_url, graph_url) = (cloud.login_url.clone(), cloud.graph_url.clone());
    let proves = |one: &Connection| one.client_secret_file.is_some() || one.certificate.is_some();
    let proof = if proves(&said) { &said } else { &saved };
    let (client_secret_file, certificate) =
        (proof.client_secret_file.clone(), proof.certificate.clone());
    let kept_date = saved.secret_expires_ms.filter(|_| !proves(&said));
    Connection {
        cloud: cloud.cloud.clone(),
        login_url,
        graph_url,
        client_secret_file,
        certificate,
        tenant: said.tenant.or(saved.tenant),
        client_id: said.client_id.or(saved.client_id),
        authorities: said.authorities.or(saved.authorities),
        secret_expires_ms: said.secret_expires_ms.or(kept_date),
    }
}

/// A file as it is found from everywhere. One that is not there is found out, and told, later.
fn absolute(file: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(file).context("the working folder cannot be found")
}

fn limits(pace: &Pace, connection: &Connection) -> Result<Limits, WrongUsage> {
    let usual = Limits::default();
    let at_once = pace.concurrency.map(usize::from);
    let limits = Limits {
        export_per_second: pace.export_rate,
        app_per_second: pace.app_rate,
        hosted_per_second: pace.hosted_rate,
        chat_per_second: pace.chat_rate,
        copilot_per_second: pace.copilot_rate,
        other_per_second: pace.other_rate,
        sustained: pace.sustained,
        concurrency: at_once.unwrap_or(usual.concurrency),
        most_concurrency: at_once.unwrap_or(usual.most_concurrency),
        attempts: pace.attempts,
        ..usual
    };
    match (pace.no_limits, connection.cloud.as_deref() == Some(Connection::CUSTOM)) {
        (false, _) => Ok(limits),
        (true, true) => Ok(unlimited(limits)),
        (true, false) => Err(WrongUsage(
            "--no-limits is for a service of your own (--cloud custom): Microsoft's would refuse \
             the requests and slow down the whole app"
                .to_owned(),
        )),
    }
}

fn unlimited(mut limits: Limits) -> Limits {
    let rates = [
        &mut limits.export_per_second,
        &mut limits.app_per_second,
        &mut limits.hosted_per_second,
        &mut limits.chat_per_second,
        &mut limits.copilot_per_second,
        &mut limits.other_per_second,
    ];
    for rate in rates {
        *rate = f64::INFINITY;
    }
    limits
}

/// What is to be said about a file that holds a secret or a key.
///
/// A file that is not there is not named: the secret itself, given by mistake, would be told.
fn remarks(option: &str, file: &Path) -> anyhow::Result<Vec<String>> {
    match is_open_to_others(file) {
        Ok(false) => Ok(Vec::new()),
        Ok(true) => {
            let file = file.display();
            let note = "other users of this machine can read it; take that away with chmod 600";
            Ok(vec![format!("{file}: {note}")])
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(WrongUsage(format!("{option}: there is no such file")).into())
        }
        Err(error) => Err(error).with_context(|| format!("{option}: the file cannot be read")),
    }
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "a credential's file is outside of any archive")]
fn is_open_to_others(file: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    const GROUP_OR_OTHERS_READ: u32 = 0o044;
    Ok(std::fs::metadata(file)?.permissions().mode() & GROUP_OR_OTHERS_READ != 0)
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "a credential's file is outside of any archive")]
fn is_open_to_others(file: &Path) -> io::Result<bool> {
    std::fs::metadata(file).map(|_| false)
}

#[cfg(test)]
mod tests {
    use super::super::tests::parsed;
    use super::*;

    const SECRET: &str = "s3cr8Q~of-a-tenant";

    fn secret_file() -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, SECRET.as_bytes()).unwrap();
        file
    }

    /// The error of a command line, with its causes.
    fn refused(line: &[&str]) -> String {
        let arguments = parsed(line);
        let connection = named(&arguments.connection, None);
        match connection.and_then(|connection| service(&connection, &arguments.pace)) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_secret_as_an_argument_is_refused_and_not_repeated() {
        let equals = format!("--client-secret={SECRET}");
        let wrong_place = ["--tenant", "t", "--client-id", SECRET];
        let wrong_file = ["--tenant", "t", "--client-id", "c", "--client-secret-file", SECRET];
        let table: [(&[&str], &str); 7] = [
            (&["a.cvault", "--client-secret", SECRET], "never an argument"),
            (&["a.cvault", &equals], "never an argument"),
            (&["--client-secret", SECRET], "never an argument"),
            (&["--client-secret", SECRET, "--test"], "never an argument"),
            (&["a.cvault", "--client-secret"], "never an argument"),
            (&[&["a.cvault"], &wrong_place[..]].concat(), "--client-id is not"),
            (&[&["a.cvault"], &wrong_file[..]].concat(), "no such file"),
        ];
        for (line, reason) in table {
            let arguments = format!("{:?}", parsed(line).connection.secret_in_the_open);
            let told = refused(line);
            assert!(told.contains(reason), "{line:?}: {told}");
            assert!(!told.contains(SECRET) && !arguments.contains(SECRET), "{line:?}: {told}");
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_itself_is_named() {
        let app = ["--tenant", "t", "--client-id", "c"];
        let urls = ["--login-url", "https://l", "--graph-url", "https://g"];
        let table: [(&[&str], &str); 6] = [
            (&["--tenant", ""], "--tenant ID"),
            (&["--tenant", "t/../v1"], "--tenant is not"),
            (&["--tenant", "t", "--client-id", " "], "--client-id ID"),
            (&[&app[..], &["--cloud", "custom"]].concat(), "--login-url URL"),
            (&[&app[..], &urls].concat(), "--cloud custom"),
            (&[&app[..], &["--no-limits"]].concat(), "--no-limits is for"),
        ];
        for (line, reason) in table {
            let line = [&["a.cvault"], line].concat();
            let told = refused(&line);
            assert!(told.contains(reason), "{line:?}: {told}");
        }
    }

    #[test]
    fn a_file_comes_before_the_environment_and_one_of_them_must_be_there() {
        let file = secret_file();
        let path = file.path().to_str().unwrap();
        let app = ["a", "--tenant", "t", "--client-id", "c"];
        assert_eq!(refused(&[&app[..], &["--client-secret-file", path]].concat()), "accepted");
        assert!(refused(&app).contains("--certificate FILE"));
        let named = named(&parsed(&app).connection, None).unwrap();
        assert!(named.service(Some(secret("x\n".into()).unwrap())).is_ok());
        assert!(secret("\n".into()).unwrap_err().to_string().contains("is empty"));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_remarked() {
        use std::os::unix::fs::PermissionsExt;
        let file = secret_file();
        for (mode, is_open) in [(0o600, false), (0o640, true), (0o604, true)] {
            let permissions = std::fs::Permissions::from_mode(mode);
            file.as_file().set_permissions(permissions).unwrap();
            let remarks = remarks("--client-secret-file", file.path()).unwrap();
            assert_eq!(remarks.len(), usize::from(is_open), "{mode:o}");
            assert!(remarks.iter().all(|remark| remark.contains("chmod 600")));
        }
    }

    #[test]
    fn rates_reach_the_limits_and_a_service_of_ones_own_may_have_none() {
        let line = ["a", "--export-rate", "50", "--concurrency", "4", "--sustained", "0.5"];
        let arguments = parsed(&line);
        let usual = Connection::default();
        let limits_of_line = limits(&arguments.pace, &usual).unwrap();
        assert!((limits_of_line.export_per_second - 50.0).abs() < 1e-9);
        assert!((limits_of_line.sustained - 0.5).abs() < 1e-9);
        let at_once = (limits_of_line.concurrency, limits_of_line.most_concurrency);
        assert_eq!(at_once, (4, 4), "what is said counts");
        let own = parsed(&["a", "--no-limits", "--cloud", "custom"]);
        let custom = named(&own.connection, None).unwrap();
        assert!(limits(&own.pace, &custom).unwrap().chat_per_second.is_infinite());
    }

    #[test]
    fn what_is_said_comes_before_what_is_saved_and_pairs_stay_together() {
        let text = |text: &str| Some(text.to_owned());
        let saved = Connection {
            tenant: text("t"),
            client_id: text("c"),
            cloud: text(Connection::CUSTOM),
            login_url: text("https://l"),
            graph_url: text("https://g"),
            client_secret_file: Some("/etc/secret".into()),
            secret_expires_ms: Some(1),
            ..Connection::default()
        };
        let of = |line: &[&str]| named(&parsed(line).connection, Some(saved.clone())).unwrap();
        assert_eq!(of(&["a"]), saved);
        let other = of(&["a", "--tenant", "u", "--cloud", "gcc"]);
        assert_eq!((other.tenant.as_deref(), other.login_url.as_deref()), (Some("u"), None));
        let other = of(&["a", "--certificate", "/etc/app.pem"]);
        assert_eq!((other.client_secret_file, other.secret_expires_ms), (None, None));
        let dated = of(&["a", "--secret-expires", "2027-01-01"]);
        assert_eq!(dated.secret_expires_ms, Some(1_798_761_600_000));
    }
}
