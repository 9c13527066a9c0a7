//! Signing in with a certificate: the JWT a client makes, checked claim by claim and by its signature.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::behaviour::Access;
use super::token::Denied;
use crate::Ms;

const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of an assertion, with a minute for clocks that differ.
const LONGEST_SECONDS: i64 = 660;
/// How far a client's clock may be ahead.
const SKEW_SECONDS: i64 = 300;

/// Whether an assertion proves that the application is itself.
pub(crate) fn check(
    kind: &str,
    assertion: &str,
    audience: &str,
    now: Ms,
    access: &Access,
) -> Result<(), Denied> {
    if kind != KIND {
        return Err(invalid(700_015, "The client assertion type is not supported."));
    }
    let registered = access.certificate.as_deref().and_then(certificate);
    let Some(registered) = registered else {
        let text = "The certificate with identifier used to sign the client assertion is not \
                    registered on application.";
        return Err(invalid(700_027, text));
    };
    let jwt = Jwt::read(assertion)
        .ok_or_else(|| invalid(50_027, "JWT token is invalid or malformed."))?;
    jwt.check_header(&registered)?;
    jwt.check_claims(audience, now.div_euclid(1000), access)?;
    jwt.check_signature(&registered)
}

fn invalid(number: u32, text: &str) -> Denied {
    Denied::new("invalid_client", number, text)
}

struct Jwt<'a> {
    header: Value,
    claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let value = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header: value(header)?, claims: value(claims)?, signed, signature })
    }

    fn check_header(&self, certificate: &[u8]) -> Result<(), Denied> {
        let sha256 = URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate));
        let sha1 = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate));
        let named =
            self.header["x5t#S256"] == sha256.as_str() || self.header["x5t"] == sha1.as_str();
        let typed = self.header["typ"] == "JWT" && self.algorithm().is_some();
        match (typed, named) {
            (true, true) => Ok(()),
            (false, _) => Err(invalid(50_027, "JWT token is invalid or malformed.")),
            _ => Err(invalid(700_027, "The key was not found by its thumbprint.")),
        }
    }

    fn algorithm(&self) -> Option<&'static dyn VerificationAlgorithm> {
        match self.header["alg"].as_str()? {
            "PS256" => Some(&RSA_PSS_2048_8192_SHA256),
            "RS256" => Some(&RSA_PKCS1_2048_8192_SHA256),
            _ => None,
        }
    }

    fn check_claims(&self, audience: &str, now: i64, access: &Access) -> Result<(), Denied> {
        let claim = |name: &str| self.claims[name].as_str().unwrap_or_default();
        let seconds = |name: &str| self.claims[name].as_i64();
        if claim("aud") != audience {
            return Err(invalid(700_023, "Client assertion audience claim does not match."));
        }
        if claim("iss") != access.client_id || claim("sub") != access.client_id {
            return Err(invalid(700_021, "Client assertion issuer or subject is wrong."));
        }
        let begins = seconds("nbf").unwrap_or(now);
        let fresh = seconds("exp").is_some_and(|ends| ends > now && ends - now <= LONGEST_SECONDS);
        if !fresh || begins > now + SKEW_SECONDS || claim("jti").is_empty() {
            let text = "Client assertion is not within its valid time range.";
            return Err(invalid(700_024, text));
        }
        Ok(())
    }

    fn check_signature(&self, certificate: &[u8]) -> Result<(), Denied> {
        let key = public_key(certificate).zip(self.algorithm());
        let good = key.is_some_and(|(key, algorithm)| {
            let key = UnparsedPublicKey::new(algorithm, key);
            key.verify(self.signed.as_bytes(), &self.signature).is_ok()
        });
        if good {
            Ok(())
        } else {
            Err(invalid(700_027, "The client assertion's signature is invalid."))
        }
    }
}

/// The bytes of the first certificate of a PEM text.
fn certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let text: String = body.split_whitespace().collect();
    STANDARD.decode(text).ok()
}

/// The `SubjectPublicKeyInfo` of a certificate: the seventh part of its signed half.
fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (_, whole, _) = element(certificate)?;
    let (_, mut signed, _) = element(whole)?;
    // The version stands first only in newer certificates; then come five parts before the key.
    let (tag, _, rest) = element(signed)?;
    if tag == 0xA0 {
        signed = rest;
    }
    for _ in 0..5 {
        (_, _, signed) = element(signed)?;
    }
    let (_, _, rest) = element(signed)?;
    signed.get(..signed.len() - rest.len())
}

/// Tag, content and what follows of the first DER element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
        let length = digits.iter().try_fold(0usize, |length, &digit| {
            length.checked_mul(256)?.checked_add(usize::from(digit))
        });
        (length?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with openssl and a key that was thrown away.
    const CERTIFICATE: &str = include_str!("test_certificate.pem");
    const PS256: &str = include_str!("test_ps256.jwt");
    const RS256: &str = include_str!("test_rs256.jwt");
    const AUDIENCE: &str = "http://127.0.0.1:9/t/oauth2/v2.0/token";
    const NOW: Ms = 1_700_000_001_000;

    fn number(assertion: &str, audience: &str, now: Ms) -> u32 {
        let access = Access { certificate: Some(CERTIFICATE.to_owned()), ..Access::default() };
        check(KIND, assertion, audience, now, &access).map_or_else(|denied| denied.number, |()| 0)
    }

    #[test]
    fn a_signed_assertion_is_good_for_its_time_and_audience() {
        for assertion in [PS256, RS256] {
            assert_eq!(number(assertion, AUDIENCE, NOW), 0);
            assert_eq!(number(assertion, "http://elsewhere/token", NOW), 700_023);
            assert_eq!(number(assertion, AUDIENCE, NOW + 600_000), 700_024);
            assert_eq!(number(assertion, AUDIENCE, NOW - 600_000), 700_024);
        }
    }

    #[test]
    fn a_forged_assertion_is_refused() {
        let (signed, _) = PS256.rsplit_once('.').unwrap();
        let (_, other) = RS256.rsplit_once('.').unwrap();
        assert_eq!(number(&format!("{signed}.{other}"), AUDIENCE, NOW), 700_027);
        assert_eq!(number("no.jwt.", AUDIENCE, NOW), 50_027);
        let unregistered = check(KIND, PS256, AUDIENCE, NOW, &Access::default());
        assert_eq!(unregistered.unwrap_err().number, 700_027);
        let kind = check("urn:x", PS256, AUDIENCE, NOW, &Access::default());
        assert_eq!(kind.unwrap_err().number, 700_015);
    }
}
