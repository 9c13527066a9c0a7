//! Where to ask and as whom: cloud, app registration, credential, limits.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chatvault_engine::SystemClock;
use chatvault_ingest::graph::{App, Cloud, Credential, Limits, Secret};
use chatvault_ingest::sync::Service;

use super::arguments::{CUSTOM, Connection, Pace};
use crate::failure::WrongUsage;

/// The environment variable that may hold the secret.
const SECRET_VARIABLE: &str = "CHATVAULT_CLIENT_SECRET";

const IN_THE_OPEN: &str = "a secret is never an argument, because every user of this machine can read \
    arguments and shells remember them: make a new secret, put it into a file that only you can read, \
    and pass --client-secret-file FILE or set CHATVAULT_CLIENT_SECRET";

/// The service that the command line names, and remarks about how it was named.
pub(super) fn service(
    connection: &Connection,
    pace: &Pace,
) -> anyhow::Result<(Service, Vec<String>)> {
    refuse_what_is_in_the_open(connection)?;
    let (cloud, limits) = (cloud(connection)?, limits(pace, connection)?);
    let (tenant, client_id) = identity(connection)?;
    let secret = std::env::var_os(SECRET_VARIABLE);
    let (credential, remarks) = credential(connection, secret)?;
    let app = App { tenant, client_id, credential: Arc::new(credential), cloud };
    Ok((Service { app, limits, clock: Arc::new(SystemClock) }, remarks))
}

fn refuse_what_is_in_the_open(connection: &Connection) -> Result<(), WrongUsage> {
    match connection.secret_in_the_open {
        Some(_) => Err(WrongUsage(IN_THE_OPEN.to_owned())),
        None => Ok(()),
    }
}

/// Tenant and client id. A wrong one is not repeated: it could be a secret in the wrong place.
fn identity(connection: &Connection) -> Result<(String, String), WrongUsage> {
    let named = |value: &Option<String>, option: &str, variable: &str, what: &str| {
        let value = value.as_deref().map(str::trim).unwrap_or_default();
        if value.is_empty() {
            let advice = format!("say {what}: {option} ID, or set {variable}");
            return Err(WrongUsage(advice));
        }
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            let advice = format!("{option} is not {what}: letters, digits, dots and hyphens only");
            return Err(WrongUsage(advice));
        }
        Ok(value.to_owned())
    };
    let tenant = "the tenant's id or one of its domains";
    let tenant = named(&connection.tenant, "--tenant", "CHATVAULT_TENANT", tenant)?;
    let client = "the app registration's application (client) id";
    let client = named(&connection.client_id, "--client-id", "CHATVAULT_CLIENT_ID", client)?;
    Ok((tenant, client))
}

/// The cloud, trusting what the command line says.
fn cloud(connection: &Connection) -> anyhow::Result<Cloud> {
    let cloud = named_cloud(connection)?;
    Ok(match &connection.authorities {
        Some(file) => cloud.with_authorities(file)?,
        None => cloud,
    })
}

fn named_cloud(connection: &Connection) -> Result<Cloud, WrongUsage> {
    let wrong = |text: &str| WrongUsage(text.to_owned());
    match (&connection.login_url, &connection.graph_url) {
        (Some(login), Some(graph)) if connection.cloud == CUSTOM => {
            Cloud::custom(login, graph).map_err(|error| WrongUsage(error.to_string()))
        }
        (None, None) if connection.cloud != CUSTOM => {
            Cloud::named(&connection.cloud).ok_or_else(|| wrong("there is no such cloud"))
        }
        (None, None) => Err(wrong("--cloud custom needs --login-url URL and --graph-url URL")),
        _ => Err(wrong("--login-url and --graph-url are for --cloud custom")),
    }
}

fn limits(pace: &Pace, connection: &Connection) -> Result<Limits, WrongUsage> {
    let limits = Limits {
        export_per_second: pace.export_rate,
        app_per_second: pace.app_rate,
        hosted_per_second: pace.hosted_rate,
        chat_per_second: pace.chat_rate,
        copilot_per_second: pace.copilot_rate,
        other_per_second: pace.other_rate,
        sustained: pace.sustained,
        concurrency: pace.concurrency.into(),
        attempts: pace.attempts,
        ..Limits::default()
    };
    match (pace.no_limits, connection.cloud == CUSTOM) {
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

/// The credential: what an option names comes before the environment.
fn credential(
    connection: &Connection,
    variable: Option<OsString>,
) -> anyhow::Result<(Credential, Vec<String>)> {
    if let Some(file) = &connection.certificate {
        let remarks = remarks("--certificate", file)?;
        return Ok((Credential::certificate_file(file)?, remarks));
    }
    if let Some(file) = &connection.client_secret_file {
        let remarks = remarks("--client-secret-file", file)?;
        return Ok((Credential::secret_file(file)?, remarks));
    }
    let none = "say what proves the app: --client-secret-file FILE, --certificate FILE, or set \
                CHATVAULT_CLIENT_SECRET";
    let secret = variable.ok_or_else(|| WrongUsage(none.to_owned()))?;
    let secret = secret.into_string().ok();
    let secret = secret.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
    match secret {
        Some(text) if !text.is_empty() => {
            Ok((Credential::Secret(Secret::new(text.to_owned())), Vec::new()))
        }
        _ => Err(WrongUsage(format!("{SECRET_VARIABLE} is empty or no text")).into()),
    }
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
        match service(&arguments.connection, &arguments.pace) {
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
        let named = parsed(&["a", "--client-secret-file", path]).connection;
        let plain = parsed(&["a"]).connection;
        assert!(matches!(credential(&named, None).unwrap().0, Credential::Secret(_)));
        let (credential_of_variable, remarks) = credential(&plain, Some("x\n".into())).unwrap();
        assert!(matches!(credential_of_variable, Credential::Secret(_)) && remarks.is_empty());
        for (variable, told) in [(None, "--certificate FILE"), (Some(""), "is empty")] {
            let error = credential(&plain, variable.map(OsString::from)).unwrap_err();
            assert!(error.is::<WrongUsage>() && error.to_string().contains(told), "{error}");
        }
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
        let limits_of_line = limits(&arguments.pace, &arguments.connection).unwrap();
        assert!((limits_of_line.export_per_second - 50.0).abs() < 1e-9);
        assert!((limits_of_line.sustained - 0.5).abs() < 1e-9);
        assert_eq!(limits_of_line.concurrency, 4);
        let own = parsed(&["a", "--no-limits", "--cloud", "custom"]);
        assert!(limits(&own.pace, &own.connection).unwrap().chat_per_second.is_infinite());
    }
}
