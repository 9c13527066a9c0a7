//! Another address than this machine's own is served only over TLS.

use std::sync::Arc;

use chatvault_web::{Settings, Site, Tls, serve};

use super::kit::archive;
use crate::kit::command::chatvault;

#[test]
fn nobody_else_is_let_in_without_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let place = archive(&folder, "team", &[]);
    let settings = Settings { place: place.clone(), ..Settings::default() };
    let site = Arc::new(Site::open(settings).unwrap());
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = serve(&site, (everywhere, None), |_| panic!("it listens"), &|| true);
    assert!(refused.unwrap_err().to_string().contains("needs a certificate"));
    let tls = Tls { certificate: folder.path().join("no.pem"), key: folder.path().join("no.pem") };
    let refused = serve(&site, (everywhere, Some(&tls)), |_| panic!("it listens"), &|| true);
    assert!(refused.unwrap_err().to_string().contains("no.pem"));
    let place = place.to_str().unwrap();
    let ran = chatvault(&["serve", place, "--address", "0.0.0.0"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("--allow-remote"), "{ran:?}");
    let ran = chatvault(&["serve", place, "--allow-remote", "vault.example"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let nothing = folder.path().join("nothing");
    let ran = chatvault(&["serve", nothing.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.err.contains("no archive, and no folder"), "{ran:?}");
}
