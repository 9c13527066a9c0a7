//! A signature beside an index: who has the key vouches for every byte of the export.
//!
//! The index has the SHA-256 of each part, so an Ed25519 signature of its bytes covers all. It lies
//! detached in `{export}.index.json.sig`, 64 bytes as they are, so that other programs can check it:
//!
//! ```text
//! openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in X.index.json -sigfile X.index.json.sig
//! ```

use std::fmt;
use std::sync::Arc;

use chatvault_engine::Storage;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer};

use crate::check::{Finding, Problem};
use crate::error::{Error, Result};
use crate::manifest::{Index, MOST_INDEX_BYTES, read_small};
use crate::part::replace;

/// What signs.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// What checks a signature.
#[derive(Clone, Debug)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads an unencrypted Ed25519 key in PKCS#8 PEM, as `openssl genpkey -algorithm ed25519`
    /// writes it.
    ///
    /// `Setting` if it is none.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let accepted = "an unencrypted Ed25519 private key in PKCS#8 PEM";
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.trim());
        key.map(Self).map_err(|_cause| wrong("signing key", accepted))
    }

    /// Signs the index of a finished export.
    ///
    /// `Index` if the export is not there or not finished; `Folder` if the signature cannot be written.
    pub fn sign(&self, folder: &Arc<dyn Storage>, export: &str) -> Result<()> {
        let signature = self.0.sign(&index(&**folder, export)?).to_bytes();
        let name = signature_name(export);
        replace(folder, &format!(".{export}.tmp-sig"), &name, &signature)
    }
}

impl PublicKey {
    /// Reads an Ed25519 public key in PEM, as `openssl pkey -pubout` writes it.
    ///
    /// `Setting` if it is none.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(pem.trim());
        let accepted = "an Ed25519 public key in PEM";
        key.map(Self).map_err(|_cause| wrong("public key", accepted))
    }

    /// Did the owner of the key sign the index of an export as it is? What is wrong, if not.
    ///
    /// `Index` or `Folder` if the index or the signature cannot be read.
    pub fn check(&self, folder: &dyn Storage, export: &str) -> Result<Option<Finding>> {
        let index = index(folder, export)?;
        let name = signature_name(export);
        let bytes = read_small(folder, &name, SIGNATURE_LENGTH as u64);
        let signature = match &bytes {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(Signature::from_slice(bytes).ok()),
            // Too long to be one.
            Err(Error::Index { .. }) => Some(None),
            Err(_) => return bytes.map(|_| None),
        };
        let is_good = |signature: Signature| self.0.verify_strict(&index, &signature).is_ok();
        let problem = match signature {
            None => Problem::Missing,
            Some(signature) if signature.is_some_and(is_good) => return Ok(None),
            Some(_) => Problem::OtherSignature,
        };
        Ok(Some(Finding { part: Some(name), member: None, problem }))
    }
}

/// Is there a signature?
pub fn is_signed(folder: &dyn Storage, export: &str) -> bool {
    folder.open(&signature_name(export)).is_ok()
}

fn signature_name(export: &str) -> String {
    format!("{}.sig", Index::file_name(export))
}

fn index(folder: &dyn Storage, export: &str) -> Result<Vec<u8>> {
    let file = Index::file_name(export);
    let bytes = read_small(folder, &file, MOST_INDEX_BYTES)?;
    bytes.ok_or_else(|| Error::Index { file, problem: "there is none".to_owned() })
}

fn wrong(field: &'static str, accepted: &'static str) -> Error {
    Error::Setting { field, value: "what the file holds".to_owned(), accepted }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::Memory;

    use super::*;
    use crate::part::tests::{EXPORT, read};

    /// The example of RFC 8410.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
    /// What `openssl pkeyutl -sign -rawin` makes of `{"an":"index"}` with it.
    const SIGNATURE: &str = "a909a8572412c83e24a63bdb7f45fda84b7386ba78ec5319ec906b7f32e30b9a\
        8596fb2c4303f3a85e65598b3dac84af77d4bd936aba6a7cb0ed2d592e8ced0f";

    fn folder(index: &str) -> Arc<dyn Storage> {
        let memory = Memory::new();
        memory.make_folder("").unwrap();
        let file = memory.create(&Index::file_name(EXPORT)).unwrap();
        file.write_at(0, index.as_bytes()).unwrap();
        Arc::new(memory)
    }

    #[test]
    fn another_program_makes_the_same_signature() {
        let folder = folder(r#"{"an":"index"}"#);
        let public = PublicKey::from_pem(PUBLIC).unwrap();
        assert!(!is_signed(&*folder, EXPORT));
        let finding = public.check(&*folder, EXPORT).unwrap().unwrap();
        assert_eq!(finding.problem, Problem::Missing);
        SigningKey::from_pem(PRIVATE).unwrap().sign(&folder, EXPORT).unwrap();
        assert!(is_signed(&*folder, EXPORT));
        let signature = read(&*folder, &signature_name(EXPORT));
        assert_eq!(crate::digest::hex(&signature), SIGNATURE);
        assert_eq!(public.check(&*folder, EXPORT).unwrap(), None);
    }

    #[test]
    fn another_index_key_or_signature_is_found() {
        let folder = folder("{}");
        let key = SigningKey::from_pem(PRIVATE).unwrap();
        key.sign(&folder, EXPORT).unwrap();
        let public = PublicKey::from_pem(PUBLIC).unwrap();
        let other = PublicKey(ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key());
        let problem = |key: &PublicKey| key.check(&*folder, EXPORT).unwrap().map(|one| one.problem);
        assert_eq!(problem(&public), None);
        assert_eq!(problem(&other), Some(Problem::OtherSignature));
        let index = folder.create("index").unwrap();
        index.write_at(0, b"[]").unwrap();
        folder.rename("index", &Index::file_name(EXPORT)).unwrap();
        assert_eq!(problem(&public), Some(Problem::OtherSignature));
        let long = folder.create("long").unwrap();
        long.write_at(0, &[1; 65]).unwrap();
        folder.rename("long", &signature_name(EXPORT)).unwrap();
        assert_eq!(problem(&public), Some(Problem::OtherSignature));
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_shown() {
        for text in ["", PUBLIC, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            let error = SigningKey::from_pem(text).unwrap_err().to_string();
            assert!(error.contains("PKCS#8 PEM") && !error.contains("AAAA"), "{error}");
        }
        assert!(PublicKey::from_pem(PRIVATE).is_err());
    }
}
