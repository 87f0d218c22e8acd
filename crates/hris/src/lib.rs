//! Reads one HR source into plain employees, or says why there is no answer.
//!
//! ```text
//! File ──file──▶ bytes ────▶ csv ───rows─┐
//!                                        ├─▶ mapping ──▶ employees, bad records, unmapped words ──▶ Read
//! Api ──engine──▶ pages ──▶ json ───rows─┤                                                         └▶ Failure
//! Ldap ──entries──▶ pages ─▶ json ───rows─┘
//!        ▲          └── session (signs in) ──▶ http
//!        └── definition (connectors/<name>/connector.yaml, found in the catalogue)
//! ```
//! A `Row` of slots is the seam between formats; `mapping` is the one place that says what a text means. Whether the
//! answer is believed is the trust gate's business, not ours. Knows nothing of Kubernetes: `sync` resolves a
//! connection and its Secret into the plain values of `Source`.
//!
//! A source can be read without the operator:
//!
//! ```
//! use std::time::Duration;
//!
//! use hris::{Coverage, CsvFormat, FileFrom, FileSource, Network, Source};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let people = "employeeId,fullName,email,status\n\
//!               7,Ada Example,ada@example.com,active\n\
//!               8,Ben Example,ben@example.com,terminated\n";
//! let source = Source::File(Box::new(FileSource {
//!     from: FileFrom::Bytes(people.into()),
//!     coverage: Coverage::Everybody,
//!     seal: None,
//!     format: CsvFormat::default(),
//! }));
//! hris::check(&source)?;
//! let today = jiff::civil::date(2026, 3, 2);
//! let read = hris::read(&source, &Network::default(), Duration::from_secs(30), today).await.map_err(|why| format!("{why:?}"))?;
//! assert_eq!(read.employees.len(), 2);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod address;
mod assertion;
mod catalogue;
mod csv;
#[doc(hidden)]
pub mod dates;
#[doc(hidden)]
pub mod definition;
#[doc(hidden)]
pub mod engine;
mod file;
#[cfg(fuzzing)]
pub mod fuzz;
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod json;
mod kind;
mod ldap;
#[doc(hidden)]
pub mod mapping;
mod pages;
#[doc(hidden)]
pub mod path;
mod pushed;
#[doc(hidden)]
pub mod row;
mod session;
#[cfg(test)]
mod stories;
mod tables;
#[doc(hidden)]
pub mod template;
#[doc(hidden)]
pub mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

pub use self::catalogue::{connector, connector_text, connectors};
pub use self::csv::{CsvFormat, Encoding, Escape, Quote};
pub use self::definition::{Definition, Parameter, Refused};
pub use self::engine::{Purpose, Reading};
pub use self::file::{
    Complete, Coverage, FetchCache, Fetched, FileFrom, FileSource, HttpFile, Login, OpenPgp, SftpFile,
};
pub use self::http::{Credential, Network, Progress, authorities, proxy};
use self::http::{RetryPolicy, Transport};
pub use self::ldap::{Ldap, LdapKind, LdapLogin, LdapMapping, Scope as LdapScope, directory};
pub use self::mapping::EndDate;
pub use self::pushed::{Pushed, PushedId, pushed};
pub use self::row::Slot;
pub use self::token::{RefreshTokenStore, TokenLease};
use domain::employee::{Failure, Read};
use domain::needs::Needs;

/// Where people are read. Holds credentials and, for a file that was fetched already, people: it cannot be printed.
pub enum Source {
    /// A vendor's API, followed by a definition.
    Api(Box<ApiSource>),
    /// A file.
    File(Box<FileSource>),
    /// A directory that speaks LDAP.
    Ldap(Box<Ldap>),
    /// Users that were pushed, and are here already.
    Pushed(Box<Pushed>),
}

impl Source {
    /// Reads nothing but what is needed from now on.
    pub fn keep_to(&mut self, needs: &Needs) {
        match self {
            Self::Api(api) => api.definition.keep_to(needs),
            Self::File(file) => file.format.needs = Some(needs.clone()),
            Self::Ldap(ldap) => ldap.mapping.definition.keep_to(needs),
            Self::Pushed(pushed) => pushed.definition.keep_to(needs),
        }
    }
}

/// A vendor's API.
pub struct ApiSource {
    /// How it is read: from `connector`, or a user's own.
    pub definition: Definition,
    /// What the definition's parameters are here.
    pub parameters: BTreeMap<String, String>,
    /// The keys of the Secret.
    pub credentials: BTreeMap<String, SecretString>,
    /// Keeps a refresh token that is another one after each use. Without it, none can be used.
    pub token_store: Option<Arc<dyn RefreshTokenStore>>,
    /// The clock: an assertion says when it was signed.
    pub clock: fn() -> Timestamp,
}

