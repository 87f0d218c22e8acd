//! The wire: OTLP over HTTP, in its JSON form, which every collector takes at the same address as the binary one.
//!
//! <https://opentelemetry.io/docs/specs/otlp/>: ids are hexadecimal, numbers of 64 bits are texts, field names are those of
//! opentelemetry-proto in lower camel case. It is written here, since all that the SDK would add to the image is its encoder:
//! whose trace a span is of, and when it began, follow from a Revocation, and not from what runs in a process.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Url, redirect};
use serde_json::{Value, json};

use domain::traces::{self, Key, Span};

/// Longest wait for a connection, and for an answer.
const CONNECTS: Duration = Duration::from_secs(2);
const ANSWERS: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const LARGEST: usize = 64 * 1024;
/// Numbers of the protocol: a span inside a process, and a status that says that something failed.
const INTERNAL: u8 = 1;
const FAILED: u8 = 2;

/// Who sends, as semantic conventions call it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The command: `sync`, `control` or `revoke`.
    pub part: &'static str,
    /// Name of the release.
    pub release: String,
    /// Name of the pod, or of the machine.
    pub host: String,
    /// Tells this process from the one before it in that pod.
    pub instance: String,
}

impl Resource {
    fn attributes(&self) -> Value {
        let all = [
            ("service.name", format!("rollcall-{}", self.part)),
            ("service.namespace", self.release.clone()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", self.instance.clone()),
            ("k8s.pod.name", self.host.clone()),
        ];
        all.into_iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
    }
}

/// Why spans were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// In words, which quote neither the address nor the answer.
    pub why: &'static str,
    /// Whether the same may be taken a moment later.
    pub may_pass: bool,
}

/// Where spans are sent.
#[derive(Clone, Debug)]
pub struct Collector {
    url: Url,
    headers: HeaderMap,
    client: Client,
}

impl Collector {
    /// The one at this base address, to which `/v1/traces` is added; `headers` are written `name=value,…`, with values in
    /// percent-encoding. None where the address is empty.
    ///
    /// # Errors
    /// In words, which quote nothing.
    pub fn at(endpoint: &str, headers: &str) -> Result<Option<Self>, &'static str> {
        let endpoint = endpoint.trim();
        if endpoint.is_empty() {
            return Ok(None);
        }
        let mut headers = read_headers(headers).ok_or("the headers are not of the form name=value,name=value")?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Some(Self { url: address(endpoint)?, headers, client: client()? }))
    }

    /// Sends spans; gives how many of them the collector refused for good.
    ///
    /// # Errors
    /// It took none of them.
    pub async fn take(&self, body: String) -> Result<u64, NotTaken> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let mut answer = request.send().await.map_err(|error| unanswered(&error))?;
        let status = answer.status().as_u16();
        if !answer.status().is_success() {
            return Err(refused(status));
        }
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.extend_from_slice(&chunk);
            if text.len() > LARGEST {
                return Ok(0);
            }
        }
        Ok(rejected(&text))
    }
}

/// The address for traces. A name or a password in it could be read in the Job.
fn address(endpoint: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(endpoint).map_err(|_| "the address of the collector is no URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("the address of the collector is neither http:// nor https://");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("the address of the collector has more than scheme, host, port and path");
    }
    url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
    Ok(url)
}

fn client() -> Result<Client, &'static str> {
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter(); // the image holds none of its own
    let client = Client::builder()
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .tls_certs_only(public.filter_map(|root| Certificate::from_der(root).ok()))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECTS)
        .timeout(ANSWERS);
    client.build().map_err(|_| "TLS cannot be set up")
}

/// Headers as OpenTelemetry writes them into one variable.
fn read_headers(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, value) = one.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

/// The bytes of a text in percent-encoding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(rest.next()?)? << 4 | digit(rest.next()?)?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

fn unanswered(error: &reqwest::Error) -> NotTaken {
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot be reached, or shows no certificate that is trusted"
    } else {
        "the request or the answer broke off"
    };
    NotTaken { why, may_pass: true }
}

/// What an answer says that is no success: which may pass is the specification's to say.
fn refused(status: u16) -> NotTaken {
    let (why, may_pass) = match status {
        401 | 403 => ("it does not accept the credential (401, 403)", false),
        404 | 405 => ("it takes no traces at this address (404, 405)", false),
        415 => ("it does not take JSON (415)", false),
        429 => ("it asks to come back later (429)", true),
        502..=504 => ("it cannot take them now (502 to 504)", true),
        300..=399 => ("it sends elsewhere, and that is not followed", false),
        400..=499 => ("it refuses them (4xx)", false),
        _ => ("it failed (5xx)", false),
    };
    NotTaken { why, may_pass }
}

/// How many spans an answer says were refused for good.
fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let number = answer.pointer("/partialSuccess/rejectedSpans");
    number.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok())).unwrap_or(0)
}

