//! Commands: the operator's own, and those of `kubectl rollcall`, which is the same binary under another name.
//!
//! The only code that reads arguments and the environment. A command that fails says why in one line.

pub mod accept;
pub mod approve;
mod cluster;
pub mod connectors;
pub mod consents;
pub mod coverage;
pub mod crds;
pub mod data;
pub mod disown;
pub mod drill;
pub mod evidence;
#[cfg(feature = "fake-hr")]
pub mod fake_hr;
pub mod grants;
pub mod hooks;
mod html;
pub mod leave_now;
pub mod link;
pub mod own;
pub mod people;
pub mod preview;
pub mod reject;
mod report;
pub mod restore;
pub mod retry;
pub mod revoke_now;
pub mod serve;
mod signal;
pub mod stays;
mod stop;
mod terminal;
pub mod ui;
pub mod used;
mod write;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use kube::Error;

use crate::kube::calls;
use crate::kube::outcome::Fault;
use crate::revoke;

/// Name under which kubectl finds the plugin.
const PLUGIN: &str = "kubectl-rollcall";

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
            (None, Command::Human(_)) => None,
            (None, _) => Some("info"),
        }
    }
}

/// Approve, reject, accept, stop: what a human does with Rollcall, with their own rights.
#[derive(Debug, Parser)]
#[command(name = "kubectl rollcall", bin_name = "kubectl rollcall", version)]
struct Plugin {
    #[command(subcommand)]
    command: Human,
}

/// Everything the binary does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the HR systems that Rollcall can read, and check definitions of your own
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Simulate an HR system with an invented company, to try Rollcall
    #[cfg(feature = "fake-hr")]
    FakeHr(Box<fake_hr::Options>),
    /// Read an HR system without a cluster: show its people, and whether the response would be trusted
    Preview(preview::Options),
    /// Tell others that a leaver's access was ended: a hook that signs and sends it
    #[command(subcommand)]
    Signal(Box<signal::Command>),
    /// Write the CustomResourceDefinitions
    Crds(crds::Options),
    /// Run the operator's part that plans revocations, checks gates and starts the revoker
    Control(Box<serve::Control>),
    /// Run the operator's part that reads HR systems and writes Persons
    Sync(serve::Process),
    /// Run the revoker: carry out released plans, verify the result, and exit
    Revoke(Revoke),
    /// Run the optional part that makes and removes the RoleBindings that policies grant
    Grant(serve::Grant),
    /// Run the optional part that takes leavers out of bindings that others share
    Trim(serve::Trim),
    /// Run the optional part that takes what identity providers push by SCIM
    Scim(Box<serve::Scim>),
    /// What a human does.
    #[command(flatten)]
    Human(Human),
}

/// What a human does, with their own rights. These are the commands of the plugin.
#[derive(Debug, Subcommand)]
pub enum Human {
    /// Approve a Revocation, or a held batch, by the hash of each plan
    Approve(approve::Options),
    /// Reject a Revocation, or a held batch: the person keeps their access, and the decision becomes evidence
    Reject(reject::Options),
    /// Show all of it as pages in a browser on this machine: read-only, with your own rights
    Ui(ui::Options),
    /// List people: everybody, or who starts, who leaves, and what comes next
    People(people::List),
    /// Say why a person is active, held or gone, what happens next and when, and what to do
    Why(people::Why),
    /// Show what would happen to somebody's access if they left now: what ends, when and how, what remains, and which gates hold
    Plan(people::Plan),
    /// Show what a mover owns, and answer the review of it; or list the reviews that wait
    Review(people::Review),
    /// Export everything that is kept of a person, as one JSON document
    Export(people::Export),
    /// Delete what is kept of a leaver whose access has ended
    Erase(people::Erase),
    /// Print the RoleBindings that the grants of policies ask for
    Grants(grants::Options),
    /// List what nobody owns, which ends with nobody's exit, and suggest owners
    Coverage(coverage::Options),
    /// Say whose a ServiceAccount is; or print or write the owners that are suggested
    Own(own::Options),
    /// Retry a Revocation that failed
    Retry(retry::Options),
    /// Make one Person of two: the HR records of both are one human's, who has left when all of them have ended
    Merge(link::Merge),
    /// Take an HR record off a Person: it is another human's
    Split(link::Split),
    /// Say that two Persons are two humans, whatever they share
    Apart(link::Apart),
    /// Take back an address or user name that never was somebody's, such as a typing error in HR
    Disown(disown::Options),
    /// Declare that somebody leaves, at once or after a day, whatever HR says
    LeaveNow(leave_now::Options),
    /// Declare that somebody has not left, for some time, whatever HR says
    Stays(stays::Options),
    /// Revoke, or freeze, the access of somebody who works here
    RevokeNow(revoke_now::Options),
    /// Create again what was deleted of somebody who is back, from the kept manifests, with your own rights
    Restore(restore::Options),
    /// Accept one held HR response, by its digest
    Accept(accept::Options),
    /// Stop all revocations, or lift the stop
    Stop(stop::Options),
    /// Show which personal data a connection reads, from where, where each value is kept, for how long and why
    Data(Box<data::Options>),
    /// Let an invented leaver go the whole way in a sandbox, and see whether everything of theirs is refused
    Drill(drill::Options),
    /// Show what the revoker may do in each namespace, and whether it can run
    Consents(consents::Options),
    /// List hooks, and allow the pod template of a CronJob to run as one
    #[command(subcommand)]
    Hooks(hooks::Command),
    /// Verify, export or prune the evidence, or print the key it is signed with
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Count in an audit log what leavers tried after their exit, and what was let in
    Used(used::Options),
    /// Report who left and what became of their access, or who owns what, for an auditor
    #[command(subcommand)]
    Report(report::Command),
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
    let called = arguments.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    if called == PLUGIN {
        let matches = Plugin::command().try_get_matches_from(arguments)?;
        let Plugin { command } = Plugin::from_arg_matches(&matches)?;
        return Ok(Rollcall { log: None, command: Command::Human(command) });
    }
    Rollcall::try_parse_from(arguments)
}

