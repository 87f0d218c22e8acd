//! Tests a connector's folder: reads its recorded pages as they are, and with every fault in every place.
//!
//! No fault may result in a person who differs from the pages, and none in a leaver because something is missing.

mod judge;

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

pub(crate) use self::judge::{faults, judged};
use super::faults::{Fault, Faults, RequestKind};
use super::recorded::{Recorded, Script};
use super::routes::Routes;
use super::serve::{self, State};
use super::{at, moved, reading, unsigned};
use domain::account::Fact;
use domain::employee::{Employee, Failure, Manager, Read, Text};
use hris::definition::Definition;
use hris::http::{RetryPolicy, Transport};
use hris::{ApiSource, Network, engine};

/// What every key of the Secret holds, where pages were recorded.
const SECRET: &str = "s3cret";
/// Nobody waits for a fake.
const HURRIED: RetryPolicy = RetryPolicy { first: Duration::ZERO, throttled: 5, faults: 2 };
/// Time for one read. It decides nothing, however busy the machine is: a stalled answer ends its trial by itself.
const LONG: Duration = Duration::from_hours(1);
/// Time for all of them.
const ALL: Duration = Duration::from_hours(1);

/// Reads fakes of one definition, again and again, without setting up TLS each time.
pub(crate) struct Reader(Arc<Transport>);

impl Reader {
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(definition: &Definition) -> Result<Self, String> {
        let network = Network { allow_private_addresses: true, ..Network::default() };
        let transport = Transport::new(&network, None, Instant::now() + ALL, HURRIED);
        let transport = transport.map_err(|failure| judge::told(&failure))?;
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
    pub(crate) heard: Vec<RequestKind>,
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
            return Err(format!("{}: no response to the request for people", folder.name));
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
            Err(failure) => report.wrong.push(format!("no response: {}", judge::told(failure))),
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

    /// Changes every recorded page, but not what is answered to a sign-in.
    #[cfg(test)]
    pub(crate) fn rewrite(&mut self, change: impl FnMut(&mut Json)) {
        let routes = Routes::new(&self.definition, &self.parameters).unwrap();
        self.script.rewrite(&routes, change);
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
    pub(crate) fn router(&self, here: &str) -> Result<(axum::Router, impl Fn() -> Vec<RequestKind>), String> {
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

/// What `expected.json` contains, other than how it was read.
const PARTS: [&str; 6] = ["employees", "bad", "unmapped", "unmappedTypes", "offered", "total"];

/// What a read found, as `expected.json` writes it.
pub(crate) fn found(read: &Read) -> Json {
    let bad = read.bad.iter().map(|bad| json!({"position": bad.position, "reason": bad.reason}));
    let mut found = json!({
        "employees": read.employees.iter().map(plainly).collect::<Vec<_>>(),
        "bad": bad.collect::<Vec<_>>(),
        "unmapped": read.unmapped,
        "offered": read.offered.iter().map(|field| field.as_str()).collect::<Vec<_>>(),
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
        "id": employee.id.0, "name": employee.name, "email": employee.work_email, "reportedStatus": employee.reported_status.as_str(),
        "start": employee.start, "lastDay": employee.last_day, "department": employee.text(Text::Department),
        "title": employee.text(Text::Title), "location": employee.text(Text::Location), "manager": manager,
    });
    // What few systems say is written only where it is said.
    let more = [
        ("contractEnd", employee.contract_end.map(|day| json!(day))),
        ("urgent", employee.urgent.then_some(json!(true))),
        ("type", employee.employment_type.map(|kind| json!(kind.as_str()))),
    ];
    let account = Fact::ALL.into_iter().map(|fact| {
        let said = employee.account.as_ref().and_then(|said| said.get(fact));
        (fact.as_str(), said.map(|said| json!(said.to_string())))
    });
    let texts = employee.texts.iter().map(|(text, value)| (text.as_str(), Some(json!(value))));
    let custom = employee.texts.customs().map(|(name, value)| (format!("custom.{}", name.as_str()), json!(value)));
    if let Some(plain) = plain.as_object_mut() {
        plain.extend(custom);
        plain.extend(
            more.into_iter().chain(account).chain(texts).filter_map(|(key, value)| Some((key.to_owned(), value?))),
        );
    }
    plain
}