/// Spans as they are sent.
pub fn body(resource: &Resource, spans: &[Span]) -> String {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let scope = json!({"name": "rollcall", "version": env!("CARGO_PKG_VERSION")});
    json!({"resourceSpans": [{
        "resource": {"attributes": resource.attributes()},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
    .to_string()
}

fn span(span: &Span) -> Value {
    let mut all = json!({
        "traceId": span.trace.hex(),
        "spanId": span.id.hex(),
        "name": span.name.as_str(),
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(span.begun),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": span.attributes.iter().map(attribute).collect::<Vec<_>>(),
    });
    let parent = span.parent.map(|parent| ("parentSpanId", Value::from(parent.hex())));
    let status = span.failed.then(|| ("status", json!({"code": FAILED})));
    if let Some(all) = all.as_object_mut() {
        all.extend(parent.into_iter().chain(status).map(|(key, value)| (key.to_owned(), value)));
    }
    all
}

fn attribute((key, value): &(Key, traces::Value)) -> Value {
    let value = match value {
        traces::Value::Text(text) => json!({"stringValue": text}),
        traces::Value::Number(number) => json!({"intValue": number.to_string()}),
        traces::Value::Truth(truth) => json!({"boolValue": truth}),
    };
    json!({"key": key.as_str(), "value": value})
}

fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().max(0).to_string()
}

#[cfg(test)]
mod tests {
    use domain::traces::{Name, Trace};

    use super::*;

    #[test]
    fn spans_are_written_as_the_protocol_asks_for_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let trace = Trace::new("0d5a1c1e-7b1f-4c0e-9a53-1f0c3f6d2b11", 0, vec![(Key::Policy, "everyone".into())]);
        let (whole, step) = (trace.whole(at(1), at(3)), trace.part(Name::Step, "u", (at(1), at(2))));
        let spans = [whole.clone(), step.saying(Key::Targets, 3_usize).failing(Some("Refused"))];
        let (release, host, instance) = ("rc".to_owned(), "revoke-1".to_owned(), "revoke-1_7".to_owned());
        let resource = Resource { part: "revoke", release, host, instance };
        let sent: Value = serde_json::from_str(&body(&resource, &spans)).unwrap();
        let resource = &sent["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(*resource, json!({"key": "service.name", "value": {"stringValue": "rollcall-revoke"}}));
        let written = &sent["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(written[0]["traceId"], "0d5a1c1e7b1f4c0e9a531f0c3f6d2b11");
        assert_eq!((&written[0]["parentSpanId"], &written[0]["status"]), (&Value::Null, &Value::Null));
        assert_eq!(written[1]["parentSpanId"], whole.id.hex());
        assert_eq!(written[1]["startTimeUnixNano"], "1000000000");
        assert_eq!(written[1]["endTimeUnixNano"], "2000000000");
        assert_eq!(written[1]["status"], json!({"code": 2}));
        let said = [
            json!({"key": "rollcall.policy", "value": {"stringValue": "everyone"}}),
            json!({"key": "rollcall.targets", "value": {"intValue": "3"}}),
            json!({"key": "error.type", "value": {"stringValue": "Refused"}}),
        ];
        assert_eq!(written[1]["attributes"], json!(said));
    }

    #[test]
    fn an_address_is_a_base_and_holds_no_credential() {
        for (text, expected) in [
            ("http://otel-collector.monitoring:4318", Some("http://otel-collector.monitoring:4318/v1/traces")),
            ("https://otlp.example.com/otlp/", Some("https://otlp.example.com/otlp/v1/traces")),
            ("http://[fd00::1]:4318", Some("http://[fd00::1]:4318/v1/traces")),
            ("otel-collector:4317", None),
            ("grpc://otel-collector:4317", None),
            ("https://id:secret@otlp.example.com", None),
            ("https://otlp.example.com?key=secret", None),
            ("nonsense", None),
        ] {
            assert_eq!(address(text).ok().as_ref().map(Url::as_str), expected, "{text}");
        }
        assert!(matches!(Collector::at("  ", ""), Ok(None)), "an empty variable is none");
    }

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let read = |text: &str| -> Option<Vec<(String, String)>> {
            let all = read_headers(text)?;
            let word = |value: &HeaderValue| value.to_str().unwrap().to_owned();
            Some(all.iter().map(|(name, value)| (name.to_string(), word(value))).collect())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read("api-key=s3cret"), Some(vec![pair("api-key", "s3cret")]));
        let two = read(" Authorization=Basic%20aWQ6c2VjcmV0Cg== , x-scope=a=b,");
        assert_eq!(two, Some(vec![pair("authorization", "Basic aWQ6c2VjcmV0Cg=="), pair("x-scope", "a=b")]));
        for wrong in ["api-key", "=x", "a b=c", "a=%zz", "a=%4", "a=x%0ay"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(read_headers("api-key=s3cret").unwrap()["api-key"].is_sensitive());
    }

    #[test]
    fn what_may_pass_is_sent_again_and_nothing_else() {
        let passes: Vec<u16> = (300..=599).filter(|status| refused(*status).may_pass).collect();
        assert_eq!(passes, [429, 502, 503, 504]);
        for (answer, expected) in [
            ("", 0),
            ("{}", 0),
            ("<html>", 0),
            (r#"{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "x"}}"#, 3),
            (r#"{"partialSuccess": {"rejectedSpans": 3}}"#, 3),
        ] {
            assert_eq!(rejected(answer.as_bytes()), expected, "{answer}");
        }
    }
}
