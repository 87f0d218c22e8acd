//! Each state, each reason and what each record does, in words of its own.

use crate::cli::plugin::people::answer::Role;
use domain::identity::Account;
use domain::lifecycle::{State, Why};

/// What a state is, for somebody who asks why.
pub(super) const fn in_words(state: State) -> &'static str {
    match state {
        State::PreHire => "They start later",
        State::Active => "They work here",
        State::Suspended => "They are suspended or inactive",
        State::Leave => "They are on leave",
        State::Terminated => "They have left",
        State::OutOfScope => "They are out of the policy's scope: nothing is done, and access stands",
        State::Unknown => "It cannot be told whether they work here: nothing is done, and access stands",
    }
}

/// Each reason, with what follows from it.
pub(super) const fn sentence(why: Why) -> &'static str {
    match why {
        Why::Active => "The record says active, and names no last day.",
        Why::LeavesLater => "The record says active, with a last day that is still to come.",
        Why::EarlierEmployment => {
            "The record says active; its last day lies before its first day, so it belongs to an earlier employment and ends nothing."
        }
        Why::StartsLater => "The first day of work is still to come.",
        Why::Contradiction => {
            "The record says active, but its last day has passed and was never announced: one of the two is wrong, so nobody's access ends by it."
        }
        Why::LastDayPassed => "The last day has passed.",
        Why::Terminated => "The record says terminated.",
        Why::Urgent => "The record says terminated for a reason that means at once, so its last day is not waited for.",
        Why::ContractEnded => {
            "The record says active; the planned end of the contract has passed, and the policy says that it ends nothing."
        }
        Why::SwitchedOff => {
            "The account has been switched off for as long as the policy asks for (saysWhoLeft), and nothing else says who works here."
        }
        Why::DeclaredActive => {
            "Somebody declared that they work here, whatever HR says: see spec.declared of the Person."
        }
        Why::DeclaredLeave => {
            "Somebody declared that they are on leave, whatever HR says: see spec.declared of the Person."
        }
        Why::DeclaredSuspended => {
            "Somebody declared that they are suspended, whatever HR says: see spec.declared of the Person."
        }
        Why::Declared => "Somebody declared that they have left, whatever HR says: see spec.declared of the Person.",
        Why::TerminatedLater => {
            "The record says terminated, as of a last day that is still to come: they work until then."
        }
        Why::TooFarAhead => {
            "The record says terminated as of a day more than a year ahead, which may be a mistyped year, so nobody's access ends by it."
        }
        Why::EndsBeforeStart => {
            "The record says terminated, but its last day lies before its first day and belongs to an earlier employment, so nobody's access ends by it."
        }
        Why::OnLeave => "The record says on leave.",
        Why::Suspended => "The record says suspended or inactive.",
        Why::Unmapped => "The status is empty, or a word without a meaning here, so nobody's access ends by it.",
        Why::NothingSaid => {
            "The source gives neither a status nor a last day: they are employed as long as it lists them."
        }
        Why::NextFollows => "One employment ends, and the next begins within the gap that is no exit.",
        Why::Between => {
            "One employment has ended, and the next begins within the gap that is no exit: nothing is revoked."
        }
        Why::NotNamed => {
            "No trusted response has ever named one of their records, so it cannot be told whether that one goes on."
        }
        Why::NotMigrated => {
            "The connection of the record was replaced, and no record of the new one is theirs, so it cannot be told whether they work on."
        }
        Why::PolicyConflict => {
            "They are in the scope of two policies over one connection, so nothing new is decided of them until the scopes are separate: see the condition ScopesSeparate of the policies."
        }
        Why::NoEmployment => {
            "All of their records are of corroborating connections, which do not say who works here, so nobody's access ends by it."
        }
        Why::OtherSourceStale => {
            "Every record has ended, but another connection of the policy has had no trusted response for too long, and might say that they work on."
        }
        Why::Conflict => {
            "Name, address and first day all changed at once, so the id may be another human's by now: nothing is taken over, and nobody's access ends by it."
        }
        Why::Other => "The reason is one of another version of Rollcall; the next trusted response replaces it.",
    }
}

/// What a record does, in words.
pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Keeps(State::Leave) => "keeps them on leave",
        Role::Keeps(State::Suspended) => "keeps them suspended, and not ended",
        Role::Keeps(_) => "keeps them active",
        Role::Begins => "begins later",
        Role::Ended => "has ended",
        Role::CannotTell => "cannot be told, which holds",
        Role::NeverNamed => "was never named by a trusted response, which holds",
        Role::Tells(Some(Account::Enabled)) => "is an account that is on, which decides nothing",
        Role::Tells(Some(Account::Disabled)) => "is an account that is off, which decides nothing",
        Role::Tells(None) => "is an account of which it is not known whether it is on, and decides nothing",
        Role::NotRead => "is of a connection that the policy does not read, which holds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_state_has_a_sentence_of_its_own() {
        let mut sentences: Vec<_> = Why::ALL.iter().map(|why| sentence(*why)).collect();
        assert!(sentences.iter().all(|text| text.ends_with('.')), "{sentences:?}");
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), Why::ALL.len());
    }
}
