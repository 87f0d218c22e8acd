//! `rollcall drill`: an invented person is hired, gets an account, a token and a right in a sandbox, leaves, and is watched until the API
//! server refuses them; how that ended is written down. The CronJob of the chart runs it, under an identity that may do nothing else;
//! anybody with the rights may run it by hand.
//!
//! It goes the way of a real leaver: HR file, trust, Person, plan, gates, revoker, proof. It tries the credentials itself, and asks
//! nobody of Rollcall whether they are refused.

mod progress;
mod stage;

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use self::progress::{Seen, hired};
use self::stage::{Candidate, Stage};
use super::Failure;
use super::cluster::Cluster;
use super::terminal::{plain, say};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::drill::{self, DrillReport, Progress, Shortfall};

/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(1);
/// How long after Rollcall says that all is revoked the credentials may still work: the API server's cache lapses after ten seconds.
const CACHE: Duration = Duration::from_secs(30);

/// Options of `rollcall drill`.
#[derive(Debug, Args)]
#[command(
    after_help = "The drill needs the chart's value `drill.enabled`, and examples/drill.yaml applied. See docs/drill.md."
)]
pub struct Options {
    /// The sandbox of the drill. Default: the namespace of Rollcall, followed by `-drill`
    #[arg(long, value_name = "NAMESPACE")]
    sandbox: Option<String>,
    /// When drills are planned, as a cron expression in UTC: one that does not come is reported as late
    #[arg(long, value_name = "CRON", value_parser = schedule)]
    schedule: Option<String>,
    /// How long the drill may take
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    timeout: SignedDuration,
    #[command(flatten)]
    cluster: Cluster,
}

fn schedule(text: &str) -> Result<String, String> {
    let read = drill::due(text, Timestamp::UNIX_EPOCH).map(|_| text.to_owned());
    read.map_err(|_| "not a cron expression of five fields, such as 17 3 * * *".to_owned())
}

fn time(text: &str) -> Result<SignedDuration, String> {
    let time: SignedDuration = text.parse().map_err(|_| "not a time, such as 10m".to_owned())?;
    if time.is_positive() { Ok(time) } else { Err("not a time, such as 10m".to_owned()) }
}

/// What went wrong, and in which words.
type Short = (Shortfall, String);

/// Drills once.
///
/// # Flow          leftovers cleared; hired; account, token and right made and tried; left; watched; written down; cleared
/// # Guarantees    touches nothing but its own ConfigMap, one annotation of its connection, and what is called `leaver-…` in the sandbox;
///                 passed means that the API server refused the token itself and the right of the user name, after Rollcall said so
/// # Assumptions   one drill at a time: the CronJob forbids a second one
/// # Errors        that it failed, and how far it came; or that it could not be written down
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let stage = Stage::new(client, options.cluster.namespace(), options.sandbox.as_deref());
    let limit = Instant::now() + calls::wait(options.timeout);
    let began = calls::now();
    let mut report = DrillReport {
        run: format!("d-{}", began.as_second()),
        began,
        ended: began,
        failed: None,
        message: String::new(),
        account: None,
        revocation: None,
        left: None,
        refused: None,
        denied: None,
        due: None,
    };
    if let Err((short, why)) = rehearse(&stage, &options.cluster, &mut report, limit).await {
        report.failed = Some(short);
        report.message = why.chars().take(drill::MAX_MESSAGE).collect();
    }
    report.ended = calls::now();
    report.due = match &options.schedule {
        Some(schedule) => drill::due(schedule, report.ended).ok(),
        None => stage.promised().await?.filter(|due| *due > report.ended),
    };
    stage.write_down(&report).await?;
    stage.clear().await?;
    match (report.failed, report.took()) {
        (Some(short), _) => {
            Err(Failure::Refused(format!("drill {}: {}: {}", report.run, short.as_str(), plain(&report.message))))
        }
        (None, took) => {
            let took = took.unwrap_or_default().as_secs_f64();
            let revocation = report.revocation.as_deref().unwrap_or_default();
            say(&format!(
                "drill {}: passed. {took:.1} seconds after the file said so, the token and the right were refused ({}).",
                report.run,
                plain(revocation)
            ));
            Ok(())
        }
    }
}

