mod refusals;

use proptest::prelude::*;

use super::*;
use domain::employee::{Field, Manager, ReportedStatus, Text, Texts};
use domain::needs::{Wanted, Why};

const TODAY: Date = Date::constant(2026, 3, 2);

fn parse(file: &str) -> Result<Read, Failure> {
    read(file.as_bytes(), &CsvFormat::default(), TODAY)
}

fn columns_by_comma() -> CsvFormat {
    CsvFormat { delimiter: Some(','), ..CsvFormat::default() }
}

fn emails(read: &Read) -> Vec<&str> {
    read.employees.iter().map(|employee| employee.work_email.as_str()).collect()
}

fn columns<const N: usize>(named: [(Slot, &str); N]) -> CsvFormat {
    CsvFormat { columns: named.map(|(slot, name)| (slot, name.to_owned())).into(), ..CsvFormat::default() }
}

fn ends(read: &Read) -> Vec<Option<String>> {
    read.employees.iter().map(|employee| employee.last_day.map(|day| day.to_string())).collect()
}

#[test]
fn every_field_is_read_under_its_own_name() {
    let read = parse(
        "employeeId,fullName,email,status,hireDate,terminationDate,department,title,location,costCenter,managerEmail\n\
         7,Ada Example,ada@example.com,Active,2020-01-31,2026-03-31,Engineering,Lead,Madrid,4711,bo@example.com\n",
    );
    let read = read.unwrap();
    let ada = read.employees.first().unwrap();
    assert_eq!(ada.id.0, "7");
    assert_eq!((ada.name.as_str(), ada.work_email.as_str()), ("Ada Example", "ada@example.com"));
    assert_eq!(ada.reported_status, ReportedStatus::Mapped(Status::Active));
    assert_eq!((ada.start, ada.last_day), (Some(Date::constant(2020, 1, 31)), Some(Date::constant(2026, 3, 31))));
    let kept = [Text::Department, Text::Title, Text::Location, Text::CostCenter].map(|text| ada.text(text).unwrap());
    assert_eq!(kept, ["Engineering", "Lead", "Madrid", "4711"]);
    assert!(ada.manager == Some(Manager::Email("bo@example.com".to_owned())));
    assert_eq!(read.offered.len(), 11);
    assert_eq!(read.announced_total, None);
}

#[test]
fn only_name_and_email_are_needed_and_the_source_then_speaks_by_its_dates() {
    let read = parse("fullName,email\nAda Example,ada@example.com\n").unwrap();
    assert_eq!(read.employees.first().unwrap().reported_status, ReportedStatus::Silent);
    assert_eq!(read.offered, [Field::FullName, Field::Email].into());
}

#[test]
fn headers_are_compared_without_case_blanks_and_curled_apostrophes() {
    let format =
        columns([(Slot::FullName, "Full Name"), (Slot::Email, "E-mail"), (Slot::ManagerEmail, "Manager’s email")]);
    let file =
        "\u{feff} full  NAME ,E-MAIL,manager's Email,Picture URL\nAda Example,ada@example.com,bo@example.com,x\n";
    let read = read(file.as_bytes(), &format, TODAY).unwrap();
    assert_eq!(emails(&read), ["ada@example.com"]);
    assert_eq!(read.offered, [Field::FullName, Field::Email, Field::Manager, Field::PictureUrl].into());
}

