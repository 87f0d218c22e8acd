//! `rollcall preview`: reads a source from the manifests alone, and shows who is seen before anything acts on it.
//!
//! ```text
//! manifests ──▶ source ──hris──▶ read ──▶ trust gate, scope, verdicts ──▶ view ──▶ table, JSON, YAML or CSV
//! ```
//! Needs no cluster and changes nothing anywhere. A source that replaces its refresh token with each use is asked only
//! where the next may be written into the file of credentials. The same code as the controller's makes the source, judges
//! the response and decides who is in scope. Personal data are masked unless they are asked for.

mod files;
mod manifests;
mod migration;
mod print;
mod rules;
pub(in crate::cli) mod schema;
mod token_store;
mod view;
pub(in crate::cli) mod yaml_span;

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use self::manifests::Manifests;
use self::token_store::FileKeeper;
use self::view::{Trust, View};
use super::Failure;
use super::output;
use super::terminal::say;
use crate::api::{HRConnection, SyncPolicy};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use crate::sync::connection::Settings;
use crate::sync::policy;
use crate::sync::source::{self, Objects};
use domain::employee::{Failure as NoAnswer, Read};
use domain::trust;
use hris::{self, Progress, RefreshTokenStore, Source};

/// The manifests cannot be used.
const MANIFESTS: u8 = 2;
/// The response is not believed.
const HELD: u8 = 3;
/// There is no response.
const NO_ANSWER: u8 = 4;
/// Why a source is not asked.
const NOT_ROTATED: &str = "the source replaces its refresh token with each use, which locks out everybody else who uses the \
old one: put a token that nobody else uses into --credentials-file, and add --rotate so that the next one is written there";
/// How often the progress is drawn.
const DRAWN: Duration = Duration::from_millis(100);

/// Options of `rollcall preview`.
#[derive(Debug, Args)]
#[command(after_help = "Credentials come from a Secret in the manifests, from --credentials-file, or from the \
environment: the key apiKey is ROLLCALL_CREDENTIAL_API_KEY.\n\nExit codes: 0 the response would be trusted, 1 any other \
error, 2 wrong arguments or manifests, 3 the response would be held, 4 no response.")]
pub struct Options {
    /// Manifests: an HRConnection, optionally a SyncPolicy, and the Secrets and ConfigMaps they name; also the Persons of a
    /// cluster, to count what changed fields of the policy would remove, and to show who is matched to whom where
    /// connections[].migrates takes the place of another connection. A directory means its .yaml, .yml and .json files,
    /// - means stdin
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The keys of the connection's Secret: a YAML or JSON file of keys and values
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,
    /// Write the next refresh token into --credentials-file, if the source replaces it with each use
    #[arg(long, requires = "credentials_file")]
    rotate: bool,
    /// Read this local file of people instead of the one that the connection names
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Use this local definition instead of the connector that the connection names
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Which people to list
    #[arg(long, value_enum, default_value_t = Only::All)]
    only: Only,
    /// List at most this many people; 0 shows only the summary
    #[arg(long, value_name = "NUMBER")]
    people: Option<usize>,
    /// Show names, addresses, telephone numbers and user names
    #[arg(long)]
    unmask: bool,
}

/// What is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// A summary, and a line for each person
    Table,
    /// The same: the table leaves out only what is empty for everybody
    Wide,
    /// Everything, as one JSON object
    Json,
    /// The same as YAML
    Yaml,
    /// A line for each person; the summary is written to stderr
    Csv,
}

/// Whom to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Everybody
    All,
    /// People in scope
    Included,
    /// People out of scope
    Excluded,
    /// Only the records that were set aside
    SetAside,
}