/// The drill itself; what it sees goes into the report.
async fn rehearse(stage: &Stage, cluster: &Cluster, report: &mut DrillReport, limit: Instant) -> Result<(), Short> {
    let unprepared = |fault: Fault| (Shortfall::NotPrepared, fault.to_string());
    stage.clear().await.map_err(unprepared)?;
    hire(stage, limit).await?;
    let (account, token) = stage.prepare(&report.run).await.map_err(unprepared)?;
    report.account = Some(account);
    let holder = cluster.client_with_token(&token).await;
    let candidate = Candidate::new(holder.map_err(|why| (Shortfall::NotPrepared, why.to_string()))?);
    works(stage, &candidate, limit).await?;
    report.left = Some(calls::now());
    stage.say_left().await.map_err(|fault| (Shortfall::NotSeen, fault.to_string()))?;
    ends(stage, &candidate, report, limit).await
}

/// Has the person work here, and waits until Rollcall says so too.
async fn hire(stage: &Stage, limit: Instant) -> Result<(), Short> {
    let not_hired = |why: String| (Shortfall::NotHired, why);
    let asked = stage.say_hired().await.map_err(|fault| not_hired(fault.to_string()))?;
    loop {
        let why = match stage.look().await {
            Ok(seen) => match hired(&seen, &asked) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            },
            Err(fault) => fault.to_string(),
        };
        if Instant::now() >= limit {
            return Err(not_hired(why));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits until token and right work: what never did proves nothing.
async fn works(stage: &Stage, candidate: &Candidate, limit: Instant) -> Result<(), Short> {
    loop {
        let (refused, denied) = (candidate.is_refused().await, stage.is_denied().await);
        if (refused, denied) == (Some(false), Some(false)) {
            return Ok(());
        }
        if Instant::now() >= limit {
            let what = if refused == Some(false) { "the right of the user name" } else { "the token" };
            return Err((Shortfall::NotPrepared, format!("{what} did not work to begin with")));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Watches the leaver until everything is refused, or nothing more is to be waited for.
async fn ends(stage: &Stage, candidate: &Candidate, report: &mut DrillReport, mut limit: Instant) -> Result<(), Short> {
    let mut revoked = false;
    loop {
        if report.refused.is_none() && candidate.is_refused().await == Some(true) {
            report.refused = Some(calls::now());
        }
        if report.denied.is_none() && stage.is_denied().await == Some(true) {
            report.denied = Some(calls::now());
        }
        let progress = match stage.look().await {
            Ok(Seen { person: Some(person), .. }) => {
                let (revocation, progress) = progress::of(&person);
                report.revocation = revocation.or(report.revocation.take());
                progress
            }
            Ok(_) => Progress::Unseen("the Person rollcall-drill is gone".to_owned()),
            Err(fault) => Progress::Unseen(fault.to_string()),
        };
        if progress == Progress::Revoked && !revoked {
            (revoked, limit) = (true, limit.min(Instant::now() + CACHE));
        }
        match (progress.falls_short(), report.refused.and(report.denied)) {
            (None, Some(_)) => return Ok(()),
            (Some((short, why)), _) if progress.is_over() || Instant::now() >= limit => {
                return Err((short, why.to_owned()));
            }
            (None, None) if Instant::now() >= limit => return Err(still(report)),
            _ => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Rollcall says that everything is revoked, and it is not.
fn still(report: &DrillReport) -> Short {
    let what = match (report.refused, report.denied) {
        (None, None) => "the token and the right of the user name",
        (None, Some(_)) => "the token",
        (Some(_), _) => "the right of the user name",
    };
    (Shortfall::StillWorks, format!("Rollcall says that everything is revoked, and {what} still works"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_could_mean_is_refused() {
        for (text, expected) in [("10m", Some(600)), ("90s", Some(90)), ("-1m", None), ("0s", None), ("soon", None)] {
            assert_eq!(time(text).ok(), expected.map(SignedDuration::from_secs), "{text}");
        }
        assert!(schedule("17 3 * * *").is_ok() && schedule("every night").is_err());
    }
}
