//! Whether the words of signing in fit together.

use std::collections::BTreeMap;

use reqwest::Url;

use super::super::signing::{Auth, Method, Token};
use super::{Check, Text, sample};
use crate::hris::template;

/// Grants of a token request (RFC 6749) that cannot be followed yet, and why.
const NOT_YET: [(&str, &str); 2] =
    [("authorization_code", "a person would have to sign in"), ("urn:", "assertions cannot be signed yet")];

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
        if url.is_none_or(|url| url.scheme() != "https") {
            self.say("auth.token.url", "not a URL that starts with https://");
        }
        let carried = template::names(&token.value).is_ok_and(|names| names.iter().any(|name| name.name == "token"));
        if !carried {
            self.say("auth.token.value", "{token} is not in it");
        }
        match token.method {
            Method::Get if !token.body.is_empty() => self.say("auth.token.body", "a GET sends none"),
            Method::Post if token.body.is_empty() && token.headers.is_empty() && token.basic.is_none() => {
                self.say("auth.token", "nothing to sign in with: body, headers or basic");
            }
            Method::Get | Method::Post => {}
        }
        self.grant(token);
    }

    fn grant(&mut self, token: &Token) {
        let grant = token.body.get("grant_type").map(String::as_str).unwrap_or_default();
        if let Some((grant, why)) = NOT_YET.iter().find(|(kind, _)| grant.starts_with(kind)) {
            self.say("auth.token.body.grant_type", format!("{grant} cannot be used: {why}"));
        }
        match (grant == "refresh_token", token.refresh_token_rotates) {
            (true, Some(false)) | (false, None) => {}
            (true, _) => self.say(
                "auth.token.body.grant_type",
                "a refresh token that is another one after each use cannot be kept yet; \
                 where it stays the same, say refreshTokenRotates: false",
            ),
            (false, Some(_)) => self.say("auth.token.refreshTokenRotates", "there is no refresh token"),
        }
    }
}

/// Every text of signing in.
pub(super) fn texts(auth: &Auth) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut say = |place: String, text: &str, own: &'static [&'static str]| {
        texts.push(Text { secret: true, own, ..Text::new(place, text) });
    };
    let mut map = |place: &str, map: &BTreeMap<String, String>| {
        map.iter().for_each(|(name, value)| say(format!("{place}.{name}"), value, &[]));
    };
    map("auth.headers", &auth.headers);
    map("auth.query", &auth.query);
    if let Some(token) = &auth.token {
        map("auth.token.body", &token.body);
        map("auth.token.headers", &token.headers);
        say("auth.token.value".to_owned(), &token.value, &["token"]);
    }
    if let Some(certificate) = &auth.client_certificate {
        say("auth.clientCertificate.certificate".to_owned(), &certificate.certificate, &[]);
        say("auth.clientCertificate.key".to_owned(), &certificate.key, &[]);
    }
    let signed = auth.basic.iter().map(|basic| ("auth.basic", basic));
    let token = auth.token.iter().filter_map(|token| token.basic.as_ref()).map(|basic| ("auth.token.basic", basic));
    for (place, basic) in signed.chain(token) {
        say(format!("{place}.username"), &basic.username, &[]);
        say(format!("{place}.password"), &basic.password, &[]);
    }
    texts.extend(auth.token.iter().map(|token| Text::new("auth.token.url", &token.url)));
    texts
}
