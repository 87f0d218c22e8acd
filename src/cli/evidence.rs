//! `rollcall evidence`: checks the chain of records, in the cluster or in a folder they were exported to; exports it to a folder or a
//! bucket; prints the key it is signed with; and deletes from its beginning what has been kept long enough.

mod bucket;
mod chain;
mod folder;
mod prune;
pub mod sigv4;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kube::Client;

use self::chain::Chain;
use super::Failure;
use super::cluster::Cluster;
use super::terminal::{many, plain, say};
use crate::kube::named::Api;
use domain::evidence::{self, Chained, Closed, Head, PublicKey, Record, SignedHead, Start, Summary};

/// What to do with the evidence.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify every record and the hash chain
    Verify(Verify),
    /// Write all records and signed heads into a folder, or into an S3-compatible bucket with object lock
    Export(Box<Export>),
    /// Print the public key that heads are signed with
    Key(Key),
    /// Delete the oldest records from the cluster, after all records were exported into a folder
    Prune(prune::Options),
}

/// Options of `rollcall evidence verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Verify the records in this folder, without a cluster
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The public key, in PEM, that must vouch for all of it, as `kubectl rollcall evidence key` printed it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A signed head that was kept elsewhere, which the chain must contain; may be given several times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall evidence export`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("to").args(["dir", "s3"]).required(true)))]
pub struct Export {
    /// The folder; records that were exported before are kept and compared
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    bucket: bucket::Options,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall evidence key`.
#[derive(Debug, Args)]
pub struct Key {
    #[command(flatten)]
    cluster: Cluster,
}

/// What is trusted beside the chain itself.
#[derive(Debug, Default)]
pub struct Trust {
    /// The key that must vouch for all of it.
    key: Option<PublicKey>,
    /// Signed heads that were kept elsewhere, and where.
    heads: Vec<(String, SignedHead)>,
}

impl Trust {
    fn read(options: &Verify) -> Result<Self, Failure> {
        let text = |path: &Path| fs::read_to_string(path).map_err(|error| Failure::file(path, error));
        let key = options.key.as_ref().map(|path| {
            PublicKey::from_pem(&text(path)?).ok_or_else(|| Failure::file(path, "it is no Ed25519 public key in PEM"))
        });
        let head = |path: &PathBuf| Ok((path.display().to_string(), folder::signed(path, &text(path)?)?));
        let heads = options.checkpoint.iter().map(head).collect::<Result<_, Failure>>()?;
        Ok(Self { key: key.transpose()?, heads })
    }
}

/// Verifies, exports or prunes.
///
/// # Errors
/// When the chain is broken, or something that ended is not in it, each in its own line; when it cannot be read or written.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Verify(options @ Verify { dir: Some(dir), .. }) => {
            let chain = folder::folder(dir)?;
            if chain.head.is_none() {
                say("The folder has no head, so missing records at the end cannot be noticed.");
            }
            let summary = verify(&chain, Vec::new(), &Trust::read(options)?)?;
            say(&told(&summary, chain.start.as_ref(), "in this folder"));
            say(&signed(&chain, &summary.head, options.key.is_some()));
        }
        Command::Verify(options @ Verify { dir: None, cluster, .. }) => {
            let looked = look(&cluster.client().await?, cluster.namespace(), &Trust::read(options)?).await?;
            for finding in &looked.wrong {
                eprintln!("{finding}");
            }
            looked.says.iter().for_each(|line| say(line));
            if !looked.wrong.is_empty() {
                return Err(broken(&looked.wrong));
            }
        }
        Command::Export(options) => {
            let Export { dir, bucket, cluster } = options.as_ref();
            let chain = chain::read(&cluster.client().await?, cluster.namespace()).await?;
            if let Some(dir) = dir {
                let written = folder::export(dir, &chain)?;
                let records = many(chain.records.len(), "record", "records");
                say(&format!("{records} in {}, {written} of them new.", dir.display()));
            } else {
                verify(&chain, Vec::new(), &Trust::default())?; // what goes into a bucket stays there
                say(&bucket::export(bucket, &chain).await?);
            }
        }
        Command::Key(Key { cluster }) => key(cluster).await?,
        Command::Prune(options) => prune::run(options).await?,
    }
    Ok(())
}

/// What a verified chain is, and what was pruned of it; `left` says what it means that some of that is there.
fn told(summary: &Summary, start: Option<&Start>, left: &str) -> String {
    let verify = many(summary.records, "record verifies", "records verify");
    let mut text = format!("{verify}, head {} {}", summary.head.index, summary.head.hash);
    let Some(Start { newest, .. }) = start else { return text };
    let (from, to) = (newest.from, newest.last.index);
    let which = if from == 1 { String::new() } else { format!(", {from} to {to}") };
    let (by, day) = (plain(&newest.by), newest.at.strftime("%Y-%m-%d"));
    text.push_str(&format!("; records 1 to {to} were pruned{which} by {by} on {day}"));
    if summary.pruned > 0 {
        text.push_str(&format!("; {} {left}", many(summary.pruned, "of them is", "of them are")));
    }
    if summary.loose > 0 {
        let loose = many(summary.loose, "pruned record is", "pruned records are");
        text.push_str(&format!("\n{loose} there without the one that follows: nothing shows that nobody changed it"));
    }
    text
}

