use super::*;

const MARCH: Date = Date::constant(2026, 3, 1);
const SECOND: Date = Date::constant(2026, 3, 2);

fn form(word: &str) -> DateForm {
    DateForm::try_from(word.to_owned()).unwrap()
}

fn day(word: &str, text: &str) -> Result<Option<Date>, NoDate> {
    read(&[form(word)], text).map(|day| day.map(|day| day.date))
}

fn exchanged(form: &str) -> Result<Option<Date>, NoDate> {
    Err(NoDate::Exchanged(form.to_owned()))
}

#[test]
fn every_form_reads_its_own_and_nothing_else() {
    let (march, unknown) = (Ok(Some(MARCH)), Err(NoDate::Unknown));
    for (word, text, date) in [
        ("iso", "2026-03-01", march.clone()),
        ("iso", "2026-03-01-07:00", march.clone()),
        ("iso", "2026-03-01Z", march.clone()),
        ("iso", "2026-03-01T", unknown.clone()),
        ("iso", "2026-03-01-", unknown.clone()),
        ("iso", "20260301-1", unknown.clone()), // ISO 8601 has more ways than the one with hyphens
        ("iso", "20260301--", unknown.clone()),
        ("iso", "2026-W09-7", unknown.clone()),
        ("iso", "2026-3-001", unknown.clone()),
        ("iso", "2026-03-01-x7:00", unknown.clone()),
        ("iso", "2026-03-01Zulu", unknown.clone()),
        ("iso", "2026-03-011", unknown.clone()),
        ("iso", "2026-03-01 tbc", unknown.clone()),
        ("iso", "2026-02-30", unknown.clone()),
        ("iso", "2026-3-1é", unknown.clone()),
        ("epochSeconds", "1772323200", march.clone()),
        ("epochSeconds", "2026-03-01", unknown.clone()),
        ("epochMilliseconds", "1772323200000", march.clone()),
        ("epochMilliseconds", "1772409599999", march.clone()),
        ("jsonDate", "/Date(1772323200000)/", march.clone()),
        ("jsonDate", "/Date(1772323200000+0000)/", march.clone()),
        ("jsonDate", "/Date(1772319600000+0100)/", march.clone()),
        ("jsonDate", "/Date(1772341200000-0500)/", march.clone()),
        ("jsonDate", "/Date(1772323200000+01:00)/", unknown.clone()),
        ("jsonDate", "1772323200000", unknown.clone()),
        ("%m-%d-%Y", "03-01-2026", march.clone()),
        ("%m/%d/%Y", "3/1/2026", march.clone()), // as Excel writes it
        ("%d.%m.%y", "1.3.26", march.clone()),
        ("%d-%b-%y", "01-Mar-26", march.clone()),
        ("%d %B %Y", "1 march 2026", march.clone()),
        ("%a, %e %b. %Y", "Sun,  1 Mar. 2026", march.clone()),
        ("%B %d, %Y", "March 1, 2026", march.clone()),
        ("%d%m%Y", "01032026", march.clone()),
        ("%Y%m%d", "20260301", march.clone()),
        ("%F", "2026-03-01", march.clone()),
        ("%D", "3/1/26", march.clone()),
        ("%Y/%-m/%-d", "2026/3/1", march.clone()), // as Excel writes it in Japan
    ] {
        assert_eq!(day(word, text), date, "{word} {text}");
    }
    let both = [form("iso"), form("%d.%m.%Y")];
    assert_eq!(read(&both, "01.03.2026"), Ok(Some(MARCH.into())));
}

#[test]
fn a_time_behind_a_day_is_left_out() {
    for (word, text) in [
        ("iso", "2026-03-01T00:00:00"),
        ("iso", "2026-03-01T00:00:00.000Z"),
        ("iso", "2026-03-01T00:00:00+01:00"), // the day as written, not the day before in UTC
        ("iso", "2026-03-01T00:00:00.0000000-0800"),
        ("iso", "2026-03-01 08:30:00"),
        ("iso", "2026-03-01T23:59:59Z"),
        ("iso", "2026-03-01T23:59:59.999+02:00"),
        ("%Y-%m-%d", "2026-03-01 00:00:00"),
        ("%m/%d/%Y", "3/1/2026 0:00"),
        ("%m/%d/%Y", "3/1/2026 12:00:00 AM"),
        ("%d/%m/%Y", "01/03/2026 17:30"),
        ("%m/%d/%Y %H:%M", "3/1/2026 0:00"),
        ("%d.%m.%Y %T", "01.03.2026 08:05:59"),
        ("%m/%d/%Y %I:%M:%S %p", "3/1/2026 12:00:00 a.m."),
    ] {
        assert_eq!(read(&[form(word)], text), Ok(Some(MARCH.into())), "{word} {text}");
    }
    for text in ["2026-03-01 25:00", "2026-03-01 8", "2026-03-01 13:00 PM", "2026-03-01 00:00:00 CET", "2026-03-01 0:0"]
    {
        assert_eq!(day("iso", text), Err(NoDate::Unknown), "{text}");
    }
}

