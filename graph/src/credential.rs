//! What an app proves itself with, and how it is kept from being seen.
//!
//! Invariant: nothing here shows a secret: not `Debug`, not an error. Only `expose` gives it away,
//! to the request for a token.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use chatvault_base::Timestamp;
use rustls::pki_types::pem::{PemObject as _, SectionKind};

use super::validity;

/// No secret and no key is longer; another file was named by mistake then.
const MOST_BYTES: u64 = 256 << 10;

/// The shortest RSA key that is still taken for safe.
const FEWEST_KEY_BITS: usize = 2048;

/// A text that no log, error or `Debug` shows. Wiped when it is dropped.
pub struct Secret(String);

impl Secret {
    /// Takes a text, as it came from the environment.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Reads a file. One line end after the text is none of it, nor is a byte order mark.
    ///
    /// Those of reading the file; `InvalidData` if it is no UTF-8 text.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let mut bytes = Wiped(read(path)?);
        if bytes.0.starts_with(b"\xef\xbb\xbf") {
            drop(bytes.0.drain(..3));
        }
        let text = std::str::from_utf8(&bytes.0)
            .map_err(|_invalid| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8 text"))?;
        let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
        Ok(Self::new(text.to_owned()))
    }

    /// Is this what the registration shows of it?
    pub fn begins_with(&self, hint: &str) -> bool {
        self.0.starts_with(hint)
    }

    /// The text itself. Whoever asks must not show it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        drop(Wiped(std::mem::take(&mut self.0).into_bytes()));
    }
}

/// Bytes that are overwritten when they are dropped.
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave the writing out.
        drop(std::hint::black_box(std::mem::take(&mut self.0)));
    }
}

/// What an app proves itself with.
#[derive(Debug)]
pub enum Credential {
    /// A client secret: its value, not its id.
    Secret(Secret),
    /// A certificate that is registered with the app, and its private key.
    Certificate(Certificate),
}

impl Credential {
    /// A client secret from a file.
    ///
    /// [`CredentialError`] if the file cannot be read, is empty or has several lines.
    pub fn secret_file(path: &Path) -> Result<Self, CredentialError> {
        let secret = Secret::from_file(path)
            .map_err(|cause| CredentialError::Unreadable { path: path.to_path_buf(), cause })?;
        if secret.expose().trim().is_empty() {
            return Err(unusable(path, "is empty: put the value of the client secret into it"));
        }
        if secret.expose().contains(char::is_control) {
            return Err(unusable(path, "has several lines: it must hold the client secret alone"));
        }
        Ok(Self::Secret(secret))
    }

    /// A private key and its certificate from a PEM file, see [`Certificate`].
    ///
    /// Errors are those of [`Certificate::from_file`].
    pub fn certificate_file(path: &Path) -> Result<Self, CredentialError> {
        Certificate::from_file(path).map(Self::Certificate)
    }
}

/// A private key (RSA of 2048 bits or more, PKCS#8 or PKCS#1, not encrypted) and its X.509
/// certificate from one PEM file. Never shown.
pub struct Certificate {
    key: RsaKeyPair,
    thumbprint: [u8; 32],
    ends: Option<Timestamp>,
}

/// Why a file holds no credential that can be used. Names the file and what to do, never content.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The system does not let us read it.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// It can be read and is of no use.
    #[error("{} {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong and how to mend it.
        reason: &'static str,
    },
}

fn unusable(path: &Path, reason: &'static str) -> CredentialError {
    CredentialError::Unusable { path: path.to_path_buf(), reason }
}

impl Certificate {
    /// Reads both from one PEM file, in any order; certificates of a chain may stand there too.
    ///
    /// [`CredentialError`] names the file, and what of it cannot be read or used.
    pub fn from_file(path: &Path) -> Result<Self, CredentialError> {
        let bytes = read(path)
            .map_err(|cause| CredentialError::Unreadable { path: path.to_path_buf(), cause })?;
        Self::from_pem(&Wiped(bytes)).map_err(|reason| unusable(path, reason))
    }

    fn from_pem(pem: &Wiped) -> Result<Self, &'static str> {
        let Sections { key, certificates } = sections(&pem.0)?;
        let pair = match &key {
            Key::Pkcs8(der) => RsaKeyPair::from_pkcs8(&der.0),
            Key::Pkcs1(der) => RsaKeyPair::from_der(&der.0),
        };
        let Ok(key) = pair else { return Err(BAD_KEY) };
        if key.public_modulus_len() * 8 < FEWEST_KEY_BITS {
            return Err(BAD_KEY);
        }
        // A certificate holds its public key just as PKCS#1 writes it, so no parser is needed.
        let public = memchr::memmem::Finder::new(key.public_key().as_ref());
        let own = certificates.iter().find(|der| public.find(der).is_some());
        let Some(own) = own else { return Err(STRANGERS) };
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, own).as_ref());
        Ok(Self { key, thumbprint, ends: validity::ends(own) })
    }

    /// When it is valid no more, if it says so in a way that can be read.
    pub fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// SHA-256 of the certificate: by this the token service finds the public key.
    pub(crate) fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Signs as PS256 does: RSASSA-PSS with SHA-256.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    #[cfg(test)]
    pub(crate) fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

enum Key {
    Pkcs8(Wiped),
    Pkcs1(Wiped),
}

struct Sections {
    key: Key,
    certificates: Vec<Vec<u8>>,
}

