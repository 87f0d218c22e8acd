//! The drill: an invented leaver who goes the whole way, so that it is known that a real one would. What one shows, and what it proves.
//!
//! Pure. The drill's own word is not enough for a proof: it counts as passed only where the Revocation that it names revoked the very
//! account that it tried.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::schedule::Rhythm;

/// How long after its time a drill may end before it is late.
const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// Longest text of why it failed.
pub const MAX_MESSAGE: usize = 400;

/// How a drill ended, as it is written down. All that is in it is invented, or said by Rollcall of what is invented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillReport {
    /// Name of this drill.
    pub run: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What went wrong; absent if it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Shortfall>,
    /// The same in words; empty if it passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The account that the invented person owned; absent if none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<DrillAccount>,
    /// Name of the Revocation, once there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<String>,
    /// When the HR file said that they had left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Timestamp>,
    /// When the API server was first seen refusing their token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Timestamp>,
    /// When their user name was first seen without the right that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Timestamp>,
    /// When the next one has ended at the latest; absent where none is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// The account of an invented leaver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Where a drill came to its end without passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shortfall {
    /// The invented person did not become somebody who works here: the HR file is not read, or not trusted.
    NotHired,
    /// The account, its token or its right could not be made, or did not work to begin with.
    NotPrepared,
    /// The HR file says that they left, and Rollcall does not.
    NotSeen,
    /// A gate held the Revocation.
    Held,
    /// It was released, and not revoked: the revoker cannot run, or could not do it.
    NotRevoked,
    /// Rollcall says that it is revoked, and the token or the right still works.
    StillWorks,
    /// The drill says that it passed, and no Revocation shows it.
    NotConfirmed,
}

impl Shortfall {
    /// Its spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotHired => "NotHired",
            Self::NotPrepared => "NotPrepared",
            Self::NotSeen => "NotSeen",
            Self::Held => "Held",
            Self::NotRevoked => "NotRevoked",
            Self::StillWorks => "StillWorks",
            Self::NotConfirmed => "NotConfirmed",
        }
    }
}

/// How far Rollcall says that the leaver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It does not say that they left, or has not planned anything yet.
    Unseen(String),
    /// A gate holds it.
    Held(String),
    /// It is the revoker's.
    Released(String),
    /// It ended, and access may stand.
    Failed(String),
    /// It says that everything is revoked.
    Revoked,
}

impl Progress {
    /// What a drill that gets no further than this fell short of, and in which words; none if it got to the end.
    #[must_use]
    pub fn falls_short(&self) -> Option<(Shortfall, &str)> {
        match self {
            Self::Unseen(said) => Some((Shortfall::NotSeen, said)),
            Self::Held(said) => Some((Shortfall::Held, said)),
            Self::Released(said) | Self::Failed(said) => Some((Shortfall::NotRevoked, said)),
            Self::Revoked => None,
        }
    }

    /// Whether waiting longer changes nothing.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Revoked | Self::Failed(_))
    }
}

/// What drills show of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None has ended yet.
    Never,
    /// The newest passed.
    Passed,
    /// The newest failed.
    Failed(Shortfall),
    /// The next should have ended by then.
    Late(Timestamp),
}

impl DrillReport {
    /// How long it took from the file to the refusal of the token and of the right, whichever was later; of one that passed.
    #[must_use]
    pub fn took(&self) -> Option<SignedDuration> {
        let refused = self.refused?.max(self.denied?);
        self.failed.is_none().then_some(refused.duration_since(self.left?))
    }

    /// The same report, believed only as far as it is shown. `revoked` says whether the Revocation that it names revoked the account
    /// that it names.
    #[must_use]
    pub fn believed(self, revoked: bool) -> Self {
        if self.failed.is_some() || (revoked && self.took().is_some_and(|took| !took.is_negative())) {
            return self;
        }
        let message = "the drill says that it passed, and no Revocation shows that its account was revoked".to_owned();
        Self { failed: Some(Shortfall::NotConfirmed), message, ..self }
    }
}

