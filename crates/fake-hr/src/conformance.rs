//! Tries a connector's folder: reads its recorded pages as they are, and with every fault in every place it can come.
//!
//! No fault may end in somebody who is not as the pages say, and none in somebody who left because something is missing.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::faults::{Fault, Faults, Kind, Part};
use super::recorded::{Recorded, Script};
use super::routes::Routes;
use super::serve::{self, State};
use super::{at, moved, reading, signin, unsigned};
use domain::employee::{Employee, Failure, Manager, Read, Said, Status, Text};
use hris::definition::{Definition, Paging};
use hris::http::{Patience, Transport};
use hris::{ApiSource, Network, engine};

/// What every key of the Secret holds, where pages were recorded.
const SECRET: &str = "s3cret";
/// Nobody waits for a fake.
const HURRIED: Patience = Patience { first: Duration::ZERO, throttled: 5, faults: 2 };
/// Time for one read. It decides nothing, however busy the machine is: a stalled answer ends its trial by itself.
const LONG: Duration = Duration::from_hours(1);
/// Time for all of them.
const ALL: Duration = Duration::from_hours(1);

/// Reads fakes of one definition, again and again, without setting TLS up anew each time.
pub(crate) struct Reader(Arc<Transport>);

impl Reader {
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(definition: &Definition) -> Result<Self, String> {
        let network = Network { allow_private_addresses: true, ..Network::default() };
        let transport = Transport::new(&network, None, Instant::now() + ALL, HURRIED);
        let transport = transport.map_err(|failure| format!("{failure:?}"))?;
        Ok(Self(Arc::new(transport.throttled_by(engine::throttle(definition)))))
    }

    /// Reads a source within a time.
    pub(crate) async fn read(&self, source: &ApiSource, budget: Duration, as_of: Date) -> Result<Read, Failure> {
        timeout(budget, engine::read(source, &self.0, as_of)).await.unwrap_or(Err(Failure::TimedOut))
    }
}

/// What became of a folder.
pub struct Report {
    /// How many people its pages have.
    pub people: usize,
    /// How many faults were tried.
    pub faults: usize,
    /// What is not as it should be.
    pub wrong: Vec<String>,
    /// What was found, as `expected.json` writes it.
    pub found: String,
}

/// Tries a folder.
///
/// # Errors
/// When the folder cannot be read, or its definition cannot be used.
pub async fn test(folder: &FilePath) -> Result<Report, String> {
    let folder = Folder::open(folder)?;
    let reader = Reader::new(&folder.definition)?;
    let (mut report, clean) = folder.report(&reader).await?;
    let Ok(good) = &clean.read else { return Ok(report) };
    for fault in faults(&folder.definition, &clean.heard, folder.pages()?) {
        report.faults += 1;
        report.wrong.extend(folder.tried(&reader, &fault, good).await?);
    }
    Ok(report)
}

/// A connector's folder.
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) definition: Definition,
    expected: Json,
    script: Script,
    parameters: BTreeMap<String, String>,
    as_of: Date,
}

/// One read of a folder.
pub(crate) struct Run {
    pub(crate) read: Result<Read, Failure>,
    /// What was asked for, in turn.
    pub(crate) heard: Vec<Part>,
    surprises: Vec<String>,
}

