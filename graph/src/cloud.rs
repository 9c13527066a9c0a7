//! National clouds: where tokens come from and where Graph is.
//!
//! Invariant: both origins are checked once, here: a scheme, a host, perhaps a port, and nothing
//! else; `https` always, but on this machine itself. Everything that may see a token compares with
//! [`Cloud::owns`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A national cloud: where tokens come from and where Graph is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    name: &'static str,
    /// Origins as they are written: scheme, host, port unless it is the scheme's own, no slash.
    login: String,
    graph: String,
    local: bool,
    authorities: Arc<[CertificateDer<'static>]>,
}

/// Why an address or a file cannot be used for a cloud.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCloud {
    /// Give an origin, such as `https://graph.example`.
    #[error(
        "{what} address \"{address}\" is not https://HOST[:PORT] (http only on this machine itself)"
    )]
    Address {
        /// Which of the two addresses: login or Graph.
        what: &'static str,
        /// What was given, without user and password.
        address: String,
    },
    /// The file of certificate authorities cannot be read.
    #[error("cannot read certificate authorities from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file holds no certificate: it must be PEM.
    #[error(
        "no certificate in {}: PEM is needed, with lines -----BEGIN CERTIFICATE-----",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

/// Name, login host and Graph host. GCC shares the hosts of the global service.
const CLOUDS: [(&str, &str, &str); 5] = [
    ("global", "login.microsoftonline.com", "graph.microsoft.com"),
    ("gcc", "login.microsoftonline.com", "graph.microsoft.com"),
    ("gcc-high", "login.microsoftonline.us", "graph.microsoft.us"),
    ("dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
    ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
];

impl Cloud {
    /// The names that [`Cloud::named`] knows.
    pub const NAMES: [&'static str; 5] = ["global", "gcc", "gcc-high", "dod", "china"];

    /// The worldwide service.
    pub fn global() -> Self {
        Self::default()
    }

    /// A cloud by its name, see [`Cloud::NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        CLOUDS.into_iter().find(|cloud| cloud.0 == name).map(Self::listed)
    }

    /// A gateway or a test service. `https` only, except on loopback addresses (127.0.0.0/8, `::1`,
    /// localhost).
    ///
    /// [`InvalidCloud`] names the address that is not accepted.
    pub fn custom(login: &str, graph: &str) -> Result<Self, InvalidCloud> {
        let (login, graph) = (checked("login", login)?, checked("Graph", graph)?);
        let local = is_loopback(&graph);
        let (login, graph) = (origin(&login), origin(&graph));
        Ok(Self { name: "custom", login, graph, local, authorities: Arc::default() })
    }

    /// Trusts the certificate authorities of a PEM file too, as a proxy of a company needs that
    /// opens TLS.
    ///
    /// [`InvalidCloud`] if the file cannot be read or has no certificate.
    pub fn with_authorities(mut self, path: &Path) -> Result<Self, InvalidCloud> {
        let pem = read(path)
            .map_err(|cause| InvalidCloud::Unreadable { path: path.to_path_buf(), cause })?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        if found.is_empty() {
            return Err(InvalidCloud::NoCertificate { path: path.to_path_buf() });
        }
        self.authorities = found.into();
        Ok(self)
    }

    fn listed((name, login, graph): (&'static str, &str, &str)) -> Self {
        let (login, graph) = (format!("https://{login}"), format!("https://{graph}"));
        Self { name, login, graph, local: false, authorities: Arc::default() }
    }

    /// The name, for people: one of [`Cloud::NAMES`] or `custom`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The origin of Graph without a slash at its end: `https://graph.microsoft.com`.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// What the path of a request of our own stands behind.
    pub(crate) fn base(&self) -> String {
        format!("{}/v1.0", self.graph())
    }

    /// Everything that an administrator consented to for this app.
    pub(crate) fn scope(&self) -> String {
        format!("{}/.default", self.graph())
    }

    /// Where tokens of a tenant come from.
    pub(crate) fn token_address(&self, tenant: &str) -> String {
        format!("{}/{tenant}/oauth2/v2.0/token", self.login)
    }

    /// Same scheme, host and port as Graph, and no user information.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        origin(url) == self.graph && plain(url)
    }

    /// Is Graph on this machine? Then plain HTTP may be spoken, and no proxy is asked.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// More certificate authorities than the platform's and the bundled ones.
    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

impl Default for Cloud {
    fn default() -> Self {
        Self::listed(CLOUDS[0])
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Does the address name this very machine?
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// No user and no password: reqwest would send them.
pub(crate) fn plain(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn checked(what: &'static str, address: &str) -> Result<Url, InvalidCloud> {
    let wrong = || InvalidCloud::Address { what, address: shown(address) };
    let url = Url::parse(address).ok().ok_or_else(wrong)?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if safe && bare && plain(&url) && url.host_str().is_some_and(|host| !host.is_empty()) {
        return Ok(url);
    }
    Err(wrong())
}

/// An address for an error: what stands before an `@` may be a password.
fn shown(address: &str) -> String {
    let rest = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
    rest.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[expect(clippy::disallowed_methods, reason = "a file of the operator, outside any archive")]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_cloud() {
        for (name, expected) in Cloud::NAMES.into_iter().zip(CLOUDS) {
            let cloud = Cloud::named(name).unwrap();
            assert_eq!(cloud.name(), name);
            assert_eq!(cloud.graph(), format!("https://{}", expected.2));
            assert_eq!(
                cloud.token_address("t"),
                format!("https://{}/t/oauth2/v2.0/token", expected.1)
            );
        }
        assert_eq!(Cloud::named("germany"), None);
        assert_eq!(Cloud::default(), Cloud::named("global").unwrap());
        assert_eq!(Cloud::global().scope(), "https://graph.microsoft.com/.default");
        assert_eq!(Cloud::global().base(), "https://graph.microsoft.com/v1.0");
    }

    #[test]
    fn a_custom_cloud_is_two_origins_over_https_or_on_this_machine() {
        let good = ["https://gateway.example", "https://a.b:8443/", "http://127.0.0.9:1"];
        for graph in good.into_iter().chain(["http://[::1]:9", "http://localhost:80"]) {
            let cloud = Cloud::custom(graph, graph).unwrap();
            assert!(!cloud.graph().ends_with('/'), "{graph}");
        }
        for bad in [
            "http://graph.example",
            "https://u:hunter2@graph.example",
            "https://graph.example/v1.0",
            "https://graph.example?x",
            "https://graph.example#x",
            "ftp://127.0.0.1",
            "graph.example",
            "http://localhost.example",
            "",
        ] {
            let error = Cloud::custom("https://login.example", bad).unwrap_err().to_string();
            assert!(error.starts_with("Graph address"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            assert!(Cloud::custom(bad, "https://graph.example").is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_same_scheme_host_and_port_is_the_clouds_own() {
        let cloud = Cloud::global();
        let owns = |text: &str| cloud.owns(&Url::parse(text).unwrap());
        assert!(owns("https://graph.microsoft.com/v1.0/users?x=1"));
        assert!(owns("https://GRAPH.microsoft.com:443/"));
        for other in [
            "http://graph.microsoft.com/",
            "https://graph.microsoft.com:444/",
            "https://graph.microsoft.com.evil.example/",
            "https://evil.example/graph.microsoft.com",
            "https://graph.microsoft.com@evil.example/",
            "https://me@graph.microsoft.com/",
            "https://graph.microsoft.us/",
        ] {
            assert!(!owns(other), "{other}");
        }
    }

    #[test]
    fn more_authorities_come_from_a_pem_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        write(&path, "no PEM");
        assert!(matches!(
            Cloud::global().with_authorities(&path),
            Err(InvalidCloud::NoCertificate { .. })
        ));
        write(&path, super::super::testing::PEM);
        assert_eq!(Cloud::global().with_authorities(&path).unwrap().authorities().len(), 1);
        let absent = Cloud::global().with_authorities(&folder.path().join("x"));
        assert!(matches!(absent, Err(InvalidCloud::Unreadable { .. })));
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
    }
}
