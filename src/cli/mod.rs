//! Commands: the operator's own, and those of `kubectl rollcall`, which is the same binary under another name.
//!
//! The only code that reads arguments and the environment. A command that fails says why in one line.

mod cluster;
mod collector;
#[cfg(test)]
#[cfg(feature = "plugin")]
mod documented;
pub mod drill;
pub mod evidence;
#[cfg(feature = "fake-hr")]
pub mod fake_hr;
#[cfg(feature = "plugin")]
pub mod plugin;
pub mod serve;
mod signal;
mod terminal;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use kube::Error;
use prometheus_client::metrics::counter::Counter;

use crate::kube::calls;
use crate::kube::outcome::Fault;
use crate::revoke;

/// When somebody leaves the company: deletes the role bindings whose every subject is the leaver, invalidates the tokens of
/// their personal ServiceAccounts, checks that the API server refuses them, and reports what remains.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version)]
pub struct Rollcall {
    /// Log level (written to stderr): `error`, `warn`, `info`, `debug`, or `rollcall=debug`. Default: `info`,
    /// and no log for the commands of the kubectl plugin
    #[arg(long, global = true, env = "ROLLCALL_LOG", value_name = "LEVEL")]
    pub log: Option<String>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Rollcall {
    /// What is logged; `None` for nothing. A command for a person says why it failed in one line of its own, and a log
    /// line before that only confuses: it logs when asked to.
    #[must_use]
    pub fn log_filter(&self) -> Option<&str> {
        match (&self.log, &self.command) {
            (Some(asked), _) => Some(asked),
            #[cfg(feature = "plugin")]
            (None, Command::Human(_)) => None,
            #[cfg(not(feature = "plugin"))]
            (None, Command::Unattended(_)) => None,
            (None, _) => Some("info"),
        }
    }
}

/// Everything the binary does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate an HR system with an invented company, to try Rollcall
    #[cfg(feature = "fake-hr")]
    FakeHr(Box<fake_hr::Options>),
    /// Tell others that a leaver's access was ended: a hook that signs and sends it
    #[command(subcommand)]
    Signal(Box<signal::Command>),
    /// Run the operator's part that plans revocations, checks gates and starts the revoker
    Control(Box<serve::Control>),
    /// Run the operator's part that reads HR systems and writes Persons
    Sync(serve::Sync),
    /// Run the revoker: carry out released plans, verify the result, and exit
    Revoke(Revoke),
    /// Run the optional part that makes and removes the RoleBindings that policies grant
    Grant(serve::Grant),
    /// Run the optional part that takes leavers out of bindings that others share
    Trim(serve::Trim),
    /// Run the optional part that takes what identity providers push by SCIM
    Scim(Box<serve::Scim>),
    /// Run the optional part that sends each turn of a person, and what came of each Revocation, as a CloudEvent
    Tell(Box<serve::Tell>),
    /// What needs no cluster.
    #[cfg(feature = "plugin")]
    #[command(flatten)]
    Local(plugin::Local),
    /// What a human does.
    #[cfg(feature = "plugin")]
    #[command(flatten)]
    Human(plugin::Human),
    /// What CronJobs do.
    #[cfg(not(feature = "plugin"))]
    #[command(flatten)]
    Unattended(Unattended),
}

/// What a human does, and the chart's CronJobs do as well: a part of the image.
#[derive(Debug, Subcommand)]
pub enum Unattended {
    /// Let an invented leaver go the whole way in a sandbox, and see whether everything of theirs is refused
    Drill(drill::Options),
    /// Verify, export or prune the evidence, or print the key it is signed with
    #[command(subcommand)]
    Evidence(evidence::Command),
}

impl Unattended {
    async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Drill(options) => drill::run(options).await,
            Self::Evidence(command) => evidence::run(command).await,
        }
    }
}

/// The people namespace of an installation.
#[derive(Clone, Debug, Args)]
pub struct Namespace {
    /// The namespace Rollcall is installed in
    #[arg(short, long, env = "ROLLCALL_NAMESPACE", default_value = "rollcall")]
    pub namespace: String,
}

