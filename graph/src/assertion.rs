//! The signed statement by which an app with a certificate asks for a token: a JWT by PS256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::json;

use super::credential::Certificate;

/// The token service accepts ten minutes at most. Some clocks are slow, some are fast.
const BACK_SECONDS: i64 = 60;
const AHEAD_SECONDS: i64 = 8 * 60;

/// For whom a statement is, and from whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims<'a> {
    /// The token endpoint.
    pub(crate) audience: &'a str,
    pub(crate) client_id: &'a str,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// No two statements have the same.
    pub(crate) id: [u8; 16],
}

/// The statement, signed. `None` if the key refuses.
pub(crate) fn signed(certificate: &Certificate, claims: &Claims<'_>) -> Option<String> {
    let header = json!({
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": BASE64.encode(certificate.thumbprint()),
    });
    let payload = json!({
        "aud": claims.audience,
        "iss": claims.client_id,
        "sub": claims.client_id,
        "jti": uuid(claims.id),
        "iat": claims.now,
        "nbf": claims.now.saturating_sub(BACK_SECONDS),
        "exp": claims.now.saturating_add(AHEAD_SECONDS),
    });
    let text =
        format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(payload.to_string()));
    let signature = certificate.sign(text.as_bytes())?;
    Some(format!("{text}.{}", BASE64.encode(signature)))
}

/// Random bytes in the shape of a UUID of version 4.
pub(crate) fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 0x0f] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::credential::Credential;
    use crate::testing;

    #[test]
    fn a_statement_names_both_sides_lives_ten_minutes_and_verifies() {
        let Credential::Certificate(certificate) = testing::certificate() else { panic!() };
        let claims = Claims {
            audience: "https://login.example/t/oauth2/v2.0/token",
            client_id: "app",
            now: 1_000_000,
            id: [7; 16],
        };
        let text = signed(&certificate, &claims).unwrap();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let read = |part| serde_json::from_slice::<Value>(&BASE64.decode(part).unwrap()).unwrap();
        let header: Value = read(header);
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["x5t#S256"], "FPLup7-rsYEj9y4bNFc4C2_1IuPqRV7nDH5K8ODYPTY");
        let payload = read(payload);
        assert_eq!((&payload["iss"], &payload["sub"]), (&"app".into(), &"app".into()));
        assert_eq!(payload["aud"], claims.audience);
        assert_eq!(payload["jti"], "07070707-0707-4707-8707-070707070707");
        let life = payload["exp"].as_i64().unwrap() - payload["nbf"].as_i64().unwrap();
        assert!((1..=600).contains(&life), "{life}");
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.public_key())
            .verify(signed.as_bytes(), &BASE64.decode(signature).unwrap())
            .unwrap();
    }
}
