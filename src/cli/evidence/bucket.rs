//! The chain in a bucket of Amazon S3, or of a server that speaks its protocol, each object locked until a day.
//!
//! Objects are made and never written over: the request says so, and the lock keeps what is there. Nothing is listed and nothing
//! deleted, so the credentials need no right to either.

use std::future::ready;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use data_encoding::BASE64;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Method, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::chain::Chain;
use super::sigv4::{Credentials, Request, sign};
use crate::api::{names, quantity};
use crate::cli::Failure;
use crate::cli::terminal::many;
use crate::kube::calls;
use domain::evidence;

/// Objects that are written at once.
const AT_ONCE: usize = 8;
/// How often a request is made that the server could not answer.
const TRIES: u32 = 4;
/// Longest time for one request.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest word of the server's that is shown.
const MAX_CODE: usize = 64;

/// Where the bucket is.
#[derive(Debug, Args)]
pub struct Options {
    /// The address of an S3-compatible bucket, with a prefix, such as https://s3.eu-central-1.amazonaws.com/bucket/rollcall. The
    /// credentials are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
    #[arg(long, value_name = "URL", value_parser = address)]
    s3: Option<Url>,
    /// The region that requests are signed for
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide = true)]
    aws_access_key_id: Option<String>,
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide = true)]
    aws_secret_access_key: Option<SecretString>,
    #[arg(long, env = "AWS_SESSION_TOKEN", hide = true)]
    aws_session_token: Option<SecretString>,
    /// How objects are locked: nobody, or only who may bypass governance, can delete them before the day; or not at all
    #[arg(long, value_enum, default_value_t = Lock::Compliance, requires = "s3")]
    lock: Lock,
    /// How long objects are locked, such as 400d; at least 1d
    #[arg(long, value_name = "AGE", default_value = "400d", value_parser = retain, requires = "s3")]
    retain: SignedDuration,
    /// A file with the certificate authority of the server, in PEM, where it is no public one
    #[arg(long, value_name = "FILE", requires = "s3")]
    s3_ca: Option<PathBuf>,
}

/// How an object is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lock {
    /// Nobody can delete it or shorten the lock, the owner of the bucket included
    Compliance,
    /// Who has a permission of its own can
    Governance,
    /// Not at all: for a server without object lock
    None,
}

impl Lock {
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::Compliance => Some("COMPLIANCE"),
            Self::Governance => Some("GOVERNANCE"),
            Self::None => None,
        }
    }
}

fn retain(text: &str) -> Result<SignedDuration, String> {
    let age = quantity::duration("retain", text).map_err(|error| error.to_string())?;
    if age < SignedDuration::from_hours(24) { Err("at least 1d".to_owned()) } else { Ok(age) }
}

/// The address of a bucket, with a path that is signed as it is.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "no URL".to_owned())?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err("not https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("more than scheme, host, port and path".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~".contains(c);
    if !url.path().chars().all(plain) {
        return Err("a path of letters, digits and `/._-~` only".to_owned());
    }
    Ok(url)
}

/// Writes what the bucket does not hold yet, and says what was done.
///
/// # Flow          which records are there (they are a beginning of the chain); is the last of them the cluster's; the others, a
///                 few at once; keys and marker; signed heads, which name nothing that is not there; is the newest one locked
/// # Guarantees    nothing is written over; a bucket that holds another chain, or a longer one, gets nothing
/// # Errors        what the server says, by its code; that it does not lock
pub async fn export(options: &Options, chain: &Chain) -> Result<String, Failure> {
    let bucket = Bucket::of(options)?;
    let mut records: Vec<(String, String)> =
        chain.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    records.sort();
    let there = bucket.beginning(&records).await?;
    if let Some(last) = there.checked_sub(1).and_then(|last| records.get(last)) {
        bucket.same(last).await?;
    }
    let end = chain.head.as_ref().map_or(0, |head| head.index);
    if bucket.head(&evidence::name(end.saturating_add(1))).await?.is_some() {
        return Err(Failure::Refused("the bucket holds records that the cluster does not have: the chain is shorter than when it was exported, or another one".to_owned()));
    }
    // Several are written at once: an interrupted export may have left out some of the last ones.
    let rest = records.get(there.saturating_sub(AT_ONCE)..).unwrap_or_default();
    let new = bucket.write(rest).await?;
    let mut beside = chain.beside()?;
    if let Some(start) = &chain.start {
        let text = serde_json::to_string(&start.data()).map_err(|error| Failure::Refused(error.to_string()))?;
        beside.push((format!("{}-{:08}", names::EVIDENCE_START, start.newest.last.index), text));
    }
    beside.sort_by_key(|(name, _)| name.starts_with(names::EVIDENCE_CHECKPOINT));
    for one in &beside {
        if bucket.write(std::slice::from_ref(one)).await? == 0 {
            bucket.same(one).await?;
        }
    }
    if let Some((name, _)) = beside.last().or(records.last()) {
        bucket.locks(name).await?;
    }
    let unsigned = if chain.signed.is_empty() { " No head is signed: nothing shows where the chain ends." } else { "" };
    let records = many(records.len(), "record", "records");
    Ok(format!("{records} in {}, {new} of them new.{unsigned}", bucket.url))
}

