//! Files and formats that are refused, and what is named when they are.

use super::*;

#[test]
fn columns_that_are_missing_or_stand_there_twice_refuse_the_file() {
    let status = columns([(Slot::Status, "State")]);
    let unlike = |cells| format!("email (the first line has {cells} cells, and does not look like headers)");
    for (format, header, named) in [
        (CsvFormat::default(), "fullName,status", vec!["email (the headers are: fullname, status)"]),
        (CsvFormat::default(), "id;fullName;email", vec![]),
        (columns_by_comma(), "id;fullName;email", vec!["fullName", &unlike(1)]),
        (CsvFormat::default(), "7,Ada Example,ada@example.com", vec!["fullName", &unlike(3)]),
        (CsvFormat::default(), "7,Ada,Ada", vec!["fullName", &unlike(3)]),
        (status.clone(), "fullName,email,status", vec!["State (the headers are: fullname, email, status)"]),
        (status, "fullName,email,state", vec![]),
        (CsvFormat::default(), "fullName,email,Email", vec!["email (twice)"]),
        (CsvFormat::default(), "fullName,email,team,TEAM", vec!["team (twice)"]),
        (CsvFormat::default(), "fullName,email,,", vec![]),
        (columns([(Slot::ManagerId, "boss")]), "fullName,email", vec!["boss (the headers are: fullname, email)"]),
        (columns([(Slot::ManagerId, "boss")]), "fullName,email,Boss", vec![]),
    ] {
        let wrong = match read(header.as_bytes(), &format, TODAY) {
            Err(Failure::WrongColumns(wrong)) => wrong,
            other => other.map(|_| vec![]).unwrap(),
        };
        assert_eq!(wrong, named, "{header}");
    }
}

#[test]
fn what_is_no_whole_csv_file_is_refused_and_the_line_named() {
    let head = "fullName,email,status\nAda Example,ada@example.com,active\n";
    let long = "x".repeat(LARGEST_CELL + 1);
    for (file, failure) in [
        (String::new(), Failure::Missing("the file is empty".into())),
        ("\u{feff}\r\n \n,,\n".into(), Failure::Missing("the file is empty".into())),
        (
            "\n <!DOCTYPE html><html>".into(),
            Failure::WrongFormat(
                "the file is a web page (it begins with HTML; often it is a sign-in page), not CSV".into(),
            ),
        ),
        (format!("{head}Bo Example,bo@ex"), Failure::Truncated("line 3 has 2 cells, the header has 3".into())),
        (format!("{head}Bo Example"), Failure::Truncated("line 3 has 1 cells, the header has 3".into())),
        (
            format!("{head}\r\n\r\nBo,bo@example.com,active,x"),
            Failure::Truncated("line 5 has 4 cells, the header has 3".into()),
        ),
        (
            format!("{head}Bo,bo@example.com,\"act"),
            Failure::Truncated("line 3 opens a quote that is never closed".into()),
        ),
        (format!("{head}Bo,bo@example.com,\""), Failure::Truncated("line 3 opens a quote that is never closed".into())),
        (
            format!("{head}\"Bo,bo@example.com,active\nCy,cy@example.com,active\n"),
            Failure::Truncated("line 3 opens a quote that is never closed".into()),
        ),
        (
            format!("{head}{long},bo@example.com,active\n"),
            Failure::WrongFormat("line 3 has a cell of more than 4096 bytes; a quote may have been left open".into()),
        ),
    ] {
        assert_eq!(parse(&file).map(|_| ()), Err(failure), "{file:.80}");
    }
}

#[test]
fn another_encoding_is_refused_and_the_line_named() {
    let latin1 = b"fullName,email\nJos\xe9 Example,jose@example.com\n";
    let failure = read(latin1, &CsvFormat::default(), TODAY).map(|_| ());
    assert_eq!(failure, Err(Failure::WrongFormat("line 2 is not UTF-8".to_owned())));
    let allowed = CsvFormat { encoding: Encoding::UnicodeOrWindows1252, ..CsvFormat::default() };
    let read = read(latin1, &allowed, TODAY).unwrap();
    assert_eq!(read.employees.first().unwrap().name, "José Example");
    assert!(
        read.remarks.iter().any(|remark| remark.contains("1 bytes were read as Windows-1252")),
        "{:?}",
        read.remarks
    );
}

