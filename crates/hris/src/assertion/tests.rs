//! What is signed is verified by another implementation, and digested by other code than wrote it.

use std::sync::LazyLock;

use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::signature::Verifier as _;
use sha2::{Digest as _, Sha256};

use super::*;

/// An RSA key nobody else has, which takes a while to find.
pub(crate) static RSA: LazyLock<rsa::RsaPrivateKey> =
    LazyLock::new(|| rsa::RsaPrivateKey::new(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng), 2048).unwrap());

pub(crate) fn pem() -> String {
    RSA.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

const NOW: Timestamp = Timestamp::constant(1_772_452_800, 250_000_000); // 2026-03-02T12:00:00.25Z

fn verified(text: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::<rsa::sha2::Sha256>::new(RSA.to_public_key());
    Signature::try_from(signature).is_ok_and(|signature| key.verify(text, &signature).is_ok())
}

fn words(key: &str) -> impl Fn(&str) -> Result<String, String> {
    move |text: &str| Ok(text.replace("{key}", key).replace("{admin}", "ada & bo <x"))
}

fn token(algorithm: Algorithm, key: &str) -> Result<(Value, Value, String, Vec<u8>), String> {
    let claims = [("iss", "rollcall"), ("sub", "{admin}")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let words_of = Jwt {
        algorithm,
        key: "{key}".to_owned(),
        key_id: Some("k1".to_owned()),
        claims: claims.into(),
        lifetime: 3600,
    };
    let signed = sign(&Assertion::Jwt(words_of), words(key), NOW)?;
    let (signed, signature) = signed.expose_secret().rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap();
    Ok((read(header), read(claims), signed.to_owned(), BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()))
}

#[test]
fn a_token_says_what_it_should_and_is_signed_with_the_key() {
    let (header, claims, signed, signature) = token(Algorithm::Rs256, &pem()).unwrap();
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    let (iat, exp) = (1_772_452_800, 1_772_456_400);
    let said = json!({"iss": "rollcall", "sub": "ada & bo <x", "iat": iat, "exp": exp, "jti": claims["jti"]});
    assert_eq!(claims, said);
    assert!(verified(signed.as_bytes(), &signature));
    assert!(!verified(format!("{signed}x").as_bytes(), &signature));
    let (_, again, ..) = token(Algorithm::Rs256, &pem()).unwrap();
    assert_ne!(claims["jti"], again["jti"]);

    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let private = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der.as_ref()));
    let (header, _, signed, signature) = token(Algorithm::Es256, &private).unwrap();
    assert_eq!(header["alg"], "ES256");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &SystemRandom::new()).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    assert_eq!(public.verify(signed.as_bytes(), &signature), Ok(()));

    let (header, _, signed, signature) = token(Algorithm::Hs256, "s3cret").unwrap();
    assert_eq!(header["alg"], "HS256");
    let padded = |with: u8| {
        let mut block = [with; 64];
        b"s3cret".iter().zip(&mut block).for_each(|(key, byte)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(signed.as_bytes()).finalize(); // RFC 2104
    assert_eq!(Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec(), signature);
}

fn assertion(admin: &str, certificate: Option<&str>) -> Result<String, String> {
    let text = str::to_owned;
    let words_of = Saml {
        key: text("{key}"),
        certificate: certificate.map(text),
        issuer: text("https://rollcall.example.com"),
        name_id: text(admin),
        audience: text("www.example.com"),
        recipient: text("https://api.example.com/oauth/token?a=1&b=2"),
        attributes: [("api_key", "k1"), ("external_user", "true")].map(|(name, it)| (text(name), text(it))).into(),
        lifetime: 600,
    };
    Ok(sign(&Assertion::Saml(words_of), words(&pem()), NOW)?.expose_secret().to_owned())
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

#[test]
fn an_assertion_is_signed_over_exactly_what_stands_there() {
    let xml = assertion("{admin}é", None).unwrap();
    for part in [
        r#" IssueInstant="2026-03-02T12:00:00Z" Version="2.0"><saml2:Issuer>https://rollcall.example.com</saml2:Issuer><ds:Signature"#,
        ">ada &amp; bo &lt;xé</saml2:NameID>",
        r#"NotOnOrAfter="2026-03-02T12:10:00Z" Recipient="https://api.example.com/oauth/token?a=1&amp;b=2">"#,
        r#"NotBefore="2026-03-02T11:59:00Z" NotOnOrAfter="2026-03-02T12:10:00Z">"#,
        "<saml2:Audience>www.example.com</saml2:Audience>",
        r#"<saml2:Attribute Name="api_key"><saml2:AttributeValue>k1</saml2:AttributeValue></saml2:Attribute>"#,
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    let whole = between(&xml, "<ds:Signature ", "</ds:Signature>");
    let without = xml.replace(&format!("<ds:Signature {whole}</ds:Signature>"), "");
    assert_eq!(BASE64.encode(&Sha256::digest(&without)), between(&xml, "<ds:DigestValue>", "</ds:DigestValue>"));
    assert_eq!(between(&xml, " ID=\"", "\""), between(&xml, "<ds:Reference URI=\"#", "\""));
    let info = between(&xml, "<ds:SignedInfo>", "</ds:SignedInfo>");
    let alone = format!("<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}</ds:SignedInfo>");
    let value = between(&xml, "<ds:SignatureValue>", "</ds:SignatureValue>");
    assert!(verified(alone.as_bytes(), &BASE64.decode(value.as_bytes()).unwrap()));
    assert!(!xml.contains("KeyInfo"));
    assert_ne!(between(&xml, " ID=\"", "\""), between(&assertion("{admin}", None).unwrap(), " ID=\"", "\""));
}

#[test]
fn what_cannot_be_signed_or_written_is_said_and_not_quoted() {
    for (found, why) in [
        (
            token(Algorithm::Rs256, "s3cret").map(|_| ()),
            "the key that signs is no RSA private key in PEM, of at least 2048 bits",
        ),
        (token(Algorithm::Es256, &pem()).map(|_| ()), "the key that signs is no P-256 private key in PEM (PKCS#8)"),
        (assertion("s3\ncret", None).map(|_| ()), "the assertion cannot hold control characters"),
        (assertion("s3\"cret", None).map(|_| ()), "the assertion cannot hold > or \""),
        (assertion("ada", Some("s3cret")).map(|_| ()), "the certificate is none in PEM"),
    ] {
        assert_eq!(found, Err(why.to_owned()));
    }
}
