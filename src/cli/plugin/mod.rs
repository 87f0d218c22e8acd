//! What people run at a terminal: the commands of `kubectl rollcall`, and those that need no cluster.
//!
//! The operator's image is built without them (feature `plugin`).

pub mod accept;
pub mod approve;
mod asked;
pub mod completion;
pub mod connectors;
pub mod consents;
pub mod coverage;
pub mod crds;
pub mod data;
pub mod disown;
pub mod doctor;
pub mod events;
pub mod grants;
pub mod hold;
pub mod hooks;
mod html;
pub mod leave_now;
pub mod link;
mod output;
pub mod own;
pub mod people;
pub mod preview;
mod progress;
pub mod read_now;
pub mod reject;
mod report;
pub mod restore;
pub mod retry;
pub mod revoke_now;
mod status;
pub mod stays;
mod stop;
pub mod suspend;
pub mod ui;
pub mod used;
mod write;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{Failure, Unattended, ask, cluster, evidence, terminal, told};

/// Name under which kubectl finds the plugin.
const NAME: &str = "kubectl-rollcall";
/// Name under which kubectl asks for completions.
const COMPLETES: &str = "kubectl_complete-rollcall";

/// Approve, reject, accept, stop: what a human does with Rollcall, with their own rights.
#[derive(Debug, Parser)]
#[command(name = "kubectl rollcall", bin_name = "kubectl rollcall", version)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Human,
}

/// What needs no cluster.
#[derive(Debug, Subcommand)]
pub enum Local {
    /// List the HR systems that Rollcall can read, and check definitions of your own
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Read an HR system without a cluster: show its people, and whether the response would be trusted
    Preview(preview::Options),
    /// Write the CustomResourceDefinitions
    Crds(crds::Options),
    /// Print the script that completes commands in a shell
    Completion(completion::Completion),
    /// Write the manual
    Man(completion::Man),
}

/// What a human does in a cluster, with their own rights. These are the commands of the plugin.
#[derive(Debug, Subcommand)]
pub enum Human {
    /// Show the installation at a glance, and what waits for a human; of a connection, its trust over time; of a person, what `why` says
    Status(status::Options),
    /// Check the installation: kinds, policies, processes, consents, connections; what is wrong, and what to do
    Doctor(doctor::Options),
    /// List the Events of Rollcall's objects, and follow them
    Events(events::Options),
    /// Read an HR system now, and show whether the response is trusted
    ReadNow(read_now::Options),
    /// Do not read an HR system for a while
    Suspend(suspend::Suspend),
    /// Read an HR system again that was suspended
    Resume(suspend::Resume),
    /// Leave somebody's access alone for a while, whatever HR says; or lift that
    Hold(hold::Options),
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
    /// Show what the revoker may do in each namespace, and whether it can run
    Consents(consents::Options),
    /// List hooks, and allow the pod template of a CronJob to run as one
    #[command(subcommand)]
    Hooks(hooks::Command),
    /// Count in an audit log what leavers tried after their exit, and what was let in
    Used(used::Options),
    /// Report who left and what became of their access, or who owns what, for an auditor
    #[command(subcommand)]
    Report(report::Command),
    /// Candidates for the word that is completed, for kubectl.
    #[command(skip)]
    Complete(Vec<String>),
    /// What the chart's CronJobs do as well.
    #[command(flatten)]
    Unattended(Unattended),
}

/// Reads the arguments of the plugin; `None` where the binary was called by another name. Under this name, two commands have the
/// names that people expect, which are taken where the operator's own parts are commands too.
pub(super) fn parse(arguments: &[OsString]) -> Option<Result<Human, clap::Error>> {
    let called = arguments.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    if called == COMPLETES {
        let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        return Some(Ok(Human::Complete(words)));
    }
    (called == NAME).then(|| {
        let matches = named().try_get_matches_from(arguments)?;
        Plugin::from_arg_matches(&matches).map(|plugin| plugin.command)
    })
}

fn named() -> clap::Command {
    let plugin = Plugin::command().mut_subcommand("read-now", |command| command.visible_alias("sync"));
    plugin.mut_subcommand("revoke-now", |command| command.visible_alias("revoke"))
}

/// Does what needs no cluster.
pub(super) async fn run_local(command: &Local) -> Result<(), Failure> {
    match command {
        Local::Connectors(command) => connectors::run(command).await,
        Local::Preview(options) => preview::run(options).await,
        Local::Crds(options) => crds::run(options),
        Local::Completion(options) => {
            completion::completion(options);
            Ok(())
        }
        Local::Man(options) => completion::man(options),
    }
}

/// Does what a human asks of a cluster.
pub(super) async fn run(command: &Human) -> Result<(), Failure> {
    match command {
        Human::Status(options) => status::run(options).await,
        Human::Doctor(options) => doctor::run(options).await,
        Human::Events(options) => events::run(options).await,
        Human::ReadNow(options) => read_now::run(options).await,
        Human::Suspend(options) => suspend::suspend(options).await,
        Human::Resume(options) => suspend::resume(options).await,
        Human::Hold(options) => hold::run(options).await,
        Human::Complete(words) => {
            completion::candidates(words).await;
            Ok(())
        }
        Human::Approve(options) => approve::run(options).await,
        Human::Reject(options) => reject::run(options).await,
        Human::Ui(options) => ui::run(options).await,
        Human::People(options) => people::list(options).await,
        Human::Why(options) => people::why(options).await,
        Human::Plan(options) => people::plan(options).await,
        Human::Review(options) => people::review(options).await,
        Human::Export(options) => people::export(options).await,
        Human::Erase(options) => people::erase(options).await,
        Human::Grants(options) => grants::run(options).await,
        Human::Coverage(options) => coverage::run(options).await,
        Human::Own(options) => own::run(options).await,
        Human::Retry(options) => retry::run(options).await,
        Human::Merge(options) => link::merge(options).await,
        Human::Split(options) => link::split(options).await,
        Human::Apart(options) => link::apart(options).await,
        Human::Disown(options) => disown::run(options).await,
        Human::LeaveNow(options) => leave_now::run(options).await,
        Human::Stays(options) => stays::run(options).await,
        Human::RevokeNow(options) => revoke_now::run(options).await,
        Human::Restore(options) => restore::run(options).await,
        Human::Accept(options) => accept::run(options).await,
        Human::Stop(options) => stop::run(options).await,
        Human::Data(options) => data::run(options).await,
        Human::Consents(options) => consents::run(options).await,
        Human::Hooks(command) => hooks::run(command).await,
        Human::Report(command) => report::run(command).await,
        Human::Used(options) => used::run(options).await,
        Human::Unattended(command) => command.run().await,
    }
}
