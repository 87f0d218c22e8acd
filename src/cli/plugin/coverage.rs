//! `rollcall coverage`: what nobody owns, and who it may belong to.
//!
//! What nobody owns ends with nobody's exit. Read with the caller's own rights; what they may not read is named.

mod unowned;

pub use unowned::{Counted, Found, Unowned, read};

use clap::Args;

use super::Failure;
use super::cluster::Cluster;
use super::output::Output;
use super::people::READING;
use super::progress::during;
use super::terminal::table;

/// Options of `rollcall coverage`.
#[derive(Debug, Args)]
#[command(
    after_help = "It needs list on serviceaccounts, rolebindings and clusterrolebindings in all namespaces; what else you may not read is named under NOTES. Owners are suggested by spec.identity.ownership of the policies."
)]
pub struct Options {
    /// Only what lies in this namespace
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Lists it.
///
/// # Flow          read everything once; decide what nobody owns; ask the sources; print
/// # Guarantees    changes nothing; no Secret's contents are read; HR ids stand for people
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let mut found = during(READING, read(&client, options.cluster.namespace())).await?;
    if let Some(namespace) = &options.of {
        found.unowned.retain(|one| one.namespace == *namespace);
    }
    options.output.print(&found, || Ok(page(&found)))
}

fn page(found: &unowned::Found) -> String {
    let mut parts = vec![format!(
        "{} of {} accounts have an owner who is known. What nobody owns ends with nobody's exit.",
        found.owned, found.accounts
    )];
    if !found.unowned.is_empty() {
        let row = |one: &Unowned| {
            let (owner, because) = (one.suggested.clone(), one.because.clone());
            [
                one.what(),
                one.why.to_owned(),
                owner.unwrap_or_else(|| "-".to_owned()),
                because.unwrap_or_else(|| "-".to_owned()),
            ]
        };
        parts.push(table(["NOBODY'S", "WHY", "PERHAPS", "BECAUSE"], found.unowned.iter().map(row)));
    }
    if found.unowned.iter().any(|one| one.suggested.is_some()) {
        parts.push("Write the owners that are suggested: kubectl rollcall own --suggest > owners.yaml".to_owned());
    }
    if !found.notes.is_empty() {
        parts.push(format!("NOTES\n  {}", found.notes.join("\n  ")));
    }
    parts.join("\n\n")
}
