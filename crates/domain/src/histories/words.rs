//! What humans say to Rollcall: who is held, who leaves or stays whatever HR says, whose access goes now, which plan is wrong,
//! and what a policy is about.

use super::*;
use crate::roster::{Declared, RecordKey, Says};

/// What each of two policies is about; the second one also with what the first is about, so that they conflict.
const APART: [&[&str]; 2] = [&["Tools"], &["North"]];
const OVERLAPPING: &[&str] = &["North", "Tools"];
/// What one policy alone is about.
const WHOLE: &[&str] = &["Tools", "North"];

/// The policies a company begins with.
pub(super) fn policies(beginning: &Beginning) -> Vec<Policy> {
    let leave = beginning.leave;
    if beginning.divided {
        return vec![Policy::new("everyone", APART[0], leave), Policy::new("north", APART[1], leave)];
    }
    vec![Policy::new("everyone", WHOLE, leave)]
}

impl Story {
    /// Does what a human says, and passes; nothing where it is none of that.
    pub(super) fn says(&mut self, step: Step) -> Result<(), String> {
        let people = self.cluster.people.len();
        // The Person of the same human as of what happens in the company; another one where there is none.
        let positions: Vec<Option<usize>> = self.company.lines.iter().map(|line| self.person_of(line)).collect();
        let of = |who: u8| positions[usize::from(who) % positions.len()].unwrap_or(usize::from(who) % people.max(1));
        let now = self.cluster.now;
        let (who, what) = match step {
            Step::OfLeave(policy, leave) => {
                let policy = usize::from(policy) % self.cluster.policies.len();
                self.cluster.set_leave(policy, leave);
                (None, format!("{} says of a leave: {leave:?}", self.cluster.policies[policy].name))
            }
            Step::Rescoped(_) => (None, self.rescope()),
            _ if people == 0 => return Ok(()),
            Step::Hold(who, hours) => {
                let until = now + SignedDuration::from_hours(i64::from(hours));
                self.cluster.people[of(who)].hold = Some(until);
                (Some(who), format!("held until {until}"))
            }
            Step::HoldLifted(who) => {
                self.cluster.people[of(who)].hold = None;
                (Some(who), "held no longer".to_owned())
            }
            Step::LeaveNow(who, days, lasts) => {
                let last_day = days.map(|days| madrid(now).saturating_add(Span::new().days(i32::from(days))));
                self.declare(of(who), Says::Leaves, last_day, lasts);
                (Some(who), format!("leaves by a human's word, last day {last_day:?}, for {lasts} days"))
            }
            Step::Stays(who, says, lasts) => {
                self.declare(of(who), says, None, lasts);
                (Some(who), format!("is {says:?} by a human's word, for {lasts} days"))
            }
            Step::WordWithdrawn(who) => {
                self.cluster.people[of(who)].known.declared = None;
                (Some(who), "no human's word".to_owned())
            }
            Step::RevokeNow(who, freezes) => {
                self.cluster.revoke_now(of(who), freezes);
                (Some(who), format!("revoked by hand, freeze: {freezes}"))
            }
            Step::Rejected(who, rejected) => {
                self.cluster.reject(of(who), rejected);
                (Some(who), format!("a human says no to every plan: {rejected}"))
            }
            _ => return Ok(()),
        };
        let who = who.map(|who| self.cluster.people[of(who)].called());
        self.tell(&format!("{}{what}", who.map_or_else(String::new, |who| format!("{who}: "))));
        self.pass()
    }

    /// The position of the Person that links a record.
    fn person_of(&self, line: &company::Line) -> Option<usize> {
        let name = self.company.systems[line.source].name;
        let is_it = |record: &RecordKey| *record.connection == *name && record.id.0 == line.id;
        self.cluster.people.iter().position(|one| one.known.records.iter().any(is_it))
    }

    fn declare(&mut self, position: usize, says: Says, last_day: Option<Date>, lasts: u8) {
        let now = self.cluster.now;
        let until = now + SignedDuration::from_hours(24 * i64::from(lasts));
        let from = if says == Says::Leaves { Timestamp::MIN } else { now }; // `leave-now` counts from when it is written
        self.cluster.people[position].known.declared = Some(Declared { says, from, last_day, until });
    }

    /// One policy leaves a part of the company out, or takes it in; of two, one takes in what is the other's, or gives it up.
    fn rescope(&mut self) -> String {
        let last = self.cluster.policies.len() - 1;
        let policy = &self.cluster.policies[last];
        let departments = match (last, policy.has("Tools") && policy.has("North")) {
            (0, true) => APART[0],
            (0, false) => WHOLE,
            (_, true) => APART[1],
            (_, false) => OVERLAPPING,
        };
        let told = format!("{} is about {}", policy.name, departments.join(" and "));
        self.cluster.rescope(last, departments);
        told
    }

    /// Every policy is about what is its own, so that nobody is out of every scope or in two.
    pub(super) fn separate(&mut self) {
        let last = self.cluster.policies.len() - 1;
        let policy = &self.cluster.policies[last];
        if (policy.has("Tools") && policy.has("North")) != (last == 0) {
            self.rescope();
        }
    }
}