/// Options of `rollcall revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    namespace: Namespace,
    /// Name of the release
    #[arg(long, env = "ROLLCALL_INSTANCE")]
    instance: String,
    /// Only read the global stop and exit, to prove that the Job can run
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    collector: collector::Options,
}

impl Revoke {
    /// Revokes what is released. The last spans are sent when all of it is done, for a second at most.
    async fn run(self) -> Result<(), Fault> {
        let client = calls::client().await?;
        let dropped = Counter::default();
        let (traces, sending) = self.collector.begin("revoke", &self.instance, &calls::host(), dropped.clone());
        let ended = revoke::run(client, self.namespace.namespace, self.instance, traces).await;
        sending.end().await;
        if dropped.get() > 0 {
            tracing::warn!(spans = dropped.get(), "no collector took these spans");
        }
        ended
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something failed on the way.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The API server said no, or could not be asked. Its words are for the person at the terminal, and go nowhere else.
    #[error("{doing}: {message}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// Code of the response; 0 where there was none.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The answer is no; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// It ended with a code of its own, for pipelines.
    #[error("{message}")]
    Ended {
        /// The exit code.
        code: u8,
        /// Why.
        message: String,
    },
    /// A file or a folder.
    #[error("{}: {cause}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        cause: String,
    },
}

impl Failure {
    /// What the process ends with.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Ended { code, .. } => *code,
            _ => 1,
        }
    }

    fn file(path: &Path, cause: impl ToString) -> Self {
        Self::File { path: path.to_owned(), cause: cause.to_string() }
    }
}

/// Reads the arguments of this process; ends it where they are wrong, or ask for help.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the arguments")]
pub fn parse() -> Rollcall {
    parse_from(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
}

/// Reads arguments; the first says by which name the binary was called.
fn parse_from(arguments: Vec<OsString>) -> Result<Rollcall, clap::Error> {
    #[cfg(feature = "plugin")]
    if let Some(command) = plugin::parse(&arguments) {
        return Ok(Rollcall { log: None, command: Command::Human(command?) });
    }
    Rollcall::try_parse_from(arguments)
}

/// Does what was asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(feature = "fake-hr")]
        Command::FakeHr(options) => fake_hr::run(&options).await,
        Command::Signal(command) => signal::run(&command).await,
        Command::Sync(options) => Ok(serve::sync(options).await?),
        Command::Control(options) => Ok(serve::control(*options).await?),
        Command::Grant(options) => Ok(serve::grant(options).await?),
        Command::Trim(options) => Ok(serve::trim(options).await?),
        Command::Scim(options) => Ok(serve::scim(*options).await?),
        Command::Tell(options) => Ok(serve::tell(*options).await?),
        Command::Revoke(options) if options.check => {
            Ok(revoke::check(calls::client().await?, &options.namespace.namespace).await?)
        }
        Command::Revoke(options) => Ok(options.run().await?),
        #[cfg(feature = "plugin")]
        Command::Local(command) => plugin::run_local(&command).await,
        #[cfg(feature = "plugin")]
        Command::Human(command) => plugin::run(&command).await,
        #[cfg(not(feature = "plugin"))]
        Command::Unattended(command) => command.run().await,
    }
}

/// Makes one call for the person at the terminal, with a deadline, and gives them the server's own words if it fails.
async fn ask<T>(doing: &'static str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    calls::call(doing, call).await.map_err(|fault| told(doing, fault))
}

/// The failure of a call, in the server's own words.
fn told(doing: &'static str, fault: Fault) -> Failure {
    let Fault::Call { kind, source, .. } = &fault else { return Failure::Fault(fault) };
    match source.as_deref() {
        Some(Error::Api(status)) if status.reason == "Conflict" => {
            let message = "it has changed since it was read: run this again".to_owned();
            Failure::Server { doing, code: status.code, message }
        }
        Some(Error::Api(status)) => Failure::Server { doing, code: status.code, message: status.message.clone() },
        _ => Failure::Server { doing, code: 0, message: kind.to_string() },
    }
}

