//! What is fuzzed: every parser that meets bytes from outside, and what must hold of whatever it makes of them.
//! Only in builds for the fuzzer; see `make fuzz`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how the fuzzer is told")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;

use super::dates::{self, DateForm};
pub use super::ldap::fuzz::ldap;
use super::{CsvFormat, Definition, csv, engine};
use domain::employee::{Failure, Read};
use domain::expression::Expression;

const TODAY: Date = Date::constant(2026, 3, 2);

/// A definition whose paths are of every kind: plain, nested, filtered, indexed, joined, picked.
const DEFINITION: &str = r#"
name: fuzzed
title: Fuzzed
evidence: partial
sources: [https://example.com]
setup: Nothing.
baseUrl: https://hr.example.com
credentials: {apiKey: any}
auth: {headers: {Authorization: "Bearer {apiKey}"}}
dates: [iso, epochSeconds, jsonDate, "%d.%m.%Y"]
people:
  - {request: {path: /people}, records: data, total: meta.total, paging: {cursor: {at: meta.next, query: cursor}}}
fields:
  employeeId: id
  fullName: [name.first, name.last]
  email: "emails[?@.type=='work'].value"
  status: {firstOf: [state, status]}
  hireDate: start
  terminationDate: end
  department: "department[1]"
  phone: {join: [phone.country, phone.number], with: "-"}
  managerId: {path: "managers[0].id", none: [nobody]}
statuses: {active: {means: Active}, gone: {means: Terminated, whenStartsLater: Active}}
endDateMeans: FirstDayOut
"#;

/// What must hold of any answer that was read.
fn check(read: Result<Read, Failure>) {
    for employee in read.iter().flat_map(|read| &read.employees) {
        assert!(!employee.id.0.is_empty() && !employee.id.0.contains('@'));
        assert!(!employee.name.chars().any(char::is_control));
        let address = &employee.work_email; // of people who left it is often gone
        assert!(address.is_empty() || (address.contains('@') && !address.contains(char::is_whitespace)));
    }
}

/// A CSV file, whatever separates its cells.
pub fn csv(bytes: &[u8]) {
    let (separator, file) = bytes.split_first().unwrap_or((&0, bytes));
    let delimiter = [None, Some(','), Some(';'), Some('\t'), Some('|')][usize::from(separator % 5)]; // none is found out
    check(csv::read(file, &CsvFormat { delimiter, ..CsvFormat::default() }, TODAY));
}

/// One page of an answer.
pub fn json(bytes: &[u8]) {
    static PARSED: LazyLock<Definition> = LazyLock::new(|| Definition::parse("fuzzed", DEFINITION).unwrap());
    check(engine::map(&PARSED, &BTreeMap::new(), [bytes], TODAY));
}

/// A day in any form.
pub fn dates(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let forms = ["iso", "epochSeconds", "epochMilliseconds", "jsonDate", "%d/%m/%Y", "%m-%d-%y"];
    let forms = forms.map(|form| DateForm::try_from(form.to_owned()).unwrap());
    for form in &forms {
        let _ = dates::read(std::slice::from_ref(form), text);
    }
    let (form, day) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(form) = DateForm::try_from(form.to_owned()) {
        let _ = dates::read(&[form], day);
    }
}

/// An expression of a policy: what is taken has a bounded cost.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(expression) = Expression::compile(text, &["id", "department", "startDate"]) {
        let person = [("id", "7"), ("department", "Engineering"), ("startDate", "2026-03-01")];
        let _ = (expression.holds(&person), expression.text(&person));
    }
}

/// A definition: what is taken must be one that can be followed.
pub fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Definition::parse("fuzzed", text) {
        Err(refused) => assert!(!refused.why.is_empty()),
        Ok(definition) => {
            let parameters: BTreeMap<_, _> = BTreeMap::new();
            let _ = engine::map(&definition, &parameters, [b"{}"], TODAY);
        }
    }
}