/// A bucket, and how to reach it.
struct Bucket {
    client: Client,
    url: Url,
    credentials: Credentials,
    region: String,
    lock: Lock,
    until: Timestamp,
}

/// What a server answered.
struct Answer {
    code: u16,
    headers: HeaderMap,
    text: String,
}

impl Bucket {
    fn of(options: &Options) -> Result<Self, Failure> {
        let Some(url) = options.s3.clone() else { return Err(Failure::Refused("no bucket was named".to_owned())) };
        let until = calls::now().checked_add(options.retain);
        let until = until.map_err(|_| Failure::Refused("--retain is too long".to_owned()))?;
        let (region, lock) = (options.region.clone(), options.lock);
        Ok(Self { client: client(options)?, url, credentials: credentials(options)?, region, lock, until })
    }

    /// How many of the first records are there: one that is there has all those before it, but for the last few.
    async fn beginning(&self, records: &[(String, String)]) -> Result<usize, Failure> {
        let (mut low, mut high) = (0, records.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some((name, _)) = records.get(middle) else { break };
            match self.head(name).await? {
                Some(_) => low = middle.saturating_add(1),
                None => high = middle,
            }
        }
        Ok(low)
    }

    /// Makes these objects, a few at once, and gives the number of those that were not there.
    async fn write(&self, objects: &[(String, String)]) -> Result<usize, Failure> {
        let made = stream::iter(objects).map(|(name, text)| self.make(name, text)).buffered(AT_ONCE);
        made.try_fold(0, |sum: usize, new| ready(Ok(sum.saturating_add(usize::from(new))))).await
    }

    /// Makes an object, unless there is one of that name.
    async fn make(&self, name: &str, text: &str) -> Result<bool, Failure> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("if-none-match", "*".to_owned()),
            ("x-amz-checksum-sha256", BASE64.encode(&Sha256::digest(text.as_bytes()))),
        ];
        if let Some(mode) = self.lock.word() {
            headers.push(("x-amz-object-lock-mode", mode.to_owned()));
            headers
                .push(("x-amz-object-lock-retain-until-date", self.until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        }
        let answer = self.ask(&Method::PUT, name, headers, text).await?;
        match answer.code {
            200 => Ok(true),
            412 => Ok(false),
            // Some servers look at the lock of the object that is there before they look at the condition.
            403 if self.head(name).await?.is_some() => Ok(false),
            _ => Err(refused("write", name, &answer)),
        }
    }

    /// The headers of an object, if it is there.
    async fn head(&self, name: &str) -> Result<Option<HeaderMap>, Failure> {
        let answer = self.ask(&Method::HEAD, name, Vec::new(), "").await?;
        match answer.code {
            200 => Ok(Some(answer.headers)),
            404 => Ok(None),
            _ => Err(refused("look for", name, &answer)),
        }
    }

    /// That an object is what it is to be.
    async fn same(&self, (name, text): &(String, String)) -> Result<(), Failure> {
        let answer = self.ask(&Method::GET, name, Vec::new(), "").await?;
        match answer.code {
            200 if answer.text == *text => Ok(()),
            200 => Err(Failure::Refused(format!("{name} in the bucket is another one than in the cluster"))),
            _ => Err(refused("read", name, &answer)),
        }
    }

    /// That the server locked an object: some take the words and do nothing.
    async fn locks(&self, name: &str) -> Result<(), Failure> {
        let Some(mode) = self.lock.word() else { return Ok(()) };
        let found = self.head(name).await?;
        let shown = found.as_ref().and_then(|headers| headers.get("x-amz-object-lock-mode")?.to_str().ok());
        if shown == Some(mode) {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "{name} was written, and the server does not say that it is locked: make the bucket with object lock, and let the credentials use s3:GetObjectRetention; or say --lock none"
        )))
    }

    /// Makes a request, again and again where the server could not answer.
    async fn ask(
        &self,
        method: &Method,
        name: &str,
        headers: Vec<(&'static str, String)>,
        body: &str,
    ) -> Result<Answer, Failure> {
        let mut wait = Duration::from_secs(1);
        let mut tries: u32 = 1;
        loop {
            let last = tries >= TRIES;
            match self.ask_once(method, name, headers.clone(), body).await {
                Ok(answer) if last || !matches!(answer.code, 409 | 429 | 500 | 502..) => return Ok(answer),
                Err(failure) if last => return Err(failure),
                _ => {}
            }
            tokio::time::sleep(wait).await;
            (wait, tries) = (wait.saturating_mul(2), tries.saturating_add(1));
        }
    }

    async fn ask_once(
        &self,
        method: &Method,
        name: &str,
        headers: Vec<(&'static str, String)>,
        body: &str,
    ) -> Result<Answer, Failure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{name}.json", self.url.path().trim_end_matches('/')));
        let host = url.host_str().unwrap_or_default().to_owned();
        let host = url.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        let request =
            Request { method: method.as_str(), host: &host, path: url.path(), headers, body: body.as_bytes() };
        let headers = sign(request, &self.credentials, &self.region, calls::now());
        let path = url.path().to_owned();
        let request = self.client.request(method.clone(), url).body(body.to_owned());
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let unreachable = |error: reqwest::Error| Failure::Refused(format!("{host}{path}: {}", why(&error)));
        let answer = request.send().await.map_err(unreachable)?;
        let (code, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { code, headers, text: answer.text().await.map_err(unreachable)? })
    }
}

