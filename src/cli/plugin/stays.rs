//! `rollcall stays`: a human's word that somebody has not left, where HR is late or wrong.
//!
//! The word goes before what HR says, and ends: then what HR says counts again, and whoever left by it becomes a leaver, counted
//! like every other. An admission policy asks for the verb `declare`, and that nobody says it of themself.

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::Failure;
use super::asked::Whom;
use super::cluster::whoami;
use super::leave_now::{self, said, take_back};
use super::link::{shown, write};
use super::people::{everybody, find};
use super::terminal::{plain, reason, say};
use crate::api::person::{Declared, DeclaredState};
use crate::kube::calls;

/// How long the word stands by itself: until then HR has been corrected.
const STANDS: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long it stands at most.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Options of `rollcall stays`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The reason, in a few words without personal details
    #[arg(long, value_parser = reason, required_unless_present = "withdraw")]
    reason: Option<String>,
    /// What they are
    #[arg(long, value_enum, default_value_t = Stays::Active)]
    state: Stays,
    /// When HR's word counts again, such as 2026-04-30T00:00:00Z, in 90 days at most; without it, in 14 days
    #[arg(long, conflicts_with = "withdraw")]
    until: Option<Timestamp>,
    /// Take the word back
    #[arg(long, conflicts_with = "reason")]
    withdraw: bool,
}

/// What somebody is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stays {
    /// Works here
    Active,
    /// Is on leave
    Leave,
    /// Is suspended
    Suspended,
}

/// Declares that somebody has not left, or takes that back.
///
/// # Flow          read, show, ask, find the caller's own name, write
/// # Guarantees    nothing is written over a Person that changed since it was shown; doing it again replaces the word
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (client, api, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    let name = person.name_any();
    say(&shown(person));
    let Some(reason) = &options.reason else {
        if person.spec.declared.as_ref().and_then(|said| said.state).is_none() {
            return Err(Failure::Refused(format!("nobody declared that {name} has not left")));
        }
        return take_back(&api, person, "Take it back? Then what HR says counts", options.whom.asked).await;
    };
    let at = calls::now();
    let until = until(options.until, at).map_err(Failure::Refused)?;
    options
        .whom
        .asked
        .confirm("They have not left, whatever HR says until then, and nothing of theirs is revoked. Go on?")?;
    let state = Some(match options.state {
        Stays::Active => DeclaredState::Active,
        Stays::Leave => DeclaredState::Leave,
        Stays::Suspended => DeclaredState::Suspended,
    });
    let by = whoami(client).await?;
    let declared = Declared { state, at: Some(at), last_day: None, reason: reason.clone(), until, by };
    write(&api, person, said(&declared)).await?;
    say(&format!("{name}: has not left, as {} said; HR's word counts again from {until}", plain(&declared.by)));
    Ok(())
}

/// When HR's word counts again.
fn until(wanted: Option<Timestamp>, at: Timestamp) -> Result<Timestamp, String> {
    let until = leave_now::until(wanted, at, STANDS)?;
    if at.checked_add(LONGEST).is_ok_and(|longest| until > longest) {
        return Err(format!("--until {until} is more than 90 days away: correct it in the HR system"));
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_somebody_stays_ends_soon() {
        let at: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let day = |days: i64| at + SignedDuration::from_hours(24 * days);
        for (wanted, expected) in [
            (None, Some(day(14))),
            (Some(day(1)), Some(day(1))),
            (Some(day(90)), Some(day(90))),
            (Some(day(91)), None),
            (Some(day(0)), None),
        ] {
            assert_eq!(until(wanted, at).ok(), expected, "{wanted:?}");
        }
    }
}