/// What the newest report shows now. One that failed stays the more important thing to say.
#[must_use]
pub fn standing(report: Option<&DrillReport>, now: Timestamp) -> Standing {
    let Some(report) = report else { return Standing::Never };
    match (report.failed, report.due) {
        (Some(short), _) => Standing::Failed(short),
        (None, Some(due)) if due < now => Standing::Late(due),
        (None, _) => Standing::Passed,
    }
}

/// When the drill after this moment has ended at the latest.
///
/// # Errors
/// When the schedule cannot be read.
pub fn due(schedule: &str, now: Timestamp) -> Result<Timestamp, &'static str> {
    let next = crate::schedule::next(&Rhythm::cron(schedule, "Etc/UTC")?, "", now);
    Ok(next.checked_add(GRACE).unwrap_or(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn passed() -> DrillReport {
        DrillReport {
            run: "d-1".into(),
            began: at(0),
            ended: at(20),
            failed: None,
            message: String::new(),
            account: None,
            revocation: Some("rollcall-drill-1-cut".into()),
            left: Some(at(5)),
            refused: Some(at(9)),
            denied: Some(at(7)),
            due: Some(at(100)),
        }
    }

    #[test]
    fn the_newest_report_shows_whether_it_would_work_tonight() {
        let failed = DrillReport { failed: Some(Shortfall::Held), ..passed() };
        for (what, report, now, expected) in [
            ("none has ended", None, 50, Standing::Never),
            ("passed, and the next is not due", Some(passed()), 100, Standing::Passed),
            ("passed, and the next did not come", Some(passed()), 101, Standing::Late(at(100))),
            ("passed, and none is planned", Some(DrillReport { due: None, ..passed() }), 9_999, Standing::Passed),
            ("failed", Some(failed.clone()), 50, Standing::Failed(Shortfall::Held)),
            ("failed, and the next did not come", Some(failed), 500, Standing::Failed(Shortfall::Held)),
        ] {
            assert_eq!(standing(report.as_ref(), at(now)), expected, "{what}");
        }
    }

    #[test]
    fn a_drill_passed_only_where_a_revocation_shows_it() {
        let failed = DrillReport { failed: Some(Shortfall::Held), ..passed() };
        for (what, report, revoked, expected) in [
            ("shown", passed(), true, None),
            ("a Revocation that shows nothing", passed(), false, Some(Shortfall::NotConfirmed)),
            ("no token was tried", DrillReport { refused: None, ..passed() }, true, Some(Shortfall::NotConfirmed)),
            ("no right was tried", DrillReport { denied: None, ..passed() }, true, Some(Shortfall::NotConfirmed)),
            (
                "refused before they left",
                DrillReport { refused: Some(at(3)), denied: Some(at(4)), ..passed() },
                true,
                Some(Shortfall::NotConfirmed),
            ),
            ("failed", failed.clone(), true, Some(Shortfall::Held)),
            ("failed, with no Revocation", failed, false, Some(Shortfall::Held)),
        ] {
            assert_eq!(report.believed(revoked).failed, expected, "{what}");
        }
        assert_eq!(passed().took(), Some(SignedDuration::from_secs(4)), "the later of the two");
    }

    #[test]
    fn what_it_fell_short_of_is_where_it_got_stuck() {
        let said = || "why".to_owned();
        for (progress, over, expected) in [
            (Progress::Unseen(said()), false, Some(Shortfall::NotSeen)),
            (Progress::Held(said()), false, Some(Shortfall::Held)),
            (Progress::Released(said()), false, Some(Shortfall::NotRevoked)),
            (Progress::Failed(said()), true, Some(Shortfall::NotRevoked)),
            (Progress::Revoked, true, None),
        ] {
            assert_eq!((progress.is_over(), progress.falls_short().map(|(short, _)| short)), (over, expected));
        }
    }

    #[test]
    fn the_next_is_due_an_hour_after_its_time() {
        let noon = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(due("17 3 * * *", noon), Ok("2026-03-02T04:17:00Z".parse().unwrap()));
        assert!(due("every night", noon).is_err());
    }
}
