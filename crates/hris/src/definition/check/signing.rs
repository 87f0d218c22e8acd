//! Whether the words of signing in fit together.

use std::collections::BTreeMap;

use reqwest::Url;

use super::super::signing::{Assertion, Auth, Method, Send, Token};
use super::{Check, Text, sample, unheard};
use crate::template;
use crate::token::ASSERTION;

/// Grants of a token request (RFC 6749, RFC 8628) for which a person would have to sign in.
const BY_HAND: [&str; 2] = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"];
/// Claims that are added to every JWT.
const ADDED: [&str; 3] = ["iat", "exp", "jti"];

impl Check<'_> {
    pub(super) fn auth(&mut self, auth: &Auth) {
        let plain = auth.headers.is_empty() && auth.query.is_empty() && auth.basic.is_none();
        if plain && auth.token.is_none() && auth.client_certificate.is_none() {
            self.say("auth", "nothing to sign in with: headers, query, basic, token or clientCertificate");
        }
        if auth.basic.is_some() && auth.token.is_some() {
            self.say("auth", "basic and token would share one header");
        }
        self.headers("auth.headers", auth.headers.keys().map(|name| (name, "")));
        if let Some(token) = &auth.token {
            self.token(token);
        }
    }

    fn token(&mut self, token: &Token) {
        self.headers("auth.token.headers", token.headers.iter().map(|(name, value)| (name, value.as_str())));
        self.headers("auth.token.header", [(&token.header, "")]);
        self.path("auth.token.path", &token.path, false);
        self.headers("auth.token.at", token.at.iter().map(|at| (&at.header, "")));
        self.path("auth.token.expiresIn", &token.expires_in, false);
        let known = |name: &str| {
            let definition = self.definition;
            (definition.parameters.contains_key(name) || definition.credentials.contains_key(name)).then(sample)
        };
        let url = template::fill(&token.url, known).ok().and_then(|url| Url::parse(&url).ok());
        if url.is_none_or(|url| !unheard(&url)) {
            self.say("auth.token.url", "not a URL that starts with https://");
        }
        if !names(&token.value, "token") {
            self.say("auth.token.value", "{token} is not in it");
        }
        match token.method {
            Method::Get if !token.body.is_empty() => self.say("auth.token.body", "a GET sends none"),
            Method::Post if token.body.is_empty() && token.headers.is_empty() && token.basic.is_none() => {
                self.say("auth.token", "nothing to sign in with: body, headers or basic");
            }
            Method::Get | Method::Post => {}
        }
        let within = |name: &String| token.body.keys().find(|other| name.starts_with(&format!("{other}.")));
        if let (Send::Json, Some(text)) = (token.send, token.body.keys().find_map(within)) {
            self.say("auth.token.body", format!("{text} is a text and an object"));
        }
        self.grant(token);
    }

    fn grant(&mut self, token: &Token) {
        let grant = token.body.get("grant_type").map(String::as_str).unwrap_or_default();
        if BY_HAND.contains(&grant) {
            let why = format!("{grant} cannot be used: a person would have to sign in");
            self.say("auth.token.body.grant_type", why);
        }
        self.refresh(token, grant == "refresh_token");
        let signed = token.body.values().any(|text| names(text, ASSERTION));
        match &token.assertion {
            None if grant.starts_with("urn:") && !BY_HAND.contains(&grant) => {
                self.say("auth.token.body.grant_type", format!("{grant} needs an assertion"));
            }
            Some(_) if !signed => self.say("auth.token.assertion", "{assertion} is not in body"),
            Some(assertion) => self.assertion(assertion),
            None => {}
        }
    }

    fn refresh(&mut self, token: &Token, granted: bool) {
        match (&token.refresh_token, token.refresh_token_rotates) {
            (Some(_), Some(_)) | (None, Some(true)) => self.say(
                "auth.token.refreshTokenRotates",
                "one that is another one after each use is refreshToken: {key: …}; one that stays is false",
            ),
            (None, None) if granted => self.say(
                "auth.token.body.grant_type",
                "is the refresh token another one after each use? Say refreshToken: {key: …}, or where it stays the \
                 same, refreshTokenRotates: false",
            ),
            (None, Some(false)) if !granted => {
                self.say("auth.token.refreshTokenRotates", "there is no refresh token");
            }
            (Some(words), None) => {
                self.path("auth.token.refreshToken.path", &words.path, false);
                if !self.definition.credentials.contains_key(&words.key) {
                    self.say("auth.token.refreshToken.key", format!("{} is not declared under credentials", words.key));
                } else if !token.body.values().any(|text| names(text, &words.key)) {
                    self.say("auth.token.refreshToken.key", format!("{{{}}} is not in body", words.key));
                }
            }
            _ => {}
        }
    }

    fn assertion(&mut self, assertion: &Assertion) {
        let lifetime = match assertion {
            Assertion::Jwt(jwt) => {
                for claim in ADDED.into_iter().filter(|claim| jwt.claims.contains_key(*claim)) {
                    self.say("auth.token.assertion.jwt.claims", format!("{claim} is added by itself"));
                }
                jwt.lifetime
            }
            Assertion::Saml(saml) => saml.lifetime,
        };
        if !(30..=86_400).contains(&lifetime) {
            self.say("auth.token.assertion", "lifetime: from 30 to 86400 seconds");
        }
    }
}