#[test]
fn an_instant_is_read_as_the_latest_day_that_it_was_anywhere() {
    for (word, text, date) in [
        ("iso", "2026-03-01T22:00:00Z", SECOND), // midnight in Madrid, of the day after
        ("iso", "2026-03-01T23:00:00.000Z", SECOND),
        ("iso", "2026-03-01T15:00:00Z", SECOND), // midnight in Tokyo
        ("iso", "2026-03-01T10:00:00Z", SECOND),
        ("iso", "2026-03-01T09:59:00Z", MARCH),
        ("iso", "2026-03-01T05:00:00Z", MARCH), // midnight in New York
        ("iso", "2026-03-01T20:00:00-05:00", SECOND),
        ("iso", "2026-03-02T01:00:00+05:30", SECOND),
        ("iso", "2026-03-01 22:00 UTC", SECOND),
        ("%d/%m/%Y", "01/03/2026 22:00Z", SECOND),
        ("epochMilliseconds", "1772402400000", SECOND),
        ("epochSeconds", "1772341200", MARCH),
        ("jsonDate", "/Date(1772402400000)/", SECOND),
        ("jsonDate", "/Date(1772402400000-0500)/", SECOND),
    ] {
        assert_eq!(read(&[form(word)], text), Ok(Some(Day { date, instant: true })), "{word} {text}");
    }
}

#[test]
fn a_date_that_lost_its_end_is_not_another_date() {
    for (word, text) in [
        ("iso", "2026-12-1"),
        ("%Y-%m-%d", "2026-12-1"),
        ("%Y-%m-%d", "2026-1-15"),
        ("%Y/%m/%d", "2026/12/1"),
        ("%Y%m%d", "2026121"),
        ("%d/%m/%Y", "15/12/202"),
        ("%m/%d/%Y", "12/15/20"),
        ("%m/%d/%Y", "12/15/2"),
        ("%d.%m.%y", "15.12.2"),
        ("%d%m%Y", "1512202"),
        ("%d-%b-%Y", "15-Dec-202"),
        ("%d-%b-%y", "15-Dec-2"),
        ("%Y %b %d", "2026 Dec 1"),
        ("%Y-%m-%d", "2026-12-15 00:0"),
    ] {
        assert_eq!(day(word, text), Err(NoDate::Unknown), "{word} {text}");
    }
}

#[test]
fn a_year_of_two_digits_is_no_year_of_four() {
    let end = Ok(Some(Date::constant(2026, 12, 31)));
    for (word, text, date) in [
        ("%m/%d/%Y", "12/31/26", Err(NoDate::Unknown)),
        ("%m/%d/%y", "12/31/26", end.clone()),
        ("%m/%d/%y", "12/31/2026", Err(NoDate::Unknown)),
        ("%d-%b-%y", "31-Dec-26", end.clone()),
        ("%d-%b-%Y", "31-Dec-26", Err(NoDate::Unknown)),
        ("%d-%b-%Y", "31-Dec-2026", end),
        ("%Y-%m-%d", "26-12-31", Err(NoDate::Another)),
        ("%d.%m.%Y", "1.3.226", Err(NoDate::Unknown)),
        ("%d.%m.%Y", "1.3.-026", Err(NoDate::Unknown)),
    ] {
        assert_eq!(day(word, text), date, "{word} {text}");
    }
}