impl Folder {
    /// # Errors
    /// The file that cannot be read or used, and why.
    pub(crate) fn open(folder: &FilePath) -> Result<Self, String> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let read = |file: &str| {
            let file = folder.join(file);
            std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
        };
        let definition = Definition::parse(&format!("{name}/connector.yaml"), &read("connector.yaml")?);
        let mut definition = unsigned(&definition.map_err(|refused| refused.to_string())?);
        definition.throttling.rate = None; // its pace is a matter of time, and nobody waits here
        let wrong = |why: &dyn std::fmt::Display| format!("{name}/expected.json: {why}");
        let expected: Json = serde_json::from_str(&read("expected.json")?).map_err(|error| wrong(&error))?;
        let given = expected.get("parameters").cloned().unwrap_or_else(|| json!({}));
        let given = serde_json::from_value(given).map_err(|error| wrong(&error))?;
        let parameters = definition.resolve(&given).map_err(|why| wrong(&why))?;
        let as_of = expected.get("asOf").and_then(Json::as_str).and_then(|day| day.parse().ok());
        let as_of = as_of.ok_or_else(|| wrong(&"asOf: the day the pages are read on, such as 2026-03-02"))?;
        let script = Script::open(&folder.join("pages"))?;
        let folder = Self { name, definition, expected, script, parameters, as_of };
        if folder.pages()? == 0 {
            return Err(format!("{}: no answer to the request for people", folder.name));
        }
        Ok(folder)
    }

    /// What a read without a fault is like, compared with what is expected of it.
    ///
    /// # Errors
    /// When no fake can be served.
    pub(crate) async fn report(&self, reader: &Reader) -> Result<(Report, Run), String> {
        let clean = self.run(reader, None).await?;
        let mut report = Report { people: 0, faults: 0, wrong: clean.surprises.clone(), found: String::new() };
        report.wrong.extend(engine::check(&self.source("https://hr.example.com")).err());
        match &clean.read {
            Err(failure) => report.wrong.push(format!("no answer: {failure:?}")),
            Ok(good) => {
                let found = found(good);
                let other = PARTS.iter().filter(|part| found.get(**part) != self.expected.get(**part));
                report.wrong.extend(other.map(|part| {
                    let [found, expected] =
                        [&found, &self.expected].map(|all| all.get(*part).cloned().unwrap_or_default());
                    format!("{part}:\n  found    {found}\n  expected {expected}")
                }));
                (report.people, report.found) = (good.employees.len(), as_written(self, &found));
            }
        }
        Ok((report, clean))
    }

    /// Reads it with a fault: what is wrong with how that ended.
    async fn tried(&self, reader: &Reader, fault: &Fault, good: &Read) -> Result<Option<String>, String> {
        let run = self.run(reader, Some(fault)).await?;
        Ok(judged(&self.definition, fault, good, &run.read).err())
    }

    /// How many pages of people are recorded as answers to the same request.
    fn pages(&self) -> Result<usize, String> {
        Ok(self.script.people(&Routes::new(&self.definition, &self.parameters)?))
    }

    /// The source, found at another place than the real one.
    pub(crate) fn source(&self, here: &str) -> ApiSource {
        reading(moved(&self.definition, here), self.parameters.clone(), |_| SECRET.to_owned())
    }

    /// Where the system really lies, without the path.
    fn origin(&self) -> String {
        let base = self.definition.base(&self.parameters).unwrap_or_default();
        let path = at(&base, "");
        base.strip_suffix(&path).unwrap_or(&base).to_owned()
    }

    /// Reads it from a fake that has a fault, or none.
    ///
    /// # Errors
    /// When no fake can be served.
    pub(crate) async fn run(&self, reader: &Reader, fault: Option<&Fault>) -> Result<Run, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let here = format!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
        let state = self.play(fault, &here)?;
        let serving = tokio::spawn(serve::serve(listener, Arc::clone(&state)));
        let stalled = Arc::clone(&state.lock().unwrap_or_else(PoisonError::into_inner).stalled);
        let source = self.source(&here);
        let read = tokio::select! {
            biased;
            read = reader.read(&source, LONG, self.as_of) => read,
            // Nothing more comes: the time of a poll would run out, and nobody waits for that.
            () = stalled.notified() => Err(Failure::TimedOut),
        };
        serving.abort();
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Run { read, heard: state.heard.clone(), surprises: state.system.surprises() })
    }

    /// The pages, ready to be served in another way, and what was asked for.
    #[cfg(test)]
    pub(crate) fn router(&self, here: &str) -> Result<(axum::Router, impl Fn() -> Vec<Part>), String> {
        let state = self.play(None, here)?;
        let asked = Arc::clone(&state);
        Ok((serve::router(state), move || asked.lock().unwrap().heard.clone()))
    }

    /// The pages, ready to be served at an address.
    ///
    /// # Errors
    /// What of the definition cannot be followed backwards.
    fn play(&self, fault: Option<&Fault>, here: &str) -> Result<Arc<Mutex<State>>, String> {
        let routes = Routes::new(&self.definition, &self.parameters)?;
        let mut system = Box::new(Recorded::new(&self.script, routes, &self.origin(), here));
        let mut faults = Faults::new(&self.definition)?;
        fault.map(|fault| faults.bring(&fault.to_string(), system.as_mut())).transpose()?;
        Ok(Arc::new(Mutex::new(State::new(system, faults, Box::new(|_| {})))))
    }
}

