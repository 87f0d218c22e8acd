//! What an attempt says in words: findings, what was set aside, and how old the last trusted response is.

use jiff::{SignedDuration, Timestamp};

use super::ResponseSummary;
use domain::employee::BadRecord;
use domain::trust::{Finding, Held};

/// Longest finding that the schema takes.
const MAX_FINDING: usize = 512;

/// Why an answer is held, and what to do: all reasons, the first in full.
pub(super) fn explain(name: &str, held: &Held) -> String {
    let mut text = held.findings.first().map_or_else(String::new, Finding::message);
    let others: Vec<_> = held.findings.iter().skip(1).map(Finding::reason).collect();
    if !others.is_empty() {
        text.push_str(&format!(" Also {}: see status.lastAttempt.findings.", others.join(", ")));
    }
    text.push_str(" Nothing was changed.");
    if held.findings.iter().all(Finding::can_be_accepted) {
        let answer = &held.answer;
        text.push_str(&format!(" If this response is right: `kubectl rollcall accept {name} --response {answer}`."));
    }
    text
}

/// How old the last trusted answer is, in words where that matters.
pub(super) struct Age {
    pub(super) at: Timestamp,
    pub(super) stale_after: SignedDuration,
    pub(super) last: Option<Timestamp>,
}

impl Age {
    pub(super) fn stale(&self) -> bool {
        self.last.is_some_and(|last| self.at.duration_since(last) > self.stale_after)
    }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.last {
            None => f.write_str(" No response was trusted yet."),
            Some(last) if self.stale() => {
                write!(f, " Stale: the last trusted response is of {last}, older than trust.staleAfter allows.")
            }
            Some(_) => Ok(()),
        }
    }
}

/// What a believed answer leaves out, in words.
pub(super) fn left_out(seen: Option<&ResponseSummary>) -> String {
    seen.filter(|seen| seen.bad > 0).map_or_else(String::new, |seen| {
        let set_aside = match seen.bad {
            1 => "1 record could not be read and was".to_owned(),
            bad => format!("{bad} records could not be read and were"),
        };
        format!(" {set_aside} set aside, which ends nobody's access: see status.lastAttempt.findings.")
    })
}

pub(super) fn line(prefix: &str, finding: &Finding) -> String {
    short(&format!("{prefix}{}: {}", finding.reason(), finding.message()))
}

pub(super) fn set_aside(record: &BadRecord) -> String {
    short(&format!("set aside: number {}: {}", record.position, record.reason))
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(MAX_FINDING).collect()
}