#[cfg(test)]
#[cfg(feature = "plugin")]
mod tests {
    use clap::CommandFactory;

    use super::plugin::{Human, Local};
    use super::*;

    fn read(line: &str) -> Result<Command, clap::Error> {
        parse_from(line.split(' ').map(OsString::from).collect()).map(|rollcall| rollcall.command)
    }

    #[test]
    fn every_argument_is_declared_as_clap_wants_it() {
        Rollcall::command().debug_assert();
        plugin::Plugin::command().debug_assert();
    }

    #[test]
    fn the_plugin_offers_what_a_human_does_and_nothing_else() {
        for name in ["kubectl-rollcall", "/usr/local/bin/kubectl-rollcall"] {
            assert!(
                matches!(read(&format!("{name} approve p-7-cut")), Ok(Command::Human(Human::Approve(_)))),
                "{name}"
            );
            assert!(read(&format!("{name} crds")).is_err(), "{name}");
            assert!(matches!(read(&format!("{name} sync hq")), Ok(Command::Human(Human::ReadNow(_)))), "{name}");
            let asked = read(&format!("{name} revoke hq/7 --reason lost"));
            assert!(matches!(asked, Ok(Command::Human(Human::RevokeNow(_)))), "{name}");
        }
        assert!(matches!(read("rollcall crds"), Ok(Command::Local(Local::Crds(_)))));
        assert!(matches!(read("rollcall approve p-7-cut"), Ok(Command::Human(Human::Approve(_)))));
    }

    #[test]
    fn what_a_person_runs_logs_nothing_unless_asked_to() {
        for (line, expected) in [
            ("kubectl-rollcall approve p-7-cut", None),
            ("rollcall approve p-7-cut", None),
            ("rollcall --log debug approve p-7-cut", Some("debug")),
            ("rollcall revoke --instance r", Some("info")),
        ] {
            let rollcall = parse_from(line.split(' ').map(OsString::from).collect()).unwrap();
            assert_eq!(rollcall.log_filter(), expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_together_is_refused() {
        for line in [
            "rollcall approve",
            "rollcall approve p-7-cut --batch b1",
            "rollcall reject p-7-cut",
            "rollcall reject --reason why",
            "rollcall reject p-7-cut --reason why --undo",
            "rollcall stop",
            "rollcall hold hq/7",
            "rollcall hold hq/7 --lift --reason why",
            "rollcall suspend hq",
            "rollcall status --unmask",
            "rollcall review hq/7 --keep --reason why -o json",
            "rollcall stop --lift --reason why",
            "rollcall accept hq",
            "rollcall evidence export",
            "rollcall evidence export --dir out --s3 https://s3.example.com/bucket",
            "rollcall evidence export --s3 http://s3.example.com/bucket",
            "rollcall evidence export --s3 https://s3.example.com/bucket --retain 1h",
            "rollcall report",
            "rollcall report leavers --dir out --names",
            "rollcall report access-review --dir out",
            "rollcall evidence prune --older-than 400d",
            "rollcall evidence prune --dir out",
            "rollcall evidence prune --dir out --older-than 29d",
            "rollcall evidence prune --dir out --older-than 400d --dry-run --yes",
            "rollcall people --upcoming --leavers",
            "rollcall people --movers --leavers",
            "rollcall review p-7 --keep",
            "rollcall review --keep --reason why",
            "rollcall people --from 2026-03-01",
            "rollcall people --leavers --from yesterday",
            "rollcall people --state Gone",
            "rollcall own",
            "rollcall own apps/ci",
            "rollcall own --owner hq/7",
            "rollcall own --apply",
            "rollcall own apps/ci --owner hq/7 --suggest",
            "rollcall used",
            "rollcall drill --timeout soon",
            "rollcall drill --schedule daily",
            "rollcall data",
            "rollcall data hq -f hq.yaml",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
