//! How fast answers become employees, and how much of the machine they hold: without a cluster.
//!
//! What is measured in memory runs in a process of its own, because a process gives back what it once took only in part.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use hris::{self, Definition};
use jiff::civil::date;
use serde_json::{Value, json};

use super::Figure;

/// People of one answer, and of one page.
pub const PEOPLE: usize = 100_000;
pub const PAGE: usize = 1_000;
/// Each figure is the median of so many pairs.
const RUNS: usize = 5;

pub fn definition() -> Definition {
    Definition::parse("wide.yaml", include_str!("wide.yaml")).unwrap()
}

/// One page of invented people, about 850 bytes each.
fn page(first: usize) -> Vec<u8> {
    let people: Vec<Value> = (first..first + PAGE).map(person).collect();
    serde_json::to_vec(&json!({"data": people, "meta": {"total": PEOPLE}})).unwrap()
}

fn person(n: usize) -> Value {
    let ended = n.is_multiple_of(50);
    json!({
        "id": format!("{n:08}"), "number": n, "uuid": format!("00000000-0000-4000-8000-{n:012}"),
        "name": {"first": format!("Ada{n}"), "last": "Example", "preferred": null, "pronouns": "she/her"},
        "contact": {
            "workEmail": format!("ada{n}@example.com"), "privateEmail": format!("ada{n}@home.example.com"),
            "phone": {"country": "+34", "number": format!("600{n:06}"), "kind": "mobile"},
        },
        "employment": {
            "status": if ended { "left" } else { "active" }, "type": if n.is_multiple_of(9) { "freelance" } else { "permanent" },
            "startDate": format!("20{:02}-03-01", n % 20), "endDate": if ended { json!("2026-01-31") } else { json!(null) },
            "contractEnd": null, "weeklyHours": 40, "probationEnds": "2020-06-01",
        },
        "organisation": {
            "department": {"id": n % 40, "name": format!("Department {}", n % 40)},
            "team": {"id": n % 300, "name": format!("Team {}", n % 300)},
            "legalEntity": {"id": n % 5, "name": format!("Example {} S.L.", n % 5)}, "site": format!("Site {}", n % 12),
            "costCentre": format!("CC-{}", n % 60),
        },
        "job": {"title": format!("Engineer {}", n % 80), "grade": n % 7, "manager": {"id": format!("{:08}", n / 10)}},
        "updatedAt": "2026-02-27T08:15:30Z", "active": !ended, "tags": ["a", "b"],
    })
}

/// The middle one of some values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The figures of this file.
pub fn figures() -> Vec<Figure> {
    let definition = definition();
    let pages: Vec<Vec<u8>> = (0..PEOPLE / PAGE).map(|n| page(n * PAGE)).collect();
    let bytes: usize = pages.iter().map(Vec::len).sum();
    let mapped = || {
        let begun = Instant::now();
        let read = hris::map(&definition, &BTreeMap::new(), &pages, date(2026, 3, 2)).unwrap();
        let took = begun.elapsed();
        assert_eq!((read.employees.len(), read.bad.len()), (PEOPLE, 0));
        took.as_secs_f64()
    };
    let bare = || {
        let begun = Instant::now();
        for page in &pages {
            std::hint::black_box(serde_json::from_slice::<Value>(page).unwrap());
        }
        begun.elapsed().as_secs_f64()
    };
    // In turn, so that whatever else the machine does slows both.
    let pairs: Vec<(f64, f64)> = (0..RUNS).map(|_| (mapped(), bare())).collect();
    drop(pages);
    vec![
        Figure {
            figure: "pages to employees, of a bare parse into a tree",
            value: median(pairs.iter().map(|(mapped, bare)| bare / mapped).collect()),
            unit: "×",
            bar: Some(("at least", 2.0)),
        },
        Figure {
            figure: "pages to employees, one core",
            value: PEOPLE as f64 / median(pairs.iter().map(|(mapped, _)| *mapped).collect()),
            unit: "rec/s",
            bar: None,
        },
        Figure { figure: "bytes of a record", value: bytes as f64 / PEOPLE as f64, unit: "B", bar: None },
        Figure {
            figure: "resident memory of a person",
            // What a process gave back is taken from it a moment later, or not yet: of one alone it says little.
            value: median((0..RUNS).map(|_| asked(&["resident"])[0]).collect()),
            unit: "B",
            bar: Some(("at most", 512.0)),
        },
    ]
}

/// What this program says when it is run as a process of its own: numbers.
pub fn asked(part: &[&str]) -> Vec<f64> {
    let output = Command::new(std::env::current_exe().unwrap()).args(part).output().unwrap();
    assert!(output.status.success(), "{part:?}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// What each of 100,000 people adds to the process. Each page is made when it is read, and dropped.
pub fn resident() -> f64 {
    let definition = definition();
    let map = |pages: usize| {
        let pages = (0..pages).map(|n| page(n * PAGE));
        hris::map(&definition, &BTreeMap::new(), pages, date(2026, 3, 2)).unwrap()
    };
    drop(map(1)); // whatever a page takes for itself is taken
    let before = memory("VmRSS:");
    let read = map(PEOPLE / PAGE);
    (memory("VmRSS:") - before) / read.employees.len() as f64
}

/// A line of what the kernel says of this process's memory, in bytes.
pub fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    kib.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
}
