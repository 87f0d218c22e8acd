//! Leaves that a policy acts on, freezes and how they are kept true, and what a human makes or ends by hand.

use super::*;

impl Cluster {
    fn leave_id(person: &Standing) -> Option<String> {
        let leave = person.known.entry.as_ref()?.leave.as_ref()?;
        Some(termination_id(&person.known.name, leave.seen))
    }

    /// The one Revocation that a leave calls for.
    pub(super) fn call_for_leave(&mut self, position: usize) {
        let person = &self.people[position];
        let (Some(id), Some(entry)) = (Self::leave_id(person), &person.known.entry) else { return };
        if !matches!(entry.employment.state, State::Leave | State::Suspended) {
            return;
        }
        let Some(policy) = self.policy(&entry.policy) else { return };
        let (freezes, word) = match self.policies[policy].leave {
            Leave::Keep => return,
            Leave::Freeze => (true, "freeze"),
            Leave::Cut => (false, "cut"),
        };
        let (run, due) = entry.leave.as_ref().map_or((None, self.now), |leave| (leave.run.clone(), leave.seen));
        self.make(format!("{id}-{word}"), position, (Trigger::Leave, freezes), run, due);
    }

    /// What the Person says of the leave that a Revocation is about.
    pub(super) fn leave_status(&self, name: &str, one: &Revocation, says: LeaverStatus) -> LeaverStatus {
        let in_force = one.phase == Phase::Frozen;
        let Some(person) = self.person_of(one) else {
            // A Person that was made anew: a freeze is over once the same human, by a name that is frozen, works here.
            let entry = self.person(&one.person).and_then(|person| person.known.entry.as_ref());
            let entry = entry.filter(|entry| in_force && entry.employment.state == State::Active);
            let frozen =
                |alias: &String| one.plan.targets.iter().any(|target| *alias == format!("user:{}", target.name));
            let same = entry.is_some_and(|entry| entry.aliases.iter().any(frozen));
            return if same { LeaverStatus::Employed } else { LeaverStatus::Unknown };
        };
        let this_leave = Self::leave_id(person).is_some_and(|id| name.starts_with(&id));
        match (says, this_leave) {
            (LeaverStatus::Unknown, _) => LeaverStatus::Unknown,
            (LeaverStatus::OutOfScope, _) => LeaverStatus::OutOfScope,
            (LeaverStatus::Ended, true) if in_force => LeaverStatus::Ended,
            (LeaverStatus::Ended, _) | (LeaverStatus::Employed, false) => LeaverStatus::Employed,
            (LeaverStatus::Employed, true) => LeaverStatus::Ended,
        }
    }

    /// A freeze that stands: lifted once its reason is gone, or a human said so; until then it lets go of what is somebody
    /// else's by now. Where nothing can be told of them, nothing is added.
    pub(super) fn keep_true(&mut self, name: &str) {
        let one = &self.revocations[name];
        let over = match self.status(name, one) {
            LeaverStatus::Employed | LeaverStatus::OutOfScope => true,
            LeaverStatus::Ended | LeaverStatus::Unknown if one.rejected => true,
            LeaverStatus::Ended | LeaverStatus::Unknown => false,
        };
        if over {
            self.frozen.hold(name, BTreeSet::new());
            self.revocations.get_mut(name).unwrap().phase = Phase::Lifted;
            return;
        }
        let grows = self.status(name, one) == LeaverStatus::Ended;
        let Some(person) = self.person_of(one) else { return };
        let now = self.drawn(one.policy, true, person, &self.index());
        let theirs = plan::still_theirs(&one.plan.targets, &now.targets).map(plan::frozen_name);
        let held: BTreeSet<&str> = self.frozen.of(name).collect();
        let held = theirs.filter(|frozen| grows || held.contains(frozen.as_str())).collect();
        self.frozen.hold(name, held);
    }

    /// Who is on a leave that their policy acts on, where nothing came of that although there is something to act on.
    pub(in crate::histories) fn leaves_that_wait(&self) -> impl Iterator<Item = String> {
        let on_leave = self.people.iter().filter(|one| {
            let state = one.known.entry.as_ref().map(|entry| entry.employment.state);
            matches!(state, Some(State::Leave | State::Suspended))
        });
        let index = self.index();
        let waits = on_leave.filter(move |person| {
            let Some(id) = Self::leave_id(person) else { return false };
            let mut of_it = self.revocations.iter().filter(|(name, _)| name.starts_with(&id)).map(|(_, one)| one);
            // What was approved may be somebody else's too by now, as where they work by another record.
            let acts = |one: &Revocation| !self.drawn(one.policy, one.freezes, person, &index).targets.is_empty();
            !of_it.any(|one| one.phase != Phase::Held || !acts(one))
        });
        waits.map(Standing::called)
    }

    /// What is frozen, by the Revocation that holds it.
    pub(in crate::histories) fn frozen(&self) -> impl Iterator<Item = (&Revocation, &str)> {
        self.frozen.holders().flat_map(move |name| {
            let one = &self.revocations[name];
            self.frozen.of(name).map(move |frozen| (one, frozen))
        })
    }

    /// Whether every Revocation that holds a name on the list is one that stands.
    pub(in crate::histories) fn list_is_true(&self) -> bool {
        self.frozen.holders().all(|name| self.revocations.get(name).is_some_and(|one| one.phase == Phase::Frozen))
    }

    /// A human revokes what is somebody's, or freezes them, whether they work here or not.
    pub(in crate::histories) fn revoke_now(&mut self, position: usize, freezes: bool) {
        let name = format!("by-hand-{}", self.made);
        self.make(name, position, (Trigger::ByHand, freezes), None, self.now);
    }

    /// A human says no to every plan of a Person that nobody has approved, and to every freeze; or takes that back.
    pub(in crate::histories) fn reject(&mut self, position: usize, rejected: bool) {
        let person = self.people[position].known.name.clone();
        for one in self.revocations.values_mut().filter(|one| one.person == person && one.approved.is_none()) {
            if matches!(one.phase, Phase::Held | Phase::Frozen) {
                one.rejected = rejected;
            }
        }
    }

    /// A human takes every no back, and deletes what was frozen by hand.
    pub(in crate::histories) fn clear_up(&mut self) {
        let by_hand = |one: &Revocation| one.trigger == Trigger::ByHand && one.phase == Phase::Frozen;
        let deleted: Vec<String> =
            self.revocations.iter().filter(|(_, one)| by_hand(one)).map(|(name, _)| name.clone()).collect();
        for name in deleted {
            self.frozen.hold(&name, BTreeSet::new());
            self.revocations.remove(&name);
        }
        self.revocations.values_mut().filter(|one| one.phase == Phase::Held).for_each(|one| one.rejected = false);
    }
}
