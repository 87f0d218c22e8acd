use std::collections::BTreeMap;

use super::*;
use crate::dates::DateForm;
use domain::capabilities::Declared;
use domain::employee::{EmploymentType, HrId, Status, Text};
use domain::field::CustomName;

const TODAY: Date = Date::constant(2026, 3, 2);

fn form(dates: &str, end_date: EndDate) -> Form {
    let plain = |means| Meaning { means, when_starts_later: None };
    let words = [
        ("Active", plain(Status::Active)),
        ("on leave", plain(Status::Leave)),
        ("Inactive", Meaning { means: Status::Terminated, when_starts_later: Some(Status::Active) }),
    ];
    Form {
        accounts: Accounts::default(),
        offered: [
            Slot::EmployeeId,
            Slot::FullName,
            Slot::Email,
            Slot::Status,
            Slot::HireDate,
            Slot::TerminationDate,
            Slot::Department,
            Slot::ManagerEmail,
            Slot::ManagerId,
        ]
        .into(),
        required: BTreeSet::new(),
        statuses: Statuses::new(words.map(|(word, meaning)| (word.to_owned(), meaning))).unwrap(),
        rules: Vec::new(),
        dates: vec![DateForm::try_from(dates.to_owned()).unwrap()],
        names: BTreeMap::new(),
        end_date,
        types: Types::new([("Freelance".to_owned(), EmploymentType::Contractor)]).unwrap(),
        urgent: ["gross misconduct".to_owned()].into(),
        declared: Declared::default(),
        custom: Vec::new(),
    }
}

fn iso() -> Form {
    form("%Y-%m-%d", EndDate::LastDay)
}