/// Every fault that a definition can have, in the places where it can come.
/// `pages` is how many pages of people can be lost or given twice.
pub(crate) fn faults(definition: &Definition, heard: &[Part], pages: usize) -> Vec<Fault> {
    let mut all = Vec::new();
    let people: Vec<_> = heard.iter().filter(|part| matches!(part, Part::People(_))).collect();
    let first = heard.iter().filter(|part| **part == Part::People(0)).count();
    for (part, number) in places(heard) {
        let mut kinds = vec![
            Kind::Throttled,
            Kind::ThrottledForEver,
            Kind::Empty,
            Kind::Forbidden,
            Kind::Html,
            Kind::Cut,
            Kind::Drip,
            Kind::Oversized,
            Kind::Redirect,
        ];
        kinds.extend((part != Part::Token).then_some(Kind::Expired));
        let own = &definition.throttling;
        let own = own.code.is_some() || own.reset.is_some() || !own.statuses.is_empty();
        kinds.extend(own.then_some(Kind::ThrottledInItsWay));
        kinds.extend(matches!(part, Part::People(_) | Part::Join(_) | Part::Detail(_)).then_some(Kind::NoRecords));
        let at = |kind| Fault { kind, part: Some(part.word().to_owned()), number: Some(number) };
        all.extend(kinds.into_iter().map(at));
    }
    let of_page = |kind, page| Fault { kind, part: Some("people".to_owned()), number: Some(page) };
    // Of the last pages one may be short and one empty: then it is not a page twice, but somebody twice.
    let whole = first.saturating_sub(2).max(1);
    for page in [1, whole] {
        all.extend((pages > 1).then(|| of_page(Kind::RepeatedPage, page)));
    }
    for page in [1, first / 2 + 1, first] {
        all.extend((pages > 1).then(|| of_page(Kind::LostPage, page)));
    }
    let list = definition.people.first();
    let leads = list.and_then(|list| list.paging.as_ref());
    if list.is_some_and(|list| list.total.is_some()) && first > 1 {
        all.extend([2, first].map(|page| of_page(Kind::Total, page)));
    }
    if matches!(leads, Some(Paging::Cursor { .. } | Paging::NextLink(_) | Paging::NextQuery(_))) && first > 2 {
        all.push(of_page(Kind::Circle, 2));
    }
    if matches!(leads, Some(Paging::NextLink(_))) && people.len() > 1 && first > 1 {
        all.push(of_page(Kind::OtherHost, 1));
    }
    let offered = definition.offered();
    all.extend(offered.into_iter().map(|slot| Fault { kind: Kind::Gone(slot), part: None, number: None }));
    all.dedup();
    all
}

/// The first, a middle and the last request of every kind, each with its number among those of its part.
fn places(heard: &[Part]) -> Vec<(Part, usize)> {
    let mut all: BTreeMap<&Part, Vec<usize>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in heard.iter().filter(|part| **part != Part::Unknown) {
        let count = counts.entry(part.word()).or_default();
        *count += 1;
        all.entry(part).or_default().push(*count);
    }
    let mut places = Vec::new();
    for (part, numbers) in all {
        let picked = [numbers.first(), numbers.get(numbers.len() / 2), numbers.last()];
        let mut picked: Vec<usize> = picked.into_iter().flatten().copied().collect();
        picked.dedup();
        places.extend(picked.into_iter().map(|number| (part.clone(), number)));
    }
    places
}