const PFX: &str = "is not PEM; if it is a PFX file, convert it: \
    openssl pkcs12 -in app.pfx -out app.pem -nodes";
const ENCRYPTED: &str = "holds an encrypted key; decrypt it: \
    openssl pkcs8 -in key.pem -out plain.pem, and put the certificate behind it";
const ELLIPTIC: &str = "holds an elliptic curve key; the token service takes RSA keys only";
const NO_KEY: &str = "holds no private key; put the key and the certificate into one PEM file";
const NO_CERTIFICATE: &str = "holds no certificate; put the key and the certificate into one file";
const BROKEN: &str = "is damaged: one of its PEM blocks cannot be read";
const BAD_KEY: &str = "holds a private key that is not RSA of 2048 to 8192 bits, or is damaged";
const STRANGERS: &str = "holds a private key and a certificate that do not belong together";

fn sections(pem: &[u8]) -> Result<Sections, &'static str> {
    let has = |needle: &str| memchr::memmem::find(pem, needle.as_bytes()).is_some();
    if !has("-----BEGIN ") {
        return Err(PFX);
    }
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(ENCRYPTED);
    }
    let (mut key, mut certificates) = (None, Vec::new());
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        match section {
            Ok((SectionKind::PrivateKey, der)) => key = Some(Key::Pkcs8(Wiped(der))),
            Ok((SectionKind::RsaPrivateKey, der)) => key = Some(Key::Pkcs1(Wiped(der))),
            Ok((SectionKind::EcPrivateKey, der)) => {
                drop(Wiped(der));
                return Err(ELLIPTIC);
            }
            Ok((SectionKind::Certificate, der)) => certificates.push(der),
            Ok(_) => {}
            Err(_) => return Err(BROKEN),
        }
    }
    match key {
        None => Err(NO_KEY),
        Some(_) if certificates.is_empty() => Err(NO_CERTIFICATE),
        Some(key) => Ok(Sections { key, certificates }),
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of the operator, outside any archive")]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is too long for a credential"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::PEM;

    fn certificate(pem: &str) -> Result<Certificate, &'static str> {
        Certificate::from_pem(&Wiped(pem.as_bytes().to_vec()))
    }

    fn block(name: &str) -> &'static str {
        let (begin, end) = (format!("-----BEGIN {name}-----"), format!("-----END {name}-----"));
        let from = PEM.find(&begin).unwrap();
        &PEM[from..=PEM.find(&end).unwrap() + end.len()]
    }

    #[test]
    fn a_key_and_its_certificate_are_found_in_any_order_and_never_shown() {
        let (key, own) = (block("PRIVATE KEY"), block("CERTIFICATE"));
        for pem in [PEM.to_owned(), format!("{own}{key}"), format!("junk\r\n{key}\n{own}{own}")] {
            let certificate = certificate(&pem).unwrap();
            assert_eq!(certificate.thumbprint()[..2], [0x14, 0xf2]);
            assert_eq!(format!("{certificate:?}"), "Certificate(..)");
            assert_eq!(certificate.sign(b"x").unwrap().len(), 256);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_says_what_to_do() {
        let (key, own) = (block("PRIVATE KEY"), block("CERTIFICATE"));
        let sealed = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let elliptic = key.replace("PRIVATE KEY", "EC PRIVATE KEY");
        let pkcs1 = key.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        let stranger = own.replacen("MII", "MIJ", 1);
        for (pem, expected) in [
            ("\x30\x02\x01".to_owned(), PFX),
            (format!("{sealed}{own}"), ENCRYPTED),
            (format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n{own}"), ENCRYPTED),
            (format!("{elliptic}{own}"), ELLIPTIC),
            (own.to_owned(), NO_KEY),
            (key.to_owned(), NO_CERTIFICATE),
            (format!("{key}-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"), BROKEN),
            (format!("{pkcs1}{own}"), BAD_KEY),
            (format!("{key}{}", changed(&stranger)), STRANGERS),
        ] {
            assert_eq!(certificate(&pem).err(), Some(expected), "{pem}");
        }
    }

    /// Another public key in the certificate: every character of its lines moved by one.
    fn changed(pem: &str) -> String {
        pem.lines()
            .map(
                |line| if line.starts_with('-') { line.to_owned() } else { line.replace('a', "b") },
            )
            .fold(String::new(), |all, line| all + &line + "\n")
    }

    #[test]
    fn a_secret_file_loses_one_line_end_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (bytes, expected) in [
            (&b"s3cr~t"[..], Some("s3cr~t")),
            (b"s3cr~t\n", Some("s3cr~t")),
            (b"\xef\xbb\xbfs3cr~t\r\n", Some("s3cr~t")),
            (b" s3cr~t ", Some(" s3cr~t ")),
            (b"\n", None),
            (b"s3cr~t\n\n", None),
            (b"\xff\xfes", None),
        ] {
            write(&path, bytes);
            let read = Credential::secret_file(&path);
            assert!(!format!("{read:?}").contains("s3cr~t"), "{read:?}");
            match read {
                Ok(Credential::Secret(secret)) => assert_eq!(Some(secret.expose()), expected),
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert_eq!(expected, None);
                    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                }
            }
        }
        write(&path, &vec![b'x'; 300 << 10]);
        assert!(Credential::secret_file(&path).is_err(), "too long");
        assert!(Credential::certificate_file(&folder.path().join("absent")).is_err());
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    fn write(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
    }
}
