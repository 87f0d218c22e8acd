//! `rollcall report`: who left and what became of their access, and who owns what now, in forms that are handed to an auditor.
//!
//! Each reads with the caller's own rights, makes rows by a pure function, and prints them apart from it. HR ids stand for people
//! unless names are asked for.

pub mod access;
pub mod leavers;
mod sheet;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use self::sheet::{Output, Sheet};
use super::cluster::Cluster;
use super::people::{Accounts, READING, World};
use super::progress::during;
use super::{Failure, evidence};
use crate::api::Person;
use crate::kube::calls;

/// What to report.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Each termination: last day, when it was seen, acted on and verified, what was revoked, what remains, who approved, and
    /// the evidence. By the last day of work
    Leavers(Leavers),
    /// Everybody who worked here in the period with what they own in the cluster now, and everybody who left and still owns
    /// something
    AccessReview(AccessReview),
}

/// Which days, and how it is printed.
#[derive(Debug, Args)]
#[command(after_help = "A day is a day where the person works; without a location it is one in UTC. Times are in UTC.")]
struct Form {
    /// First day, such as 2026-01-01. Default: 90 days before the last
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last day. Default: today
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Show names and addresses
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall report leavers`.
#[derive(Debug, Args)]
pub struct Leavers {
    #[command(flatten)]
    form: Form,
    /// Read the evidence in this folder, without a cluster: records know neither HR ids nor names
    #[arg(long, conflicts_with = "names")]
    dir: Option<PathBuf>,
}

/// Options of `rollcall report access-review`.
#[derive(Debug, Args)]
pub struct AccessReview {
    #[command(flatten)]
    form: Form,
    /// Only people whom this SyncPolicy manages
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

/// The days from the first to the last.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
}

impl Days {
    fn of(form: &Form) -> Result<Self, Failure> {
        let to = form.to.unwrap_or_else(|| calls::now().to_zoned(TimeZone::UTC).date());
        let from = form.from.unwrap_or_else(|| to.saturating_sub(90.days()));
        if from > to { Err(Failure::Refused("--from is after --to".to_owned())) } else { Ok(Self { from, to }) }
    }

    fn hold(self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }
}

/// Reports.
///
/// # Flow          read everything once; verify the evidence; rows by a pure function; print
/// # Guarantees    changes nothing; names only where they are asked for; nothing is reported of a chain that is broken
/// # Errors        whatever the API server says, in its words
pub async fn run(command: &Command) -> Result<(), Failure> {
    let now = calls::now();
    match command {
        Command::Leavers(Leavers { form, dir }) => {
            let cluster = &form.cluster;
            let days = Days::of(form)?;
            let world = match dir {
                Some(_) => World::default(),
                None => {
                    let client = cluster.client().await?;
                    during(READING, World::read(&client, cluster.namespace())).await?
                }
            };
            let records = during("verifying the evidence", evidence::verified(dir.as_deref(), cluster)).await?;
            // Drills are no leavers, and say something of their own.
            let rows = leavers::rows(&world, &records, days, now).into_iter().filter(|row| !row.is_of_drill());
            let rows: Vec<_> = rows.map(|row| if form.names { row } else { row.masked() }).collect();
            let about = match records.last() {
                Some(last) => {
                    format!("Evidence verified up to record {}.{}", last.index, leavers::drills(&records, days))
                }
                None => "There is no evidence yet.".to_owned(),
            };
            Sheet { title: "Leavers", days, now, about, rows: &rows, columns: &leavers::COLUMNS }.print(form.output)
        }
        Command::AccessReview(AccessReview { form, policy }) => {
            let cluster = &form.cluster;
            let days = Days::of(form)?;
            let client = cluster.client().await?;
            let world = during(READING, World::read(&client, cluster.namespace())).await?;
            let things = during(READING, access::Things::read(&client)).await?;
            let accounts = Accounts::of(&world);
            let shown = |person: &Person| accounts.shown(person, now);
            let rows = access::rows(&world.people, &things, days, policy.as_deref(), &shown);
            let real = rows.into_iter().filter(|row| !row.is_of_drill());
            let rows: Vec<_> = real.map(|row| if form.names { row } else { row.masked() }).collect();
            let about =
                "What people own is as of now. What a group binds is not listed: a group's members are not known here.";
            let about = about.to_owned();
            Sheet { title: "Access review", days, now, about, rows: &rows, columns: &access::COLUMNS }
                .print(form.output)
        }
    }
}