/// Whether a text has a name in braces.
fn names(text: &str, wanted: &str) -> bool {
    template::names(text).is_ok_and(|names| names.iter().any(|name| name.name == wanted))
}

/// Every text of signing in.
pub(super) fn texts(auth: &Auth) -> Vec<Text> {
    let mut texts = Texts(Vec::new());
    texts.map("auth.headers", &auth.headers, &[]);
    texts.map("auth.query", &auth.query, &[]);
    if let Some(certificate) = &auth.client_certificate {
        texts.one("auth.clientCertificate.certificate", &certificate.certificate, &[]);
        texts.one("auth.clientCertificate.key", &certificate.key, &[]);
    }
    if let Some(token) = &auth.token {
        let own: &[&str] = if token.assertion.is_some() { &[ASSERTION] } else { &[] };
        texts.map("auth.token.body", &token.body, own);
        texts.map("auth.token.headers", &token.headers, &[]);
        texts.one("auth.token.value", &token.value, &["token"]);
        texts.0.push(Text::new("auth.token.url", &token.url));
        token.assertion.iter().for_each(|assertion| texts.assertion(assertion));
    }
    let signed = auth.basic.iter().map(|basic| ("auth.basic", basic));
    let token = auth.token.iter().filter_map(|token| token.basic.as_ref()).map(|basic| ("auth.token.basic", basic));
    for (place, basic) in signed.chain(token) {
        texts.one(&format!("{place}.username"), &basic.username, &[]);
        texts.one(&format!("{place}.password"), &basic.password, &[]);
    }
    texts.0
}

/// Texts in which keys of the Secret may stand.
struct Texts(Vec<Text>);

impl Texts {
    fn one(&mut self, place: &str, text: &str, own: &'static [&'static str]) {
        self.0.push(Text { secret: true, own, ..Text::new(place, text) });
    }

    fn map(&mut self, place: &str, map: &BTreeMap<String, String>, own: &'static [&'static str]) {
        map.iter().for_each(|(name, text)| self.one(&format!("{place}.{name}"), text, own));
    }

    fn assertion(&mut self, assertion: &Assertion) {
        match assertion {
            Assertion::Jwt(jwt) => {
                let place = "auth.token.assertion.jwt";
                self.map(&format!("{place}.claims"), &jwt.claims, &[]);
                self.one(&format!("{place}.key"), &jwt.key, &[]);
                jwt.key_id.iter().for_each(|id| self.one(&format!("{place}.keyId"), id, &[]));
            }
            Assertion::Saml(saml) => {
                let place = "auth.token.assertion.saml";
                self.map(&format!("{place}.attributes"), &saml.attributes, &[]);
                let said = [&saml.issuer, &saml.name_id, &saml.audience, &saml.recipient];
                for (word, text) in ["issuer", "nameId", "audience", "recipient"].into_iter().zip(said) {
                    self.one(&format!("{place}.{word}"), text, &[]);
                }
                self.one(&format!("{place}.key"), &saml.key, &[]);
                saml.certificate.iter().for_each(|shown| self.one(&format!("{place}.certificate"), shown, &[]));
            }
        }
    }
}