#[test]
fn a_column_that_nobody_needs_is_not_read_and_one_of_the_customers_own_is_read_where_somebody_does() {
    let badge = CustomName::new("badge").unwrap();
    let custom = [(badge.clone(), "Badge No".to_owned())].into();
    let file = b"employeeId,fullName,email,Phone,Home Address,home_address,Badge No\n7,Ada,ada@example.com,1,x,y,B7\n";
    let mut format = CsvFormat { custom, needs: Some(Needs::default()), ..CsvFormat::default() };
    let least = read(file, &format, TODAY).unwrap();
    assert!(least.employees[0].texts == Texts::default() && least.offered.contains(&Field::Phone));
    let unread = "columns that are not read: phone, home address, home_address, badge no";
    assert_eq!(least.remarks, [unread], "two columns for a field that nobody needs are no trouble");
    let listed: Vec<_> = format.readings("people.csv").into_iter().map(|one| one.path).collect();
    let always = [
        "contractEnd",
        "email",
        "employeeId",
        "fullName",
        "hireDate",
        "lastWorkingDay",
        "location",
        "status",
        "terminationDate",
        "terminationReason",
    ];
    assert_eq!(listed, always);
    let needs = format.needs.get_or_insert_default();
    needs.add(Wanted::Custom(badge.clone()), Why::AlwaysPresent);
    let more = [Field::Phone, Field::MfaEnrolled, Field::Sso]; // no more may be left than a remark names
    more.into_iter().for_each(|field| needs.add(Wanted::Field(field), Why::AlwaysPresent));
    let more = read(file, &format, TODAY).unwrap();
    assert_eq!((more.employees[0].texts.custom(&badge), more.employees[0].text(Text::Phone)), (Some("B7"), Some("1")));
    let header: Vec<_> = Slot::ALL.iter().map(|slot| slot.name()).chain(["Badge No"]).collect();
    let cells: Vec<_> = header.iter().map(|name| if *name == "email" { "ada@example.com" } else { "" }).collect();
    let file = format!("{}\n{}\n", header.join(","), cells.join(","));
    let whole = read(
        file.as_bytes(),
        &CsvFormat {
            needs: format.needs.clone(),
            custom: format.custom.clone(),
            ..columns([(Slot::EmployeeId, "employeeId")]) // of two numbers, which is the id has to be said
        },
        TODAY,
    )
    .unwrap();
    let unread =
        whole.remarks.iter().find_map(|remark| remark.strip_prefix("columns that are not read: ")).unwrap_or_default();
    let read_headers = header.iter().filter(|name| !unread.split(", ").any(|other| other == name.to_lowercase()));
    let mut read_headers: Vec<_> = read_headers.map(|name| (*name).to_owned()).collect();
    read_headers.sort();
    let listed: Vec<_> = format.readings("people.csv").into_iter().map(|one| one.path).collect();
    assert_eq!(listed, read_headers, "what is listed is what is read of a file that has every column");
    let other = read(b"employeeId,fullName,email\n7,Ada,ada@example.com\n", &format, TODAY).unwrap_err();
    assert!(matches!(&other, Failure::WrongColumns(columns) if columns[0].starts_with("Badge No")), "{other:?}");
}

#[test]
fn whole_files_are_read_however_their_lines_end() {
    for file in [
        "fullName,email\nAda,ada@example.com\nBo,bo@example.com",
        "fullName,email\nAda,ada@example.com\nBo,bo@example.com\n",
        "fullName,email\r\nAda,ada@example.com\r\nBo,bo@example.com\r\n",
        "fullName,email\r\nAda,ada@example.com\r\nBo,bo@example.com\r",
        "\nfullName,email\n\nAda,ada@example.com\n , \n   \nBo,bo@example.com\n\n\n,\n",
        "fullName,email\n\"Ada\",\"ada@example.com\"\n\"Bo\",\"bo@example.com\"",
    ] {
        assert_eq!(emails(&parse(file).unwrap()), ["ada@example.com", "bo@example.com"], "{file:?}");
    }
}

#[test]
fn a_header_alone_is_an_answer_with_nobody_in_it() {
    for file in ["fullName,email", "fullName,email\n"] {
        let read = parse(file).unwrap();
        assert!(read.employees.is_empty() && read.bad.is_empty());
    }
}