/// Does what was asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Connectors(command) => connectors::run(&command).await,
        #[cfg(feature = "fake-hr")]
        Command::FakeHr(options) => fake_hr::run(&options).await,
        Command::Preview(options) => preview::run(&options).await,
        Command::Signal(command) => signal::run(&command).await,
        Command::Crds(options) => crds::run(&options),
        Command::Sync(process) => Ok(serve::sync(process).await?),
        Command::Control(options) => Ok(serve::control(*options).await?),
        Command::Grant(options) => Ok(serve::grant(options).await?),
        Command::Trim(options) => Ok(serve::trim(options).await?),
        Command::Scim(options) => Ok(serve::scim(*options).await?),
        Command::Revoke(options) if options.check => {
            Ok(revoke::check(calls::client().await?, &options.namespace.namespace).await?)
        }
        Command::Revoke(options) => {
            Ok(revoke::run(calls::client().await?, options.namespace.namespace, options.instance).await?)
        }
        Command::Human(Human::Approve(options)) => approve::run(&options).await,
        Command::Human(Human::Reject(options)) => reject::run(&options).await,
        Command::Human(Human::Ui(options)) => ui::run(&options).await,
        Command::Human(Human::People(options)) => people::list(&options).await,
        Command::Human(Human::Why(options)) => people::why(&options).await,
        Command::Human(Human::Plan(options)) => people::plan(&options).await,
        Command::Human(Human::Review(options)) => people::review(&options).await,
        Command::Human(Human::Export(options)) => people::export(&options).await,
        Command::Human(Human::Erase(options)) => people::erase(&options).await,
        Command::Human(Human::Grants(options)) => grants::run(&options).await,
        Command::Human(Human::Coverage(options)) => coverage::run(&options).await,
        Command::Human(Human::Own(options)) => own::run(&options).await,
        Command::Human(Human::Retry(options)) => retry::run(&options).await,
        Command::Human(Human::Merge(options)) => link::merge(&options).await,
        Command::Human(Human::Split(options)) => link::split(&options).await,
        Command::Human(Human::Apart(options)) => link::apart(&options).await,
        Command::Human(Human::Disown(options)) => disown::run(&options).await,
        Command::Human(Human::LeaveNow(options)) => leave_now::run(&options).await,
        Command::Human(Human::Stays(options)) => stays::run(&options).await,
        Command::Human(Human::RevokeNow(options)) => revoke_now::run(&options).await,
        Command::Human(Human::Restore(options)) => restore::run(&options).await,
        Command::Human(Human::Accept(options)) => accept::run(&options).await,
        Command::Human(Human::Stop(options)) => stop::run(&options).await,
        Command::Human(Human::Data(options)) => data::run(&options).await,
        Command::Human(Human::Drill(options)) => drill::run(&options).await,
        Command::Human(Human::Consents(options)) => consents::run(&options).await,
        Command::Human(Human::Hooks(command)) => hooks::run(&command).await,
        Command::Human(Human::Evidence(command)) => evidence::run(&command).await,
        Command::Human(Human::Report(command)) => report::run(&command).await,
        Command::Human(Human::Used(options)) => used::run(&options).await,
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
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, clap::Error> {
        parse_from(line.split(' ').map(OsString::from).collect()).map(|rollcall| rollcall.command)
    }

    #[test]
    fn every_argument_is_declared_as_clap_wants_it() {
        Rollcall::command().debug_assert();
        Plugin::command().debug_assert();
    }

    #[test]
    fn the_plugin_offers_what_a_human_does_and_nothing_else() {
        for name in ["kubectl-rollcall", "/usr/local/bin/kubectl-rollcall"] {
            assert!(
                matches!(read(&format!("{name} approve p-7-cut")), Ok(Command::Human(Human::Approve(_)))),
                "{name}"
            );
            assert!(read(&format!("{name} crds")).is_err(), "{name}");
        }
        assert!(matches!(read("rollcall crds"), Ok(Command::Crds(_))));
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
