//! What Persons show of accounts, as `domain::identity` asks for it.

use crate::api::person::{Account, AccountFact, Employment, EmploymentState, State};
use crate::api::{Person, SyncPolicy};
use domain::account::{Fact, Known, Value};
use domain::employee::ReportedStatus;
use domain::identity;
use domain::lifecycle::Why;

/// What is known of an account. A value of a later version is not.
#[must_use]
pub fn account(account: &Account) -> Known {
    let Account { last_sign_in, mfa_enrolled, sso } = account;
    let mut known = Known::default();
    let facts = [(Fact::LastSignIn, last_sign_in), (Fact::MfaEnrolled, mfa_enrolled), (Fact::Sso, sso)];
    for (fact, said) in facts {
        let read = |AccountFact { value, since }: &AccountFact| Some((Value::from_stored(value)?, *since));
        known.set(fact, said.as_ref().and_then(read));
    }
    known
}

/// Somebody's accounts, where their policy has directories; nothing while nothing is known of them.
#[must_use]
pub fn accounts<'a>(person: &'a Person, policy: &SyncPolicy) -> Option<identity::Person<'a>> {
    let status = person.status.as_ref()?;
    let together = status.employment.as_ref()?;
    let EmploymentState { state, since, effective, seen, .. } = together;
    let left = || Some(effective.as_ref()?.max(seen.as_ref()?)).filter(|_| *state == State::Terminated);
    let record = |one: &'a Employment| {
        let directory = policy.spec.is_directory(&one.connection);
        let why = one.by_itself.as_deref().unwrap_or(together).why.as_str();
        let known = !matches!(Why::from_stored(why), Why::Conflict | Why::Other);
        (directory || one.account.is_some()).then(|| identity::Record {
            connection: &one.connection,
            directory,
            missing: one.missing_since.is_some(),
            account: identity::Account::of(ReportedStatus::from_stored(&one.reported_status)).filter(|_| known),
            facts: one.account.as_deref().map(account).filter(|_| known).unwrap_or_default(),
        })
    };
    Some(identity::Person {
        state: super::state(*state),
        since: *left().unwrap_or(since),
        records: status.employments.iter().filter_map(record).collect(),
    })
}
