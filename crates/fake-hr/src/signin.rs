//! Checks sign-ins: whether a request has what a definition requires, and which tokens are valid.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::Value as Json;

use super::json_writer::{Path, Taken};
use super::serve::{FakeRequest, FakeResponse};
use hris::definition::{Basic, Definition, Method, Send, Token};
use hris::template;

/// What a request has to carry.
pub(crate) struct SignIn {
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    token: Option<Tokens>,
}

/// The tokens of a source.
struct Tokens {
    how: Token,
    headers: Vec<(String, String)>,
    /// What is sent for a token: texts, or what only has to be there.
    body: Vec<(String, Option<String>)>,
    /// Where in an answer the token goes, unless it goes into a header; its time; the next refresh token, and its key.
    answer: (Path, Path),
    refresh: Option<(Path, String)>,
    /// How many were given out, and how often what there was has ended; only the last that was given is good.
    given: usize,
    ended: usize,
}

/// How long a token is good for, in seconds.
const LASTS: u64 = 3600;

/// What the key of a Secret holds. Nothing is checked of a private key or certificate but that what is made of it is
/// there.
#[must_use]
pub(crate) fn credential(key: &str) -> String {
    format!("fake-{key}")
}

impl SignIn {
    /// # Errors
    /// What of the definition cannot be followed backwards.
    pub(crate) fn new(definition: &Definition, parameters: &BTreeMap<String, String>) -> Result<Self, String> {
        let fill = |text: &str| {
            let key = |name: &str| definition.credentials.contains_key(name).then(|| credential(name));
            template::fill(text, |name| key(name).or_else(|| parameters.get(name).cloned()))
        };
        let basic = |basic: &Basic| {
            let text = format!("{}:{}", fill(&basic.username)?, fill(&basic.password)?);
            Ok::<_, String>(("authorization".to_owned(), format!("Basic {}", BASE64.encode(text.as_bytes()))))
        };
        let filled = |texts: &BTreeMap<String, String>| {
            texts.iter().map(|(name, text)| Ok((name.clone(), fill(text)?))).collect::<Result<Vec<_>, String>>()
        };
        let auth = &definition.auth;
        let mut headers = filled(&auth.headers)?;
        headers.extend(auth.basic.as_ref().map(basic).transpose()?);
        let token = auth.token.as_ref().map(|token| {
            let mut headers = filled(&token.headers)?;
            headers.extend(token.basic.as_ref().map(basic).transpose()?);
            let assertion = |text: &str| text.contains("assertion}");
            let body = token
                .body
                .iter()
                .map(|(name, text)| Ok((name.clone(), if assertion(text) { None } else { Some(fill(text)?) })));
            let refresh = token.refresh_token.as_ref();
            let way = |path: &str| Path::parse(path).map_err(|why| format!("auth.token: {why}"));
            Ok::<_, String>(Tokens {
                how: token.clone(),
                headers,
                body: body.collect::<Result<_, String>>()?,
                refresh: refresh.map(|words| Ok::<_, String>((way(&words.path)?, words.key.clone()))).transpose()?,
                answer: (way(&token.path)?, way(&token.expires_in)?),
                given: 0,
                ended: 0,
            })
        });
        Ok(Self { headers, query: filled(&auth.query)?, token: token.transpose()? })
    }

    /// Gives out a token.
    pub(crate) fn token(&mut self, asked: &FakeRequest) -> FakeResponse {
        let Some(token) = &mut self.token else { return FakeResponse::refused(404, "there are no tokens") };
        for (name, value) in &token.headers {
            if asked.header(name) != Some(value) {
                return FakeResponse::refused(401, &format!("the header {name} is not what it should be"));
            }
        }
        let sent: BTreeMap<String, String> = match token.how.send {
            _ if token.how.method == Method::Get => BTreeMap::new(),
            Send::Form => asked.form(),
            Send::Json => flat(serde_json::from_slice(&asked.body).unwrap_or_default()),
        };
        let body = if token.how.method == Method::Get { &[] } else { token.body.as_slice() };
        for (name, value) in body {
            let given = sent.get(name).filter(|text| !text.is_empty());
            if given.is_none() || value.as_ref().is_some_and(|value| given != Some(value)) {
                return FakeResponse::refused(401, &format!("{name} is not what it should be"));
            }
        }
        token.given += 1;
        token.answer().unwrap_or_else(|Taken| FakeResponse::refused(500, "a token cannot be given in this form"))
    }

    /// Why a request is not signed in.
    pub(crate) fn missing(&self, asked: &FakeRequest) -> Option<String> {
        let header = |(name, value): &(String, String)| (asked.header(name) != Some(value)).then(|| name.clone());
        if let Some(name) = self.headers.iter().find_map(header) {
            return Some(format!("the header {name} is not what it should be"));
        }
        if let Some((name, _)) = self.query.iter().find(|(name, value)| asked.parameter(name).as_ref() != Some(value)) {
            return Some(format!("the parameter {name} is not what it should be"));
        }
        let token = self.token.as_ref()?;
        let carried =
            template::fill(&token.how.value, |name| (name == "token").then(|| token.text())).unwrap_or_default();
        (token.given == 0 || asked.header(&token.how.header) != Some(&carried))
            .then(|| "the token is not good".to_owned())
    }

    /// Ends the token there is; whether there are tokens at all.
    pub(crate) fn expire(&mut self) -> bool {
        self.token.as_mut().map(|token| token.ended += 1).is_some()
    }
}

/// The texts of a body, under names in which a dot leads into an object.
fn flat(body: Json) -> BTreeMap<String, String> {
    let Json::Object(fields) = body else { return BTreeMap::new() };
    let under = |name: String, value: Json| match value {
        Json::String(text) => vec![(name, text)],
        within => flat(within).into_iter().map(|(rest, text)| (format!("{name}.{rest}"), text)).collect(),
    };
    fields.into_iter().flat_map(|(name, value)| under(name, value)).collect()
}

impl Tokens {
    /// The answer with the token there is now. A refresh token that is used is good for nothing more.
    fn answer(&mut self) -> Result<FakeResponse, Taken> {
        let mut body = Json::Null;
        let lasts = if self.how.milliseconds { LASTS * 1000 } else { LASTS };
        self.answer.1.put(&mut body, &lasts.into(), 0)?;
        if let Some((way, key)) = &self.refresh {
            let (used, next) = (self.refresh_token(key, self.given - 1), self.refresh_token(key, self.given));
            way.put(&mut body, &next.clone().into(), 0)?;
            self.body
                .iter_mut()
                .flat_map(|(_, text)| text)
                .filter(|text| **text == used)
                .for_each(|text| next.clone_into(text));
        }
        match &self.how.at {
            Some(at) => {
                let mut answer = FakeResponse::json(body.to_string());
                answer.headers.push((at.header.to_ascii_lowercase(), self.text()));
                Ok(answer)
            }
            None => {
                self.answer.0.put(&mut body, &self.text().into(), 0)?;
                Ok(FakeResponse::json(body.to_string()))
            }
        }
    }

    /// The refresh token after so many uses.
    fn refresh_token(&self, key: &str, uses: usize) -> String {
        if uses == 0 { credential(key) } else { format!("{}-{uses}", credential(key)) }
    }

    fn text(&self) -> String {
        format!("t0ken-{}-{}", self.given, self.ended)
    }
}
