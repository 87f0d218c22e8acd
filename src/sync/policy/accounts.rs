//! What a policy's status says of accounts: where HR and its directories disagree. Pure.

use crate::api::condition::{self, ConditionUpdate};
use crate::api::policy::Accounts;
use domain::identity::{Finding, Findings};

/// What the status shows. Of accounts that nobody has, nothing new is told without a response.
#[must_use]
pub fn shown(found: &Findings, before: Option<&Accounts>) -> Accounts {
    let people = found.people.iter().map(|(finding, people)| (finding.as_str().to_owned(), *people)).collect();
    let not_believed = found.not_believed.iter().map(|(name, ..)| name.clone()).collect();
    let told = found.orphans.as_ref().map(|told| (told.accounts, told.first.iter().map(ToString::to_string).collect()));
    let stands = || before.map(|before| (before.orphans, before.first_orphans.clone()));
    let (orphans, first_orphans) = told.or_else(stands).unwrap_or_default();
    Accounts { people, orphans, first_orphans, not_believed }
}

/// Whether HR and the directories agree.
#[must_use]
pub fn of_accounts(found: &Findings, shown: &Accounts) -> ConditionUpdate {
    let count = |finding: Finding| found.people.get(&finding).copied().unwrap_or_default();
    let counted = [
        (count(Finding::LeaverEnabled), "leavers have an account that is still on"),
        (count(Finding::WorkerDisabled), "people who work here have an account that is off"),
        (count(Finding::NoAccount), "people who work here have no account"),
        (shown.orphans, "accounts that are on are nobody's"),
    ];
    let counted: Vec<_> =
        counted.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    let words = counted.join("; ");
    match found.not_believed.first() {
        Some((directory, off, of)) => condition::many_disabled(directory, *off, *of, &words),
        None if words.is_empty() => condition::accounts_agree(),
        None => condition::accounts_differ(&words),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::condition::Status;

    #[test]
    fn what_differs_is_counted_without_a_name_and_what_is_not_believed_is_said_first() {
        let people = BTreeMap::from([(Finding::LeaverEnabled, 2), (Finding::NoAccount, 1)]);
        let some = Findings { people, ..Findings::default() };
        let many = Findings { not_believed: vec![("okta".into(), 40, 50)], ..some.clone() };
        let orphans = Accounts { orphans: 3, ..Accounts::default() };
        for (found, before, status, says) in [
            (&Findings::default(), None, Status::True, "agree about everybody"),
            (&some, None, Status::False, "2 leavers have an account that is still on; 1 people who work here have no"),
            (&some, Some(&orphans), Status::False, "no account; 3 accounts that are on are nobody's. Nobody's access"),
            (&many, None, Status::Unknown, "okta says that the accounts of 40 of 50 people who work here are off"),
        ] {
            let update = of_accounts(found, &shown(found, before));
            assert!(update.status == status && update.message.contains(says), "{}", update.message);
        }
    }
}