/// What a request failed of, without the credentials that its error may quote.
fn why(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot be reached, or shows no certificate that is trusted"
    } else {
        "the answer broke off"
    }
}

/// The failure that an answer is: its code, and the server's word for it.
fn refused(doing: &str, name: &str, answer: &Answer) -> Failure {
    let word = answer.text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let word: String = word.map(|(word, _)| word).unwrap_or_default().chars().take(MAX_CODE).collect();
    let word = if word.chars().all(|c| c.is_ascii_alphanumeric()) { word } else { String::new() };
    let hint = match answer.code {
        403 => {
            ": the credentials need s3:PutObject, s3:PutObjectRetention, s3:GetObject, s3:GetObjectRetention and s3:ListBucket"
        }
        301 | 307 => ": the bucket is elsewhere; name its own region and address",
        501 => ": the server does not know If-None-Match, so that nothing could keep it from writing over an object",
        _ => "",
    };
    Failure::Refused(format!("{doing} {name}: {} {word}{hint}", answer.code))
}

fn client(options: &Options) -> Result<Client, Failure> {
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter(); // the image holds none of its own
    let mut authorities: Vec<Certificate> = public.filter_map(|root| Certificate::from_der(root).ok()).collect();
    if let Some(path) = &options.s3_ca {
        let pem = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
        let own = hris::authorities(&pem).map_err(|why| Failure::file(path, why))?;
        authorities.extend(own.iter().filter_map(|root| Certificate::from_der(root).ok()));
    }
    let client = Client::builder()
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .tls_certs_only(authorities)
        .redirect(redirect::Policy::none())
        .http1_only() // what is signed names `host`
        .timeout(DEADLINE);
    client.build().map_err(|_| Failure::Refused("TLS cannot be set up".to_owned()))
}

fn credentials(options: &Options) -> Result<Credentials, Failure> {
    let unset = |name: &str| Failure::Refused(format!("{name} is not set"));
    let secret = |secret: &SecretString| secret.expose_secret().to_owned();
    let id = options.aws_access_key_id.clone().ok_or_else(|| unset("AWS_ACCESS_KEY_ID"))?;
    let key = options.aws_secret_access_key.as_ref().ok_or_else(|| unset("AWS_SECRET_ACCESS_KEY"))?;
    let session = options.aws_session_token.as_ref().map(secret).filter(|session| !session.is_empty());
    Ok(Credentials { id, secret: secret(key), session })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_reached_by_tls_and_by_a_path_that_is_signed_as_it_is() {
        for (text, expected) in [
            ("https://s3.example.com/bucket/rollcall", true),
            ("https://bucket.s3.example.com", true),
            ("http://127.0.0.1:7070/bucket", true),
            ("http://localhost:7070/bucket", true),
            ("http://s3.example.com/bucket", false),
            ("http://127.0.0.1.example.com/bucket", false),
            ("s3://bucket", false),
            ("https://id:secret@s3.example.com/bucket", false),
            ("https://s3.example.com/bucket?x=1", false),
            ("https://s3.example.com/a%20b", false),
            ("https://s3.example.com/a b", false),
        ] {
            assert_eq!(address(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_the_servers_word_and_nothing_else_it_quotes() {
        let answer = |text: &str| Answer { code: 400, headers: HeaderMap::new(), text: text.to_owned() };
        let said = refused("write", "x", &answer("<Error><Code>InvalidRequest</Code><Key>AKIA</Key></Error>"));
        assert_eq!(said.to_string(), "write x: 400 InvalidRequest");
        assert_eq!(refused("write", "x", &answer("<Code>a b</Code>")).to_string(), "write x: 400 ");
    }
}
