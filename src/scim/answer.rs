//! One request: who asks, how fast, for what, and the answer in SCIM's form.
//!
//! Nothing is said to somebody without a token but that they have none: not whether a connection is there, nor any user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::limits::{self, Buckets};
use super::store::{Resources, Undone};
use super::tokens::{Accepted, Tokens};
use super::wire;
use crate::api::ScimResource;
use scim::list::{Page, Projection};
use scim::schema::Kind;
use scim::{Class, MOST_BYTES, Refused, discovery, error_body, filter, list};

/// Requests at work at once.
const AT_WORK: usize = 64;
/// Longest time for a body to come.
const BODY: Duration = Duration::from_secs(10);
/// What every path begins with.
const ROOT: &str = "/scim/v2/";

/// What requests are answered from.
pub struct Desk {
    /// Who may push.
    pub tokens: Arc<Tokens>,
    /// Users and groups.
    pub resources: Arc<Resources>,
    /// How fast.
    pub buckets: Buckets,
    /// How many at once.
    pub at_work: Semaphore,
    /// Where clients reach this, such as `https://scim.example.com`; without it, where the request says it came to.
    pub url: Option<String>,
    /// Whether clients speak TLS to this process.
    pub tls: bool,
}

impl Desk {
    /// One that answers from these.
    #[must_use]
    pub fn new(tokens: Arc<Tokens>, resources: Arc<Resources>, url: Option<String>, tls: bool) -> Self {
        Self { tokens, resources, buckets: Buckets::default(), at_work: Semaphore::new(AT_WORK), url, tls }
    }
}

/// Status, body and what else is said.
struct Said {
    status: StatusCode,
    body: Option<Value>,
    headers: Vec<(header::HeaderName, String)>,
}

impl Said {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new() }
    }

    fn nothing(status: StatusCode) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    fn wrong(status: StatusCode, detail: &str) -> Self {
        Self::new(status, error_body(status.as_u16(), None, detail))
    }

    fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn later(status: StatusCode, detail: &str) -> Self {
        Self::wrong(status, detail).with(header::RETRY_AFTER, "1")
    }

    fn response(self) -> Response {
        let body = self.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<Refused> for Said {
    fn from(refused: Refused) -> Self {
        Self::new(StatusCode::from_u16(refused.class.status()).unwrap_or(StatusCode::BAD_REQUEST), refused.body())
    }
}

impl From<Undone> for Said {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(refused) => refused.into(),
            Undone::Missing => Self::wrong(StatusCode::NOT_FOUND, "there is no such resource"),
            Undone::Changed => Self::wrong(StatusCode::PRECONDITION_FAILED, "the resource has another version"),
            Undone::Full => {
                Self::wrong(StatusCode::INSUFFICIENT_STORAGE, "the connection has as many resources as it may have")
            }
            Undone::Fault(fault) => {
                tracing::warn!(%fault, "a request was not done; the client is told to come back");
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "the request was not done: come back later")
            }
        }
    }
}

/// Answers every request.
pub async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let Ok(_permit) = desk.at_work.try_acquire() else {
        return Said::later(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once").response();
    };
    match desk.admitted(&request) {
        Err(said) => said.response(),
        Ok(client) => desk.handle(client, request).await.unwrap_or_else(|said| said).response(),
    }
}

/// The connection of a path, and what stands behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(ROOT)?;
    let (connection, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some((connection, rest.trim_end_matches('/')))
}

fn token(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" }
}