#[test]
fn a_file_above_the_bound_is_refused_before_it_is_read() {
    let bytes = vec![b'\n'; LARGEST + 1];
    assert_eq!(read(&bytes, &CsvFormat::default(), TODAY).map(|_| ()), Err(Failure::TooLarge));
}

#[test]
fn formats_that_cannot_be_followed_are_refused_beforehand() {
    let words = |words: &[(&str, Status)]| words.iter().map(|(word, means)| ((*word).to_owned(), *means)).collect();
    for (format, fits) in [
        (CsvFormat::default(), true),
        (CsvFormat { date_format: "%d/%m/%Y".into(), ..CsvFormat::default() }, true),
        (CsvFormat { date_format: "%d.%m.%y".into(), ..CsvFormat::default() }, true),
        (CsvFormat { date_format: "%d/%m".into(), ..CsvFormat::default() }, false),
        (CsvFormat { date_format: "dd/mm/yyyy".into(), ..CsvFormat::default() }, false),
        (CsvFormat { date_format: "%Q".into(), ..CsvFormat::default() }, false),
        (CsvFormat { date_format: "%Y-%m-%d %H:%M %Z".into(), ..CsvFormat::default() }, false),
        (CsvFormat { delimiter: Some('\t'), ..CsvFormat::default() }, true),
        (CsvFormat { delimiter: Some('"'), ..CsvFormat::default() }, false),
        (CsvFormat { delimiter: Some('→'), ..CsvFormat::default() }, false),
        (
            CsvFormat {
                statuses: words(&[("Gone", Status::Terminated), (" GONE", Status::Terminated)]),
                ..CsvFormat::default()
            },
            true,
        ),
        (
            CsvFormat {
                statuses: words(&[("Gone", Status::Terminated), ("gone", Status::Leave)]),
                ..CsvFormat::default()
            },
            false,
        ),
    ] {
        assert_eq!(format.check().is_ok(), fits, "{format:?}");
    }
}

#[test]
fn a_column_that_could_serve_two_ways_is_never_guessed() {
    let several = |slot: &str, names: &str| vec![format!("{slot} ({names} could be it; name one in csv.columns)")];
    for (format, header, wrong) in [
        (
            CsvFormat::default(),
            "fullName,email,employee_id,Employee ID",
            several("employeeId", "employee_id and employee id"),
        ),
        (CsvFormat::default(), "fullName,work email,email address", several("email", "work email and email address")),
        (CsvFormat::default(), "fullName,Email,Work Email", several("email", "email and work email")), // one may be private
        (CsvFormat::default(), "Full Name,Name,email", several("fullName", "full name and name")),
        (columns([(Slot::Email, "work email")]), "fullName,email,work email", vec![]),
        (columns([(Slot::Email, "work email")]), "fullName,work email,email address", vec![]),
        (columns([(Slot::ManagerEmail, "Email")]), "fullName,email,work email", vec![]), // named for another
    ] {
        let found = match read(header.as_bytes(), &format, TODAY) {
            Err(Failure::WrongColumns(wrong)) => wrong,
            other => other.map(|_| vec![]).unwrap(),
        };
        assert_eq!(found, wrong, "{header}");
    }
}

#[test]
fn an_id_that_a_spreadsheet_damaged_refuses_the_file() {
    let file = |id: &str| format!("employeeId,fullName,email\n1,Bo,bo@example.com\n{id},Ada,ada@example.com\n");
    let damaged = "line 3 has an id that a spreadsheet made another text of; export it again, as text";
    for id in ["1.23E+05", "1E+12", "\"1,23E+05\"", " 4.5E+07 ", "#REF!", "#N/A", "#NAME?", "########"] {
        assert_eq!(parse(&file(id)).map(|_| ()), Err(Failure::WrongFormat(damaged.to_owned())), "{id}");
    }
    for id in ["E+05", "1E05", "12E+", "A1E+05", "00123", "-", "#7", "1.5"] {
        assert!(parse(&file(id)).is_ok(), "{id}");
    }
}

#[test]
fn more_columns_than_any_system_has_are_no_header() {
    let header: Vec<String> = (0..=headers::MAX_COLUMNS).map(|column| format!("c{column}")).collect();
    let failure = parse(&header.join(",")).map(|_| ());
    assert_eq!(failure, Err(Failure::WrongFormat("the header has more than 512 columns".to_owned())));
}

fn told(date_format: &str) -> CsvFormat {
    CsvFormat { date_format: date_format.to_owned(), ..CsvFormat::default() }
}

