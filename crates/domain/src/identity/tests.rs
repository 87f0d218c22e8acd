use super::*;

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000 + hour)
}

fn record(connection: &str, account: Option<Account>) -> Record<'_> {
    Record { connection, directory: connection != "hq", missing: false, account, facts: Known::default() }
}

fn on(connection: &str) -> Record<'_> {
    record(connection, Some(Account::Enabled))
}

fn off(connection: &str) -> Record<'_> {
    record(connection, Some(Account::Disabled))
}

fn gone(connection: &str) -> Record<'_> {
    Record { missing: true, ..on(connection) }
}

fn unmapped(connection: &str) -> Record<'_> {
    record(connection, None)
}

fn person(state: State, accounts: Vec<Record<'_>>) -> Person<'_> {
    let records = std::iter::once(on("hq")).chain(accounts).collect();
    Person { state, since: at(0), records }
}

/// What is found of somebody among ten people whose accounts are on.
fn found(one: Person<'_>, hours: i64) -> (Option<Account>, Option<Finding>) {
    let mut all: Vec<_> = (0..10).map(|_| person(State::Active, vec![on("okta")])).collect();
    all.push(one);
    let directories = Directories::of(&all);
    (directories.account(&all[10]), directories.finding(&all[10], at(hours)))
}

#[test]
fn hr_and_a_directory_disagree_in_both_directions_after_a_day() {
    use Account::{Disabled, Enabled};
    use Finding::{LeaverEnabled, NoAccount, WorkerDisabled};
    use State::{Active, Leave, PreHire, Terminated, Unknown};
    let cases = [
        ("works, on", Active, vec![on("okta")], 48, (Some(Enabled), None)),
        ("works, off", Active, vec![off("okta")], 0, (Some(Disabled), Some(WorkerDisabled))),
        ("works, one of two is on", Active, vec![off("okta"), on("google")], 48, (Some(Enabled), None)),
        ("works, one of two is not known", Active, vec![off("okta"), unmapped("google")], 48, (None, None)),
        ("works, none", Active, vec![], 48, (None, Some(NoAccount))),
        ("works, none yet", Active, vec![], 23, (None, None)),
        ("works, deleted there", Active, vec![gone("okta")], 48, (None, Some(NoAccount))),
        ("left, on", Terminated, vec![on("okta")], 24, (Some(Enabled), Some(LeaverEnabled))),
        ("left, on for an hour", Terminated, vec![on("okta")], 1, (Some(Enabled), None)),
        ("left, off", Terminated, vec![off("okta")], 48, (Some(Disabled), None)),
        ("left, one of two is on", Terminated, vec![off("okta"), on("g")], 48, (Some(Enabled), Some(LeaverEnabled))),
        ("left, none", Terminated, vec![], 48, (None, None)),
        ("left, not known", Terminated, vec![unmapped("okta")], 48, (None, None)),
        ("on leave, off", Leave, vec![off("okta")], 48, (Some(Disabled), None)),
        ("starts later, none", PreHire, vec![], 48, (None, None)),
        ("cannot be told, off", Unknown, vec![off("okta")], 48, (Some(Disabled), None)),
    ];
    for (what, state, accounts, hours, expected) in cases {
        assert_eq!(found(person(state, accounts), hours), expected, "{what}");
    }
}

#[test]
fn a_directory_that_switches_many_off_at_once_is_not_believed_and_leavers_are_found_all_the_same() {
    let company = |off_of_ten: usize| {
        let account = |n| if n < off_of_ten { off("okta") } else { on("okta") };
        let mut all: Vec<_> = (0..10).map(|n| person(State::Active, vec![account(n)])).collect();
        all.push(person(State::Terminated, vec![on("okta")]));
        let directories = Directories::of(&all);
        let findings = directories.findings(&all, at(48)).unwrap();
        let count = |finding| findings.people.get(&finding).copied().unwrap_or_default();
        let counts = (count(Finding::WorkerDisabled), count(Finding::LeaverEnabled));
        (directories.account(&all[0]), counts, findings.not_believed)
    };
    assert_eq!(company(2), (Some(Account::Disabled), (2, 1), vec![]));
    for many in [3, 10] {
        let not_believed = vec![("okta".to_owned(), u32::try_from(many).unwrap(), 10)];
        assert_eq!(company(many), (None, (0, 1), not_believed), "{many}");
    }
}

#[test]
fn without_a_directory_nothing_is_found() {
    let all = [person(State::Active, vec![]), person(State::Terminated, vec![])];
    assert_eq!(Directories::of(&all).findings(&all, at(48)), None);
}

#[test]
fn a_fact_is_what_all_say_that_say_it_and_a_sign_in_is_the_newest() {
    let with = |value, of| Record { facts: Known::default().with(of, (value, at(0))), ..on("okta") };
    let told = |of, values: &[Value]| {
        let accounts = values.iter().map(|value| with(*value, of)).collect();
        fact(&person(State::Active, accounts), of)
    };
    let day = |day| Value::On(jiff::civil::date(2026, 3, day));
    assert_eq!(told(Fact::LastSignIn, &[day(1), day(3), Value::Never]), Some(day(3)));
    assert_eq!(told(Fact::MfaEnrolled, &[Value::Yes, Value::Yes]), Some(Value::Yes));
    assert_eq!(told(Fact::MfaEnrolled, &[Value::Yes, Value::No]), None);
    assert_eq!(told(Fact::Sso, &[]), None);
    let vanished = Record { missing: true, ..with(Value::Yes, Fact::MfaEnrolled) };
    assert_eq!(fact(&person(State::Active, vec![vanished]), Fact::MfaEnrolled), None);
}
