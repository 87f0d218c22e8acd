use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::*;
use crate::webhook::Known;

const NOW: i64 = 1_767_225_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn terms() -> Terms {
    Terms { issuer: "https://idp.example.com".into(), audience: "https://scim.example.com/webhooks/okta".into() }
}

/// A transmitter with a key of its own.
struct Transmitter(EcdsaKeyPair, SystemRandom);

impl Transmitter {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap(), random)
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": part(&point[1..33]), "y": part(&point[33..])})
    }

    fn keys(&self) -> Vec<u8> {
        json!({"keys": [{"kty": "oct", "k": "AAAA"}, self.jwk("k1")]}).to_string().into_bytes()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&self.1, signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

fn header(over: Value) -> Value {
    merged(json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "k1"}), over)
}

fn claims(over: Value) -> Value {
    let event = json!({"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}});
    merged(
        json!({"iss": terms().issuer, "aud": terms().audience, "iat": NOW, "jti": "t-1", "events": event,
            "sub_id": {"format": "email", "email": "ada@example.com"}}),
        over,
    )
}

fn merged(mut base: Value, over: Value) -> Value {
    for (name, value) in over.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

#[test]
fn only_a_token_of_the_transmitter_for_us_and_of_now_is_taken() {
    let (ours, theirs) = (Transmitter::new(), Transmitter::new());
    let keys = [ours.keys()];
    let asked = |header: Value, claims: Value| {
        verify(&keys, &terms(), ours.token(&header, &claims).as_bytes(), at(NOW)).map(|proven| proven.dated)
    };
    let right = || (header(json!({})), claims(json!({})));
    assert_eq!(asked(right().0, right().1), Ok(true));
    for (situation, over, expected) in [
        ("an id of the key that is not named", json!({"kid": null}), Ok(true)),
        ("the type in full", json!({"typ": "application/SecEvent+JWT"}), Ok(true)),
        ("a key that is not ours", json!({"kid": "k2"}), Err(Refusal::WrongSignature)),
        ("no signature, it says", json!({"alg": "none"}), Err(Refusal::WrongSignature)),
        ("another algorithm", json!({"alg": "RS256"}), Err(Refusal::WrongSignature)),
        ("a secret that everybody has", json!({"alg": "HS256"}), Err(Refusal::WrongSignature)),
        ("a token to sign in with", json!({"typ": "JWT"}), Err(Refusal::Unsigned)),
        ("no type", json!({"typ": null}), Err(Refusal::Unsigned)),
        ("what must be understood and is not", json!({"crit": ["b64"]}), Err(Refusal::Unsigned)),
    ] {
        assert_eq!(asked(header(over), right().1), expected, "{situation}");
    }
    for (situation, over, expected) in [
        ("one of several audiences", json!({"aud": ["x", terms().audience]}), Ok(true)),
        ("four minutes ago", json!({"iat": NOW - 240}), Ok(true)),
        ("another issuer", json!({"iss": "https://evil.example.com"}), Err(Refusal::WrongIssuer)),
        ("another receiver", json!({"aud": "https://other.example.com"}), Err(Refusal::WrongAudience)),
        ("no receiver", json!({"aud": []}), Err(Refusal::WrongAudience)),
        ("an old one", json!({"iat": NOW - 301}), Err(Refusal::OutOfTime)),
        ("one of the future", json!({"iat": NOW + 301}), Err(Refusal::OutOfTime)),
        ("a time that is none", json!({"iat": i64::MAX}), Err(Refusal::OutOfTime)),
        ("one that is over", json!({"exp": NOW}), Err(Refusal::OutOfTime)),
        ("no time", json!({"iat": null}), Err(Refusal::Unsigned)),
        ("no id", json!({"jti": null}), Err(Refusal::Unsigned)),
        ("an empty id", json!({"jti": ""}), Err(Refusal::Unsigned)),
        ("a huge id", json!({"jti": "x".repeat(2000)}), Err(Refusal::Unsigned)),
        ("no event", json!({"events": {}}), Err(Refusal::Unsigned)),
        ("no events", json!({"events": null}), Err(Refusal::Unsigned)),
    ] {
        assert_eq!(asked(right().0, claims(over)), expected, "{situation}");
    }
    // Somebody without the key learns nothing of issuer, audience and time.
    for over in [json!({}), json!({"iss": "x"}), json!({"aud": "x"}), json!({"iat": 0}), json!({"jti": null})] {
        let forged = theirs.token(&right().0, &claims(over));
        assert_eq!(verify(&keys, &terms(), forged.as_bytes(), at(NOW)), Err(Refusal::WrongSignature));
    }
}

#[test]
fn what_is_no_token_is_none_and_a_changed_one_is_not_signed() {
    let ours = Transmitter::new();
    let keys = [ours.keys()];
    let token = ours.token(&header(json!({})), &claims(json!({})));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let other = BASE64URL_NOPAD.encode(claims(json!({"jti": "t-2"})).to_string().as_bytes());
    let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"secevent+jwt"}"#);
    let body = signed.split_once('.').unwrap().1;
    for (situation, text, expected) in [
        ("nothing", String::new(), Refusal::Unsigned),
        ("no token", "ada left".into(), Refusal::Unsigned),
        ("dots", "..".into(), Refusal::Unsigned),
        ("four parts", format!("{token}.AAAA"), Refusal::Unsigned),
        ("without its signature", format!("{signed}."), Refusal::Unsigned),
        ("that says that it has none", format!("{none}.{body}."), Refusal::Unsigned),
        ("that says so, with one", format!("{none}.{body}.{signature}"), Refusal::WrongSignature),
        ("other claims", format!("{head}.{other}.{signature}"), Refusal::WrongSignature),
        ("a part of its signature", format!("{signed}.{}", &signature[..40]), Refusal::WrongSignature),
        (
            "nested without end",
            format!("{}.{body}.{signature}", BASE64URL_NOPAD.encode("[".repeat(100_000).as_bytes())),
            Refusal::Unsigned,
        ),
    ] {
        assert_eq!(verify(&keys, &terms(), text.as_bytes(), at(NOW)), Err(expected), "{situation}");
    }
    assert_eq!(verify(&keys, &terms(), &[0xff, b'.', b'.'], at(NOW)), Err(Refusal::Unsigned));
    assert!(verify(&keys, &terms(), format!("{token}\n").as_bytes(), at(NOW)).is_ok(), "a line end is nothing");
    assert_eq!(verify(&[], &terms(), token.as_bytes(), at(NOW)), Err(Refusal::WrongSignature));
}

#[test]
fn a_token_is_known_again_by_its_id() {
    let (ours, next) = (Transmitter::new(), Transmitter::new());
    let keys = [ours.keys(), json!({"keys": [next.jwk("k2")]}).to_string().into_bytes()];
    let print = |from: &Transmitter, kid: &str, over: Value| {
        let token = from.token(&header(json!({"kid": kid})), &claims(over));
        verify(&keys, &terms(), token.as_bytes(), at(NOW)).unwrap().print
    };
    let mut known = Known::default();
    assert!(known.is_new(print(&ours, "k1", json!({})), at(NOW)));
    assert!(!known.is_new(print(&ours, "k1", json!({"iat": NOW + 1})), at(NOW)), "signed again, it is the same");
    assert!(!known.is_new(print(&next, "k2", json!({})), at(NOW)), "and by the key that takes over");
    assert!(known.is_new(print(&ours, "k1", json!({"jti": "t-2"})), at(NOW)));
}

#[test]
fn keys_are_a_jwks_with_a_public_key_for_signatures() {
    let ours = Transmitter::new();
    assert!(is_keys(&ours.keys()));
    let of = |key: Value| json!({"keys": [key]}).to_string().into_bytes();
    assert!(is_keys(&of(json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}))));
    for (situation, text) in [
        ("nothing", Vec::new()),
        ("a secret", b"a-secret-of-thirty-two-characters".to_vec()),
        ("no keys", br#"{"keys": []}"#.to_vec()),
        ("a key for encryption", of(merged(ours.jwk("k1"), json!({"use": "enc"})))),
        ("a key of another algorithm", of(merged(ours.jwk("k1"), json!({"alg": "ES512"})))),
        ("another curve", of(merged(ours.jwk("k1"), json!({"crv": "P-521"})))),
        ("half a key", of(merged(ours.jwk("k1"), json!({"y": null})))),
        ("a secret key", of(json!({"kty": "oct", "k": "AAAA"}))),
        ("too much", of(json!({"kty": "RSA", "n": "A".repeat(70_000), "e": "AQAB"}))),
    ] {
        assert!(!is_keys(&text), "{situation}");
    }
}

#[test]
fn a_token_that_is_signed_as_the_profile_asks_is_taken() {
    // Made with openssl and python, apart from the code: RS256 by a key of 2048 bits.
    let jwks = include_bytes!("testdata/jwks.json").to_vec();
    let token = include_bytes!("testdata/token");
    let taken = verify(std::slice::from_ref(&jwks), &terms(), token, at(NOW));
    assert!(taken.is_ok(), "{taken:?}");
    assert!(is_keys(&jwks));
    let mut changed = token.to_vec();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(verify(&[jwks], &terms(), &changed, at(NOW)).is_err());
}
