//! `rollcall evidence`: checks the chain of records, in the cluster or in a folder they were exported to; exports it; and deletes
//! from its beginning what has been kept long enough.

mod chain;
mod prune;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::chain::Chain;
use super::Failure;
use super::cluster::Cluster;
use super::terminal::{plain, say};
use domain::evidence::{self, Closed, Head, Start, Summary};

/// What to do with the evidence.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify every record and the hash chain
    Verify(Verify),
    /// Write all records and the head of the chain into a folder
    Export(Export),
    /// Delete the oldest records from the cluster, after all records were exported into a folder
    Prune(prune::Options),
}

/// Options of `rollcall evidence verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Verify the records in this folder, without a cluster
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall evidence export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The folder; records that were exported before are kept and compared
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
}

/// Verifies, exports or prunes.
///
/// # Errors
/// When the chain is broken, or something that ended is not in it, each in its own line; when it cannot be read or written.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Verify(Verify { dir: Some(dir), .. }) => {
            let chain = chain::folder(dir)?;
            if chain.head.is_none() {
                say("The folder has no head, so missing records at the end cannot be noticed.");
            }
            say(&told(&verify(&chain, Vec::new())?, chain.start.as_ref(), "in this folder"));
        }
        Command::Verify(Verify { dir: None, cluster }) => {
            let client = cluster.client().await?;
            let revocations = chain::revocations(&client, cluster.namespace()).await?;
            let mut chain = chain::read(&client, cluster.namespace()).await?;
            chain.head.get_or_insert_with(Head::genesis); // a chain without a head has no records
            let summary = verify(&chain, revocations.ended)?;
            say(&told(&summary, chain.start.as_ref(), "still there: run `kubectl rollcall evidence prune` again"));
        }
        Command::Export(Export { dir, cluster }) => {
            let chain = chain::read(&cluster.client().await?, cluster.namespace()).await?;
            let written = chain::export(dir, &chain)?;
            say(&format!("{} records in {}, {written} of them new.", chain.records.len(), dir.display()));
        }
        Command::Prune(options) => prune::run(options).await?,
    }
    Ok(())
}

/// What a verified chain is, and what was pruned of it; `left` says what it means that some of that is there.
fn told(summary: &Summary, start: Option<&Start>, left: &str) -> String {
    let mut text = format!("{} records verify, head {} {}", summary.records, summary.head.index, summary.head.hash);
    let Some(Start { newest, .. }) = start else { return text };
    let (from, to) = (newest.from, newest.last.index);
    let which = if from == 1 { String::new() } else { format!(", {from} to {to}") };
    let (by, day) = (plain(&newest.by), newest.at.strftime("%Y-%m-%d"));
    text.push_str(&format!("; records 1 to {to} were pruned{which} by {by} on {day}"));
    if summary.pruned > 0 {
        text.push_str(&format!("; {} of them are {left}", summary.pruned));
    }
    if summary.loose > 0 {
        text.push_str(&format!(
            "\n{} pruned records are there without the one after them: nothing shows that they are unchanged",
            summary.loose
        ));
    }
    text
}

/// Checks the chain, and that each of those that ended is in it.
fn verify(chain: &Chain, ended: Vec<Closed>) -> Result<Summary, Failure> {
    let pruned = chain.pruned();
    let unsealed = evidence::closed(ended, chain.texts(), &pruned);
    let whole = match evidence::verify(chain.texts(), chain.head.as_ref(), &pruned) {
        Ok(summary) if unsealed.is_empty() => Ok(summary),
        Ok(_) => Err(unsealed),
        Err(broken) => Err([broken, unsealed].concat()),
    };
    whole.map_err(|broken| {
        for finding in &broken {
            eprintln!("{}", plain(&finding.to_string()));
        }
        Failure::Refused(format!("the evidence is broken in {} places", broken.len()))
    })
}

#[cfg(test)]
mod tests {
    use domain::evidence::Prune;

    use super::*;

    #[test]
    fn who_pruned_what_and_when_is_told() {
        let head = Head { index: 812, hash: "5e0c".into() };
        let summary = |pruned, loose| Summary { records: 212, pruned, loose, head: head.clone() };
        let prune = |from, to, by: &str| Prune {
            from,
            last: Head { index: to, hash: String::new() },
            at: "2026-11-01T08:00:00Z".parse().unwrap(),
            by: by.into(),
        };
        let first = Start::after(None, prune(1, 600, "carol"));
        let second = Start::after(Some(&first), prune(601, 610, "ada\u{1b}"));
        for (summary, start, expected) in [
            (summary(0, 0), None, ""),
            (summary(0, 0), Some(&first), "; records 1 to 600 were pruned by carol on 2026-11-01"),
            (summary(3, 0), Some(&first), "; records 1 to 600 were pruned by carol on 2026-11-01; 3 of them are here"),
            (summary(0, 0), Some(&second), "; records 1 to 610 were pruned, 601 to 610 by ada\\u{1b} on 2026-11-01"),
        ] {
            assert_eq!(told(&summary, start, "here"), format!("212 records verify, head 812 5e0c{expected}"));
        }
        assert!(told(&summary(0, 2), Some(&first), "here").contains("\n2 pruned records are there without"));
    }
}
