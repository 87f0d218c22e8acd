//! How a preview is printed. Names, addresses and telephone numbers are masked unless they are asked for; ids are not.

use super::super::Failure;
use super::super::terminal::{columns, harmless, plain};
use super::Only;
use super::view::{Line, Trust, View};
use domain::employee::Text;
use domain::quote::quoted;

fn day(day: Option<jiff::civil::Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// A column, and what stands in it.
enum Column {
    Own(&'static str, fn(&Line) -> String),
    Text(Text),
}

impl Column {
    /// All there are; a table leaves out those that are empty for everybody.
    fn all() -> impl Iterator<Item = Self> {
        let texts = |shared| Text::ALL.iter().filter(move |text| text.shared() == shared).map(|text| Self::Text(*text));
        BEFORE.into_iter().chain(texts(true)).chain([MANAGER]).chain(texts(false)).chain(BEHIND)
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Own(name, _) => name,
            Self::Text(text) => text.as_str(),
        }
    }

    fn of(&self, line: &Line) -> String {
        match self {
            Self::Own(_, of) => of(line),
            Self::Text(text) => line.texts.get(*text).unwrap_or_default().to_owned(),
        }
    }
}

/// Columns before the plain texts, between those of many and those of one, and behind them.
const BEFORE: [Column; 11] = [
    Column::Own("id", |line| line.id.clone()),
    Column::Own("name", |line| line.name.clone()),
    Column::Own("email", |line| line.email.clone()),
    Column::Own("usernames", |line| line.usernames.join(" ")),
    Column::Own("state", |line| line.state.clone()),
    Column::Own("scope", |line| if line.included { "in".to_owned() } else { format!("out: {}", line.scope) }),
    Column::Own("hireDate", |line| day(line.hire_date)),
    Column::Own("lastDay", |line| day(line.last_day)),
    Column::Own("contractEnd", |line| day(line.contract_end)),
    Column::Own("urgent", |line| if line.urgent { "yes".to_owned() } else { String::new() }),
    Column::Own("employmentType", |line| line.employment_type.clone()),
];
const MANAGER: Column = Column::Own("manager", |line| line.manager.clone());
const BEHIND: [Column; 2] =
    [Column::Own("why", |line| line.why.clone()), Column::Own("included", |line| line.included.to_string())];

/// Columns that only a file needs.
const OF_FILES: [&str; 1] = ["included"];

/// The summary, then a line for everybody who is asked for.
pub fn table(view: &View, only: Only, unmask: bool) -> String {
    let lines: Vec<Line> = lines(view, only, unmask);
    let mut text = summary(view);
    if lines.is_empty() {
        return text;
    }
    let filled = |column: &Column| {
        !OF_FILES.contains(&column.name())
            && (column.name() == "id" || lines.iter().any(|line| !column.of(line).is_empty()))
    };
    let shown: Vec<Column> = Column::all().filter(filled).collect();
    let head = shown.iter().map(|column| upper(column.name())).collect();
    let rows = lines.iter().map(|line| shown.iter().map(|column| column.of(line)).collect());
    text.push_str("\n\n");
    text.push_str(&columns(head, rows));
    text
}

/// `hireDate` over a column is `HIRE DATE`.
fn upper(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            text.push(' ');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

/// What there is to say of the whole response.
pub fn summary(view: &View) -> String {
    let capabilities = &view.capabilities;
    let yes = |can: bool| if can { "yes" } else { "no" };
    let seen = &capabilities.seen;
    let mut lines = vec![
        format!(
            "Connection    {}: {} people, {} records set aside",
            view.connection,
            view.people.len(),
            view.set_aside.len()
        ),
        match &view.trust {
            Trust::Believable => {
                "Trust         trusted as a first response; a response with fewer or other people is held only next to an earlier one"
                    .to_owned()
            }
            Trust::Held(findings) => format!("Trust         would be held: {}", findings.join(" ")),
        },
        format!("Scope         {} in, {} out{}", view.included, view.people.len() - view.included, reasons(view)),
        format!(
            "Capabilities  last days {} ({} seen), leave {} ({}), leavers {} ({}), future hires {} ({}), managers {} ({})",
            yes(capabilities.end_dates),
            seen.end_dates,
            capabilities.leave.as_str(),
            seen.on_leave,
            capabilities.leavers.as_str(),
            seen.leavers,
            capabilities.future_hires.as_str(),
            seen.future_hires,
            yes(capabilities.managers),
            seen.managers,
        ),
        format!(
            "              deletion {}, photos {} (never read), own ids {}, age of the data: {}",
            capabilities.deletion.as_str(),
            capabilities.photo.as_str(),
            yes(capabilities.stable_ids),
            capabilities.data_age.as_deref().unwrap_or("unknown"),
        ),
        format!(
            "Fields        {}",
            capabilities.fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
        ),
    ];
    let words = |words: &std::collections::BTreeMap<String, u32>| {
        words.iter().map(|(word, people)| format!("{} ({people})", quoted(word))).collect::<Vec<_>>().join(", ")
    };
    if !view.unmapped_statuses.is_empty() {
        lines
            .push(format!("Not mapped    statuses: {}; these people would be Unknown", words(&view.unmapped_statuses)));
    }
    if !view.unmapped_types.is_empty() {
        lines.push(format!("Not mapped    kinds of employment: {}", words(&view.unmapped_types)));
    }
    lines.extend(view.migration.iter().flat_map(|migration| migration.lines(view.most)));
    lines.extend(remarks(view));
    lines.extend(view.set_aside.iter().map(|bad| format!("Set aside     record {}: {}", bad.position, bad.reason)));
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

/// Most ids or words that one line names.
const MAX_NAMED: usize = 8;

/// What a cluster would report of the response in conditions and findings, other than trust and scope.
fn remarks(view: &View) -> Vec<String> {
    let mut lines: Vec<String> = view.remarks.iter().map(|remark| format!("Remarks       {remark}")).collect();
    if !view.shared_addresses.is_empty() {
        let groups: Vec<_> = view.shared_addresses.iter().map(|ids| ids.join(" and ")).collect();
        lines.push(format!("Shared        one address for several people: {}", named(&groups)));
    }
    if !view.without_address.is_empty() {
        let (count, ids) = (view.without_address.len(), named(&view.without_address));
        lines.push(format!(
            "No address    {count} people: {ids}; nothing is found by their address, and known addresses stay"
        ));
    }
    if !view.unmatched_locations.is_empty() {
        let place = |(location, people): (&String, &usize)| {
            if location.is_empty() { format!("no location ({people})") } else { format!("{location} ({people})") }
        };
        let places: Vec<_> = view.unmatched_locations.iter().map(place).collect();
        lines.push(format!(
            "Zones         not in timeZones.byLocation, so the default zone applies: {}",
            named(&places)
        ));
    }
    if !view.capital_usernames.is_empty() {
        lines.push(format!(
            "User names    with capital letters: {}; compare them with the user names in your identity provider's tokens",
            named(&view.capital_usernames)
        ));
    }
    lines
}

fn named(words: &[String]) -> String {
    let shown = words.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn reasons(view: &View) -> String {
    let all: Vec<_> = view.excluded.iter().map(|(reason, people)| format!("{people} {reason}")).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

/// Everything, as one object.
pub fn whole(view: &View, only: Only, unmask: bool) -> View {
    View { people: lines(view, only, unmask), ..view.clone() }
}

/// A line for everybody who is asked for.
///
/// # Errors
/// When a line cannot be written, which memory alone could cause.
pub fn csv(view: &View, only: Only, unmask: bool) -> Result<String, Failure> {
    let refused = |error: csv::Error| Failure::Refused(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(Column::all().map(|column| column.name())).map_err(refused)?;
    for line in lines(view, only, unmask) {
        writer.write_record(Column::all().map(|column| harmless(&column.of(&line)))).map_err(refused)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::Refused(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn lines(view: &View, only: Only, unmask: bool) -> Vec<Line> {
    let wanted = |line: &&Line| match only {
        Only::All => true,
        Only::Included => line.included,
        Only::Excluded => !line.included,
        Only::SetAside => false,
    };
    view.people
        .iter()
        .filter(wanted)
        .take(view.most.unwrap_or(usize::MAX))
        .map(|line| if unmask { line.clone() } else { masked(line) })
        .collect()
}

fn masked(line: &Line) -> Line {
    let mut texts = line.texts.clone();
    for personal in Text::ALL.iter().copied().filter(|text| !text.shared() && line.texts.get(*text).is_some()) {
        texts.set(personal, Some("…".into()));
    }
    Line {
        name: line.name.split_whitespace().map(first_letter).collect::<Vec<_>>().join(" "),
        email: address(&line.email),
        manager: if line.manager_is_address { address(&line.manager) } else { line.manager.clone() },
        usernames: line.usernames.iter().map(|name| address(name)).collect(),
        texts,
        ..line.clone()
    }
}

fn first_letter(word: &str) -> String {
    word.chars().next().map(|c| format!("{c}…")).unwrap_or_default()
}

/// The domain is the company's, and tells a wrong tenant.
fn address(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{}@{domain}", first_letter(local)),
        None => first_letter(address),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cli::plugin::output;

    fn json(view: &View, only: Only, unmask: bool) -> String {
        output::json(&whole(view, only, unmask)).unwrap()
    }
    use domain::capabilities::{Capabilities, PeopleShown};
    use domain::employee::{Field, Texts};

    fn view() -> View {
        let ada = Line {
            id: "7".into(),
            name: "Ada Maria Example".into(),
            email: "ada@example.com".into(),
            state: "Active".into(),
            why: "active, no last day".into(),
            included: true,
            texts: Texts::default().with(Text::Department, "=HYPERLINK(\"x\")").with(Text::Phone, "+34 600 000 000"),
            manager: "bo@example.com".into(),
            manager_is_address: true,
            usernames: vec!["oidc:ada@example.com".into()],
            ..Line::default()
        };
        let bo = Line {
            id: "8".into(),
            name: "Bo\u{1b}[2K Example".into(),
            email: "bo@example.com".into(),
            state: "Terminated".into(),
            scope: "the department is not among spec.scope.include.departments".into(),
            manager: "7".into(),
            ..Line::default()
        };
        View {
            connection: "hq".into(),
            trust: Trust::Believable,
            capabilities: Capabilities {
                fields: vec![Field::EmployeeId, Field::Email],
                seen: PeopleShown { leavers: 1, ..PeopleShown::default() },
                ..Capabilities::default()
            },
            included: 1,
            excluded: [("departmentNotIncluded", 1)].into(),
            unmapped_statuses: [("parental leave".to_owned(), 1)].into(),
            unmapped_types: Default::default(),
            remarks: vec!["columns that are not read: picture url".into()],
            shared_addresses: vec![vec!["7".into(), "9".into()]],
            unmatched_locations: [(String::new(), 1), ("Melbourne".to_owned(), 1)].into(),
            without_address: vec!["8".into()],
            capital_usernames: vec!["7".into()],
            migration: None,
            most: None,
            set_aside: vec![super::super::view::SetAside { position: 3, reason: "employeeId is empty".into() }],
            people: vec![ada, bo],
        }
    }

    #[test]
    fn a_table_begins_with_what_there_is_to_say_of_the_whole() {
        insta::assert_snapshot!(table(&view(), Only::All, false));
    }

    #[test]
    fn personal_data_are_shown_only_where_they_are_asked_for() {
        let printed = |unmask| {
            let view = view();
            [table(&view, Only::All, unmask), json(&view, Only::All, unmask), csv(&view, Only::All, unmask).unwrap()]
        };
        for personal in ["Maria", "ada@example.com", "bo@example.com", "600"] {
            assert!(printed(true).iter().all(|text| text.contains(personal)), "{personal}");
            assert!(printed(false).iter().all(|text| !text.contains(personal)), "{personal}");
        }
    }

    #[test]
    fn only_those_who_are_asked_for_are_listed() {
        let ids = |only| {
            let value: Value = serde_json::from_str(&json(&view(), only, false)).unwrap();
            value["people"].as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
        };
        let all: [(Only, Vec<String>); 4] = [
            (Only::All, vec!["7".into(), "8".into()]),
            (Only::Included, vec!["7".into()]),
            (Only::Excluded, vec!["8".into()]),
            (Only::SetAside, vec![]),
        ];
        for (only, expected) in all {
            let found: Vec<String> = ids(only);
            assert_eq!(found, expected, "{only:?}");
        }
    }

    #[test]
    fn no_more_people_are_listed_than_are_asked_for() {
        for (most, listed) in [(Some(0), 0), (Some(1), 1), (Some(7), 2), (None, 2)] {
            let view = View { most, ..view() };
            let value: Value = serde_json::from_str(&json(&view, Only::All, false)).unwrap();
            assert_eq!(value["people"].as_array().unwrap().len(), listed, "{most:?}");
            assert_eq!(
                table(&view, Only::All, false).contains("HIRE DATE") || table(&view, Only::All, false).contains("ID "),
                listed > 0
            );
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_none_paints_over_the_terminal() {
        let file = csv(&view(), Only::All, true).unwrap();
        assert!(file.contains("'=HYPERLINK") && file.contains("'+34"), "{file}");
        for text in [file, table(&view(), Only::All, true)] {
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