#[test]
fn one_date_that_disproves_the_form_refuses_the_file_and_names_the_column() {
    let head = "employeeId,fullName,email,hireDate,Last day\n1,Ada,ada@example.com,";
    let format =
        |form: &str| CsvFormat { columns: columns([(Slot::TerminationDate, "Last day")]).columns, ..told(form) };
    let exchanged = |name: &str, record, other: &str, form: &str| {
        format!(
            "{name} of record {record} has the form {other}, not {form}, so day and month of the whole column may be exchanged; correct the form of dates"
        )
    };
    let (us, eu) = ("%m/%d/%Y", "%d/%m/%Y");
    for (form, rows, wrong) in [
        (eu, ",12/02/2026\n2,Bo,bo@example.com,,12/31/2026\n", exchanged("terminationDate (column last day)", 3, us, eu)),
        (us, ",02/12/2026\n2,Bo,bo@example.com,,31/12/2026\n", exchanged("terminationDate (column last day)", 3, eu, us)),
        (eu, "01/02/2020,12/02/2026\n2,Bo,bo@example.com,06/15/2020,\n", exchanged("hireDate", 3, us, eu)),
        // A record that is set aside for something else tells of the column too.
        (eu, ",12/02/2026\n2,,bo@example.com,,12/31/2026\n", exchanged("terminationDate (column last day)", 3, us, eu)),
        (
            "%Y-%m-%d",
            ",2026-12-02\n2,Bo,bo@example.com,,2026-31-12\n",
            exchanged("terminationDate (column last day)", 3, "%Y-%d-%m", "%Y-%m-%d"),
        ),
        (
            "%Y-%m-%d",
            ",2026-12-02\n2,Bo,bo@example.com,,31/12/2026\n",
            "terminationDate (column last day) of record 3 is a date, but not of the form %Y-%m-%d, and no date of the column proves which number is the day; correct the form of dates, or the source".to_owned(),
        ),
    ] {
        let found = read(format!("{head}{rows}").as_bytes(), &format(form), TODAY).map(|_| ());
        assert_eq!(found, Err(Failure::WrongFormat(wrong)), "{form} {rows}");
    }
    for (form, rows, last_days) in [
        (eu, ",12/02/2026\n2,Bo,bo@example.com,,\n", vec![Some("2026-02-12"), None]), // as it is told
        (eu, ",12/02/2026\n2,Bo,bo@example.com,,31/02/2026\n", vec![Some("2026-02-12")]), // no day in either order
        (eu, ",12/02/2026\n2,Bo,bo@example.com,,unknown\n", vec![Some("2026-02-12")]),
        ("%Y-%m-%d", ",2026-12-15\n2,Bo,bo@example.com,,31/12/2026\n", vec![Some("2026-12-15")]), // proven
    ] {
        let read = read(format!("{head}{rows}").as_bytes(), &format(form), TODAY).unwrap();
        let last_days: Vec<_> = last_days.into_iter().map(|day| day.map(str::to_owned)).collect();
        assert_eq!(ends(&read), last_days, "{form} {rows}");
    }
}

#[test]
fn a_quote_that_swallowed_rows_refuses_the_file_whichever_column_it_is_in() {
    let head = "employeeId,fullName,email,note,status\n";
    let swallowed = |line, over| {
        format!(
            "line {line} has a quoted cell that reaches over line {over}, which has as many separators as the header: a quote in a text has swallowed rows"
        )
    };
    let behind = |line| {
        format!(
            "line {line} has text behind a quote that closed: the file was written without quoting, and rows may be swallowed"
        )
    };
    for (rows, wrong) in [
        ("1,Ada,ada@example.com,\"see file,active\n2,Bo,bo@example.com,desk 5\",terminated\n", swallowed(2, 3)),
        (
            "1,Ada,ada@example.com,x,active\r\n2,Bo,bo@example.com,\"see,active\r\n3,Cy,cy@example.com,,active\r\n4,Di,di@example.com,desk 5\",terminated\r\n",
            swallowed(3, 4),
        ),
        ("1,Ada,ada@example.com,\"see\" file,active\n", behind(2)),
        ("1,Ada,ada@example.com,\"see\n2,\"Bo, B\",bo@example.com,x,active\n", behind(2)),
    ] {
        assert_eq!(parse(&format!("{head}{rows}")).map(|_| ()), Err(Failure::WrongFormat(wrong)), "{rows}");
    }
    let header = "employeeId,fullName,email,\"note,status\n1,Ada,ada@example.com,desk 5\",active\n";
    assert!(matches!(parse(header), Err(Failure::WrongFormat(_))), "a quote in the header");
    for rows in [
        "1,Ada,ada@example.com,6\" of snow,active\n2,Bo,bo@example.com,\"desk 5\",active\n",
        "1,Ada,ada@example.com,\"one\ntwo, three\",active\n2,Bo,bo@example.com,,active\n",
    ] {
        assert_eq!(parse(&format!("{head}{rows}")).unwrap().employees.len(), 2, "{rows}");
    }
}

