//! `rollcall leave-now`: a human's word that somebody leaves, where HR's would come too late.
//!
//! The word goes before what HR says until it ends. Everything else is as for every other leaver: limits, protection, holds
//! and the mode of the policy. An admission policy asks for the verb `declare`, and that the word is the caller's own.

use clap::Args;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;

use super::Failure;
use super::asked::{Asked, Whom};
use super::cluster::whoami;
use super::link::{shown, write};
use super::people::{everybody, find};
use super::terminal::{plain, reason, say};
use crate::api::Person;
use crate::api::person::Declared;
use crate::kube::calls;
use crate::kube::named::Api;

/// How long the word stands by itself: until then HR has reported the exit.
const STANDS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Options of `rollcall leave-now`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The reason, in a few words without personal details
    #[arg(long, value_parser = reason, required_unless_present = "withdraw")]
    reason: Option<String>,
    /// Their last day of work, such as 2026-03-31; without it they leave at once
    #[arg(long, conflicts_with = "withdraw")]
    last_day: Option<Date>,
    /// When HR's word counts again, such as 2026-04-30T00:00:00Z; without it, in 30 days
    #[arg(long, conflicts_with = "withdraw")]
    until: Option<Timestamp>,
    /// Take the word back
    #[arg(long, conflicts_with = "reason")]
    withdraw: bool,
}

/// Declares that somebody leaves, or takes that back.
///
/// # Flow          read, show, ask, find the caller's own name, write
/// # Guarantees    nothing is written over a Person that changed since it was shown; doing it again replaces the word
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (client, api, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    say(&shown(person));
    let Some(reason) = &options.reason else {
        if person.spec.declared.as_ref().is_none_or(|said| said.state.is_some()) {
            return Err(Failure::Refused(format!("nobody declared that {} leaves", person.name_any())));
        }
        let question = "Take it back? Then what HR says counts. What was revoked stays revoked";
        return take_back(&api, person, question, options.whom.asked).await;
    };
    let now = calls::now();
    let until = until(options.until, now, STANDS).map_err(Failure::Refused)?;
    let when = options.last_day.map_or_else(|| "at once".to_owned(), |day| format!("after {day}, where they work"));
    options.whom.asked.confirm(format!("Their access ends {when}, within the limits of the policy. Go on?"))?;
    let by = whoami(client).await?;
    let declared = Declared { state: None, at: None, last_day: options.last_day, reason: reason.clone(), until, by };
    write(&api, person, said(&declared)).await?;
    say(&format!(
        "{}: leaves {when}, as {} said; HR's word counts again from {until}. See: kubectl get person {} -o wide",
        person.name_any(),
        plain(&declared.by),
        person.name_any()
    ));
    Ok(())
}

/// When HR's word counts again; `stands` later if nobody says.
pub(super) fn until(wanted: Option<Timestamp>, now: Timestamp, stands: SignedDuration) -> Result<Timestamp, String> {
    let until = wanted.or_else(|| now.checked_add(stands).ok()).unwrap_or(Timestamp::MAX);
    if until <= now {
        return Err(format!("--until {until} has passed: the word would never count"));
    }
    Ok(until)
}

/// Takes a word back, once that is confirmed.
pub(super) async fn take_back(api: &Api<Person>, person: &Person, question: &str, asked: Asked) -> Result<(), Failure> {
    asked.confirm(question)?;
    write(api, person, json!({"declared": null})).await?;
    say(&format!("{}: what HR says counts again", person.name_any()));
    Ok(())
}

/// A word as it is written: all of it, since a merge keeps what it does not name.
pub(super) fn said(declared: &Declared) -> serde_json::Value {
    let Declared { state, at, last_day, reason, until, by } = declared;
    json!({"declared": {"state": state, "at": at, "lastDay": last_day, "reason": reason, "until": until, "by": by}})
}