/// Longest time for one poll, whatever the connection says.
const MAX_BUDGET: Duration = Duration::from_hours(24);

/// Whether a source can be read as it is described, before anything is asked of it.
///
/// # Errors
/// In words for the author of the connection, fit for a `Stalled` condition: parameters, keys of the Secret, forms of
/// dates and status words that are missing, unknown or of the wrong form. No value of a Secret is in it.
pub fn check(source: &Source) -> Result<(), String> {
    match source {
        Source::Api(api) => engine::check(api),
        Source::File(file) => file.check(),
        Source::Ldap(ldap) => ldap.check(),
        Source::Pushed(_) => Ok(()),
    }
}

/// Reads everybody a source names, within `budget` for the whole of it: all pages, tries and waits.
///
/// `as_of` is the UTC date. Only status words that mean something else of a future hire look at it, and for them a
/// day more or less is harmless (`mapping` says why).
///
/// # Errors
/// Why there is no whole answer; see `Failure`. Never a value of an answer, a credential or a full URL.
pub async fn read(source: &Source, network: &Network, budget: Duration, as_of: Date) -> Result<Read, Failure> {
    read_with(source, network, budget, as_of, RetryPolicy::default()).await
}

/// Maps pages that were fetched already: what a poll does with the answers of a definition's first list, without the
/// asking, the joining and the naming.
///
/// # Errors
/// See `Failure`.
pub fn map(
    definition: &Definition,
    parameters: &BTreeMap<String, String>,
    pages: impl IntoIterator<Item: AsRef<[u8]>>,
    as_of: Date,
) -> Result<Read, Failure> {
    engine::map(definition, parameters, pages, as_of)
}

/// The same, for a reader that waits otherwise between its tries.
///
/// # Errors
/// As for [`read`].
#[doc(hidden)]
pub async fn read_with(
    source: &Source,
    network: &Network,
    budget: Duration,
    as_of: Date,
    retry: RetryPolicy,
) -> Result<Read, Failure> {
    match look_with(source, network, budget, as_of, retry, &mut FetchCache::once()).await? {
        Fetched::New(read) => Ok(*read),
        Fetched::Nothing(why) => Err(Failure::Missing(why)),
        Fetched::Same => Err(Failure::Status(304)), // nothing was asked that could be answered so
    }
}

/// The same, for a reader that comes again: a file that was read and believed is not read twice.
///
/// # Errors
/// As for [`read`].
pub async fn look(
    source: &Source,
    network: &Network,
    budget: Duration,
    as_of: Date,
    cache: &mut FetchCache,
) -> Result<Fetched, Failure> {
    look_with(source, network, budget, as_of, RetryPolicy::default(), cache).await
}

async fn look_with(
    source: &Source,
    network: &Network,
    budget: Duration,
    as_of: Date,
    retry: RetryPolicy,
    cache: &mut FetchCache,
) -> Result<Fetched, Failure> {
    let deadline = Instant::now() + budget.min(MAX_BUDGET);
    let whole = async {
        match source {
            Source::Api(api) => {
                let transport = Transport::new(network, engine::identity(api)?, deadline, retry)?
                    .throttled_by(engine::throttle(&api.definition));
                engine::read(api, &Arc::new(transport), as_of).await.map(|read| Fetched::New(Box::new(read)))
            }
            Source::File(file) => file.look((network, deadline, retry), as_of, cache).await,
            Source::Ldap(ldap) => ldap.read(network, as_of).await.map(|read| Fetched::New(Box::new(read))),
            Source::Pushed(pushed) => pushed.read(as_of).await.map(|read| Fetched::New(Box::new(read))),
        }
    };
    timeout_at(deadline, whole).await.unwrap_or(Err(Failure::TimedOut))
}

/// Moves the files of a believed answer away, where the source is one of files and says so.
///
/// # Errors
/// Why they stay; the answer stands.
pub async fn settle(source: &Source, network: &Network, cache: &mut FetchCache) -> Result<(), Failure> {
    match source {
        Source::File(file) if cache.unsettled() => file::settle(file, network, cache).await,
        _ => Ok(()),
    }
}

/// Does heavy work apart from the threads that answer others: a large file would starve the lease.
async fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Failure::WrongFormat("the response could not be read".to_owned())))
}
