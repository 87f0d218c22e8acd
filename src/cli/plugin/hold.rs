//! `rollcall hold`: leaves somebody's access alone until a day, whatever HR says.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;

use super::Failure;
use super::asked::Whom;
use super::cluster::whoami;
use super::leave_now;
use super::link::{shown, write};
use super::people::{everybody, find};
use super::terminal::{plain, reason, say};
use crate::kube::calls;

/// How long a hold stands by itself.
const STANDS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Options of `rollcall hold`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The reason, in a few words without personal details
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present = "lift")]
    reason: Option<String>,
    /// When the hold ends by itself, such as 2026-04-30T00:00:00Z; without it, in 14 days
    #[arg(long, value_name = "TIME", conflicts_with = "lift")]
    until: Option<Timestamp>,
    /// Lift the hold
    #[arg(long, conflicts_with = "reason")]
    lift: bool,
}

/// Sets a hold on a Person, or lifts it.
///
/// # Flow          read, show, ask, find the caller's own name, write
/// # Guarantees    nothing is written over a Person that changed since it was shown; doing it again replaces the hold
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (client, api, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    let name = person.name_any();
    say(&shown(person));
    let Some(reason) = &options.reason else {
        if person.spec.hold.is_none() {
            return Err(Failure::Refused(format!("there is no hold on {name}")));
        }
        options
            .whom
            .asked
            .confirm("Lift the hold? If they have left, their access ends as soon as no other gate is closed.")?;
        write(&api, person, json!({"hold": null})).await?;
        say(&format!("{name}: the hold is lifted"));
        return Ok(());
    };
    let until = leave_now::until(options.until, calls::now(), STANDS).map_err(Failure::Refused)?;
    options.whom.asked.confirm(format!("Their access is left alone until {until}, also if they have left. Go on?"))?;
    let by = whoami(client).await?;
    write(&api, person, json!({"hold": {"reason": reason, "until": until, "by": by}})).await?;
    say(&format!("{name}: held until {until}, as {} said", plain(&by)));
    Ok(())
}