#[test]
fn a_file_that_is_cut_in_its_last_cell_is_no_other_file() {
    let row = "Ada,ada@example.com,7";
    let us = told("%m/%d/%Y");
    let date = |form: &str| format!("terminationDate is not a date of the form {form}");
    let cut = |slot: &str| format!("{slot} {CUT}");
    let words = |words: &[(&str, Status)]| words.iter().map(|(word, means)| ((*word).to_owned(), *means)).collect();
    let leaves = CsvFormat {
        statuses: words(&[
            ("left", Status::Terminated),
            ("left for a year", Status::Leave),
            ("employed", Status::Active),
        ]),
        ..CsvFormat::default()
    };
    let default = CsvFormat::default();
    for (format, column, cell, set_aside) in [
        (&default, "terminationDate", "2026-12-1", Some(date("%Y-%m-%d"))),
        (&default, "terminationDate", "2026-12-15", None),
        (&default, "terminationDate", "", None),
        (&us, "terminationDate", "12/15/202", Some(date("%m/%d/%Y"))),
        (&us, "terminationDate", "12/15/20", Some(date("%m/%d/%Y"))),
        (&us, "terminationDate", "12/15/2026", None),
        (&default, "managerId", "101", None), // no column of its own: nothing is read of it
        (&leaves, "status", "left", Some(cut("status"))),
        (&leaves, "status", "employed", None),
        (&default, "location", "Madr", Some(cut("location"))),
        (&default, "location", "Madrid", None), // as another has it
        (&default, "location", "\"Madr\"", None),
        (&default, "location", "Madr\n", None),
        (&default, "location", "Madr\r", None),
        (&default, "title", "Lea", None), // nobody's access hangs on it
    ] {
        let first = if format == &us { "" } else { "Madrid" };
        let first = if column == "location" { first } else { "" };
        let file = format!("fullName,email,employeeId,{column}\nBo,bo@example.com,8,{first}\n{row},{cell}");
        let read = read(file.as_bytes(), format, TODAY).unwrap();
        assert_eq!(read.bad.first().map(|bad| bad.reason.clone()), set_aside, "{column} {cell}");
        assert_eq!(read.bad.iter().map(|bad| bad.position).collect::<Vec<_>>(), vec![3; read.bad.len()]);
    }
    for (file, people) in [
        ("fullName,email,employeeId\nBo,bo@example.com,1008\nAda,ada@example.com,101", 1),
        ("fullName,email,employeeId\nBo,bo@example.com,1008\nAda,ada@example.com,\"101\"", 2),
        ("employeeId,fullName,email\n1008,Bo,bo@example.com\n1010,Ada,ada@example.co", 1),
        ("employeeId,fullName,email\n1008,Bo,bo@example.com\n1010,Ada,ada@EXAMPLE.com", 2),
        ("employeeId,fullName,email\r1008,Bo,bo@example.com\r1010,Ada,ada@example.co", 1),
    ] {
        assert_eq!(parse(file).unwrap().employees.len(), people, "{file:?}");
    }
}

#[test]
fn what_is_no_csv_is_called_by_what_it_begins_with() {
    for (bytes, words) in [
        (&b"PK\x03\x04\x14\0"[..], "workbook"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b"-----BEGIN PGP MESSAGE-----", "OpenPGP"),
        (b"{\"error\": \"denied\"}", "JSON"),
        (b"<?xml version=\"1.0\"?>", "XML"),
        (b"<html>", "sign-in page"),
    ] {
        let Err(Failure::WrongFormat(seen)) = read(bytes, &CsvFormat::default(), TODAY) else { panic!("{words}") };
        assert!(seen.contains(words), "{seen}");
        assert_eq!(seen.contains("sign-in"), words == "sign-in page", "{seen}");
    }
}