/// Reads the source and shows what is in it.
///
/// # Errors
/// With a code of its own: manifests that cannot be used, no response, or one that is not believed.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let manifests = Manifests::read(options)?;
    let wrong = |fault: Fault| ended(MANIFESTS, fault.to_string());
    let settings = Settings::of(&manifests.connection).map_err(wrong)?;
    let rules = manifests.rules().map_err(wrong)?;
    let token_store = options.credentials_file.as_ref().filter(|_| options.rotate);
    let token_store = token_store.map(|path| Arc::new(FileKeeper::new(path)) as Arc<dyn RefreshTokenStore>);
    let read = match ask(&manifests, &settings, token_store).await.map_err(wrong)? {
        Ok(read) => read,
        Err(failure) => return Err(ended(NO_ANSWER, trust::failed(&failure).message())),
    };
    let mut view = View::of(read, &manifests, &settings, &rules, calls::now());
    view.most = options.people;
    match options.output {
        Output::Table | Output::Wide => say(&print::table(&view, options.only, options.unmask)),
        Output::Json => say(&output::json(&print::whole(&view, options.only, options.unmask))?),
        Output::Yaml => say(&output::yaml(&print::whole(&view, options.only, options.unmask))?),
        Output::Csv => {
            eprintln!("{}", print::summary(&view));
            say(print::csv(&view, options.only, options.unmask)?.trim_end());
        }
    }
    match &view.trust {
        Trust::Believable => Ok(()),
        Trust::Held(findings) => Err(ended(HELD, format!("the response would be held: {}", findings.join(" ")))),
    }
}

/// What manifests say, without anything that is needed to connect.
///
/// # Errors
/// What cannot be read, with file and line; what is missing, or there twice.
pub fn manifests(paths: &[PathBuf]) -> Result<(HRConnection, Vec<SyncPolicy>, Objects), Failure> {
    let manifests = Manifests::of(paths)?;
    let objects = manifests.objects();
    Ok((manifests.connection, manifests.policy.into_iter().collect(), objects))
}

/// Said of a source that cannot be asked.
const PUSHED: &str = "spec.source.scim: users are pushed to the cluster, and there is nothing to ask from here; look at the conditions of the HRConnection";

fn ended(code: u8, message: String) -> Failure {
    Failure::Ended { code, message }
}

/// Asks the source, and shows on a terminal how far it is.
async fn ask(
    manifests: &Manifests,
    settings: &Settings,
    token_store: Option<Arc<dyn RefreshTokenStore>>,
) -> Result<Result<Read, NoAnswer>, Fault> {
    let spec = &manifests.connection.spec;
    let progress = Arc::new(Progress::default());
    let mut network = source::network(spec, &manifests.objects())?;
    network.progress = Some(Arc::clone(&progress));
    let mut found = match source::resolve(spec, manifests.objects())? {
        Err(failure) => return Ok(Err(failure)),
        Ok(found) => found,
    };
    if let Source::Pushed(_) = &found {
        return Err(Fault::Stalled(PUSHED.to_owned()));
    }
    if let Source::Api(api) = &mut found {
        if token_store.is_none() && api.definition.rotates().is_some() {
            return Err(Fault::Stalled(NOT_ROTATED.to_owned()));
        }
        api.token_store = token_store;
    }
    found.keep_to(&policy::needs(&manifests.connection, manifests.policy.as_slice()));
    hris::check(&found).map_err(Fault::Stalled)?;
    let today = calls::now().to_zoned(TimeZone::UTC).date();
    let bar = bar();
    let mut reading = pin!(hris::read(&found, &network, calls::wait(settings.timeout), today));
    let mut drawn = tokio::time::interval(DRAWN);
    let read = loop {
        tokio::select! {
            read = &mut reading => break read,
            _ = drawn.tick() => {
                let (answers, bytes) = progress.so_far();
                bar.set_message(format!("{answers} responses, {:.1} MB", bytes as f64 / 1e6));
            }
        }
    };
    bar.finish_and_clear();
    Ok(read)
}

/// A line on the terminal; none where there is no terminal.
fn bar() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} reading, {elapsed}: {msg}") {
        bar.set_style(style);
    }
    bar
}