/// How far a verified chain is signed, and whether that was checked.
fn signed(chain: &Chain, head: &Head, checked: bool) -> String {
    let Some(newest) = chain.signed.iter().max_by_key(|signed| (signed.index, signed.at)) else {
        return "No head is signed.".to_owned();
    };
    let short: String = newest.key.chars().take(SHORT).collect();
    let mut text = format!("Signed up to record {} by key {} on {:.0}", newest.index, plain(&short), newest.at);
    text.push_str(if checked { "." } else { "; the signature was not checked: give the public key with --key." });
    if newest.index < head.index {
        let from = newest.index.saturating_add(1);
        text.push_str(&format!("\nRecords {from} to {} are not signed: is the key lost?", head.index));
    }
    text
}

/// Digits of a key's id that are shown.
const SHORT: usize = 16;

/// Prints the key that signs now.
async fn key(cluster: &Cluster) -> Result<(), Failure> {
    let keys = chain::keys(&Api::namespaced(cluster.client().await?, cluster.namespace())).await?;
    let none = || Failure::Refused("there is no key yet: control makes it at its first start".to_owned());
    let keys = keys.ok_or_else(none)?;
    let newest = keys.newest().ok_or_else(none)?;
    let (number, id) = (keys.keys.len(), newest.id());
    eprintln!("Key {number} of installation {}: {id}", plain(&keys.installation)); // the key alone goes into a file
    say(newest.to_pem().trim_end());
    Ok(())
}

/// What a look at the evidence in the cluster found.
#[derive(Debug, Default)]
pub struct Looked {
    /// The records with their names, the oldest first.
    pub records: Vec<(String, Record)>,
    /// What verifies, and how far it is signed; nothing where something is wrong.
    pub says: Vec<String>,
    /// What is wrong, each in its own line.
    pub wrong: Vec<String>,
}

/// Reads the evidence of the cluster and verifies all of it.
///
/// # Errors
/// When it cannot be read.
pub async fn look(client: &Client, namespace: &str, trust: &Trust) -> Result<Looked, Failure> {
    let revocations = chain::revocations(client, namespace).await?;
    let mut chain = chain::read(client, namespace).await?;
    chain.head.get_or_insert_with(Head::genesis); // a chain without a head has no records
    let record = |(name, text): (&str, &str)| Some((name.to_owned(), serde_json::from_str::<Record>(text).ok()?));
    let mut records: Vec<_> = chain.texts().filter_map(record).collect();
    records.sort_by_key(|(_, record)| record.index);
    Ok(match check(&chain, revocations.ended, trust) {
        Ok(summary) => {
            let left = "still there: run `kubectl rollcall evidence prune` again";
            let says =
                vec![told(&summary, chain.start.as_ref(), left), signed(&chain, &summary.head, trust.key.is_some())];
            Looked { records, says, wrong: Vec::new() }
        }
        Err(wrong) => Looked { records, says: Vec::new(), wrong: wrong.iter().map(|finding| plain(finding)).collect() },
    })
}

fn broken(wrong: &[String]) -> Failure {
    Failure::Refused(format!("the evidence is broken in {}", many(wrong.len(), "place", "places")))
}

/// Checks the chain, that each of those that ended is in it, and what is trusted beside it; says what is wrong.
fn verify(chain: &Chain, ended: Vec<Closed>, trust: &Trust) -> Result<Summary, Failure> {
    check(chain, ended, trust).map_err(|wrong| {
        for finding in &wrong {
            eprintln!("{}", plain(finding));
        }
        broken(&wrong)
    })
}

/// Checks it, and gives all that is wrong.
fn check(chain: &Chain, ended: Vec<Closed>, trust: &Trust) -> Result<Summary, Vec<String>> {
    let pruned = chain.pruned();
    let mut wrong: Vec<String> = Vec::new();
    let unsealed = evidence::closed(ended, chain.texts(), &pruned);
    let summary = evidence::verify(chain.texts(), chain.head.as_ref(), &pruned);
    wrong.extend(summary.as_ref().err().into_iter().flatten().chain(&unsealed).map(ToString::to_string));
    if let Ok(summary) = &summary {
        let chained = Chained::new(chain.texts(), &pruned, &summary.head);
        let named = chain.signed.iter().map(|head| (format!("signed head {}", head.place()), head));
        let heads: Vec<_> = named.chain(trust.heads.iter().map(|(name, head)| (name.clone(), head))).collect();
        let heads = heads.iter().map(|(name, head)| (name.as_str(), *head));
        let distrust = match &trust.key {
            Some(key) => evidence::trusted(&chained, heads, chain.keys.as_ref(), key).err().unwrap_or_default(),
            None => evidence::compare(&chained, heads),
        };
        wrong.extend(distrust.iter().map(ToString::to_string));
    }
    match summary {
        Ok(summary) if wrong.is_empty() => Ok(summary),
        _ => Err(wrong),
    }
}

/// The records of a folder, or of the cluster, once all of it was verified.
pub async fn verified(dir: Option<&Path>, cluster: &Cluster) -> Result<Vec<Record>, Failure> {
    let chain = match dir {
        Some(dir) => folder::folder(dir)?,
        None => chain::read(&cluster.client().await?, cluster.namespace()).await?,
    };
    verify(&chain, Vec::new(), &Trust::default())?;
    let mut records: Vec<Record> = chain.texts().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
    records.sort_by_key(|record| record.index);
    Ok(records)
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
        let one = Summary { records: 1, pruned: 1, loose: 1, head };
        let said = told(&one, Some(&first), "here");
        assert!(
            said.starts_with("1 record verifies, head 812 5e0c;") && said.contains("; 1 of them is here"),
            "{said}"
        );
        assert!(said.contains("\n1 pruned record is there without the one that follows"), "{said}");
    }
}