/// How a read with a fault has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As without it.
    Fine,
    /// In a failure of one of these kinds.
    Fails(&'static [&'static str]),
    /// In a failure, or in nothing that is not true: some may be missing, or less be said of them.
    Less,
}

fn end(definition: &Definition, fault: &Fault) -> End {
    let token = fault.part.as_deref() == Some("token");
    let detail = fault.part.as_deref() == Some("details");
    let export = fault.part.as_deref() == Some("exports");
    match fault.kind {
        Kind::Throttled | Kind::ThrottledInItsWay => End::Fine,
        Kind::Expired if definition.auth.token.is_some() => End::Fine,
        Kind::Expired => End::Fails(&["Unauthorised"]),
        Kind::ThrottledForEver => End::Fails(&["Throttled"]),
        Kind::LostPage | Kind::NoRecords => End::Less,
        Kind::RepeatedPage | Kind::Circle | Kind::Total => End::Fails(&["Truncated"]),
        Kind::Empty if detail => End::Less, // nothing is said of one person
        Kind::Empty | Kind::Html => End::Fails(&["WrongFormat"]),
        Kind::Forbidden if token => End::Fails(&["Unauthorised"]),
        Kind::Forbidden => End::Fails(&["Forbidden"]),
        // Pages of records that all say nothing are one page given twice.
        Kind::Gone(slot) if definition.required.contains(&slot) => End::Fails(&["WrongColumns", "Truncated"]),
        Kind::Gone(_) => End::Less,
        Kind::Cut if token || export => End::Fails(&["WrongFormat"]),
        Kind::Cut => End::Fails(&["Truncated"]),
        Kind::Drip => End::Fails(&["TimedOut"]),
        Kind::Oversized => End::Fails(&["TooLarge"]),
        Kind::Redirect | Kind::OtherHost => End::Fails(&["AddressRefused"]),
    }
}

/// Whether a read with a fault ended as it should.
///
/// # Errors
/// In words, what it ended in instead.
pub(crate) fn judged(
    definition: &Definition,
    fault: &Fault,
    good: &Read,
    read: &Result<Read, Failure>,
) -> Result<(), String> {
    let wanted = end(definition, fault);
    let fine = match (wanted, read) {
        (End::Fine, Ok(read)) => found(read) == found(good),
        (End::Fails(kinds), Err(failure)) => kinds.contains(&class(failure)),
        (End::Less, Err(_)) => true,
        (End::Less, Ok(read)) => less(read, good),
        _ => false,
    };
    let ended = match read {
        Ok(read) => found(read).to_string(),
        Err(failure) => format!("{failure:?}"),
    };
    let told = [signin::credential(""), "example.com/".to_owned()].iter().any(|secret| ended.contains(secret))
        && read.is_err();
    if told {
        return Err(format!("{fault}: says more than it may: {ended}"));
    }
    if fine { Ok(()) } else { Err(format!("{fault}: should end in {wanted:?}, and ends in {ended}")) }
}

/// Whether one answer says nothing that the other does not: people may be missing, but where the source counts, that
/// shows; nobody has left who has not.
fn less(read: &Read, good: &Read) -> bool {
    let people = read.employees.len() + read.bad.len();
    let shows = people == good.employees.len() + good.bad.len() || read.announced_total != Some(people);
    // Whoever was set aside for a value that is gone is set aside no longer.
    let known = |one: &&Employee| good.employees.iter().any(|other| other.id == one.id);
    let strangers = read.employees.iter().filter(|one| !known(one)).count();
    let fits =
        |one: &Employee| good.employees.iter().filter(|other| other.id == one.id).all(|other| says_less(one, other));
    shows && strangers <= good.bad.len() && read.employees.iter().all(fits)
}

