//! A file of people: where it lies, how it is opened, and whether it is a new one.
//!
//! ```text
//! Bytes ────────────────────────────────┐
//! Http ─────── unchanged? ── cache ────┼─▶ seal ──▶ csv ──▶ Read
//! Sftp ─ ssh ─ folder ─ waiting ─ read ─┘
//!                       (whole? newest?)
//! ```

mod completeness;
mod deliveries;
mod fetch_cache;
mod name;
mod openpgp;
mod sftp;
mod signers;
mod ssh;

#[cfg(test)]
mod stories;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use reqwest::Url;
use tokio::time::{Instant, timeout_at};

pub use self::completeness::Complete;
pub use self::fetch_cache::FetchCache;
use self::name::Pattern;
pub use self::openpgp::OpenPgp;
pub use self::ssh::Login;
use super::http::{Credential, Request, RetryPolicy, Transport};
use super::{CsvFormat, Network, csv, spawn_blocking};
use domain::employee::{Delivered, Failure, Read};

/// Longest time for moving files away.
const MOVING: Duration = Duration::from_secs(60);

/// A file of people.
pub struct FileSource {
    /// Where it lies.
    pub from: FileFrom,
    /// Whether it lists everybody.
    pub coverage: Coverage,
    /// How it is opened; none where it is not sealed.
    pub seal: Option<Arc<OpenPgp>>,
    /// How it is read.
    pub format: CsvFormat,
}

/// Where a file lies.
pub enum FileFrom {
    /// It was fetched already.
    Bytes(Vec<u8>),
    /// Behind a URL.
    Http(HttpFile),
    /// In a folder of an SFTP server.
    Sftp(Box<SftpFile>),
}

/// Whether a file lists everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// Everybody, every time.
    #[default]
    Everybody,
    /// Only those with something new.
    Changes,
}

/// A file behind a URL.
pub struct HttpFile {
    /// Where; may carry a token in its query, so it is never shown.
    pub url: String,
    /// What the request signs in with.
    pub credential: Option<Credential>,
}

/// Files in a folder of an SFTP server.
pub struct SftpFile {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who signs in.
    pub user: String,
    /// Keys of which the server must have one: fingerprints or public keys.
    pub host_keys: Vec<String>,
    /// What is signed in with.
    pub login: Login,
    /// The folder.
    pub directory: String,
    /// Names the files have.
    pub pattern: String,
    /// How a file is known to be whole.
    pub complete: Complete,
    /// Whether files are moved away when they were read.
    pub archive: bool,
}

/// What a look at a source comes to.
pub enum Fetched {
    /// A whole answer.
    New(Box<Read>),
    /// The source says that it is what was believed before.
    Same,
    /// There is nothing new to read, and why.
    Nothing(String),
}

impl FileSource {
    /// Whether the file can be read as it is described.
    ///
    /// # Errors
    /// In words, what stands in the way.
    pub(super) fn check(&self) -> Result<(), String> {
        let dated = match &self.from {
            FileFrom::Bytes(_) => false,
            FileFrom::Http(file) => {
                Url::parse(&file.url).map_err(|_| "the URL of the file cannot be read".to_owned())?;
                false
            }
            FileFrom::Sftp(file) => file.check()?.dated(),
        };
        if self.coverage == Coverage::Changes && !dated {
            return Err("mode Delta needs sftp, with a date in path.pattern that tells the order of files".to_owned());
        }
        if let Some(seal) = &self.seal {
            seal.check()?;
        }
        self.format.check()
    }

    /// Looks at the source, and reads what is new.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn look(
        &self,
        (network, deadline, retry): (&Network, Instant, RetryPolicy),
        as_of: Date,
        cache: &mut FetchCache,
    ) -> Result<Fetched, Failure> {
        let bytes = match &self.from {
            FileFrom::Sftp(file) => return deliveries::look(self, file, network, as_of, cache).await,
            FileFrom::Bytes(bytes) => bytes.clone(),
            FileFrom::Http(file) => {
                let transport = Transport::new(network, None, deadline, retry)?;
                match fetch(file, &transport, cache).await {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => return Ok(Fetched::Same),
                    Err(failure) => return Err(failure),
                }
            }
        };
        let read = self.parse(bytes, as_of).await;
        if read.is_err() {
            cache.forget();
        }
        read.map(|read| Fetched::New(Box::new(read)))
    }

    /// Opens and reads the bytes of a file.
    async fn parse(&self, bytes: Vec<u8>, as_of: Date) -> Result<Read, Failure> {
        let (seal, format) = (self.seal.clone(), self.format.clone());
        let part = self.coverage == Coverage::Changes;
        spawn_blocking(move || {
            let (bytes, signed) = match seal {
                None => (bytes, None),
                Some(seal) => {
                    let opened = seal.open(&bytes, csv::LARGEST)?;
                    (opened.bytes, opened.signed)
                }
            };
            let mut read = csv::read(&bytes, &format, as_of)?;
            read.delivered.signed = signed.and_then(|signed| Timestamp::from_second(i64::from(signed)).ok());
            read.part = part;
            Ok(read)
        })
        .await
    }
}

/// The bytes behind a URL; none where the source says that they are what was believed before.
async fn fetch(file: &HttpFile, transport: &Transport, cache: &mut FetchCache) -> Result<Option<Vec<u8>>, Failure> {
    let url = Url::parse(&file.url).map_err(|_| Failure::Missing("the URL of the file cannot be read".to_owned()))?;
    let (credential, headers) = (file.credential.as_ref(), cache.conditions(Instant::now()));
    let request = Request { url, headers, credential, send: None, largest: csv::LARGEST, made: false };
    let answer = transport.ask(&request).await?;
    if answer.unchanged {
        return Ok(None);
    }
    cache.answered(&answer.headers);
    answer.body.map(Some).ok_or(Failure::Status(204))
}

impl SftpFile {
    fn check(&self) -> Result<Pattern, String> {
        if self.host_keys.is_empty() {
            return Err("hostKeys: at least one, since no server is believed because it was seen first".to_owned());
        }
        for key in &self.host_keys {
            ssh::pin(key)?;
        }
        self.login.check()?;
        Pattern::parse(&self.pattern).map_err(|why| format!("path.pattern: {why}"))
    }
}

/// Moves the files of a believed answer away, as far as that is to be done.
///
/// # Flow          connects again; each file, its marker or checksum first, so that a marker never outlives its file
/// # Guarantees    nothing is written over or deleted; what could not be moved is tried with the next poll
/// # Assumptions   the answer was remembered before
/// # Errors        why a file stays where it is; the answer stands
pub(super) async fn settle(source: &FileSource, network: &Network, cache: &mut FetchCache) -> Result<(), Failure> {
    let FileFrom::Sftp(file) = &source.from else { return Ok(()) };
    let moving = deliveries::settle(file, network, cache);
    timeout_at(Instant::now() + MOVING, moving).await.unwrap_or(Err(Failure::TimedOut))
}

/// What a file says of itself by its name and time.
fn delivered(dated: Option<DateTime>, modified: u32) -> Delivered {
    Delivered { dated, at: Timestamp::from_second(i64::from(modified)).ok(), signed: None }
}
