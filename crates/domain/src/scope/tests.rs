use super::*;
use crate::employee::Texts;

fn ada() -> Employee {
    let texts = Texts::default()
        .with(Text::LegalEntity, "Example Ltd")
        .with(Text::Department, " Sales ")
        .with(Text::Team, "Key accounts")
        .with(Text::Title, "Clerk")
        .with(Text::Location, "Madrid");
    Employee {
        employment_type: Some(EmploymentType::Employee),
        texts,
        start: "2020-01-01".parse().ok(),
        ..Employee::new(HrId("7".into()), "Ada Example".into(), "ada@example.com".into(), ReportedStatus::Silent)
    }
}

fn nobody_knows() -> Employee {
    Employee::new(HrId("7".into()), "Ada Example".into(), "ada@example.com".into(), ReportedStatus::Silent)
}

fn out(scope: &Scope, employee: &Employee) -> Option<&'static str> {
    let known = ScopeSubject { connection: "hq", person: "p-ada", state: State::Active };
    scope.out(employee, &known).map(Out::as_str)
}

fn lists(of: &[(Kind, &[&str])]) -> Lists {
    of.iter().fold(Lists::default(), |lists, (kind, values)| lists.of(*kind, values.iter().copied()))
}

fn include(of: &[(Kind, &[&str])]) -> Scope {
    Scope::new(lists(of), Lists::default(), None).unwrap()
}

fn exclude(of: &[(Kind, &[&str])]) -> Scope {
    Scope::new(Lists::default(), lists(of), None).unwrap()
}

fn select(expression: &str) -> Scope {
    Scope::new(Lists::default(), Lists::default(), Some(expression)).unwrap()
}

#[test]
fn values_of_a_kind_are_any_of_them_and_kinds_are_all_of_them() {
    use Kind::{Department, EmploymentType, LegalEntity, Location, Person, Team};
    let cases = [
        ("no list at all", include(&[]), None),
        ("an empty list", include(&[(Department, &[])]), None),
        ("one of the values", include(&[(Department, &["Support", "Sales"])]), None),
        ("without case and blanks", include(&[(Department, &["sALES\t"])]), None),
        ("none of the values", include(&[(Department, &["Support"])]), Some("departmentNotIncluded")),
        ("only a part of the value", include(&[(Department, &["Sale"])]), Some("departmentNotIncluded")),
        ("both kinds", include(&[(Department, &["Sales"]), (Location, &["Madrid"])]), None),
        ("one of two kinds", include(&[(Department, &["Sales"]), (Location, &["Oslo"])]), Some("locationNotIncluded")),
        ("legal entity", include(&[(LegalEntity, &["Other"])]), Some("legalEntityNotIncluded")),
        ("type", include(&[(EmploymentType, &["Employee"])]), None),
        ("another type", include(&[(EmploymentType, &["Contractor"])]), Some("employmentTypeNotIncluded")),
        ("team", include(&[(Team, &["key accounts"])]), None),
        ("by id", include(&[(Person, &["7", "8"])]), None),
        ("by the Person's name", include(&[(Person, &["p-ada"])]), None),
        ("an id is no part of another", include(&[(Person, &["77"])]), Some("personNotIncluded")),
        ("left out", exclude(&[(Department, &["sales"])]), Some("departmentExcluded")),
        ("another one left out", exclude(&[(Department, &["Support"])]), None),
        ("left out by who they are", exclude(&[(Person, &["p-ada"])]), Some("personExcluded")),
    ];
    for (what, scope, expected) in cases {
        assert_eq!(out(&scope, &ada()), expected, "{what}");
    }
    let both = Scope::new(lists(&[(Department, &["Sales"])]), lists(&[(Location, &["Madrid"])]), None).unwrap();
    assert_eq!(out(&both, &ada()), Some("locationExcluded"), "leaving out wins");
}

#[test]
fn what_is_not_known_is_out_with_that_reason_and_never_guessed() {
    use Kind::{Department, EmploymentType, LegalEntity, Location, Person, Team};
    for (kind, word) in [
        (LegalEntity, "legalEntityUnknown"),
        (EmploymentType, "employmentTypeUnknown"),
        (Department, "departmentUnknown"),
        (Team, "teamUnknown"),
        (Location, "locationUnknown"),
    ] {
        assert_eq!(out(&include(&[(kind, &["x"])]), &nobody_knows()), Some(word), "to be included");
        assert_eq!(out(&exclude(&[(kind, &["x"])]), &nobody_knows()), Some(word), "to be left out");
    }
    let blank = ada().with(Text::Department, "  ");
    assert_eq!(out(&include(&[(Department, &["Sales"])]), &blank), Some("departmentUnknown"), "a blank says nothing");
    let sure = exclude(&[(Department, &["Sales"]), (Person, &["7"])]);
    assert_eq!(out(&sure, &nobody_knows()), Some("personExcluded"), "what is sure is said first");
}

#[test]
fn an_expression_sees_the_fields_that_say_something() {
    let cases = [
        ("person.department == 'Sales' && person.location.startsWith('Mad')", None),
        ("person.employmentType in ['Contractor', 'Intern']", Some("notSelected")),
        ("person.startDate < '2021-01-01' && !has(person.lastDay)", None),
        ("person.lastDay > '2021-01-01'", Some("expressionFailed")),
        ("person.state == 'Active' && person.connection == 'hq' && person.id == '7'", None),
        ("person.workEmail.endsWith('@example.com') && person.legalEntity == 'Example Ltd'", None),
        ("person.team + person.title == 'Key accountsClerk'", None),
    ];
    for (expression, expected) in cases {
        assert_eq!(out(&select(expression), &ada()), expected, "{expression}");
    }
    assert_eq!(out(&select("person.department == 'Sales'"), &nobody_knows()), Some("expressionFailed"));
    let no_cel = "not a CEL expression such as 'oidc:' + person.workEmail, or person.department == 'Sales'";
    for (expression, why) in [("person.department", "does not give true or false"), ("person.", no_cel)] {
        let refused = Scope::new(Lists::default(), Lists::default(), Some(expression)).unwrap_err();
        assert_eq!(refused.to_string(), why);
    }
}

#[test]
fn without_a_record_only_who_they_are_can_be_told() {
    use Kind::{Department, Person};
    let cases = [
        ("left out by id", exclude(&[(Person, &["7"])]), Some("personExcluded")),
        ("by the Person's name", exclude(&[(Person, &["p-ada"])]), Some("personExcluded")),
        ("others are included", include(&[(Person, &["8"])]), Some("personNotIncluded")),
        ("included by id", include(&[(Person, &["7"])]), None),
        ("asked for what only a record says", include(&[(Department, &["Sales"])]), None),
    ];
    for (what, scope, expected) in cases {
        assert_eq!(scope.out_by_id("7", "p-ada").map(Out::as_str), expected, "{what}");
    }
}

#[test]
fn every_reason_has_a_word_that_is_read_back() {
    let words: BTreeSet<_> = Out::all().map(Out::as_str).collect();
    assert_eq!(words.len(), Out::all().count());
    for out in Out::all() {
        assert_eq!(Out::from_stored(out.as_str()), out);
        assert!(out.words().len() < 90, "{}", out.words());
    }
    assert_eq!(Out::from_stored("phaseOfTheMoon"), Out::Other);
}