/// Whether nothing ends by what is said of somebody that would not end by all of it. Other values may be gone, or stand
/// for one that is.
fn says_less(one: &Employee, other: &Employee) -> bool {
    let gone = Said::Mapped(Status::Terminated);
    let no_sooner = match (one.last_day, other.last_day) {
        (None, _) => true,
        (Some(one), Some(other)) => one >= other,
        (Some(_), None) => false,
    };
    (one.said == other.said || one.said != gone) && no_sooner && (!one.urgent || other.urgent)
}

const fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unreachable(_) => "Unreachable",
        Failure::TimedOut => "TimedOut",
        Failure::Unauthorised(_) => "Unauthorised",
        Failure::NotKept(_) => "NotKept",
        Failure::Forbidden => "Forbidden",
        Failure::Missing(_) => "Missing",
        Failure::Status(_) => "Status",
        Failure::Throttled => "Throttled",
        Failure::WrongFormat(_) => "WrongFormat",
        Failure::Truncated(_) => "Truncated",
        Failure::NotOpened(_) => "NotOpened",
        Failure::WrongColumns(_) => "WrongColumns",
        Failure::TooLarge => "TooLarge",
        Failure::AddressRefused(_) => "AddressRefused",
    }
}

/// What `expected.json` has beside what it was read with.
const PARTS: [&str; 6] = ["employees", "bad", "unmapped", "unmappedTypes", "offered", "total"];

/// What a read found, as `expected.json` writes it.
pub(crate) fn found(read: &Read) -> Json {
    let bad = read.bad.iter().map(|bad| json!({"position": bad.position, "reason": bad.reason}));
    let mut found = json!({
        "employees": read.employees.iter().map(plainly).collect::<Vec<_>>(),
        "bad": bad.collect::<Vec<_>>(),
        "unmapped": read.unmapped,
        "offered": read.offered.iter().map(|field| format!("{field:?}")).collect::<Vec<_>>(),
        "total": read.announced_total,
    });
    if let Some(found) = found.as_object_mut().filter(|_| !read.unmapped_types.is_empty()) {
        found.insert("unmappedTypes".to_owned(), json!(read.unmapped_types));
    }
    found
}

/// What was found, with one employee a line.
fn as_written(folder: &Folder, found: &Json) -> String {
    let mut parts: Vec<_> = ["asOf", "parameters"]
        .iter()
        .filter_map(|part| Some(format!("  \"{part}\": {}", folder.expected.get(*part)?)))
        .collect();
    parts.extend(PARTS.iter().filter_map(|part| {
        Some(match found.get(*part)? {
            Json::Array(list) if *part == "employees" => {
                let lines: Vec<_> = list.iter().map(|one| format!("    {one}")).collect();
                format!("  \"{part}\": [\n{}\n  ]", lines.join(",\n"))
            }
            value => format!("  \"{part}\": {value}"),
        })
    }));
    format!("{{\n{}\n}}", parts.join(",\n"))
}

/// An employee, as `expected.json` writes them.
pub(crate) fn plainly(employee: &Employee) -> Json {
    let manager = employee.manager.as_ref().map(|manager| match manager {
        Manager::Email(address) => address.clone(),
        Manager::Id(id) => id.0.clone(),
    });
    let mut plain = json!({
        "id": employee.id.0, "name": employee.name, "email": employee.work_email, "said": employee.said.as_str(),
        "start": employee.start, "lastDay": employee.last_day, "department": employee.text(Text::Department),
        "title": employee.text(Text::Title), "location": employee.text(Text::Location), "manager": manager,
    });
    // What few systems say is written only where it is said.
    let more = [
        ("contractEnd", employee.contract_end.map(|day| json!(day))),
        ("urgent", employee.urgent.then_some(json!(true))),
        ("type", employee.employment_type.map(|kind| json!(kind.as_str()))),
    ];
    let texts = employee.texts.iter().map(|(text, value)| (text.as_str(), Some(json!(**value))));
    if let Some(plain) = plain.as_object_mut() {
        plain.extend(more.into_iter().chain(texts).filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    plain
}
