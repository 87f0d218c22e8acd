//! Asks for the token of a source: signs the assertion it wants, and keeps the refresh token it gives back.
//!
//! A refresh token that is another one after each use is the only one there is: the new one is kept before anything
//! else is asked, and an exchange that has begun is carried to its end whatever becomes of the poll. Nothing of an
//! answer is kept but the tokens, and nothing of either is in an error.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::assertion;
use super::definition::{Basic, Method, RefreshToken, Send as Written, Token};
use super::http::{Credential, HttpResponse, Request, Sent, Transport};
use super::pages;
use super::path::{Path, plain};
use super::template;
use domain::employee::Failure;

/// Largest answer to a sign-in.
const LARGEST: usize = 1024 * 1024;
/// A sign-in that is under way when the poll ends has so much longer.
const GRACE: Duration = Duration::from_secs(60);

/// Keeps a credential that the source replaces with each use.
pub trait RefreshTokenStore: Send + Sync {
    /// The value as it is kept now. Until what is lent is kept or dropped, it is lent to nobody else.
    ///
    /// # Errors
    /// In words: it is not there, or another could not be kept in its place, and so it must not be used.
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<TokenLease, String>>;

    /// Keeps the next value in the place of the lent one.
    ///
    /// # Errors
    /// In words: why it could not be kept. The lent one may be of no use any more.
    fn keep(&self, lent: TokenLease, next: SecretString) -> BoxFuture<'_, Result<(), String>>;
}

/// A credential that is used once.
pub struct TokenLease {
    /// The key it is kept under.
    pub key: String,
    /// The value.
    pub value: SecretString,
    /// What is known to the token store alone: where it was found, and that it is lent to nobody else.
    pub place: Box<dyn Any + Send>,
}

impl TokenLease {
    fn named(&self) -> Own<'_> {
        (&self.key, &self.value)
    }
}

/// A name that is known where it is used alone, and its value.
type Own<'a> = (&'a str, &'a SecretString);

/// The values that names in braces stand for: keys of the Secret, then parameters.
pub(super) struct Names {
    /// The keys of the Secret.
    pub(super) credentials: BTreeMap<String, SecretString>,
    /// The parameters.
    pub(super) parameters: BTreeMap<String, String>,
}

impl Names {
    /// The text with a value for every name.
    pub(super) fn text(&self, text: &str, own: Option<Own<'_>>) -> Result<String, String> {
        // Files and editors leave a line end behind a secret.
        let plain = |secret: &SecretString| secret.expose_secret().trim_end_matches(['\r', '\n']).to_owned();
        template::fill(text, |name| match own {
            Some((known, value)) if known == name => Some(plain(value)),
            _ => self.credentials.get(name).map(plain).or_else(|| self.parameters.get(name).cloned()),
        })
    }

    pub(super) fn fill(&self, text: &str) -> Result<String, Failure> {
        self.text(text, None).map_err(Failure::Unauthorised)
    }

    pub(super) fn headers(&self, wanted: &BTreeMap<String, String>) -> Result<HeaderMap, Failure> {
        wanted.iter().map(|(name, text)| header(name, &self.fill(text)?)).collect()
    }

    pub(super) fn basic(&self, wanted: Option<&Basic>) -> Result<Option<Credential>, Failure> {
        let Some(Basic { username, password }) = wanted else { return Ok(None) };
        let [username, password] = [self.fill(username)?, self.fill(password)?].map(SecretString::from);
        Ok(Some(Credential::Basic(username, password)))
    }
}

/// Where a token comes from.
pub(super) struct Tokens {
    how: Token,
    url: Url,
    headers: HeaderMap,
    basic: Option<Credential>,
    names: Arc<Names>,
    token_store: Option<Arc<dyn RefreshTokenStore>>,
    clock: fn() -> Timestamp,
}

/// A token that is good until an instant, if it said so.
#[derive(Clone)]
pub(super) struct AccessToken {
    /// The header that carries it.
    pub(super) header: HeaderValue,
    /// When it ends.
    pub(super) until: Option<Instant>,
}

/// What a sign-in was answered with.
struct Given {
    answer: HttpResponse,
    body: Value,
}