/// Maps Ada, with some of her cells written over.
fn map(form: Form, cells: &[(Slot, &str)]) -> Result<Employee, String> {
    let mut row = Row::default();
    let ada = [(Slot::EmployeeId, "7"), (Slot::FullName, "Ada Example"), (Slot::Email, "ada@example.com")];
    for (slot, text) in ada.iter().chain(cells) {
        row.set(*slot, text);
    }
    let mut mapper = Mapper::new(form, TODAY);
    mapper.take(1, &row).unwrap();
    let read = mapper.finish().unwrap();
    read.employees.into_iter().next().ok_or_else(|| read.bad.first().unwrap().reason.clone())
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_with_a_reason_that_quotes_nothing() {
    let long = "7".repeat(129);
    for (slot, text, reason) in [
        (Slot::FullName, "Ada\nExample", "fullName holds control characters"),
        (Slot::Email, "'ada@example.com", "email begins with a sign that a spreadsheet puts before a text"),
        (Slot::Email, "=ada@example.com", "email begins with a sign that a spreadsheet puts before a text"),
        (Slot::Email, "=HYPERLINK(\"mailto:ada@example.com\",\"bo@example.com\")", "email is not an address"),
        (Slot::Email, "ada\u{a0}x@example.com", "email is not an address"),
        (Slot::Email, "ada@example.com, bo", "email is not an address"),
        (Slot::EmployeeId, "10\u{a0}02", "employeeId holds a blank that is none of a keyboard"),
        (Slot::EmployeeId, "1,00E+05", "employeeId is in scientific notation: a spreadsheet has dropped digits of it"),
        (Slot::EmployeeId, "1.5e5", "employeeId is in scientific notation: a spreadsheet has dropped digits of it"),
        (Slot::Email, "ada.example.com", "email is not an address"),
        (Slot::Email, "@example.com", "email is not an address"),
        (Slot::Email, "ada@", "email is not an address"),
        (Slot::Email, "ada@example.com bo@example.com", "email is not an address"),
        (Slot::Email, "ada@example.com;bo@example.com", "email is not an address"),
        (Slot::EmployeeId, "", "employeeId is empty"),
        (Slot::EmployeeId, "7\u{7}", "employeeId holds control characters"),
        (Slot::EmployeeId, &long, "employeeId is longer than 128 characters"),
        (Slot::EmployeeId, "1.23E+05", "employeeId is in scientific notation: a spreadsheet has dropped digits of it"),
        (
            Slot::EmployeeId,
            "ada@example.com",
            "employeeId is an address: leave the field out, and people are keyed by a digest of it",
        ),
        (Slot::HireDate, "January 31st", "hireDate is not a date of the form %Y-%m-%d"),
        (Slot::HireDate, "2026-02-30", "hireDate is not a date of the form %Y-%m-%d"),
        (Slot::TerminationDate, "2026-03-01 tbc", "terminationDate is not a date of the form %Y-%m-%d"),
        (
            Slot::TerminationDate,
            "soon",
            "terminationDate is not a date of the form %Y-%m-%d, but a word: if it stands for none, say so in `none`",
        ),
    ] {
        assert_eq!(map(iso(), &[(slot, text)]).err().as_deref(), Some(reason), "{text}");
    }
}

#[test]
fn addresses_and_ids_are_trimmed_and_otherwise_as_written() {
    for (written, kept) in [
        (" Ada@Example.com ", "Ada@Example.com"),
        ("o\u{2019}fiction@example.com", "o'fiction@example.com"),
        ("\u{200b}ada@example.com\u{a0}", "ada@example.com"),
        ("josé@example.com", "josé@example.com"),
        ("mailto:ada@example.com", "ada@example.com"),
        ("MAILTO: ada@example.com", "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("Ada Example <ada@example.com>;", "ada@example.com"),
        ("ada@example.com; ", "ada@example.com"),
        ("ada\u{200b}@exam\u{ad}ple.com\u{feff}", "ada@example.com"),
        ("\u{202a}ada@example.com\u{202c}", "ada@example.com"),
        ("ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"),
        ("'ada@example.com'", "ada@example.com"),
        ("=\"ada@example.com\"", "ada@example.com"),
        ("=HYPERLINK(\"mailto:ada@example.com\",\"ada@example.com\")", "ada@example.com"),
    ] {
        assert_eq!(map(iso(), &[(Slot::Email, written)]).unwrap().work_email, kept);
    }
    for (written, kept) in [
        (" 0042 ", "0042"),
        ("'0042", "0042"),
        ("=\"0042\"", "0042"),
        ("１００１", "1001"),
        ("10\u{200b}01", "1001"),
        ("1001.0", "1001"),
        ("1.5", "1.5"),
        ("12E4", "12E4"),
    ] {
        assert_eq!(map(iso(), &[(Slot::EmployeeId, written)]).unwrap().id.0, kept);
    }
}

#[test]
fn an_id_is_enough_to_say_that_somebody_left() {
    let none = [(Slot::FullName, ""), (Slot::Email, "")];
    for (status, email) in [("Inactive", ""), ("Inactive", "deleted-7"), ("Active", "")] {
        let cells = [none[0], (Slot::Email, email), (Slot::Status, status), (Slot::HireDate, "2020-01-01")];
        let ada = map(iso(), &cells).unwrap();
        assert_eq!((ada.id.0.as_str(), ada.name.as_str(), ada.work_email.as_str()), ("7", "", ""), "{status} {email}");
    }
    let past = [(Slot::Email, "removed"), (Slot::TerminationDate, "2026-02-01")];
    assert_eq!(map(iso(), &past).unwrap().work_email, "", "by the day");
    let works = [(Slot::Email, "removed"), (Slot::Status, "Active")];
    assert_eq!(map(iso(), &works).map(|_| ()), Err("email is not an address".to_owned()));
    let mut by_address = iso();
    by_address.offered.remove(&Slot::EmployeeId); // then the address is the key
    for (slot, reason) in [(Slot::Email, "email is empty"), (Slot::FullName, "fullName is empty")] {
        let cells = [(slot, ""), (Slot::Status, "Inactive"), (Slot::HireDate, "2020-01-01")];
        assert_eq!(map(by_address.clone(), &cells).map(|_| ()), Err(reason.to_owned()));
    }
}

#[test]
fn without_ids_people_are_keyed_by_a_digest_of_their_address_whatever_its_case() {
    let mut form = iso();
    form.offered.remove(&Slot::EmployeeId);
    let ids = ["ada@example.com", " ADA@example.COM", "bo@example.com"]
        .map(|address| map(form.clone(), &[(Slot::Email, address)]).unwrap().id.0);
    assert_eq!(ids[0], "a-wx6ilzkxkx46bubquefliqu3nm"); // base32 of the SHA-256 of ada@example.com, cut
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(ids[2].len(), 28);
}

#[test]
fn dates_are_read_in_the_form_of_the_source_and_end_dates_by_what_they_mean() {
    let day = Date::constant(2026, 3, 1);
    for (form, text, last_day) in [
        (iso(), "2026-03-01", Some(day)),
        (form("%d/%m/%Y", EndDate::LastDay), "01/03/2026", Some(day)),
        (form("%m/%d/%Y", EndDate::LastDay), "03/01/2026", Some(day)),
        (form("%d.%m.%y", EndDate::LastDay), "1.3.26", Some(day)),
        (form("%Y-%m-%d", EndDate::FirstDayOut), "2026-03-02", Some(day)),
        (form("%Y-%m-%d", EndDate::FirstDayOut), "2024-03-01", Some(Date::constant(2024, 2, 29))),
        (form("%Y-%m-%d", EndDate::FirstDayOut), "", None),
    ] {
        assert_eq!(map(form, &[(Slot::TerminationDate, text)]).unwrap().last_day, last_day, "{text}");
    }
}

#[test]
fn a_date_that_stands_for_none_is_none() {
    for text in
        ["0000-00-00", "0", "-", "0001-01-01", "1900-01-01", "1970-01-01", "2099-12-31", "4712-12-31", "9999-12-31"]
    {
        assert_eq!(map(iso(), &[(Slot::TerminationDate, text)]).unwrap().last_day, None, "{text}");
    }
    let slashes = form("%d/%m/%Y", EndDate::FirstDayOut);
    for text in ["00/00/0000", "31/12/9999"] {
        assert_eq!(map(slashes.clone(), &[(Slot::TerminationDate, text)]).unwrap().last_day, None, "{text}");
    }
}

#[test]
fn status_words_are_compared_without_case_and_blanks() {
    for (word, said) in [
        ("Active", ReportedStatus::Mapped(Status::Active)),
        (" ACTIVE ", ReportedStatus::Mapped(Status::Active)),
        ("On Leave", ReportedStatus::Mapped(Status::Leave)),
        ("", ReportedStatus::Unmapped),
        ("  ", ReportedStatus::Unmapped),
        ("Sabbatical", ReportedStatus::Unmapped),
        ("Actively", ReportedStatus::Unmapped),
    ] {
        assert_eq!(map(iso(), &[(Slot::Status, word)]).unwrap().reported_status, said, "{word:?}");
    }
}

#[test]
fn the_first_rule_that_fits_says_the_status_and_none_leaves_it_unknown() {
    let (state, flag) = (Slot::COUNT, Slot::COUNT + 1);
    let words = |words: &[&str]| Test::Words(words.iter().map(|word| (*word).to_owned()).collect());
    let rule = |when: Vec<(usize, Test)>, means| Rule { when, meaning: Meaning { means, when_starts_later: None } };
    let rules = vec![
        rule(vec![(flag, words(&["true"]))], Status::Suspended),
        rule(vec![(state, words(&["1", "active"])), (flag, Test::Filled)], Status::Active),
        rule(vec![(state, Test::Empty), (flag, words(&["false"]))], Status::Terminated),
    ];
    for (cells, said, unmapped) in [
        ([Some("Active"), Some("true")], ReportedStatus::Mapped(Status::Suspended), false),
        ([Some("Active"), Some("false")], ReportedStatus::Mapped(Status::Active), false),
        ([Some("1"), Some("false")], ReportedStatus::Mapped(Status::Active), false),
        ([Some("Active"), None], ReportedStatus::Unmapped, true),
        ([Some("2"), Some("false")], ReportedStatus::Unmapped, true),
        ([None, Some("false")], ReportedStatus::Mapped(Status::Terminated), false),
        ([None, None], ReportedStatus::Unmapped, true),
    ] {
        let mut row = Row::with(2);
        row.set(Slot::FullName, "Ada Example");
        row.set(Slot::EmployeeId, "7");
        row.set(Slot::Email, "ada@example.com");
        row.set(Slot::Status, "as it was");
        for (cell, text) in [state, flag].into_iter().zip(cells) {
            text.into_iter().for_each(|text| row.put(cell, Some(text)));
        }
        let mut mapper = Mapper::new(Form { rules: rules.clone(), ..iso() }, TODAY);
        mapper.take(1, &row).unwrap();
        let read = mapper.finish().unwrap();
        assert_eq!(read.employees.first().unwrap().reported_status, said, "{cells:?}");
        assert_eq!(read.unmapped.contains_key("as it was"), unmapped, "{cells:?}");
    }
}

#[test]
fn the_last_working_day_counts_before_the_termination_date_and_a_contracts_end_ends_nothing() {
    let mut form = form("%Y-%m-%d", EndDate::FirstDayOut);
    form.offered.extend([Slot::LastWorkingDay, Slot::ContractEnd]);
    let day = |day: i8| Some(Date::constant(2026, 3, day));
    for (termination, last_working, contract, last_day, contract_end) in [
        ("2026-03-31", "", "", day(30), None),
        ("2026-03-31", "2026-03-15", "", day(15), None), // always a last day, never a first day out
        ("", "2026-03-15", "", day(15), None),
        ("", "", "2026-03-20", None, day(20)),
        ("9999-12-31", "0000-00-00", "2026-03-20", None, day(20)),
    ] {
        let cells =
            [(Slot::TerminationDate, termination), (Slot::LastWorkingDay, last_working), (Slot::ContractEnd, contract)];
        let ada = map(form.clone(), &cells).unwrap();
        assert_eq!((ada.last_day, ada.contract_end), (last_day, contract_end), "{cells:?}");
    }
}

#[test]
fn a_kind_of_employment_nobody_mapped_is_not_known_and_counted_and_sets_nobody_aside() {
    let mut mapper = Mapper::new(iso(), TODAY);
    for (id, word) in ["FREELANCE ", "Gig", "", "Gig"].into_iter().enumerate() {
        let mut row = Row::default();
        row.set(Slot::EmployeeId, &id.to_string());
        row.set(Slot::FullName, "Ada Example");
        row.set(Slot::Email, "ada@example.com");
        row.set(Slot::EmploymentType, word);
        mapper.take(1, &row).unwrap();
    }
    let read = mapper.finish().unwrap();
    let kinds: Vec<_> = read.employees.iter().map(|employee| employee.employment_type).collect();
    assert_eq!(kinds, [Some(EmploymentType::Contractor), None, None, None]);
    assert_eq!(read.unmapped_types, BTreeMap::from([("Gig".to_owned(), 2)]));
    assert!(read.unmapped.is_empty());
}

#[test]
fn only_a_named_reason_is_urgent_and_the_word_itself_is_not_kept() {
    for (reason, urgent) in [("Gross Misconduct", true), ("resigned", false), ("", false), ("gross", false)] {
        let ada = map(iso(), &[(Slot::TerminationReason, reason)]).unwrap();
        assert_eq!(ada.urgent, urgent, "{reason}");
    }
}

#[test]
fn no_more_records_are_taken_than_there_may_be() {
    let mut mapper = Mapper::new(Form::default(), Date::constant(2026, 3, 2));
    let row = Row::default();
    assert!((0..MOST_RECORDS).all(|position| mapper.take(position, &row).is_ok()));
    assert_eq!(mapper.take(MOST_RECORDS, &row), Err(Failure::TooLarge));
}

#[test]
fn what_many_people_share_is_held_once() {
    let mut mapper = Mapper::new(iso(), TODAY);
    for id in ["7", "8"] {
        let mut row = Row::default();
        row.set(Slot::EmployeeId, id);
        row.set(Slot::FullName, "Ada Example");
        row.set(Slot::Email, "ada@example.com");
        row.set(Slot::Department, " Engineering ");
        mapper.take(1, &row).unwrap();
    }
    let read = mapper.finish().unwrap();
    let [ada, bo] = read.employees.as_slice() else { panic!("two people") };
    assert!(std::ptr::eq(ada.text(Text::Department).unwrap(), bo.text(Text::Department).unwrap()));
}

#[test]
fn a_leavers_word_of_somebody_who_has_not_started_everywhere_is_no_leavers_word() {
    for (start, said) in [
        ("2026-03-01", Ok(ReportedStatus::Mapped(Status::Terminated))),
        ("2026-03-02", Ok(ReportedStatus::Mapped(Status::Active))), // the UTC date: still yesterday in the west
        ("2026-03-03", Ok(ReportedStatus::Mapped(Status::Active))),
        ("2030-01-01", Ok(ReportedStatus::Mapped(Status::Active))),
        ("", Err("hireDate is empty, and this status cannot be told without it".to_owned())),
        ("0000-00-00", Err("hireDate is empty, and this status cannot be told without it".to_owned())),
    ] {
        let mapped = map(iso(), &[(Slot::Status, "inactive"), (Slot::HireDate, start)]);
        assert_eq!(mapped.map(|employee| employee.reported_status), said, "{start}");
    }
}

#[test]
fn unmapped_words_are_counted_cleaned_and_bounded() {
    let mut mapper = Mapper::new(iso(), TODAY);
    let mut row = Row::default();
    let long = "x".repeat(200);
    let words: Vec<String> = (0..40).map(|n| format!("word {n}")).collect();
    let seen = ["Burnout", " Burnout", "Sick\u{1b}[31m", &long].into_iter().chain(words.iter().map(String::as_str));
    for (number, word) in seen.enumerate() {
        row.set(Slot::EmployeeId, &number.to_string());
        row.set(Slot::FullName, "Ada Example");
        row.set(Slot::Email, "ada@example.com");
        row.set(Slot::Status, word);
        mapper.take(number + 1, &row).unwrap();
    }
    row.set(Slot::Email, "nowhere"); // set aside, so its word does not count
    row.set(Slot::Status, "Burnout");
    mapper.take(45, &row).unwrap();
    let unmapped = mapper.finish().unwrap().unmapped;
    assert_eq!(unmapped.len(), 32);
    assert_eq!(unmapped.get("Burnout"), Some(&2));
    assert_eq!(unmapped.get("Sick[31m"), Some(&1));
    assert_eq!(unmapped.get(&"x".repeat(64)), Some(&1));
}

#[test]
fn a_manager_is_named_by_id_before_address_and_a_name_in_its_place_is_nobody() {
    for (id, email, manager) in [
        ("9", "bo@example.com", Some(Manager::Id(HrId("9".to_owned())))),
        ("", "bo@example.com", Some(Manager::Email("bo@example.com".to_owned()))),
        ("", "Bo Example", None),
        ("", "", None),
    ] {
        let ada = map(iso(), &[(Slot::ManagerId, id), (Slot::ManagerEmail, email)]).unwrap();
        assert!(ada.manager == manager, "{id} {email}");
    }
}

#[test]
fn long_texts_are_cut_at_a_characters_edge() {
    let ada = map(iso(), &[(Slot::Department, &"é".repeat(300))]).unwrap();
    assert_eq!(ada.text(Text::Department).unwrap(), "é".repeat(256));
}

#[test]
fn an_answer_in_which_something_required_is_empty_for_everybody_is_refused() {
    let required = Form { required: [Slot::Status, Slot::HireDate, Slot::Email].into(), ..iso() };
    let mut row = Row::default();
    row.set(Slot::EmployeeId, "7");
    row.set(Slot::FullName, "Ada Example");
    row.set(Slot::Email, "ada@example.com");
    let mut mapper = Mapper::new(required.clone(), TODAY);
    mapper.take(1, &row).unwrap();
    row.set(Slot::HireDate, "2020-01-01");
    mapper.take(2, &row).unwrap();
    assert_eq!(mapper.finish().map(|_| ()), Err(Failure::WrongColumns(vec!["status".to_owned()])));
    assert!(Mapper::new(required, TODAY).finish().is_ok(), "nobody at all is for the trust gate to judge");
}

/// Maps a row that has one field of the customer's own, and gives what is said of the answer.
fn own_fields(cells: &[(Slot, Option<&str>)], badge: Option<&str>) -> (Texts, Vec<String>) {
    let name = CustomName::new("badge").unwrap();
    let mut mapper = Mapper::new(Form { custom: vec![(name, Slot::COUNT)], ..iso() }, TODAY);
    let mut row = Row::with(1);
    let ada = [(Slot::EmployeeId, "7"), (Slot::FullName, "Ada Example"), (Slot::Email, "ada@example.com")];
    ada.iter().for_each(|(slot, text)| row.set(*slot, text));
    cells.iter().for_each(|(slot, text)| row.put(*slot as usize, *text));
    row.put(Slot::COUNT, badge);
    mapper.take(1, &row).unwrap();
    let mut read = mapper.finish().unwrap();
    (read.employees.remove(0).texts, read.remarks)
}

#[test]
fn a_picture_whose_address_is_a_secret_is_not_kept_and_the_rest_of_the_person_is() {
    let signed = "https://images.example.com/7.png?X-Amz-Signature=00";
    let (texts, remarks) = own_fields(&[(Slot::PictureUrl, Some(signed)), (Slot::Phone, Some("1"))], Some(signed));
    assert_eq!((texts.get(Text::PictureUrl), texts.customs().count(), texts.get(Text::Phone)), (None, 0, Some("1")));
    let why = "are not an https address, or one with a signature, token or password in it, and are not kept";
    assert_eq!(remarks, [format!("custom.badge: 1 {why}"), format!("pictureUrl: 1 {why}")]);
    let plain = "https://images.example.com/7.png";
    let (texts, remarks) = own_fields(&[(Slot::PictureUrl, Some(plain))], Some("B7"));
    assert_eq!((texts.get(Text::PictureUrl), remarks.len()), (Some(plain), 0));
    assert_eq!(texts.custom(&CustomName::new("badge").unwrap()), Some("B7"));
}

#[test]
fn a_value_by_which_nothing_is_decided_sets_nobody_aside() {
    let lines = "1 Example Street\r\nMadrid\u{7}";
    let long = "x".repeat(300);
    let cells = [(Slot::HomeAddress, Some(lines)), (Slot::FirstName, None), (Slot::LastName, Some(long.as_str()))];
    let (texts, remarks) = own_fields(&cells, Some(""));
    assert_eq!(texts.get(Text::HomeAddress), Some("1 Example Street Madrid"));
    assert_eq!(texts.get(Text::LastName).map(str::len), Some(256), "what the schema takes");
    assert_eq!((texts.get(Text::FirstName), texts.customs().count()), (None, 0));
    assert_eq!(remarks, ["firstName: 1 are not a plain value, and are not kept"]);
}
