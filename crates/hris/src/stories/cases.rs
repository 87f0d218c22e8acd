//! The files of `cases/`: what people's systems and spreadsheets really write, and what follows from each. Whatever goes
//! wrong with a file is put there first.

use serde::Deserialize;

use super::*;
use crate::csv;
use domain::employee::Failure;
use domain::lifecycle::{Facts, State, Terms, derive_state};
use domain::trust::{self, Bounds, Memory, PollContext};

const DAY: Date = Date::constant(2026, 12, 1);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    what: String,
    #[serde(default)]
    format: Format,
    file: String,
    /// Ids of who has left, and nobody else.
    #[serde(default)]
    left: Vec<String>,
    /// Lines that are set aside, and no others.
    #[serde(default)]
    aside: Vec<usize>,
    /// How many ids are set aside because several people may be meant.
    #[serde(default)]
    repeated: usize,
    /// Words of the refusal of the whole.
    #[serde(default)]
    refused: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Format {
    #[serde(default)]
    date_format: Option<String>,
    #[serde(default)]
    none: Vec<String>,
    #[serde(default)]
    name_parts: Vec<String>,
}

/// So wide that every case is told by what is read.
fn bounds() -> Bounds {
    Bounds {
        max_shrink: 100,
        min_overlap: 0,
        max_bad_records: 100,
        max_unmapped_statuses: 100,
        always_present: Vec::new(),
        sentinels: Vec::new(),
    }
}

#[test]
fn every_case_comes_out_right() {
    for (file, text) in
        [("dates", include_str!("../../cases/dates.yaml")), ("rows", include_str!("../../cases/rows.yaml"))]
    {
        let cases: Vec<Case> = serde_saphyr::from_str(text).unwrap();
        for case in cases {
            let at = format!("{file}: {}", case.what);
            let Format { date_format, none, name_parts } = case.format;
            let default = CsvFormat::default();
            let date_format = date_format.unwrap_or_else(|| default.date_format.clone());
            let format = CsvFormat { date_format, none: none.into_iter().collect(), name_parts, ..default };
            match (csv::read(case.file.as_bytes(), &format, DAY), case.refused) {
                (Ok(read), None) => {
                    let state = |one: &domain::employee::Employee| {
                        let facts = Facts::of(one);
                        derive_state(&facts, DAY, &Terms::default()).state
                    };
                    assert_eq!(read.bad.iter().map(|bad| bad.position).collect::<Vec<_>>(), case.aside, "{at}");
                    let asked = PollContext { source: "cases", remembered: false, accepted: None, known_people: &[] };
                    let now = DAY.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
                    let believed = trust::judge(read, &Memory::fresh(&[0; 32]), &asked, &bounds(), now).unwrap();
                    let left = believed.snapshot.employees().iter().filter(|one| state(one) == State::Terminated);
                    assert_eq!(left.map(|one| one.id.0.clone()).collect::<Vec<_>>(), case.left, "{at}");
                    assert_eq!(believed.repeated.len(), case.repeated, "{at}");
                }
                (Err(Failure::WrongFormat(seen) | Failure::Truncated(seen)), Some(words)) => {
                    assert!(seen.contains(&words), "{at}: {seen}");
                }
                (Err(Failure::WrongColumns(wrong)), Some(words)) => {
                    assert!(wrong.iter().any(|wrong| wrong.contains(&words)), "{at}: {wrong:?}");
                }
                (found, refused) => panic!("{at}: {refused:?}, {:?}", found.map(|read| read.bad)),
            }
        }
    }
}