#[test]
fn a_date_whose_day_can_only_be_a_month_disproves_the_form() {
    let unknown = Err(NoDate::Unknown);
    for (word, text, why) in [
        ("%d/%m/%Y", "12/31/2026", exchanged("%m/%d/%Y")),
        ("%d/%m/%Y", "12/31/2026 0:00", exchanged("%m/%d/%Y")),
        ("%d/%m/%Y", "12/31/26", exchanged("%m/%d/%Y")),
        ("%d/%m/%Y", "12-31-2026", exchanged("%m/%d/%Y")),
        ("%m/%d/%Y", "31/12/2026", exchanged("%d/%m/%Y")),
        ("%m/%d/%Y", "31.12.2026", exchanged("%d/%m/%Y")),
        ("%d.%m.%y", "12.31.26", exchanged("%m.%d.%y")),
        ("%d%m%Y", "12312026", exchanged("%m%d%Y")),
        ("iso", "2026-31-12", exchanged("%Y-%d-%m")),
        ("%Y-%m-%d", "2026-31-12 08:00", exchanged("%Y-%d-%m")),
        ("%d/%m/%Y %H:%M", "12/31/2026 08:00", exchanged("%m/%d/%Y %H:%M")),
        ("%d/%m/%Y", "31/02/2026", unknown.clone()), // in neither order
        ("%d/%m/%Y", "31/13/2026", unknown.clone()),
        ("%d/%m/%Y", "12/31/2026 tbc", unknown.clone()),
        ("%d-%b-%Y", "31-Feb-2026", unknown.clone()), // a name is no number
        ("%d/%m/%Y", "soon", unknown.clone()),
        ("%d/%m/%Y", "2026-12-31", Err(NoDate::Another)),
        ("%d/%m/%Y", "31.12.2026", Err(NoDate::Another)),
        ("iso", "31/12/2026", Err(NoDate::Another)),
        ("iso", "12/31/2026", Err(NoDate::Another)),
        ("iso", "01/03/2026", Err(NoDate::Another)),
        ("iso", "192.168.0.1", unknown),
    ] {
        assert_eq!(day(word, text), why, "{word} {text}");
    }
    let several = [form("iso"), form("%d.%m.%Y")];
    assert_eq!(read(&several, "12.31.2026"), Err(NoDate::Exchanged("%m.%d.%Y".to_owned())));
}

#[test]
fn what_stands_for_no_date_is_none_in_every_form() {
    for (word, text) in [
        ("iso", "0000-00-00"),
        ("iso", "0000-00-00 00:00:00"),
        ("iso", "0001-01-01T00:00:00"),
        ("iso", "1900-01-01"),
        ("iso", "1900-01-00"),
        ("iso", "1904-01-01"),
        ("iso", "2099-12-31T00:00:00Z"),
        ("iso", "4712-12-31"),
        ("iso", "9999-12-31"),
        ("iso", "9999-12-31T23:59:59.9999999Z"),
        ("epochSeconds", "0"),
        ("epochSeconds", "-1"),
        ("epochMilliseconds", "-62135596800000"),
        ("jsonDate", "/Date(253402214400000)/"),
        ("%m-%d-%Y", "00-00-0000"),
        ("%m/%d/%Y", "1/0/1900"),
        ("%m/%d/%Y", "1/0/1900 0:00"),
        ("%m/%d/%Y", "1/0/1900 12:00:00 AM"),
        ("%d/%m/%Y", "1/0/1900"),
        ("%d.%m.%Y", "00.01.1900"),
        ("%d/%m/%y", "00/01/00"),
        ("%d-%b-%y", "0-Jan-00"),
        ("%d.%m.%Y", "31.12.1899"),
        ("%m/%d/%Y", "12/30/1899"),
        ("%m/%d/%Y", "01/01/1753"),
        ("%m/%d/%Y", "01/01/1901"),
        ("%m/%d/%Y", "12/31/1969"),
        ("%m/%d/%Y", "12/31/2999"),
        ("%m/%d/%Y", "12/31/9999 11:59:59 PM"),
    ] {
        assert_eq!(day(word, text), Ok(None), "{word} {text}");
    }
    assert_eq!(day("%m/%d/%Y", "12/31/2098"), Ok(Some(Date::constant(2098, 12, 31))));
    assert_eq!(day("%m/%d/%Y", "1/0/2026"), Err(NoDate::Unknown));
    assert_eq!(day("%m/%d/%Y", "1/0/1900 left"), Err(NoDate::Unknown));
}

#[test]
fn a_form_nobody_knows_is_refused() {
    for word in ["ISO", "date", "", "%Q", "%d.%m", "dd.mm.yyyy", "%d.%m.%Y %Z", "%d/%d/%m/%Y", "%Y-%j", "%", "%-"] {
        assert!(DateForm::try_from(word.to_owned()).is_err(), "{word}");
    }
}

#[test]
fn a_day_told_by_its_bytes_is_the_day_that_its_layout_reads() {
    let years = ["0000", "1900", "1949", "1950", "1969", "1970", "2024", "2026", "2099", "9999", "20a6", "-026"];
    let numbers = ["00", "01", "02", "12", "13", "28", "29", "30", "31", "32", "1 ", "+1"];
    for (year, month) in years.iter().flat_map(|year| numbers.iter().map(move |month| (year, month))) {
        for text in numbers.iter().map(|day| format!("{year}-{month}-{day}")) {
            assert_eq!(day("iso", &text), day("%Y-%m-%d", &text), "{text}");
        }
    }
    assert_eq!(read(&[form("%Y-%d-%m"), form("iso")], "2026-01-03"), Ok(Some(MARCH.into())), "the first form is taken");
}