impl Given {
    fn at(&self, path: &str) -> Option<String> {
        Path::parse(path).ok()?.first(&self.body).and_then(plain).filter(|text| !text.is_empty())
    }
}

impl Tokens {
    /// Nothing is asked yet.
    pub(super) fn new(
        how: &Token,
        names: &Arc<Names>,
        token_store: Option<&Arc<dyn RefreshTokenStore>>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, Failure> {
        let url = names.fill(&how.url)?;
        let url = Url::parse(&url).map_err(|_| Failure::Missing("the address for a token is no URL".to_owned()))?;
        let (headers, basic) = (names.headers(&how.headers)?, names.basic(how.basic.as_ref())?);
        let (how, names, token_store) = (how.clone(), Arc::clone(names), token_store.map(Arc::clone));
        Ok(Self { how, url, headers, basic, names, token_store, clock })
    }

    /// A new token. What has begun is carried to its end, even where nobody waits for it any more: a refresh token that
    /// was used and not replaced would be lost.
    pub(super) async fn ask(self: &Arc<Self>, transport: &Arc<Transport>) -> Result<AccessToken, Failure> {
        let (tokens, transport) = (Arc::clone(self), Arc::clone(transport));
        let asked = tokio::spawn(async move {
            let given = match &tokens.how.refresh_token {
                None => tokens.exchange(&transport, None).await?,
                Some(words) => tokens.rotate(&transport, words).await?,
            };
            tokens.held(&given)
        });
        asked.await.unwrap_or_else(|_| Err(Failure::Unauthorised("the sign-in broke off".to_owned())))
    }

    /// Uses a refresh token and keeps the next. One the source refuses may have been replaced by another poll: it is
    /// looked at once more.
    async fn rotate(&self, transport: &Transport, words: &RefreshToken) -> Result<Given, Failure> {
        let token_store = self.token_store.as_ref().ok_or_else(|| Failure::NotKept(NO_KEEPER.to_owned()))?;
        let mut lent = token_store.lend(&words.key).await.map_err(Failure::NotKept)?;
        let given = match self.exchange(transport, Some(lent.named())).await {
            Err(Failure::Unauthorised(refused)) => {
                let used = lent.value;
                drop(lent.place);
                lent = token_store.lend(&words.key).await.map_err(Failure::NotKept)?;
                if lent.value.expose_secret() == used.expose_secret() {
                    let why = format!("{refused}, a refresh token: put a new one into the Secret");
                    return Err(Failure::Unauthorised(why));
                }
                self.exchange(transport, Some(lent.named())).await?
            }
            given => given?,
        };
        match given.at(&words.path) {
            Some(next) if next != lent.value.expose_secret() => {
                token_store.keep(lent, SecretString::from(next)).await.map_err(|why| {
                    Failure::NotKept(format!(
                        "{why}. If the one in the Secret is refused from now on, put a new one there"
                    ))
                })?;
            }
            _ => {} // it stays (RFC 6749, 6)
        }
        Ok(given)
    }

    /// One sign-in. `lent` is the refresh token it uses, with its name.
    async fn exchange(&self, transport: &Transport, lent: Option<Own<'_>>) -> Result<Given, Failure> {
        let body = self.body(lent).map_err(Failure::Unauthorised)?;
        let request = Request {
            url: self.url.clone(),
            headers: self.headers.clone(),
            credential: self.basic.as_ref(),
            send: body.as_ref().map(|(body, kind)| Sent { kind, body: body.expose_secret() }),
            largest: LARGEST,
            made: true,
        };
        let asked = timeout_at(transport.deadline() + GRACE, transport.ask(&request)).await;
        let asked = asked.unwrap_or(Err(Failure::TimedOut));
        let mut answer = asked.map_err(|failure| match failure {
            Failure::Status(400) | Failure::Forbidden | Failure::Unauthorised(_) => {
                Failure::Unauthorised("the source gave no token for the credential".to_owned())
            }
            failure => failure,
        })?;
        let body = match (
            serde_json::from_slice(crate::json::unmarked(&answer.body.take().unwrap_or_default())),
            &self.how.at,
        ) {
            (Ok(body), _) => body,
            (Err(_), Some(_)) => Value::Null, // the token is not there
            (Err(_), None) => return Err(wrong("is no JSON")),
        };
        Ok(Given { answer, body })
    }

    /// What is sent, and its `Content-Type`; none with a GET.
    fn body(&self, lent: Option<Own<'_>>) -> Result<Option<(SecretString, &'static str)>, String> {
        if self.how.method == Method::Get {
            return Ok(None);
        }
        let signed = match &self.how.assertion {
            None => None,
            Some(words) => Some(assertion::sign(words, |text| self.names.text(text, None), (self.clock)())?),
        };
        let own = lent.or(signed.as_ref().map(|text| (ASSERTION, text)));
        let fields = self.how.body.iter().map(|(name, text)| Ok((name.clone(), self.names.text(text, own)?)));
        let fields = fields.collect::<Result<BTreeMap<_, _>, String>>()?;
        let (body, kind) = match self.how.send {
            Written::Form => (form(&fields), "application/x-www-form-urlencoded"),
            Written::Json => (json(&fields), "application/json"),
        };
        Ok(Some((SecretString::from(body), kind)))
    }

    /// The token in an answer.
    fn held(&self, given: &Given) -> Result<AccessToken, Failure> {
        let token = match &self.how.at {
            Some(at) => {
                let value = given.answer.headers.get(&at.header).and_then(|value| value.to_str().ok());
                value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
            }
            None => given.at(&self.how.path),
        };
        let token = SecretString::from(token.ok_or_else(|| wrong("has no token"))?);
        if self.how.refresh_token_rotates == Some(false)
            && given.at("refresh_token").is_some_and(|new| self.is_new(&new))
        {
            return Err(Failure::Unauthorised(
                "the source gave another refresh token, which is not kept: put a new one into the Secret".to_owned(),
            ));
        }
        let number = given.at(&self.how.expires_in).and_then(|text| text.parse::<u64>().ok());
        let lasts =
            number.map(|n| if self.how.milliseconds { Duration::from_millis(n) } else { Duration::from_secs(n) });
        let carried = self.names.text(&self.how.value, Some(("token", &token))).map_err(Failure::WrongFormat)?;
        let (_, header) = header(&self.how.header, &carried)?;
        Ok(AccessToken { header, until: lasts.and_then(|lasts| Instant::now().checked_add(lasts)) })
    }

    /// Whether a refresh token is none of those that were sent.
    fn is_new(&self, token: &str) -> bool {
        let sent = |text: &String| self.names.text(text, None).is_ok_and(|sent| sent == token);
        !self.how.body.values().any(sent)
    }

    /// Puts a token into the headers of a request.
    pub(super) fn put(&self, headers: &mut HeaderMap, held: &AccessToken) -> Result<(), Failure> {
        let name = HeaderName::try_from(&self.how.header);
        let name = name.map_err(|_| Failure::Unauthorised("the token's header is no header".to_owned()))?;
        headers.insert(name, held.header.clone());
        Ok(())
    }
}

/// The name under which an assertion stands in a body.
pub(super) const ASSERTION: &str = "assertion";

/// Why a refresh token that is another one after each use cannot be used.
pub(super) const NO_KEEPER: &str = "the refresh token is another one after each use, and there is nowhere to keep it";

fn wrong(why: &str) -> Failure {
    Failure::WrongFormat(format!("the response to the sign-in {why}"))
}

/// A header whose value is never printed.
pub(super) fn header(name: &str, text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let unfit = || Failure::Unauthorised("the credential holds characters no header can carry".to_owned());
    let mut value = HeaderValue::try_from(text).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok((HeaderName::try_from(name).map_err(|_| unfit())?, value))
}

/// A body in JSON: a dot in a name leads into an object.
fn json(fields: &BTreeMap<String, String>) -> String {
    let mut body = json!({});
    fields.iter().for_each(|(path, text)| pages::set(&mut body, path, json!(text)));
    body.to_string()
}

/// A body as browsers send forms (WHATWG URL, 5.2).
fn form(fields: &BTreeMap<String, String>) -> String {
    let Ok(mut url) = Url::parse("form:") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}