/// What a request asks for, once it is known who asks.
struct Asked {
    client: Accepted,
    base: String,
    method: Method,
    rest: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Desk {
    /// Who asks, and whether they may now.
    fn admitted(&self, request: &Request) -> Result<Accepted, Said> {
        let now = Instant::now();
        let (connection, _) = split(request.uri().path()).unwrap_or_default();
        let Some(client) = self.tokens.accepts(connection, token(request.headers()), now) else {
            if !self.buckets.take("", limits::STRANGERS, now) {
                return Err(Said::later(StatusCode::TOO_MANY_REQUESTS, "too many requests without a valid token"));
            }
            return Err(Said::wrong(StatusCode::UNAUTHORIZED, "the token is not valid for this address")
                .with(header::WWW_AUTHENTICATE, "Bearer realm=\"scim\""));
        };
        if !self.buckets.take(&client.uid, limits::CONNECTION, now) {
            return Err(Said::later(StatusCode::TOO_MANY_REQUESTS, "more requests than may be made at once"));
        }
        if !self.resources.listed() {
            return Err(Said::later(StatusCode::SERVICE_UNAVAILABLE, "not started yet"));
        }
        Ok(client)
    }

    async fn handle(&self, client: Accepted, request: Request) -> Result<Said, Said> {
        let (parts, body) = request.into_parts();
        let base = format!("{}{ROOT}{}", self.base(&parts.headers), client.connection);
        let (_, rest) = split(parts.uri.path()).unwrap_or_default();
        let large = || Said::wrong(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
        let length =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > MOST_BYTES) {
            return Err(large());
        }
        let body = tokio::time::timeout(BODY, to_bytes(body, MOST_BYTES)).await;
        let body = body
            .map_err(|_| Said::wrong(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))?
            .map_err(|_| large())?;
        let query = parts.uri.query().unwrap_or_default();
        let query = Url::parse(&format!("http://x/?{query}"))
            .map(|url| url.query_pairs().into_owned().collect())
            .unwrap_or_default();
        let asked = Asked {
            client,
            base,
            method: parts.method,
            rest: rest.to_owned(),
            query,
            headers: parts.headers,
            body: body.to_vec(),
        };
        self.route(&asked).await
    }

    /// Where the client reached this.
    fn base(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.url {
            return url.trim_end_matches('/').to_owned();
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or("localhost");
        let forwarded = text("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        format!("{}://{host}", if self.tls || forwarded { "https" } else { "http" })
    }

    async fn route(&self, asked: &Asked) -> Result<Said, Said> {
        let segments: Vec<&str> = asked.rest.split('/').collect();
        let kind = Kind::ALL.into_iter().find(|kind| segments.first() == Some(&kind.endpoint()));
        let method = &asked.method;
        match (kind, segments.as_slice()) {
            (Some(kind), [_]) if method == Method::GET => self.list(asked, kind, &Search::of_query(asked)),
            (Some(kind), [_]) if method == Method::POST => self.create(asked, kind).await,
            (Some(_), [_]) => Err(only("GET, POST")),
            (Some(kind), [_, ".search"]) if method == Method::POST => self.list(asked, kind, &Search::of_body(asked)?),
            (Some(_), [_, ".search"]) => Err(only("POST")),
            (Some(kind), [_, id]) => self.resource(asked, kind, id).await,
            (None, ["Bulk"]) => Err(Said::wrong(
                StatusCode::NOT_IMPLEMENTED,
                "bulk requests are not supported: send the requests one by one",
            )),
            (None, ["Me" | ".search" | ""]) => Err(Said::wrong(StatusCode::NOT_IMPLEMENTED, "this is not supported")),
            (None, ["ServiceProviderConfig" | "ResourceTypes" | "Schemas", ..]) => discover(asked, &segments),
            _ => Err(Said::wrong(StatusCode::NOT_FOUND, "there is nothing at this address")),
        }
    }

    fn list(&self, asked: &Asked, kind: Kind, search: &Search) -> Result<Said, Said> {
        let page = Page::read(search.start.as_deref(), search.count.as_deref())?;
        let projection = Projection::read(kind, search.attributes.as_deref(), search.excluded.as_deref())?;
        let filter = search.filter.as_deref().map(|text| filter::parse(kind, text)).transpose()?;
        let key = filter.as_ref().and_then(filter::Filter::key);
        let mut found = self.resources.list(&asked.client, kind, key);
        if let Some(filter) = &filter {
            found.retain(|resource| filter.matches(&wire::whole(resource, &asked.base)));
        }
        let shown = found.iter().skip(page.start.saturating_sub(1)).take(page.count);
        let shown = shown.map(|resource| projected(resource, &asked.base, &projection)).collect();
        Ok(Said::new(StatusCode::OK, list::response(found.len(), page, shown)))
    }

    async fn create(&self, asked: &Asked, kind: Kind) -> Result<Said, Said> {
        let sent = kind.take(&scim::parse(&asked.body)?)?;
        let projection = asked.projection(kind)?;
        let made = self.resources.create(&asked.client, kind, sent).await?;
        let location = format!("{}/{}/{}", asked.base, kind.endpoint(), made.scim_id());
        Ok(one(StatusCode::CREATED, &made, asked, &projection).with(header::LOCATION, location))
    }

    async fn resource(&self, asked: &Asked, kind: Kind, id: &str) -> Result<Said, Said> {
        let expected = asked.header(header::IF_MATCH);
        let projection = asked.projection(kind)?;
        match asked.method {
            Method::GET => {
                let found = self.resources.get(&asked.client, kind, id).await?;
                let known = asked.header(header::IF_NONE_MATCH);
                if known.is_some_and(|known| known.split(',').any(|one| one.trim() == wire::etag(&found))) {
                    return Ok(Said::nothing(StatusCode::NOT_MODIFIED).with(header::ETAG, wire::etag(&found)));
                }
                Ok(one(StatusCode::OK, &found, asked, &projection))
            }
            Method::PUT => {
                let sent = kind.take(&scim::parse(&asked.body)?)?;
                // Nobody is made inactive, or another, by what was left out.
                let put = |before: &serde_json::Map<String, Value>| {
                    let mut after = sent.clone();
                    for kept in ["active", "externalId"] {
                        if let (None, Some(value)) = (after.get(kept), before.get(kept)) {
                            after.insert(kept.to_owned(), value.clone());
                        }
                    }
                    Ok(after)
                };
                let changed = self.resources.change(&asked.client, (kind, id), expected, put).await?;
                Ok(one(StatusCode::OK, &changed, asked, &projection))
            }
            Method::PATCH => {
                let body = scim::parse(&asked.body)?;
                let changed = self.resources.patch(&asked.client, (kind, id), expected, &body).await?;
                if kind == Kind::Group && asked.query("attributes").is_none() {
                    // Entra ID wants no answer, and a group is large.
                    return Ok(Said::nothing(StatusCode::NO_CONTENT).with(header::ETAG, wire::etag(&changed)));
                }
                Ok(one(StatusCode::OK, &changed, asked, &projection))
            }
            Method::DELETE => {
                self.resources.delete(&asked.client, kind, id, expected).await?;
                Ok(Said::nothing(StatusCode::NO_CONTENT))
            }
            _ => Err(only("GET, PUT, PATCH, DELETE")),
        }
    }
}

fn only(methods: &str) -> Said {
    Said::wrong(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method").with(header::ALLOW, methods)
}

fn projected(resource: &ScimResource, base: &str, projection: &Projection) -> Value {
    let mut whole = wire::whole(resource, base);
    projection.apply(&mut whole);
    Value::Object(whole)
}

/// One resource as the answer.
fn one(status: StatusCode, resource: &ScimResource, asked: &Asked, projection: &Projection) -> Said {
    Said::new(status, projected(resource, &asked.base, projection)).with(header::ETAG, wire::etag(resource))
}

/// What is supported, and the schemas.
fn discover(asked: &Asked, segments: &[&str]) -> Result<Said, Said> {
    if asked.method != Method::GET {
        return Err(only("GET"));
    }
    if asked.query("filter").is_some() {
        return Err(Said::wrong(StatusCode::FORBIDDEN, "this list takes no filter"));
    }
    let base = asked.base.as_str();
    let all = |resources: Vec<Value>| {
        let page = Page { start: 1, count: resources.len() };
        Ok(Said::new(StatusCode::OK, list::response(resources.len(), page, resources)))
    };
    let found = match segments {
        ["ServiceProviderConfig"] => Some(discovery::service_provider_config(base)),
        ["ResourceTypes"] => return all(Kind::ALL.map(|kind| discovery::resource_type(base, kind)).into()),
        ["Schemas"] => return all(discovery::SCHEMAS.iter().filter_map(|id| discovery::schema(base, id)).collect()),
        ["ResourceTypes", name] => {
            Kind::ALL.into_iter().find(|kind| kind.name() == *name).map(|kind| discovery::resource_type(base, kind))
        }
        ["Schemas", id] => discovery::schema(base, &id.replace("%3A", ":").replace("%3a", ":")),
        _ => None,
    };
    let missing = || Said::wrong(StatusCode::NOT_FOUND, "there is nothing at this address");
    found.map(|body| Said::new(StatusCode::OK, body)).ok_or_else(missing)
}

/// What of a list is wanted.
#[derive(Default)]
struct Search {
    filter: Option<String>,
    start: Option<String>,
    count: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
}

impl Search {
    fn of_query(asked: &Asked) -> Self {
        let text = |name| asked.query(name).map(str::to_owned);
        Self {
            filter: text("filter").filter(|filter| !filter.trim().is_empty()),
            start: text("startIndex"),
            count: text("count"),
            attributes: text("attributes"),
            excluded: text("excludedAttributes"),
        }
    }

    /// A search in a body (RFC 7644, 3.4.3).
    fn of_body(asked: &Asked) -> Result<Self, Said> {
        let body = scim::parse(&asked.body)?;
        let text = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Array(names)) => Ok(Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))),
            Some(_) => Err(Refused { class: Class::InvalidSyntax, detail: format!("{name} cannot be read") }),
        };
        Ok(Self {
            filter: text("filter")?,
            start: text("startIndex")?,
            count: text("count")?,
            attributes: text("attributes")?,
            excluded: text("excludedAttributes")?,
        })
    }
}

impl Asked {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn projection(&self, kind: Kind) -> Result<Projection, Refused> {
        Projection::read(kind, self.query("attributes"), self.query("excludedAttributes"))
    }
}

/// What is answered where nothing else is served.
pub fn routes(desk: Arc<Desk>) -> axum::Router {
    axum::Router::new().fallback(answer).with_state(desk)
}

#[cfg(test)]
mod tests;