#[test]
fn a_quoted_cell_may_hold_the_delimiter_quotes_and_line_ends() {
    let file = "fullName;email;note\n\"Example; Ada \"\"A\"\"\";ada@example.com;\"two\nlines\"\nBo;bo;\n";
    let format = CsvFormat { delimiter: Some(';'), ..CsvFormat::default() };
    let read = read(file.as_bytes(), &format, TODAY).unwrap();
    assert_eq!(read.employees.first().unwrap().name, "Example; Ada \"A\"");
    assert_eq!(read.bad.first().unwrap().position, 4); // the line of the file, not the number of the record
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &CsvFormat::default(), TODAY);
    }

    #[test]
    fn no_cells_bring_it_down(cells in "(([a-z@,;\"\n\r\u{3} ]|[0-9]{4}-[0-9]{2}-[0-9]{2}){0,40}\n){0,6}") {
        let _ = parse(&format!("employeeId,fullName,email,status,hireDate,terminationDate\n{cells}"));
    }

    /// Every person of a file that is cut anywhere is a person of the whole file, or the one at the cut.
    #[test]
    fn half_a_file_invents_nobody(cut in 0_usize..200) {
        let whole = "employeeId,fullName,email,status\n1,\"Ada\nA\",ada@example.com,active\n\
                     2,\"Bo \"\"B\"\"\",bo@example.com,terminated\n3,Cy,cy@example.com,active\n";
        let all: Vec<String> = parse(whole).unwrap().employees.iter().map(|e| e.id.0.clone()).collect();
        let half = whole.get(..cut.min(whole.len())).unwrap();
        if let Ok(read) = parse(half) {
            let some: Vec<String> = read.employees.iter().map(|e| e.id.0.clone()).collect();
            prop_assert!(all.starts_with(&some));
        }
    }
}

#[test]
fn what_other_products_write_is_read_in_their_dialect() {
    let plusplus = "\"Full Name\",\"Email\",\"Employee ID\",\"Department\",\"Title\",\"Hire Date\",\"Manager\u{2019}s email\",\"Picture URL\",\"Location\",\"Termination Date\"\r\n\
        \"Ada \\\"Al\\\" Example\",\"ada@example.com\",\"7\",\"R\\\\D\",\"Lead\",\"2020-01-31\",\"bo@example.com\",\"\",\"Madrid\",\"9999-12-31\"\r\n";
    let ukg = "'employeeId';'fullName';'email'\r\n'7';'Ada O''Example; Lead';'ada@example.com'\r\n";
    let excel = "Employee Number;Name;Work Email;Start Date\r\n7;\"Example; Ada\";ada@example.com;2020-01-31\r\n";
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain("employee_id\tfull_name\te-mail\r\n7\tZoë Example\tada@example.com\r\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let format = CsvFormat::default();
    let (backslash, single) = (Escape::Backslash, Quote::Single);
    for (product, file, format, name) in [
        ("PlusPlus", plusplus.into(), CsvFormat { escape: backslash, ..format.clone() }, "Ada \"Al\" Example"),
        ("UKG", ukg.into(), CsvFormat { quote: single, ..format.clone() }, "Ada O'Example; Lead"),
        ("Excel, in German", excel.into(), format.clone(), "Example; Ada"),
        ("Excel's Unicode text", utf16, format.clone(), "Zoë Example"),
        (
            "quotes doubled",
            b"email,fullName,employeeId\nada@example.com,\"Ada \"\"Al\"\"\",7\n".to_vec(),
            format,
            "Ada \"Al\"",
        ),
    ] {
        let read = read(&file, &format, TODAY).unwrap();
        let ada = read.employees.first().unwrap();
        let found = (ada.id.0.as_str(), ada.name.as_str(), ada.work_email.as_str());
        assert_eq!(found, ("7", name, "ada@example.com"), "{product}");
        if product == "PlusPlus" {
            assert_eq!((ada.text(Text::Department), ada.last_day), (Some("R\\D"), None));
            assert!(ada.manager == Some(Manager::Email("bo@example.com".to_owned())));
            assert!(read.remarks.is_empty() && read.offered.contains(&Field::PictureUrl));
        }
    }
}

#[test]
fn a_name_may_stand_in_parts() {
    let parts = |parts: &[&str]| CsvFormat {
        name_parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        ..CsvFormat::default()
    };
    for (format, header, found) in [
        (parts(&["Given", "Middle", "Family"]), "Given,Family,Middle,email,employeeId", Ok("Ada Maria Example")),
        (parts(&[]), "First Name,Last Name,x,email,employeeId", Ok("Ada Example")),
        (parts(&[]), "Surname,Given name,x,email,employeeId", Ok("Example Ada")),
        (parts(&[]), "First Name,Last Name,Surname,email,employeeId", Err("fullName")),
        (parts(&["Given", "Nobody"]), "Given,Family,x,email,employeeId", Err("Nobody")),
    ] {
        let file = format!("{header}\nAda,Example,Maria,ada@example.com,7\n");
        let file = if header.starts_with("Surname") { file.replace("Ada,Example", "Example,Ada") } else { file };
        match (read(file.as_bytes(), &format, TODAY), found) {
            (Ok(read), Ok(name)) => {
                let ada = read.employees.first().unwrap();
                // The halves are put together first name first.
                assert!(ada.name == name || name == "Example Ada" && ada.name == "Ada Example", "{header}");
            }
            (Err(Failure::WrongColumns(wrong)), Err(name)) => assert!(wrong[0].starts_with(name), "{wrong:?}"),
            (other, _) => panic!("{header}: {other:?}"),
        }
    }
}

#[test]
fn words_for_nothing_are_none_where_the_format_says_so() {
    let file = |cell: &str| {
        format!(
            "employeeId,fullName,email,terminationDate,department\n1,Null,bo@example.com,{cell},NA\n2,Ada,ada@example.com,2026-12-31,Data\n"
        )
    };
    let none = CsvFormat { none: ["NULL", "\\N", "n/a"].map(str::to_owned).into(), ..CsvFormat::default() };
    for cell in ["NULL", "null", " \\N ", "N/A", "", "-", "--", "0"] {
        let read = read(file(cell).as_bytes(), &none, TODAY).unwrap();
        assert_eq!((ends(&read).first().unwrap(), read.bad.len()), (&None, 0), "{cell}");
        let null = read.employees.first().unwrap();
        assert_eq!((null.name.as_str(), null.text(Text::Department)), ("Null", Some("NA")), "{cell}");
    }
    let read = parse(&file("NULL")).unwrap();
    assert!(read.bad.first().is_some_and(|bad| bad.reason.ends_with("if it stands for none, say so in `none`")));
}

#[test]
fn a_leaver_without_an_address_is_a_leaver_and_a_column_of_no_addresses_is_a_wrong_one() {
    let head = "employeeId,fullName,email,status\n";
    let read = parse(&format!("{head}1,Bo,bo@example.com,active\n2,,,terminated\n3,Cy,,active\n")).unwrap();
    let who: Vec<_> =
        read.employees.iter().map(|one| (one.id.0.as_str(), one.work_email.as_str(), one.reported_status)).collect();
    let (active, left) = (ReportedStatus::Mapped(Status::Active), ReportedStatus::Mapped(Status::Terminated));
    assert_eq!(who, [("1", "bo@example.com", active), ("2", "", left), ("3", "", active)]);
    let nobody = parse(&format!("{head}1,Bo,,active\n2,Ada,,active\n")).map(|_| ());
    assert_eq!(nobody, Err(Failure::WrongColumns(vec!["email (empty for everybody)".to_owned()])));
    assert_eq!(parse(&format!("{head}2,,,terminated\n")).unwrap().employees.len(), 1, "a file of leavers");
}

#[test]
fn rows_of_one_id_are_one_person_where_that_can_be_told_and_end_nobody_by_the_job_that_ended() {
    let head = "employeeId,fullName,email,status,terminationDate\n9,Cy,cy@example.com,active,\n";
    let ada = "1,Ada,ada@example.com,active,\n";
    for (row, remark) in [
        (ada, "1 records appear again"),
        ("1,Ada,ada@example.com,terminated,2020-05-31\n", "1 records are of jobs that ended"),
    ] {
        for rows in [format!("{ada}{row}"), format!("{row}{ada}")] {
            let read = parse(&format!("{head}{rows}")).unwrap();
            assert!(
                read.employees
                    .iter()
                    .all(|one| one.reported_status == ReportedStatus::Mapped(Status::Active) && one.last_day.is_none())
            );
            assert_eq!(read.employees.len(), 2, "{rows}");
            assert!(read.remarks.iter().any(|found| found.contains(remark)), "{:?}", read.remarks);
        }
    }
    let two = parse(&format!("{head}{ada}1,Bo,bo@example.com,terminated,2020-05-31\n")).unwrap();
    assert_eq!(two.employees.len(), 3, "the trust gate sets both aside");
}
